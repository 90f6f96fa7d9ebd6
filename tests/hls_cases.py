"""Random small networks on random small accelerators: every operator, ragged tiles, odd port widths."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from hotnas_hls.accel.accelerator import LEGAL_TAPS, PACKED_BITS, Accelerator
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.plan import Tile, entry_count, plan_layer, plan_violations
from hotnas_hls.accel.random_numbers import random_numbers

PORT_BITS = (32, 64, 128, 256)


@dataclass(frozen=True)
class Case:
    """One network on one accelerator."""

    net: IntegerNetwork
    accel: Accelerator
    tiles: dict[str, Tile]


def random_case(
    seed: int, layers: int = 5, tn_above_wgt_bits: bool = False, dsp_packing: bool = False
) -> Case:
    """A chain of ``layers`` random layers and an accelerator whose buffers just hold them."""
    draw = random.Random(seed)
    act_bits = 8 if dsp_packing else draw.choice((8, 16))
    ports = {f"{port}_bits": draw.choice(PORT_BITS) for port in ("ifm", "wgt", "ofm")}
    block = max(ports["ifm_bits"], ports["ofm_bits"]) // act_bits
    tn = block * draw.randint(1, max(1, 24 // block))
    if tn_above_wgt_bits:
        ports["wgt_bits"], tn = 32, 32 * max(2, -(-block // 32))
    chain = _random_chain(draw, layers, patterns=draw.random() < 0.7)
    if dsp_packing:
        chain = chain[0], [_packable(layer) for layer in chain[1]]
    tiles = {
        layer.name: Tile(draw.randint(1, layer.out_rows), draw.randint(1, layer.out_columns))
        for layer in chain[1]
    }
    tm = block * draw.randint(1, max(1, 24 // block))
    taps = draw.choice([taps for taps in reversed(LEGAL_TAPS) if taps <= min(tm, tn)])
    roomy = Accelerator(
        tm=tm,
        tn=tn,
        tr=max(tile.tr for tile in tiles.values()),
        tc=max(tile.tc for tile in tiles.values()),
        **ports,
        ifm_depth=1,
        wgt_entries=1,
        max_entries=max(entry_count(layer, taps) for layer in chain[1]),
        act_bits=act_bits,
        weight_bits=max(layer.weight_bits for layer in chain[1]),
        patterns=any(layer.pattern_ones for layer in chain[1]) or draw.random() < 0.3,
        taps=taps,
        dsp_packing=dsp_packing,
    )
    plans = [plan_layer(layer, roomy, tiles[layer.name]) for layer in chain[1]]
    pruned = max((layer.positions for layer in chain[1] if layer.pattern_ones), default=1)
    accel = Accelerator(
        **{
            **vars(roomy),
            "ifm_depth": max(plan.slices * plan.slice_px for plan in plans),
            "wgt_entries": max(pruned, draw.randint(1, roomy.max_entries)),
        }
    )
    problems = accel.violations() + [
        problem for layer in chain[1] for problem in plan_violations(layer, accel, tiles[layer.name])
    ]
    assert not problems, problems
    maps, sequence = chain
    numbers = {
        layer.name: random_numbers(layer, seed, act_bits, acc_bits=accel.acc_bits) for layer in sequence
    }
    net = IntegerNetwork(
        f"random{seed}",
        {fm.name: fm for fm in maps},
        tuple(sequence),
        numbers,
        image=maps[0].name,
        logits=maps[-1].name,
        act_bits=act_bits,
    )
    return Case(net, accel, tiles)


def _packable(layer: Layer) -> Layer:
    """``layer`` as a design that packs DSP slices can run it."""
    rows = 2 if layer.pattern_ones else 1
    return replace(layer, weight_bits=min(layer.weight_bits, PACKED_BITS), pattern_rows=rows)


def _random_chain(draw: random.Random, layers: int, patterns: bool) -> tuple[list[FeatureMap], list[Layer]]:
    maps = [FeatureMap("map0", draw.randint(1, 20), draw.randint(7, 14), draw.randint(7, 14))]
    sequence: list[Layer] = []
    for index in range(layers):
        source = maps[-1]
        layer = _random_layer(draw, f"layer{index}", source, f"map{index + 1}", patterns)
        target = FeatureMap(layer.target, layer.m, layer.out_rows, layer.out_columns)
        alike = [
            fm.name
            for fm in maps
            if (fm.channels, fm.rows, fm.columns) == (target.channels, target.rows, target.columns)
        ]
        if alike and layer.kind is not LayerKind.MAXPOOL and draw.random() < 0.8:
            layer = Layer(**{**vars(layer), "residual": draw.choice(alike)})
        maps.append(target)
        sequence.append(layer)
    return maps, sequence


def _random_layer(draw: random.Random, name: str, source: FeatureMap, target: str, patterns: bool) -> Layer:
    kind = draw.choice((*[LayerKind.CONV] * 3, LayerKind.DEPTHWISE, LayerKind.MAXPOOL))
    largest = min(source.rows, source.columns)
    smallest = 1 if kind is LayerKind.CONV else 2
    kernel = draw.choice([k for k in (1, 1, 2, 3, 3, 3, 5) if smallest <= k <= largest] or [1])
    stride = draw.choice((1, 1, 1, 2)) if largest >= 5 else 1
    pad = draw.choice((kernel // 2, kernel // 2, 0))
    below = draw.randint(0, pad)  # padding at the far edges may differ
    rows = (source.rows + pad + below - kernel) // stride + 1
    columns = (source.columns + pad + below - kernel) // stride + 1
    keeps = kind is not LayerKind.CONV
    shape_kept = (rows, columns) == (source.rows, source.columns)
    pruned = patterns and kind is LayerKind.CONV and kernel == 3 and draw.random() < 0.7
    return Layer(
        name=name,
        kind=kind,
        source=source.name,
        target=target,
        n=source.channels,
        m=source.channels if keeps or (shape_kept and draw.random() < 0.5) else draw.randint(1, 40),
        in_rows=source.rows,
        in_columns=source.columns,
        out_rows=rows,
        out_columns=columns,
        kernel_rows=kernel,
        kernel_columns=kernel,
        stride=stride,
        pad_top=pad,
        pad_left=pad,
        weight_bits=draw.randint(2, 16),
        pattern_ones=draw.randint(2, 5) if pruned else None,
    )
