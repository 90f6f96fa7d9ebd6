"""The SystemVerilog twin against the integer reference and the latency model, on Verilator."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.base import processes, tools
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.fuzzing.layer_fuzz import FuzzCase, build_case, fuzz_case, run_case, utilisation
from hotnas_hls.fuzzing.network_fuzz import NetworkCase, check_networks, network_case, operators
from hotnas_hls.network.graph import OpKind

needs_verilator = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")

SEEDS = (1, 5, 6, 11, 15)  # few that together hold all that is asked for below
SHARED_SEEDS = (0, 1)  # on one port for all reads
ON_CHIP_SEEDS = (0, 10, 12, 26)  # with maps and weights on chip, words and planes wider than ports
LAYERS = 20
NETWORKS = 6  # a design
DESIGNS = [
    *((seed, LAYERS, False, False) for seed in SEEDS),
    *((seed, LAYERS, True, False) for seed in SHARED_SEEDS),
    *((seed, LAYERS, False, True) for seed in ON_CHIP_SEEDS),
]
ALWAYS = ((1, LAYERS, False, False), (1, LAYERS, True, False), (0, LAYERS, False, True))  # one of each


@needs_verilator
@pytest.mark.parametrize(
    ("seed", "layers", "shared_bus", "on_chip"),
    [pytest.param(*design, marks=() if design in ALWAYS else pytest.mark.whole) for design in DESIGNS],
)
def test_random_layers_and_networks_are_bit_exact_and_predicted_to_the_cycle(
    seed: int, layers: int, shared_bus: bool, on_chip: bool, tmp_path: Path
) -> None:
    """One test for both, since building the design takes longer than running them."""
    case = fuzz_case(seed, layers, shared_bus, on_chip)
    model = build_case(case, tmp_path)
    results = run_case(case, model, tmp_path / "layers")
    assert len(results) == LAYERS
    for result in results:
        assert result.simulated == result.predicted, result.layer
        assert result.outputs_equal, result.layer
        assert result.outputs_equal_stalled, result.layer
    networks = drawn_networks(case)
    verdicts = check_networks(model, case.accel, networks, tmp_path / "networks")
    assert [verdict.problems for verdict in verdicts] == [()] * NETWORKS


def drawn_networks(case: FuzzCase) -> list[NetworkCase]:
    """The networks that run on a case's design."""
    return [network_case(case.seed, number, case.accel) for number in range(NETWORKS)]


def test_random_networks_exercise_every_operator() -> None:
    cases = [(fuzz_case(*design), design) for design in DESIGNS]
    networks = [network for case, _ in cases for network in drawn_networks(case)]
    assert len(networks) >= 30
    counts = operators(networks)
    assert set(counts) == {str(kind) for kind in OpKind}
    kinds = ("add", "multiply", "concat", "avgpool", "maxpool", "batchnorm")
    assert all(counts[kind] >= 10 for kind in kinds)
    nodes = [node for network in networks for node in network.network.graph]
    layers = [layer for network in networks for layer in network.network.net.layers]
    assert {1, 3, 5, 7, 16} <= {node.kernel[0] for node in nodes if node.kind is OpKind.CONV}
    assert {1, 2, 3, 8} <= {layer.stride for layer in layers}
    assert {2, 3, 8} <= {layer.row_stride for layer in layers}
    assert any(node.is_depthwise for node in nodes)
    assert {2, 3} <= {node.kernel[0] for node in nodes if node.kind is OpKind.MAXPOOL}
    assert any(any(node.padding) for node in nodes if node.kind is OpKind.MAXPOOL)
    assert any(layer.pattern_ones for layer in layers)
    assert sum(layer.residual is not None for layer in layers) >= 20
    assert sum(layer.residual_vector for layer in layers) >= 10
    for flag in ("ifm_on_chip", "residual_on_chip", "ofm_on_chip", "weights_on_chip"):
        least = 2 if flag == "residual_on_chip" else 50
        assert sum(getattr(layer, flag) for layer in layers) >= least, flag
    assert any(fm.concat_offset for network in networks for fm in network.network.net.feature_maps.values())
    maps = [run_network(network.network.net, network.network.image) for network in networks]
    constant = sum(np.ptp(values) == 0 for outputs in maps for values in outputs.values())
    assert constant < len(layers) / 50  # comparing outputs means something


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
        "products",
        "vectors",
        "lines",
        "channelwise",
    ):
        assert counts[feature] >= 10, feature
    layers = [layer for case in cases for layer in case.net.layers]
    assert {1, 2} == {layer.stride for layer in layers}
    assert {1, 2, 3} <= {layer.row_stride for layer in layers}
    assert {2, 16} <= {layer.weight_bits for layer in layers}
    assert {1, 3, 5} <= {layer.kernel_rows for layer in layers}
    assert {8, 16} == {case.accel.act_bits for case in cases}
    assert any(case.accel.ifm_bits != case.accel.ofm_bits for case in cases)
    assert {case.accel.taps for case in cases} == {1, 2, 4, 5}
    assert {case.accel.patterns for case in cases if case.accel.dsp_packing} == {False, True}
    assert {case.accel.read_ports for case in cases if not case.accel.patterns} == {2, 5}


@pytest.mark.parametrize("kind", ["three ports", "shared bus", "on chip"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_front_end_reads_it(seed: int, kind: str, tmp_path: Path) -> None:
    """slang keeps to IEEE 1800 where Verilator is lenient, as Questa and xsim do."""
    case = fuzz_case(seed, 4, shared_bus=kind == "shared bus", on_chip=kind == "on chip")
    assert complaints(rtl_files(case.accel, 4, Banner("lint", "test")), tmp_path) == []


def test_the_second_front_end_finds_what_verilator_accepts(tmp_path: Path) -> None:
    module = "module hotnas_accel (output logic y_o);\n  assign y_o = x;\n  logic x;\nendmodule\n"
    (said,) = complaints({"early.sv": module}, tmp_path)
    assert said == "Error: identifier 'x' used before its declaration"


def complaints(files: dict[str, str], folder: Path) -> list[str]:
    """What slang says of a design, a line each."""
    pyslang = pytest.importorskip("pyslang")
    for name, text in files.items():
        (folder / name).write_text(text)
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    paths = " ".join(str(folder / name) for name in files)
    # A cast that some parameters make useless others need; states that cannot be have a default on purpose.
    switches = "-Wextra -Wno-useless-cast -Wno-case-redundant-default"
    assert driver.parseCommandLine(f"slang {switches} --top hotnas_accel {paths}")
    assert driver.processOptions() and driver.parseAllSources()
    engine = driver.diagEngine
    return [
        f"{severity.name}: {engine.formatMessage(diagnostic)}"
        for diagnostic in driver.createCompilation().getAllDiagnostics()
        if (severity := engine.getSeverity(diagnostic.code, diagnostic.location)).name != "Ignored"
    ]


@pytest.mark.skipif(tools.find("yosys") is None, reason="needs_yosys: yosys is not installed")
@pytest.mark.parametrize("optional", [False, True])
def test_yosys_reads_it(optional: bool, tmp_path: Path) -> None:
    """Its front end knows less of SystemVerilog than others; logic that a design leaves out is read, too."""
    case = fuzz_case(SEEDS[0], 4)
    accel = dataclasses.replace(case.accel, activation_lines=optional, products=optional)
    files = rtl_files(accel, 4, Banner("read", "test"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    script = f"read_verilog -sv {' '.join(files)}; hierarchy -check -top hotnas_accel"
    finished = processes.run(["yosys", "-q", "-p", script], tmp_path / "yosys.log", cwd=tmp_path)
    assert finished.returncode == 0, finished.tail()


@needs_verilator
@pytest.mark.parametrize("kind", ["three ports", "shared bus", "on chip"])
@pytest.mark.parametrize("seed", SEEDS)
def test_lint_is_clean(seed: int, kind: str, tmp_path: Path) -> None:
    verilator = tools.require("verilator")
    case = fuzz_case(seed, 4, shared_bus=kind == "shared bus", on_chip=kind == "on chip")
    files = rtl_files(case.accel, 4, Banner("lint", "test"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    waivers = shipped_folder("sim") / "waivers.vlt"
    command = [verilator.path, "--lint-only", "-Wall", "--top-module", "hotnas_accel", waivers, *files]
    finished = processes.run(
        command, tmp_path / "lint.log", cwd=tmp_path, environment=verilator.full_environment()
    )
    said = [line for line in (tmp_path / "lint.log").read_text().splitlines() if line.startswith("%")]
    assert (finished.returncode, said) == (0, [])
