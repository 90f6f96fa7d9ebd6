"""Cycles of a network behind a DRAM: its layers as records, which :mod:`.stepper` steps cycle by cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import LEGAL_MASTERS, Accelerator
from hotnas_hls.accel.encoding.descriptor import field_values
from hotnas_hls.accel.encoding.images import addresses_of, map_memory
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory.dram import REQUESTERS, Dram, new_dram
from hotnas_hls.accel.memory.dram_timing import DramNumbers
from hotnas_hls.accel.memory.layer_runs import LAYER
from hotnas_hls.accel.memory.masters import BOX, CHIP, MASTER, WGT, WGT_1
from hotnas_hls.accel.memory.shared_bus import TURN
from hotnas_hls.accel.memory.stepper import FIFO_WORDS, stepped
from hotnas_hls.accel.plan import Tile, plan_layer, word_cycles
from hotnas_hls.accel.timing.latency import drain_beat
from hotnas_hls.accel.timing.pipeline import ARRAY_STAGES


@dataclass(frozen=True)
class DramLatency:
    """What the model expects of a network behind a DRAM, in cycles; the network takes the sum."""

    layers: dict[str, int]
    stalls: dict[str, int]  # the MAC array waited

    @property
    def cycles(self) -> int:
        """Cycles from the start to the interrupt."""
        return sum(self.layers.values())


def dram_latency(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: Mapping[str, Tile],
    numbers: DramNumbers,
    *,
    loaded: bool = True,
) -> DramLatency:
    """Cycles of every layer of ``net``, its images placed by ``map_memory``, behind the DRAM of ``numbers``.

    loaded: the weights kept on chip are there already; otherwise each layer loads its own before it begins.
    The DRAM is idle and its refresh timer at rest when the first descriptor is asked for. Raises ValueError
    for a network whose processes wait for each other, which no legal plan does.
    """
    layers = layer_records(net, accel, tiles, numbers)
    if loaded:
        layers["fill_beats"] = 0
    dram = new_dram(numbers, beat_bytes(accel))
    cycles, stalls = step_engine(layers, accel.wgt_masters, dram)
    return told(net, cycles, stalls)


def told(net: IntegerNetwork, cycles: np.ndarray, stalls: np.ndarray) -> DramLatency:
    """Cycles and stalls of the layers of one image, by name."""
    names = [layer.name for layer in net.layers]
    return DramLatency(
        dict(zip(names, map(int, cycles), strict=True)), dict(zip(names, map(int, stalls), strict=True))
    )


def beat_bytes(accel: Accelerator) -> tuple[int, ...]:
    """Bytes of a beat of each of an engine's ports, as the DRAM numbers them."""
    more = [accel.wgt_bits] * (max(LEGAL_MASTERS) - 1)
    return tuple(bits // 8 for bits in (accel.ifm_bits, accel.wgt_bits, accel.ofm_bits, *more))


def step_engine(
    layers: np.ndarray, wgt_masters: int, dram: Dram, engine: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Cycles and stalls of every layer of one engine, which is number ``engine`` behind its DRAM."""
    # Owned here: numba does not keep an array alive for the records taken from it.
    boxes, masters, turns = np.zeros(REQUESTERS, BOX), np.zeros(REQUESTERS, MASTER), np.zeros(1, TURN)
    masters["requester"], masters["stripes"] = engine * REQUESTERS + np.arange(REQUESTERS), 1
    stripes = [WGT, *range(WGT_1, REQUESTERS, 2)][:wgt_masters]
    masters["stripes"][stripes], masters["stripe"][stripes] = wgt_masters, range(wgt_masters)
    return stepped(layers, dram, boxes, masters, np.zeros(REQUESTERS, CHIP), turns)


def layer_records(
    net: IntegerNetwork, accel: Accelerator, tiles: Mapping[str, Tile], numbers: DramNumbers, engine: int = 0
) -> np.ndarray:
    """A record a layer: its descriptor, and what the hardware knows beside it.

    Engine 0 has its feature maps at byte 0 of the DRAM and its weights at ``weights_base``; those of the
    next two regions of that size are engine 1's, and so on.
    """
    memory = map_memory(net, accel, dict(tiles))
    records = np.zeros(len(net.layers), LAYER)
    for index, layer in enumerate(net.layers):
        plan = plan_layer(layer, accel, tiles[layer.name])
        addresses = addresses_of(layer, memory)
        word = word_cycles(layer, accel)
        values: dict[str, Any] = field_values(layer, plan, accel, net.numbers[layer.name], addresses) | {
            "bias_beats": plan.bias_beats,
            "descriptor": index * accel.descriptor_bytes // accel.wgt_masters,
            "fetch_beats": accel.descriptor_bytes * 8 // accel.wgt_stream_bits,
            "to_store": ARRAY_STAGES + accel.tree_levels,
            "drain_beat": drain_beat(accel),
            "ifm_beats": word.ifm,
            "residual_beats": word.residual,
            "ofm_beats": word.ofm,
            "plane_beats": word.wgt,
            "weights_base": (2 * engine + 1) * numbers.weights_base // accel.wgt_masters,
            "wgt_addr": addresses.wgt_addr // accel.wgt_masters,
            "shared": accel.shared_bus,
            "word_bytes": accel.word_bytes,
            "residual_room": residual_room(accel),
            "begins": index == 0,
        }
        for name in ("ifm_addr", "ofm_addr", "res_addr"):
            values[name] += 2 * engine * numbers.weights_base
        values["fill_beats"] = values["wgt_on_chip"] * values["wgt_planes"] * accel.wgt_beats_per_plane
        records[index] = tuple(values[name] for name in LAYER.names or ())
    return records


def residual_room(accel: Accelerator) -> int:
    """Words of residuals that wait in store_ofm at most: the vector of an output tile fits."""
    blocks = accel.tm // accel.channel_block if accel.products else 0
    return max(FIFO_WORDS, 1 << (blocks - 1).bit_length())
