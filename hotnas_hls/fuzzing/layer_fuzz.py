"""Random layers on random designs: every cycle count and every output against model and reference.

One seed makes one design and a number of unrelated layers, which run as one network on one Verilated
accelerator. Each (layer, design) pair is checked term by term; the same layers then run again under
random stalls, where only the outputs must be equal.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hotnas_hls.accel.accelerator import LEGAL_PLANE_BITS, LEGAL_TAPS, PACKED_BITS, Accelerator
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.random_numbers import random_numbers
from hotnas_hls.accel.integers.reference import run_layer
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.plan import Tile, ceil_div, entry_count, ifm_word_beats, plan_layer
from hotnas_hls.accel.residency import keep_maps, keep_weights
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import bench_files
from hotnas_hls.simulate.rtl_simulation import Run, RunResult, SimulationModel, build, run_network

MAP_WORDS = (50, 128, 300, 1000)
WEIGHT_PLANES = (200, 700, 2000)
STALL = 70  # chance in 256 that a memory channel pauses, in the stalled run


@dataclass(frozen=True)
class FuzzCase:
    """A random design and the layers it runs."""

    seed: int
    net: IntegerNetwork
    accel: Accelerator
    tiles: dict[str, Tile]
    inputs: dict[str, np.ndarray]  # feature maps no layer writes
    memory: MemoryTiming


@dataclass(frozen=True)
class PairResult:
    """One layer on one design."""

    layer: str
    predicted: dict[str, int]  # cycle counts by term; first: of the run that loads what stays on chip
    simulated: dict[str, int]
    outputs_equal: bool
    outputs_equal_stalled: bool

    @property
    def largest_difference(self) -> int:
        """Largest difference of a term, in cycles."""
        return max(abs(self.predicted[term] - self.simulated[term]) for term in self.predicted)


def _pick(rng: np.random.Generator, *options: int) -> int:
    return int(options[rng.integers(len(options))])


def random_accelerator(
    rng: np.random.Generator,
    shared_bus: bool = False,
    on_chip: bool = False,
    activation_lines: bool = False,
    striped: bool = False,
    products: bool = False,
) -> Accelerator:
    """A small legal design; buffer sizes are set later, from the layers.

    on_chip: it has room for maps and weights, whose words and planes may be wider than its ports. striped:
    its weights are, over two masters or four.
    """
    act_bits = _pick(rng, 8, 16)
    ifm_bits, wgt_bits, ofm_bits = (_pick(rng, 32, 64, 128) for _ in range(3))
    if shared_bus:
        wgt_bits = ofm_bits = ifm_bits
    widest = max(ifm_bits, ofm_bits)
    word_bits = _pick(rng, *(bits for bits in (32, 64, 128, 256) if bits >= widest)) if on_chip else None
    block = (word_bits or widest) // act_bits
    tm, tn = (block * _pick(rng, *range(1, max(1, 16 // block) + 1)) for _ in range(2))
    if tn > wgt_bits:
        tn = wgt_bits
    accel = Accelerator(
        tm=tm,
        tn=tn,
        tr=_pick(rng, 3, 6, 9),
        tc=_pick(rng, 3, 6, 9),
        ifm_bits=ifm_bits,
        wgt_bits=wgt_bits,
        ofm_bits=ofm_bits,
        ifm_depth=1,
        wgt_entries=_pick(rng, 5, 9, 9, 9, 25),
        max_entries=1,
        act_bits=act_bits,
        weight_bits=_pick(rng, 8, 12, 16, 16),
        shared_bus=shared_bus,
        patterns=bool(rng.integers(4)),
        activation_lines=activation_lines,
        products=products,
        taps=_pick(rng, *(taps for taps in reversed(LEGAL_TAPS[:-1]) if taps <= min(tm, tn))),
        word_bits=word_bits,
        map_words=_pick(rng, *MAP_WORDS) if on_chip else 0,
        plane_bits=_pick(rng, *(bits for bits in (32, 64, 128, 256) if bits >= wgt_bits))
        if on_chip
        else None,
        weight_planes=_pick(rng, *WEIGHT_PLANES) if on_chip else 0,
    )
    if striped:
        masters = _pick(rng.spawn(1)[0], 2, 4)  # which moves no draw of rng itself
        plane_bits = accel.plane_bits and max(accel.plane_bits, masters * wgt_bits)
        accel = dataclasses.replace(accel, wgt_masters=masters, plane_bits=plane_bits)
    if accel.map_words:
        shares = (1, 2, 4)  # of the words on chip a residual reads all, or the first half or quarter
        residual_words = accel.map_words // _pick(rng.spawn(1)[0], *shares)
        accel = dataclasses.replace(accel, residual_words=residual_words)
        if not _pick(rng.spawn(1)[0], *range(4)):
            accel = dataclasses.replace(accel, plane_bits=LEGAL_PLANE_BITS[-1])
    if act_bits <= PACKED_BITS and rng.integers(3):
        accel = dataclasses.replace(accel, weight_bits=PACKED_BITS, dsp_packing=True)
    (apart,) = rng.spawn(1)  # which moves no draw of rng itself
    fabric_rows = int(apart.integers(tm + 1)) // accel.rows_per_dsp * accel.rows_per_dsp
    if apart.integers(2):
        accel = dataclasses.replace(accel, fabric_rows=fabric_rows)
    most = LEGAL_TAPS[-1]
    if apart.integers(3) or most > min(tm, tn, wgt_bits // 8):
        return accel
    return dataclasses.replace(accel, taps=most)


def random_layer(rng: np.random.Generator, accel: Accelerator, name: str) -> tuple[Layer, Tile]:
    """A random layer the design can run, and a random tile for it."""
    kind = rng.choice(
        [LayerKind.CONV, LayerKind.CONV, LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.MAXPOOL]
    )
    kernel_rows = _pick(rng, 1, 3, 3, 5)
    kernel_columns = kernel_rows if rng.integers(4) else _pick(rng, 1, 2, 3)
    stride = _pick(rng, 1, 1, 2)
    (apart,) = rng.spawn(1)  # which moves no other draw
    down = stride if apart.integers(4) else _pick(apart, 1, 2, 3)
    in_rows, in_columns = (int(rng.integers(k, 14)) for k in (kernel_rows, kernel_columns))
    pad_top, pad_left = int(rng.integers(kernel_rows)), int(rng.integers(kernel_columns))
    pad_bottom, pad_right = int(rng.integers(kernel_rows)), int(rng.integers(kernel_columns))
    if apart.integers(4) == 0:  # the first rows and columns are left out
        pad_top = -int(apart.integers(in_rows + pad_bottom - kernel_rows + 1))
        pad_left = -int(apart.integers(in_columns + pad_right - kernel_columns + 1))
    n = int(rng.integers(1, 3 * accel.tn))
    m = int(rng.integers(1, 3 * accel.tm)) if kind == LayerKind.CONV else n
    entries = kernel_rows * kernel_columns
    prunable = accel.patterns and kind == LayerKind.CONV and entries >= 4 and entries <= accel.wgt_entries
    ones = int(rng.integers(2, entries)) if prunable and rng.integers(5) else None
    layer = Layer(
        name=name,
        kind=LayerKind(kind),
        source=f"{name}.in",
        target=f"{name}.out",
        n=n,
        m=m,
        in_rows=in_rows,
        in_columns=in_columns,
        out_rows=(in_rows + pad_top + pad_bottom - kernel_rows) // down + 1,
        out_columns=(in_columns + pad_left + pad_right - kernel_columns) // stride + 1,
        kernel_rows=kernel_rows,
        kernel_columns=kernel_columns,
        stride=stride,
        row_stride=None if down == stride else down,
        pad_top=pad_top,
        pad_left=pad_left,
        residual=f"{name}.res" if kind != LayerKind.MAXPOOL and not rng.integers(3) else None,
        weight_bits=int(rng.integers(2, accel.weight_bits + 1)),
        pattern_ones=ones,
        pattern_rows=accel.rows_per_dsp if ones else 1,
        activation_lines=accel.activation_lines and bool(rng.integers(3)),
        ifm_trimmed=bool(apart.integers(2)),
    )
    if accel.products and rng.integers(4):  # everything can be multiplied, a maximum too
        adds = layer.residual is not None and bool(rng.integers(2))
        layer = dataclasses.replace(
            layer, residual=f"{name}.res", residual_multiplies=not adds, residual_vector=bool(rng.integers(2))
        )
    tile = Tile(int(rng.integers(1, accel.tr + 1)), int(rng.integers(1, accel.tc + 1)))
    return layer, tile


def fuzz_case(seed: int, layers: int, shared_bus: bool = False, on_chip: bool = False) -> FuzzCase:
    """The design and the layers of a seed; all reads through one port on a ``shared_bus``.

    on_chip: the design has room for maps and weights; outputs and weights stay there that find it. No layer
    reads another's output. Two of four seeds in a row have activations of lines, one of three striped weights
    where its reads have several ports, and one of three products.
    """
    rng = np.random.default_rng(seed)
    striped = seed % 3 == 1 and not shared_bus
    accel = random_accelerator(rng, shared_bus, on_chip, seed % 4 in (1, 2), striped, seed % 3 == 0)
    drawn = [random_layer(rng, accel, f"layer{index}") for index in range(layers)]
    tiles = {layer.name: tile for layer, tile in drawn}
    plans = [plan_layer(layer, accel, tile) for layer, tile in drawn]
    accel = dataclasses.replace(
        accel,
        ifm_depth=max(plan.slices * plan.slice_px for plan in plans),
        max_entries=max(_pick(rng, 25, 49, 121), *(entry_count(layer, accel.taps) for layer, _ in drawn)),
    )
    maps: dict[str, FeatureMap] = {}
    inputs: dict[str, np.ndarray] = {}
    top = 1 << (accel.act_bits - 1)
    for layer, _ in drawn:
        maps[layer.source] = FeatureMap(
            layer.source, layer.n, layer.in_rows, layer.in_columns, trimmed=layer.ifm_trimmed
        )
        maps[layer.target] = FeatureMap(layer.target, layer.m, layer.out_rows, layer.out_columns)
        inputs[layer.source] = rng.integers(-top, top, size=(layer.n, layer.in_rows, layer.in_columns))
        if layer.residual is not None:
            maps[layer.residual] = FeatureMap(layer.residual, *layer.residual_shape)
            inputs[layer.residual] = rng.integers(-top, top, size=layer.residual_shape)
    memory = MemoryTiming(int(rng.integers(2, 56)), int(rng.integers(2, 40)))
    image, logits = drawn[0][0].source, drawn[-1][0].target
    kept = keep_maps([layer for layer, _ in drawn], tuple(maps.values()), image, (logits,), accel)
    net = IntegerNetwork(
        name=f"fuzz{seed}",
        feature_maps=maps,
        layers=keep_weights(kept, accel, tiles, memory),
        numbers={
            layer.name: random_numbers(layer, seed, accel.act_bits, accel.acc_bits) for layer, _ in drawn
        },
        image=image,
        host=HostWork.reading(logits),
        act_bits=accel.act_bits,
    )
    return FuzzCase(seed, net, accel, tiles, inputs, memory)


def build_case(case: FuzzCase, folder: Path) -> SimulationModel:
    """The Verilated design of a case."""
    files = rtl_files(case.accel, len(case.net.layers), Banner(case.net.name, "fuzz"))
    return build(files, folder, optimise=False, bench=bench_files(masters(case.accel)))


def run_case(case: FuzzCase, model: SimulationModel, job: Path) -> list[PairResult]:
    """Run the case's layers on its design without and with stalls, compare each.

    The first run loads what stays on chip, the second has it and counts; the one with stalls loads it again.
    """
    image, others = case.inputs[case.net.image], case.inputs
    latency, loading = (
        network_latency(case.net.layers, case.accel, case.tiles, case.memory, loaded=loaded)
        for loaded in (True, False)
    )
    start = Run(image, others, case.memory)
    filling, plain, stalled = run_network(
        model,
        case.net,
        case.accel,
        case.tiles,
        [start, start, dataclasses.replace(start, stall=STALL, reset=True)],
        job,
        timeout_cycles=20 * loading.cycles + 100_000,
    )
    results = []
    for layer, first, counted in zip(case.net.layers, filling.layers, plain.layers, strict=True):
        residual = case.inputs[layer.residual] if layer.residual is not None else None
        numbers, ifm = case.net.numbers[layer.name], case.inputs[layer.source]
        expected = run_layer(layer, numbers, case.net.act_bits, ifm, residual)

        def equal(run: RunResult, layer: Layer = layer, expected: np.ndarray = expected) -> bool:
            return run.status == 0 and bool(np.array_equal(run.feature_maps[layer.target], expected))

        results.append(
            PairResult(
                layer=layer.name,
                predicted=latency.layers[layer.name].terms() | {"first": loading.layers[layer.name].cycles},
                simulated=counted | {"first": first["cycles"]},
                outputs_equal=equal(filling) and equal(plain),
                outputs_equal_stalled=equal(stalled),
            )
        )
    return results


def utilisation(case: FuzzCase) -> dict[str, int]:
    """What the case exercises: multi-tile layers, chunked kernels, pruned layers, residuals."""
    plans = [plan_layer(layer, case.accel, case.tiles[layer.name]) for layer in case.net.layers]
    return {
        "several tiles": sum(plan.tiles > 1 for plan in plans),
        "several slices": sum(plan.slices > 1 for plan in plans),
        "chunked kernels": sum(plan.chunks > 1 for plan in plans),
        "pruned": sum(layer.pattern_ones is not None for layer in case.net.layers),
        "residual": sum(layer.residual is not None for layer in case.net.layers),
        "products": sum(layer.residual_multiplies for layer in case.net.layers),
        "vectors": sum(layer.residual_vector for layer in case.net.layers),
        "lines": sum(layer.activation_lines for layer in case.net.layers),
        "channelwise": sum(layer.kind is not LayerKind.CONV for layer in case.net.layers),
        "words of several beats": max(case.accel.ifm_beats_per_word, case.accel.ofm_beats_per_word),
        "trimmed": sum(
            ifm_word_beats(layer, case.accel) < case.accel.ifm_beats_per_word for layer in case.net.layers
        ),
        "steps": sum(plan.steps for plan in plans),
        "blocks": sum(ceil_div(layer.m, case.accel.channel_block) for layer in case.net.layers),
    }
