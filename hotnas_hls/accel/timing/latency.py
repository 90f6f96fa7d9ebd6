"""The true latency model: cycles of a layer on the accelerator, exact for a fixed-latency memory.

What a layer is asked for its time is taken from its plan, its accelerator and its place in the network
(:mod:`.recurrence` counts). Networks are the sums of their layers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import (
    KNOWN,
    PATTERN_BITS,
    LayerPlan,
    Tile,
    job_beats,
    layer_beats,
    plan_layer,
    word_cycles,
)
from hotnas_hls.accel.timing.first_tile import FirstTile, first_tiles
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.pipeline import (
    ARRAY_STAGES,
    CHIP_READ,
    DRAIN_BEAT,
    FILL_ADDRESS,
    JOBS_AHEAD,
    LINE_STAGES,
    PRODUCT_STAGES,
    STRIPED_READ,
    WGT_ADDRESS,
)
from hotnas_hls.accel.timing.recurrence import recurrence


class Bottleneck(StrEnum):
    """What a layer's time is spent on (HotNAS's labels)."""

    IFM = "I"
    WEIGHTS = "W"
    COMPUTE = "C"
    OFM = "O"


@dataclass(frozen=True)
class LayerLatency:
    """Cycles of a layer, and in how many of them each process was busy.

    ``stall`` counts cycles in which the MAC array waited for data or a free accumulator half.
    The processes overlap: the terms do not add up to ``cycles``.
    """

    cycles: int
    load_ifm: int
    load_wgt: int
    compute: int
    store_ofm: int
    stall: int

    @property
    def bottleneck(self) -> Bottleneck:
        """The process that is busy longest; compute wins a tie, then OFM, IFM, weights."""
        terms = {
            Bottleneck.COMPUTE: self.compute,
            Bottleneck.OFM: self.store_ofm,
            Bottleneck.IFM: self.load_ifm,
            Bottleneck.WEIGHTS: self.load_wgt,
        }
        return max(terms, key=lambda label: terms[label])

    def terms(self) -> dict[str, int]:
        """Every count by its name in registers and reports."""
        return dict(vars(self))


@dataclass(frozen=True)
class NetworkLatency:
    """Layers in order; the network takes the sum of their cycles."""

    layers: dict[str, LayerLatency]

    @property
    def cycles(self) -> int:
        """Cycles from the start to the interrupt."""
        return sum(layer.cycles for layer in self.layers.values())

    def ms(self, clock_mhz: float) -> float:
        """Milliseconds at a clock."""
        return self.cycles / (clock_mhz * 1e3)


@dataclass(frozen=True)
class Place:
    """Where a layer stands in its network, as far as its time depends on it."""

    ahead: bool = False  # what it begins with comes while the layer before is in work
    then: Layer | None = None  # unnamed: the one whose descriptor and first weight job come while this is
    then_tile: FirstTile | None = None  # its first tile; None: left out, or it does not come ahead


ALONE = Place()


def places(layers: Sequence[Layer], shared_bus: bool) -> list[Place]:
    """The place of every layer, whatever its tile; where all reads share a port each stands alone.

    The first tiles of the layers behind are left out: no layer takes fewer cycles with them.
    """
    if shared_bus:
        return [ALONE] * len(layers)
    after = [*(layer.unnamed() for layer in layers[1:]), None]
    return [Place(index > 0, then) for index, then in enumerate(after)]


def places_in_tiles(layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile]) -> list[Place]:
    """The place of every layer of a network whose tiles are known."""
    behind = [*first_tiles(layers, timed_alike(accel), tiles)[1:], None]
    found = zip(places(layers, accel.shared_bus), behind, strict=True)
    return [replace(place, then_tile=tile) for place, tile in found]


def plan_latency(
    layer: Layer,
    plan: LayerPlan,
    accel: Accelerator,
    memory: MemoryTiming,
    place: Place = ALONE,
    *,
    loaded: bool = True,
) -> LayerLatency:
    """Cycles of a planned layer; see :func:`layer_latency`."""
    word, latency, then = word_cycles(layer, accel), memory.read_latency, place.then
    return LayerLatency(
        *map(int, recurrence(  # NumPy's integers, where Numba compiles nothing
            plan.tiles_r, plan.tiles_c, plan.tiles_m, plan.tiles_n, plan.chunks,
            layer.kind is not LayerKind.CONV,
            plan.tr, plan.tr_last, plan.tc, plan.tc_last, plan.th, plan.th_last, plan.tw, plan.tw_last,
            layer.stride_rows, layer.stride, *layer.padding, layer.read_rows, layer.read_columns,
            plan.slices, plan.slice_blocks, plan.slice_blocks_last, plan.m_blocks, plan.m_blocks_last,
            plan.entries, plan.entries_last, plan.groups, plan.groups_last, plan.bias_beats,
            layer.weight_bits, PATTERN_BITS if layer.pattern_ones is not None else 0,
            word.wgt, weights_latency(layer, accel, memory), jobs_ahead(layer, accel), word.ifm,
            word.residual, word.ofm, layer.residual is not None, layer.residual_vector,
            ARRAY_STAGES + accel.tree_levels, drain_beat(accel),
            CHIP_READ if layer.ifm_on_chip else latency, CHIP_READ if layer.residual_on_chip else latency,
            0 if layer.ofm_on_chip else memory.write_latency, accel.shared_bus,
            place.ahead, fetch_cycles(layer, accel, memory, loaded=loaded),
            0 if then is None else fetch_cycles(then, accel, memory, loaded=loaded),
            0 if then is None else first_job_cycles(then, accel, memory),
            place.ahead and layer.ifm_on_chip, fetch_cycles(layer, accel, memory),
            *(place.then_tile or (0, 0)), plan.ifm_merged, plan.ofm_merged,
        ))
    )  # fmt: skip


def drain_beat(accel: Accelerator) -> int:
    """Cycles from an accumulator's read to its word on AXI."""
    lines = LINE_STAGES if accel.activation_lines else 0
    return DRAIN_BEAT + lines + (PRODUCT_STAGES if accel.products else 0)


def striped_read(accel: Accelerator) -> int:
    """Cycles that joining the beats of several masters adds to what m_axi_wgt reads."""
    return STRIPED_READ if accel.wgt_masters > 1 else 0


def port_latency(accel: Accelerator, memory: MemoryTiming) -> int:
    """Cycles from an address on m_axi_wgt to its first beat, joined of all masters."""
    return memory.read_latency + striped_read(accel)


def weights_latency(layer: Layer, accel: Accelerator, memory: MemoryTiming) -> int:
    """Cycles from the address of a layer's weights to their first plane's first beat."""
    return CHIP_READ if layer.weights_on_chip else port_latency(accel, memory)


def jobs_ahead(layer: Layer, accel: Accelerator) -> int:
    """Weight jobs that are asked for before they have a slot: their data wait in a port of their own."""
    return 0 if accel.shared_bus or layer.weights_on_chip else JOBS_AHEAD


def fetch_cycles(layer: Layer, accel: Accelerator, memory: MemoryTiming, *, loaded: bool = True) -> int:
    """Cycles from asking for a layer's descriptor until its weights can be asked for.

    loaded: the weights it keeps on chip are there; otherwise they are loaded between the two.
    """
    latency = port_latency(accel, memory)
    fetch = latency + accel.descriptor_bytes * 8 // accel.wgt_stream_bits + 1
    if loaded or not layer.weights_on_chip:
        return fetch
    planes = layer_beats(plan_layer(layer, accel, Tile(1, 1)), layer)
    return fetch + FILL_ADDRESS + latency + planes * accel.wgt_beats_per_plane


def first_job_cycles(layer: Layer, accel: Accelerator, memory: MemoryTiming) -> int:
    """Cycles from a free slot to the last beat of a layer's first weight job, whatever its tile."""
    planes = job_beats(plan_layer(layer, accel, Tile(1, 1)), layer, 0, 0, 0)
    return WGT_ADDRESS + weights_latency(layer, accel, memory) + planes * word_cycles(layer, accel).wgt - 1


def layer_latency(
    layer: Layer,
    accel: Accelerator,
    tile: Tile,
    memory: MemoryTiming,
    place: Place = ALONE,
    *,
    loaded: bool = True,
) -> LayerLatency:
    """Cycles of ``layer`` computed in tiles of ``tile``: exact when the memory answers in fixed time.

    loaded: the weights kept on chip are there already; otherwise every layer's are loaded before its own.
    The accelerator must be legal and the tile must fit (``plan_violations``); that is not checked here.
    """
    return _known_latency(layer.unnamed(), _without_buffers(accel), tile, memory, place, loaded)


@functools.lru_cache(maxsize=KNOWN)
def _known_latency(
    layer: Layer, accel: Accelerator, tile: Tile, memory: MemoryTiming, place: Place, loaded: bool
) -> LayerLatency:
    return plan_latency(layer, plan_layer(layer, accel, tile), accel, memory, place, loaded=loaded)


@functools.lru_cache(maxsize=KNOWN)
def timed_alike(accel: Accelerator) -> Accelerator:
    """The same for all accelerators whose layers take equal time: how much fits on chip changes none."""
    return replace(accel, map_words=int(accel.keeps), residual_words=None, weight_planes=0, ultra_ram=False)


@functools.lru_cache(maxsize=KNOWN)
def _without_buffers(accel: Accelerator) -> Accelerator:
    """The same for all accelerators whose layers take equal time in the same tiles, whatever they hold."""
    return replace(timed_alike(accel), tr=1, tc=1, ifm_depth=1)


def network_latency(
    layers: Sequence[Layer],
    accel: Accelerator,
    tiles: Mapping[str, Tile],
    memory: MemoryTiming,
    *,
    loaded: bool = True,
) -> NetworkLatency:
    """Cycles of every layer and of the network; ``loaded`` as there."""
    return NetworkLatency(
        {
            layer.name: layer_latency(layer, accel, tiles[layer.name], memory, place, loaded=loaded)
            for layer, place in zip(layers, places_in_tiles(layers, accel, tiles), strict=True)
        }
    )
