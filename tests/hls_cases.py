"""Random networks on random small accelerators odd port widths, buffers that just suffice."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.accelerator import LEGAL_TAPS, PACKED_BITS, Accelerator
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.plan import Tile, entry_count, plan_layer, plan_violations
from hotnas_hls.fuzzing.random_networks import random_network

PORT_BITS = (32, 64, 128, 256)
LARGEST_KERNEL = 7
ROOM = 800  # words of an IFM bank, at most


@dataclass(frozen=True)
class Case:
    """One network on one accelerator."""

    net: IntegerNetwork
    accel: Accelerator
    tiles: dict[str, Tile]


def random_case(seed: int, tn_above_wgt_bits: bool = False, dsp_packing: bool = False) -> Case:
    """A random network and an accelerator whose buffers just hold it."""
    draw = random.Random(seed)
    act_bits = 8 if dsp_packing else draw.choice((8, 16))
    ports = {f"{port}_bits": draw.choice(PORT_BITS) for port in ("ifm", "wgt", "ofm")}
    block = max(ports["ifm_bits"], ports["ofm_bits"]) // act_bits
    tm, tn = (block * draw.randint(1, max(1, 24 // block)) for _ in range(2))
    if tn_above_wgt_bits:
        ports["wgt_bits"], tn = 32, 32 * max(2, -(-block // 32))
    roomy = Accelerator(
        tm=tm,
        tn=tn,
        tr=draw.randint(2, 10),
        tc=draw.randint(2, 10),
        **ports,
        ifm_depth=ROOM,
        wgt_entries=draw.choice((4, 9, 9, 25)),
        max_entries=LARGEST_KERNEL**2,
        act_bits=act_bits,
        weight_bits=draw.randint(6, PACKED_BITS if dsp_packing else 16),
        dsp_packing=dsp_packing,
        fabric_rows=tm // 4 * 2 if seed % 2 else 0,
        patterns=draw.random() < 0.6,
        activation_lines=seed % 2 == 1,
        products=seed % 4 == 0,
        wgt_masters=2 if seed % 4 == 2 and not tn_above_wgt_bits else 1,
        taps=draw.choice([taps for taps in reversed(LEGAL_TAPS[:-1]) if taps <= min(tm, tn)]),
    )
    if seed % 3 == 2 and min(tm, tn, ports["wgt_bits"] // 8) >= LEGAL_TAPS[-1]:
        roomy = dataclasses.replace(roomy, taps=LEGAL_TAPS[-1])
    drawn = random_network(np.random.default_rng(seed), roomy, f"random{seed}")
    layers, tiles = drawn.net.layers, drawn.tiles
    plans = [plan_layer(layer, roomy, tiles[layer.name]) for layer in layers]
    accel = dataclasses.replace(
        roomy,
        ifm_depth=max(plan.slices * plan.slice_px for plan in plans),
        max_entries=max(entry_count(layer, roomy.taps) for layer in layers),
    )
    problems = accel.violations() + [
        problem for layer in layers for problem in plan_violations(layer, accel, tiles[layer.name])
    ]
    assert not problems, problems
    return Case(drawn.net, accel, tiles)
