"""The SystemVerilog twin against the integer reference and the latency model, on Verilator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hotnas_hls import tools
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.fuzz import fuzz_case, run_case, utilisation
from hotnas_hls.shipped import shipped_folder

needs_verilator = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")

SEEDS = range(8)
SHARED_SEEDS = range(3)  # on one port for all reads
LAYERS = 14


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
    assert {case.accel.read_ports for case in cases if not case.accel.patterns} == {2, 4}


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
