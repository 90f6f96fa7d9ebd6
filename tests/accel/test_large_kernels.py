"""Kernels up to 16 x 16, strides up to 4, weights far beyond the chip, parts of maps: on both twins."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from codegen.test_hls import generate, needs_csim, write
from hls_cases import Case
from simulate.test_rtl import needs_verilator

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.random_numbers import random_numbers
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.plan import Tile, entry_count, plan_layer, plan_violations
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.floors import layer_floors
from hotnas_hls.accel.timing.latency import layer_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tile
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.model_layers import load_layers
from hotnas_hls.fuzzing.layer_fuzz import FuzzCase, build_case, run_case
from hotnas_hls.simulate.csim import run_csim

# AlexNet's stem on a small map; a pool, a depthwise and an average of many positions; a strided 1 x 1 layer
# and a strided row, of whose input most rows are skipped; a classifier whose weights exceed every slot. The
# largest kernels: a maximum takes all 256 entries in one step. Layers that leave out first rows and columns.
CONV, DEPTHWISE, MAXPOOL = LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.MAXPOOL
LAYERS = (
    Layer("stem", CONV, "image", "stem", 3, 20, 43, 41, 10, 9, 11, 11, 4, 2, 2, weight_bits=8),
    Layer("pool", MAXPOOL, "stem", "pool", 20, 20, 10, 9, 5, 5, 11, 9, 1, 3, 2, weight_bits=8),
    Layer("deep", DEPTHWISE, "stem", "deep", 20, 20, 10, 9, 3, 3, 10, 9, 4, 5, 4, weight_bits=7),
    Layer("mean", DEPTHWISE, "image", "mean", 3, 3, 43, 41, 8, 8, 15, 13, 4, weight_bits=4),
    Layer("skip", CONV, "stem", "skip", 20, 12, 10, 9, 3, 3, 1, 1, 4, weight_bits=5),
    Layer("row", DEPTHWISE, "stem", "row", 20, 20, 10, 9, 5, 5, 1, 3, 2, 0, 1, weight_bits=6),
    Layer("peak", MAXPOOL, "stem", "peak", 20, 20, 10, 9, 5, 4, 16, 16, 1, 5, 6, weight_bits=8),
    Layer("square", CONV, "image", "square", 3, 12, 43, 41, 11, 10, 16, 16, 3, 1, 2, weight_bits=3),
    Layer("inner", CONV, "stem", "inner", 20, 12, 10, 9, 4, 6, 3, 3, 1, -4, -2, weight_bits=4),
    Layer("lower", MAXPOOL, "stem", "lower", 20, 20, 10, 9, 7, 9, 3, 1, 1, -1, weight_bits=8),
    Layer("odd", DEPTHWISE, "stem", "odd", 20, 20, 10, 9, 5, 4, 1, 1, 2, -1, -1, weight_bits=4),
    Layer("beyond", DEPTHWISE, "stem", "beyond", 20, 20, 10, 9, 8, 1, 3, 9, 1, 0, -1, weight_bits=4),
    Layer("classifier", CONV, "pool", "classifier", 20, 30, 5, 5, 1, 1, 5, 5, weight_bits=8),
)
TILES = {
    **{"stem": Tile(4, 9), "pool": Tile(3, 2), "deep": Tile(2, 3), "mean": Tile(2, 8), "skip": Tile(2, 3)},
    **{"row": Tile(2, 5), "peak": Tile(4, 4), "square": Tile(2, 7), "inner": Tile(3, 4), "lower": Tile(4, 9)},
    **{"odd": Tile(3, 4), "beyond": Tile(4, 1), "classifier": Tile(1, 1)},
}


def network(taps: int) -> tuple[IntegerNetwork, Accelerator]:
    """The layers with seeded numbers, and a design whose buffers just hold them."""
    roomy = Accelerator(8, 4, 4, 9, 64, 64, 32, 1, 9, 1, weight_bits=8, patterns=False, taps=taps)
    plans = [plan_layer(layer, roomy, TILES[layer.name]) for layer in LAYERS]
    accel = dataclasses.replace(
        roomy,
        ifm_depth=max(plan.slices * plan.slice_px for plan in plans),
        max_entries=max(entry_count(layer, taps) for layer in LAYERS),
    )
    problems = [p for layer in LAYERS for p in plan_violations(layer, accel, TILES[layer.name])]
    assert not problems, problems
    image = FeatureMap("image", 3, 43, 41)
    outputs = [FeatureMap(la.target, la.m, la.out_rows, la.out_columns) for la in LAYERS]
    maps = {fm.name: fm for fm in (image, *outputs)}
    numbers = {layer.name: random_numbers(layer, 3, 16, accel.acc_bits) for layer in LAYERS}
    return IntegerNetwork("large", maps, LAYERS, numbers, "image", HostWork.reading("classifier"), 16), accel


@pytest.mark.whole
@needs_verilator
@pytest.mark.parametrize("taps", [1, 4])
def test_rtl_is_bit_exact_and_predicted_to_the_cycle(taps: int, tmp_path: Path) -> None:
    net, accel = network(taps)
    rng = np.random.default_rng(0)
    inputs = {}
    # Each layer reads a map of its own, as fuzzed layers do: none depends on another.
    layers = tuple(dataclasses.replace(la, source=f"{la.name}.in", target=f"{la.name}.out") for la in LAYERS)
    maps = {}
    for layer in layers:
        maps[layer.source] = FeatureMap(layer.source, layer.n, layer.in_rows, layer.in_columns)
        maps[layer.target] = FeatureMap(layer.target, layer.m, layer.out_rows, layer.out_columns)
        inputs[layer.source] = rng.integers(-(1 << 15), 1 << 15, (layer.n, layer.in_rows, layer.in_columns))
    alone = dataclasses.replace(
        net,
        feature_maps=maps,
        layers=layers,
        image=layers[0].source,
        host=HostWork.reading(layers[-1].target),
    )
    case = FuzzCase(0, alone, accel, TILES, inputs, MemoryTiming(30, 10))
    for result in run_case(case, build_case(case, tmp_path), tmp_path / "job"):
        assert result.simulated == result.predicted, result.layer
        assert result.outputs_equal and result.outputs_equal_stalled, result.layer


@pytest.mark.whole
@needs_csim
@pytest.mark.parametrize("taps", [1, 4])
def test_hls_is_bit_exact(taps: int, tmp_path: Path) -> None:
    net, accel = network(taps)
    folder = write(generate(Case(net, accel, TILES)), tmp_path)
    assert run_csim(folder).layers == len(LAYERS)


def test_rows_that_are_stepped_over_are_not_loaded() -> None:
    accel = Accelerator(16, 16, 14, 14, 128, 128, 128, 4096, 9, 9, patterns=False)
    size = (64, 128, 56, 56, 28, 28)
    shortcut = Layer("shortcut", CONV, "x", "y", *size, 1, 1, 2)
    plain = Layer("plain", CONV, "x", "y", *size, 3, 3, 2, 1, 1)
    tile, memory = Tile(14, 28), MemoryTiming()
    half, whole = (layer_latency(layer, accel, tile, memory).load_ifm for layer in (shortcut, plain))
    assert half < 0.52 * whole
    assert plan_layer(shortcut, accel, tile).th == 14
    # Columns that are stepped over are loaded: they lie within a burst.
    assert layer_floors(shortcut, accel).load_ifm == 28 * 28 * 64 // 8


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_classifiers_of_many_weights_are_bound_by_their_weights(name: str) -> None:
    board, memory = load_board("ZCU102"), MemoryTiming()
    layers = load_layers(name, (3, 224, 224)).layers
    most = max(entry_count(layer, 1) for layer in layers)
    accel = Accelerator(64, 32, 14, 14, 128, 128, 128, 4096, 9, most, patterns=False)
    assert not violations(accelerator_resources(accel), board)
    for layer in layers[-3:]:
        tile = best_tile(layer, accel, memory)
        assert tile is not None and not plan_violations(layer, accel, tile)
        found = layer_latency(layer, accel, tile, memory)
        moved = layer.m * layer.n * layer.positions * 16 // 128
        assert moved <= found.load_wgt <= found.cycles < 1.02 * moved + 5000, layer.name
