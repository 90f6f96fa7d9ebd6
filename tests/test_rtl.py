"""The SystemVerilog twin against the integer reference and the latency model, on Verilator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls import tools
from hotnas_hls.accel.images import map_memory
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.accel.reference import run_layer
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.fuzz import FuzzCase, fuzz_case, run_case, utilisation
from hotnas_hls.shipped import shipped_folder
from hotnas_hls.simulate import Run, build, run_network

needs_verilator = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")

SEEDS = (0, 1, 2, 3, 4, 6, 9, 11)
SHARED_SEEDS = range(3)  # on one port for all reads
LAYERS = 14
IFM_ERROR, WGT_ERROR, RESIDUAL_ERROR, OFM_ERROR = (1 << bit for bit in range(4))


@needs_verilator
@pytest.mark.parametrize(
    ("seed", "shared_bus"), [*((seed, False) for seed in SEEDS), *((seed, True) for seed in SHARED_SEEDS)]
)
def test_random_pairs_are_bit_exact_and_predicted_to_the_cycle(
    seed: int, shared_bus: bool, tmp_path: Path
) -> None:
    results = run_case(fuzz_case(seed, LAYERS, shared_bus), tmp_path)
    assert len(results) == LAYERS
    for result in results:
        assert result.simulated == result.predicted, result.layer
        assert result.outputs_equal, result.layer
        assert result.outputs_equal_stalled, result.layer


def test_random_pairs_exercise_every_mechanism() -> None:
    cases = [fuzz_case(seed, LAYERS) for seed in SEEDS]
    counts = sum((Counter(utilisation(case)) for case in cases), Counter())
    assert len(cases) * LAYERS >= 100
    for feature in (
        "several tiles",
        "several slices",
        "chunked kernels",
        "pruned",
        "residual",
        "channelwise",
    ):
        assert counts[feature] >= 10, feature
    layers = [layer for case in cases for layer in case.net.layers]
    assert {1, 2} == {layer.stride for layer in layers}
    assert {2, 16} <= {layer.weight_bits for layer in layers}
    assert {1, 3, 5} <= {layer.kernel_rows for layer in layers}
    assert {8, 16} == {case.accel.act_bits for case in cases}
    assert any(case.accel.ifm_bits != case.accel.ofm_bits for case in cases)
    assert {case.accel.taps for case in cases} == {1, 2, 4}
    assert {case.accel.patterns for case in cases if case.accel.dsp_packing} == {False, True}
    assert {case.accel.read_ports for case in cases if not case.accel.patterns} == {2, 4}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN201
    """A Verilated random design, its case, and a folder for jobs."""
    case = fuzz_case(0, 4)
    folder = tmp_path_factory.mktemp("small")
    return case, build(rtl_files(case.accel, 4, Banner("small", "test")), folder, optimise=False), folder


def run_of(case: FuzzCase, **changes: object) -> Run:
    """The case's inputs under its memory."""
    return Run(case.inputs[case.net.image], case.inputs, case.memory, **changes)


def outputs_are_right(case: FuzzCase, maps: dict[str, np.ndarray]) -> bool:
    """Whether every layer's output equals the reference's."""
    return all(
        np.array_equal(
            maps[layer.target],
            run_layer(
                layer,
                case.net.numbers[layer.name],
                case.inputs[layer.source],
                case.inputs[layer.residual] if layer.residual else None,
            ),
        )
        for layer in case.net.layers
    )


@needs_verilator
def test_back_to_back_starts_and_a_reset_give_the_same_result(small) -> None:  # noqa: ANN001
    case, model, folder = small
    runs = [run_of(case), run_of(case), run_of(case, reset=True)]
    done = run_network(model, case.net, case.accel, case.tiles, runs, folder / "twice")
    assert [result.status for result in done] == [0, 0, 0]
    assert done[0].layers == done[1].layers == done[2].layers
    assert all(outputs_are_right(case, result.feature_maps) for result in done)


@needs_verilator
def test_run_register_is_the_sum_of_the_layers(small) -> None:  # noqa: ANN001
    case, model, folder = small
    (done,) = run_network(model, case.net, case.accel, case.tiles, [run_of(case)], folder / "sum")
    assert done.cycles == sum(layer["cycles"] for layer in done.layers)


@needs_verilator
@pytest.mark.parametrize(
    ("port", "map_of", "bit"),
    [(1, "source", IFM_ERROR), (2, None, WGT_ERROR), (3, "target", OFM_ERROR)],
)
def test_a_bus_error_ends_the_run_with_a_status_and_the_next_start_works(small, port, map_of, bit) -> None:  # noqa: ANN001
    case, model, folder = small
    layer = case.net.layers[1]
    memory = map_memory(case.net, case.accel, case.tiles)
    address = memory.feature_maps[getattr(layer, map_of)] if map_of else memory.weights[layer.name]
    runs = [run_of(case, error_port=port, error_page=address >> 12), run_of(case)]
    failed, good = run_network(model, case.net, case.accel, case.tiles, runs, folder / f"error{port}")
    assert failed.status & 0xFFFF == bit
    assert failed.status >> 16 == 1  # the layer that met the error
    assert good.status == 0
    assert outputs_are_right(case, good.feature_maps)


@needs_verilator
def test_latencies_up_to_the_hidden_limit_do_not_change_the_outputs(small) -> None:  # noqa: ANN001
    case, model, folder = small
    image, others = case.inputs[case.net.image], case.inputs
    runs = [Run(image, others, MemoryTiming(latency, 20)) for latency in (2, 60, 300)]
    done = run_network(model, case.net, case.accel, case.tiles, runs, folder / "latency")
    assert all(outputs_are_right(case, result.feature_maps) for result in done)
    assert done[0].cycles < done[1].cycles < done[2].cycles


@needs_verilator
@pytest.mark.parametrize("shared_bus", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_lint_is_clean(seed: int, shared_bus: bool, tmp_path: Path) -> None:
    verilator = tools.require("verilator")
    case = fuzz_case(seed, 4, shared_bus)
    files = rtl_files(case.accel, 4, Banner("lint", "test"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    waivers = shipped_folder("sim") / "waivers.vlt"
    command = [verilator.path, "--lint-only", "-Wall", "--top-module", "hotnas_accel", waivers, *files]
    finished = tools.run(
        command, tmp_path / "lint.log", cwd=tmp_path, environment=verilator.full_environment()
    )
    said = [line for line in (tmp_path / "lint.log").read_text().splitlines() if line.startswith("%")]
    assert (finished.returncode, said) == (0, [])
