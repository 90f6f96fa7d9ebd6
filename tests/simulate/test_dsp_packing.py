"""Two multiplications in one DSP slice: extreme factors through RTL and HLS, and what a design must obey."""

from __future__ import annotations

import dataclasses
import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from codegen.test_hls import BANNER, generate, needs_csim, write
from hls_cases import Case, random_case
from small_designs import LAYERS, TILES, small_design

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.random_numbers import random_numbers
from hotnas_hls.accel.integers.reference import run_layer
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers, pattern_rows
from hotnas_hls.accel.layer_checks import numbers_violations
from hotnas_hls.accel.plan import Tile, plan_violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base import tools
from hotnas_hls.codegen.hls import Target, hls_files
from hotnas_hls.errors import ConfigError
from hotnas_hls.fuzzing.layer_fuzz import FuzzCase, build_case, run_case
from hotnas_hls.simulate.csim import LEAST_IMAGES, run_csim

EXTREMES = (-128, -1, 0, 1, 127)
PAIRS = tuple(product(EXTREMES, repeat=2))  # weights of output channels 2k and 2k + 1
N, M = 12, 2 * len(PAIRS)
OFFSETS = np.arange(-M // 2, M // 2)
# Tn is no power of two: one adder tree of a pair has an empty leaf.
ACCEL = Accelerator(
    tm=8, tn=N, tr=1, tc=5, ifm_bits=32, wgt_bits=64, ofm_bits=32, ifm_depth=10, wgt_entries=1, max_entries=1,
    act_bits=8, weight_bits=8, patterns=False, dsp_packing=True,
)  # fmt: skip
PRUNED = Layer(
    "conv", LayerKind.CONV, "x", "y", 3, 5, 4, 4, 4, 4, 3, 3, 1, 1, 1, weight_bits=8, pattern_ones=4
)


def extreme_network(tn: int) -> tuple[IntegerNetwork, np.ndarray]:
    """A layer for each extreme activation and the image they all read, which has one in each column.

    The bias takes that column's sums back to -25 to 24: not shifted, each such output depends on every bit of
    its accumulator. The other columns may saturate.
    """
    weights = np.repeat(np.array(PAIRS, dtype=np.int32).ravel(), tn).reshape(M, tn, 1, 1)
    image = np.broadcast_to(np.array(EXTREMES, dtype=np.int32), (tn, 1, len(EXTREMES)))
    shape = (1, len(EXTREMES), 1, len(EXTREMES))
    maps = {"x": FeatureMap("x", tn, *shape[:2])}
    layers, numbers = [], {}
    for value in EXTREMES:
        layer = Layer(f"times{value}", LayerKind.CONV, "x", f"y{value}", tn, M, *shape, 1, 1, weight_bits=8)
        bias = OFFSETS - value * weights.reshape(M, tn).sum(axis=1).astype(np.int64)
        numbers[layer.name] = LayerNumbers(weights, bias, output_shift=0, clamp_low=-128, clamp_high=127)
        maps[layer.target] = FeatureMap(layer.target, M, *shape[:2])
        layers.append(layer)
    host = HostWork.reading(layers[-1].target)
    return IntegerNetwork("extremes", maps, tuple(layers), numbers, "x", host, 8), image


def extreme_case(tn: int) -> Case:
    """On a design that packs DSP slices."""
    net, _ = extreme_network(tn)
    return Case(net, dataclasses.replace(ACCEL, tn=tn), {layer.name: Tile(1, 5) for layer in net.layers})


def test_the_extremes_decide_every_bit() -> None:
    net, image = extreme_network(N)
    for column, layer in enumerate(net.layers):
        found = run_layer(layer, net.numbers[layer.name], net.act_bits, image)
        np.testing.assert_array_equal(found[:, 0, column], OFFSETS)


@pytest.mark.whole
@pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")
@pytest.mark.parametrize("tn", [N, 16])
def test_rtl_multiplies_extreme_factors_exactly(tn: int, tmp_path: Path) -> None:
    _, image = extreme_network(tn)
    case = FuzzCase(0, *vars(extreme_case(tn)).values(), {"x": image}, MemoryTiming())
    for result in run_case(case, build_case(case, tmp_path), tmp_path / "job"):
        assert result.outputs_equal and result.largest_difference == 0, result.layer


@needs_csim
def test_hls_multiplies_extreme_factors_exactly(tmp_path: Path) -> None:
    case, (_, image) = extreme_case(N), extreme_network(N)
    files = hls_files(*vars(case).values(), images=[image] * LEAST_IMAGES, target=Target(), banner=BANNER)
    result = run_csim(write(files, tmp_path))
    assert (result.layers, result.warnings) == (len(EXTREMES), 0)


@needs_csim
@pytest.mark.whole
@pytest.mark.parametrize("seed", range(4))
def test_hls_of_random_packed_networks_equals_the_reference(seed: int, tmp_path: Path) -> None:
    case = random_case(seed, dsp_packing=True)
    folder = write(generate(case, LEAST_IMAGES, seed), tmp_path)
    result = run_csim(folder)
    assert (result.layers, result.warnings) == (len(case.net.layers), 0)
    assert seed or run_csim(folder, dataflow=False, images=2).warnings == 0


def test_the_factors_must_be_narrow() -> None:
    assert not ACCEL.violations()
    for act_bits, weight_bits in ((16, 8), (8, 9)):
        wide = dataclasses.replace(ACCEL, act_bits=act_bits, weight_bits=weight_bits)
        assert wide.violations() == [
            f"dsp_packing: two products of {act_bits}-bit activations and {weight_bits}-bit weights do not "
            "fit one DSP slice; take at most 8 bits of both, or turn it off"
        ]


def test_packing_costs_no_cycle() -> None:
    case = extreme_case(N)
    single = dataclasses.replace(ACCEL, dsp_packing=False)
    packed, unpacked = (
        network_latency(case.net.layers, accel, case.tiles, MemoryTiming()) for accel in (ACCEL, single)
    )
    assert packed == unpacked


@pytest.mark.parametrize(
    ("rows", "legal"), [(1, False), (2, True), (3, False), (4, True), (5, True), (7, True)]
)
def test_a_pair_of_channels_must_share_its_patterns(rows: int, legal: bool) -> None:
    accel = dataclasses.replace(ACCEL, tr=4, ifm_depth=100, patterns=True, wgt_entries=9, max_entries=9)
    layer = dataclasses.replace(PRUNED, pattern_rows=rows)
    assert not plan_violations(layer, dataclasses.replace(accel, dsp_packing=False), Tile(4, 4))
    expected = [
        "conv: with dsp_packing output channels 2k and 2k + 1 must share patterns, but pattern_rows = "
        f"{rows}; choose patterns for pairs of channels (an even pattern_rows), or turn dsp_packing off"
    ]
    assert plan_violations(layer, accel, Tile(4, 4)) == ([] if legal else expected)


def test_numbers_must_share_patterns_as_the_layer_says() -> None:
    layer = dataclasses.replace(PRUNED, pattern_rows=2)
    numbers = random_numbers(layer, 0, act_bits=8)
    assert numbers.pattern_index is not None and pattern_rows(numbers.pattern_index) == 2
    assert not numbers_violations(layer, numbers, 8)
    index = numbers.pattern_index.copy()
    index[3] = (index[3] + 1) % 4
    assert numbers_violations(layer, dataclasses.replace(numbers, pattern_index=index), 8) == [
        "conv: pattern_rows = 2, but output channel 3 has other patterns than channel 2; "
        "give both the same, or lower pattern_rows"
    ]


def test_pattern_rows_are_the_largest_group_that_all_share() -> None:
    def index(*rows: int) -> np.ndarray:
        return np.array(rows, dtype=np.uint8)[:, None].repeat(2, axis=1)

    assert pattern_rows(index(0, 0, 0)) == 3
    assert pattern_rows(index(0, 0, 1, 1, 1, 1, 2, 2)) == 2
    assert pattern_rows(index(0, 0, 0, 0, 1, 1, 1, 1, 3)) == 4
    assert pattern_rows(index(0, 0, 0, 1, 1)) == 3
    assert pattern_rows(index(0, 0, 1, 2)) == 1


def with_pattern_rows(rows: int) -> tuple[DesignLayer, ...]:
    """The layers of the small design, the pruned one with patterns that ``rows`` output channels share."""
    return tuple(
        DesignLayer(
            dataclasses.replace(layer, pattern_rows=rows if layer.pattern_ones else 1), TILES[layer.name]
        )
        for layer in LAYERS
    )


def packed_design() -> DesignPoint:
    """The small design with 8-bit activations and DSP packing."""
    accel = dataclasses.replace(
        ACCEL, tn=8, tr=8, tc=8, ifm_depth=400, wgt_entries=9, max_entries=16, patterns=True
    )
    return small_design(accelerator=accel, layers=with_pattern_rows(2))


def test_a_design_point_keeps_its_packing_and_older_ones_have_none(tmp_path: Path) -> None:
    point = packed_design()
    path = point.save(tmp_path)
    assert DesignPoint.load(path) == point
    record = json.loads(path.read_text())
    assert record["accelerator"].pop("dsp_packing") is True
    path.write_text(json.dumps(record | {"format_version": 2}))
    assert DesignPoint.load(path).accelerator == dataclasses.replace(point.accelerator, dsp_packing=False)


def test_a_design_point_names_the_layer_whose_channels_do_not_pair(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        dataclasses.replace(packed_design(), layers=with_pattern_rows(1)).save(tmp_path)
    assert str(error.value).splitlines()[1:] == [
        "  - residual: with dsp_packing output channels 2k and 2k + 1 must share patterns, but "
        "pattern_rows = 1; choose patterns for pairs of channels (an even pattern_rows), or turn "
        "dsp_packing off"
    ]
