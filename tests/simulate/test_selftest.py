"""The self-test of a package on the simulated board: all equal, a corrupt weight, unknown counters."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from codegen.test_hostile_names import named
from hostile import PRINTED
from report.files import certificate_of

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.encoding.images import map_memory
from hotnas_hls.accel.traffic import network_beats
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.base.tools import find
from hotnas_hls.cli import main
from hotnas_hls.codegen.registers import IDENTITY
from hotnas_hls.errors import ConfigError
from hotnas_hls.implementation.selftest import read_selftest
from hotnas_hls.report import wording
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.simulate.flow import package
from hotnas_hls.simulate.simulated_board import SimulatedBoard

HARNESS = Path(__file__).with_name("selftest_harness.c")
C_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
pytestmark = pytest.mark.xdist_group("small_board")
UNKNOWN = 0xFFFFFFFF
needs_verilator = pytest.mark.skipif(
    find("verilator") is None or find("g++") is None, reason="needs Verilator and g++"
)


@pytest.fixture
def corrupt(point: DesignPoint, simulated: Path, tmp_path: Path) -> Path:
    """Weights of which one bit of the second layer is another."""
    memory = map_memory(point.integer_network(), point.accelerator, point.tiles)
    weights = bytearray((simulated / "weights" / "weights.bin").read_bytes())
    weights[memory.weights["residual"] + 64] ^= 0xFF  # behind its entries, in a plane of weights
    (tmp_path / "corrupt.bin").write_bytes(weights)
    return tmp_path / "corrupt.bin"


class HlsBoard(SimulatedBoard):
    """A board with an HLS build, which counts the cycles of layers and of the run alone."""

    profile, run = 1024, 2048 - 32  # registers from here are counters; those of the run

    def counts(self, offset: int) -> bool:
        return offset % 32 == 0 or offset >= self.run

    def read(self, offset: int) -> int:
        if offset == IDENTITY.register("features").offset:
            return 0
        return UNKNOWN if offset >= self.profile and not self.counts(offset) else super().read(offset)


class UncountedBoard(HlsBoard):
    """A board with an HLS build without dataflow, which counts nothing."""

    def counts(self, offset: int) -> bool:
        return False


Selftest = Callable[..., tuple[int, list[str], dict[str, Any]]]  # ends with, prints, writes


def in_python(library: Path, simulated: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> Selftest:
    modules = []
    for name in ("hotnas_pynq", "hotnas_selftest"):
        path = simulated / "driver" / f"{name}.py"
        module = ModuleType(name)
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(path.read_text(), str(path), "exec"), vars(module))
        modules.append(module)
    driver, selftest = modules

    def run(mode: str = "", weights: Path | None = None, package: Path = simulated) -> Any:
        board = {"hls": HlsBoard, "uncounted": UncountedBoard}.get(mode, SimulatedBoard)(library)
        if weights is not None:
            monkeypatch.setitem(driver.Accelerator.__init__.__kwdefaults__, "weights", weights)
        if mode == "fail":
            board.fail_page(2, 0x8_0000_0000 + board_page(simulated))
        path = tmp_path / "selftest.json"
        arguments = ["design.bit", "--package", str(package), "--output", str(path)]
        code = selftest.main(arguments, overlay=lambda name: board, allocate=board.allocate)
        assert board.violations == 0
        return code, capsys.readouterr().out.splitlines(), json.loads(path.read_text()) if code < 2 else {}

    return run


def board_page(package: Path) -> int:
    """Where the Python driver's weights lie on the board: behind the feature maps."""
    return int(json.loads((package / "driver" / "hotnas_design.json").read_text())["feature_map_bytes"])


@pytest.fixture(scope="module")
def program(library: Path, simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The self-test in C on the simulated board; see ``selftest_harness.c``."""
    driver, program = simulated / "driver", tmp_path_factory.mktemp("program") / "selftest"
    made = subprocess.run(
        [
            *("gcc", *C_FLAGS, f"-I{driver}", f"-I{shipped_folder('sim')}"),
            *(f"-I{HARNESS.parent / 'baremetal'}", HARNESS),
            *(driver / "hotnas_accel.c", driver / "hotnas_selftest.c", library),
            *(f"-Wl,-rpath,{library.parent}", "-o", program),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return program


def in_c(program: Path, simulated: Path, tmp_path: Path) -> Selftest:
    def run(mode: str = "", weights: Path | None = None, package: Path = simulated) -> Any:
        path = tmp_path / "selftest.json"
        used = weights or simulated / "weights" / "weights.bin"
        done = subprocess.run(
            [program, used, package, path, mode], capture_output=True, text=True, timeout=120
        )
        code, lines = done.returncode, done.stdout.splitlines()
        return code, lines, json.loads(path.read_text()) if code < 2 else {}

    return run


@pytest.fixture(params=["Python", "C"])
def selftest(
    request: pytest.FixtureRequest,
    library: Path,
    program: Path,
    simulated: Path,
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
) -> Selftest:
    if request.param == "C":
        return in_c(program, simulated, tmp_path)
    return in_python(library, simulated, tmp_path, monkeypatch, capsys)


@needs_verilator
def test_every_layer_is_equal_and_its_cycles_stand_beside_those_promised(
    selftest: Selftest, point: DesignPoint, tmp_path: Path
) -> None:
    code, lines, record = selftest()
    assert code == 0 and lines[-1] == "self-test passed: 2 images, 3 runs", lines
    certificate = certificate_of(point)
    assert record["design_digest"] == point.digest()
    assert record["failures"] == []
    assert lines[0].split() == "layer output measured predicted simulated behind DRAM".split()
    assert certificate.behind is not None
    for line, layer, check, behind in zip(
        lines[1:], record["layers"], certificate.layers, certificate.behind.layers, strict=False
    ):
        assert layer["name"] == check.name and (layer["compared"], layer["different"]) == (3, 0)
        assert layer["predicted"] == check.predicted.cycles
        assert (layer["simulated"], layer["behind"]) == (check.simulated["cycles"], behind.simulated)
        cycles = layer["measured"]["cycles"]
        # The board's memory answers as the model's: every term of every layer is the predicted one.
        assert layer["measured"] == check.predicted.terms()
        shown = (check.name, "equal", cycles, layer["predicted"], layer["simulated"], layer["behind"])
        assert line.split() == list(map(str, shown))
    beats = network_beats([each.layer for each in point.layers], point.accelerator, point.tiles)
    assert lines[6].split() == "port beats predicted simulated stalls simulated".split()
    assert certificate.ports is not None
    for line, port, (name, expected) in zip(lines[7:], record["ports"], beats.items(), strict=False):
        assert (port["name"], port["beats"], port["predicted_beats"]) == (name, expected, expected)
        promised = [certificate.ports[f"{name}_{count}"] for count in ("beats", "stalls")]
        assert [port["simulated_beats"], port["simulated_stalls"]] == promised
        shown = (name, expected, expected, promised[0], port["stalls"], promised[1])
        assert line.split() == list(map(str, shown))
    assert sum(port["stalls"] for port in record["ports"]) > 0
    assert record["clock_mhz"] == point.clock_mhz
    assert record["cycles"] == certificate.predicted_cycles
    assert record["ms"] > 0
    assert read_selftest(tmp_path / "selftest.json").cycles == record["cycles"]


@needs_verilator
def test_a_corrupt_weight_ends_the_run_in_its_layer(selftest: Selftest, corrupt: Path) -> None:
    code, lines, record = selftest(weights=corrupt)
    assert code == 1 and lines[-1] == "self-test FAILED: 2 images, 0 runs"
    (failure,) = record["failures"]
    assert failure.startswith(
        "stopped: image 0, layer residual: the weights are not those its descriptor was made with"
    )


@needs_verilator
def test_an_output_that_differs_is_found_in_its_layer(
    selftest: Selftest, simulated: Path, point: DesignPoint, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(simulated, other)
    memory = map_memory(point.integer_network(), point.accelerator, point.tiles)
    for number in (0, 1):
        golden = bytearray((other / "tb_data" / f"golden_{number}.bin").read_bytes())
        golden[memory.feature_maps["residual.out"]] ^= 0xFF
        (other / "tb_data" / f"golden_{number}.bin").write_bytes(golden)
    code, lines, record = selftest(package=other)
    assert code == 1 and lines[-1] == "self-test FAILED: 2 images, 3 runs"
    verdicts = {layer["name"]: layer["different"] for layer in record["layers"]}
    assert verdicts["stem"] == 0 and verdicts["residual"] > 0
    (failure,) = record["failures"]
    assert failure.startswith("first difference: image 0, layer residual, channel ")
    assert lines[-2] == failure
    assert lines[2].split()[:3] == ["residual", str(verdicts["residual"]), "differ"]


@needs_verilator
def test_cycles_that_nobody_counts_are_unknown(selftest: Selftest) -> None:
    code, lines, record = selftest("uncounted")
    assert code == 0
    assert record["cycles"] is None and {str(layer["measured"]) for layer in record["layers"]} == {"None"}
    assert {line.split()[2] for line in lines[1:6]} == {"unknown"}
    assert {line.split()[at] for line in lines[7:11] for at in (1, 4)} == {"unknown"}
    assert {port[count] for port in record["ports"] for count in ("beats", "stalls")} == {None}
    assert lines[11] == "cycles of an image: unknown"


@needs_verilator
def test_an_hls_build_counts_cycles_alone(selftest: Selftest, tmp_path: Path) -> None:
    of_twin, (code, lines, record) = selftest()[2], selftest("hls")
    assert code == 0 and record["cycles"] == of_twin["cycles"]
    for layer, twin in zip(record["layers"], of_twin["layers"], strict=True):
        assert layer["measured"] == dict.fromkeys(twin["measured"]) | {"cycles": twin["measured"]["cycles"]}
    assert {line.split()[at] for line in lines[7:11] for at in (1, 4)} == {"unknown"}
    (tmp_path / "record.json").write_text(json.dumps(record))
    cycles = {layer["name"]: layer["measured"]["cycles"] for layer in of_twin["layers"]}
    assert read_selftest(tmp_path / "record.json").layer_cycles() == cycles


@needs_verilator
def test_a_run_that_stops_says_why_and_nothing_passes(selftest: Selftest) -> None:
    code, lines, record = selftest("fail")
    (failure,) = record["failures"]
    assert failure.startswith("stopped: image 0, layer stem: m_axi_wgt was answered with an error")
    assert code == 1 and lines[-2:] == [failure, "self-test FAILED: 2 images, 0 runs"]
    assert {layer["compared"] for layer in record["layers"]} == {0}
    assert {line.split()[1] for line in lines[1:6]} == {"unknown"}


@needs_verilator
def test_files_that_are_missing_or_of_another_design_are_named(
    selftest: Selftest, simulated: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "tb_data").mkdir(parents=True)
    image = other / "tb_data" / "image_0.bin"
    assert selftest(package=other)[:2] == (2, [f"self-test: {image}: No such file or directory"])
    image.write_bytes(b"short")
    code, lines, _ = selftest(package=other)
    assert (code, lines) == (
        2,
        [f"self-test: {image}: must have 512 bytes; take it from the package of this driver"],
    )


@needs_verilator
def test_a_certificate_of_another_design_is_not_shown(
    selftest: Selftest, point: DesignPoint, simulated: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "reports").mkdir(parents=True)
    (other / "tb_data").symlink_to(simulated / "tb_data")
    foreign = dataclasses.replace(certificate_of(point), design_digest="0" * 64)
    (other / "reports" / "certificate.json").write_text(foreign.to_json())
    code, _, record = selftest(package=other)
    assert code == 0 and {layer["simulated"] for layer in record["layers"]} == {None}
    assert {layer["behind"] for layer in record["layers"]} == {None}


def test_the_self_test_suits_the_python_of_a_board(simulated: Path) -> None:
    text = (simulated / "driver" / "hotnas_selftest.py").read_text()
    ast.parse(text, feature_version=(3, 8))
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.skipif(importlib.util.find_spec("pynq") is not None, reason="PYNQ is installed")
def test_without_pynq_it_says_where_it_runs(simulated: Path) -> None:
    program = simulated / "driver" / "hotnas_selftest.py"
    done = subprocess.run([sys.executable, program, "pynq/design.bit"], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (
        2,
        "",
        "self-test: PYNQ is not installed here; run this on the board, with the Python that has it\n",
    )


def test_names_of_strangers_stay_text_in_the_json(tmp_path: Path) -> None:
    """Of a board that is always busy, so that nothing runs."""
    if find("g++") is None:
        pytest.skip("needs gcc")
    hostile = package(named("".join(PRINTED)), "small", images=1)
    hostile.write(tmp_path / "small")
    main_c = tmp_path / "main.c"
    main_c.write_text(
        """#include "hotnas_selftest.h"
        static uint32_t busy(void *context, uint32_t offset) {
          (void)context;
          if (offset == HOTNAS_REG_IDENTITY) return HOTNAS_MAP;
          if (offset == HOTNAS_REG_IDENTITY + 8) return HOTNAS_HARDWARE;
          return offset == HOTNAS_REG_IDENTITY + 12 ? HOTNAS_HARDWARE_HIGH : 0;
        }
        static void ignore(void *context, uint32_t offset, uint32_t value) {
          (void)context; (void)offset; (void)value;
        }
        int main(int argc, char **argv) {
          static uint8_t maps[HOTNAS_MAPS_BYTES], weights[HOTNAS_WEIGHTS_BYTES];
          static hotnas_accel accel;
          hotnas_io io = hotnas_mapped_io(0, hotnas_uncached);
          hotnas_buffer to_maps = {maps, 0, sizeof maps}, to_weights = {weights, 0, sizeof weights};
          io.read = busy;
          io.write = ignore;
          if (argc < 3 || hotnas_init(&accel, &io, to_maps, to_weights) != HOTNAS_OK) return 3;
          return (int)hotnas_selftest(&accel, argv[1], 0, argv[2]);
        }
        """
    )
    driver, program, path = tmp_path / "small" / "driver", tmp_path / "program", tmp_path / "selftest.json"
    sources = (main_c, driver / "hotnas_accel.c", driver / "hotnas_selftest.c")
    subprocess.run(["gcc", *C_FLAGS, f"-I{driver}", *sources, "-o", program], check=True)
    assert subprocess.run([program, tmp_path / "small", path], capture_output=True).returncode == 1
    found = read_selftest(path)
    design = json.loads((driver / "hotnas_design.json").read_text())
    assert [layer.name for layer in found.layers] == design["layers"]
    assert found.failures == ("stopped: image 0: the accelerator is still running",)
    assert (found.images, found.runs, found.cycles, found.ms) == (1, 0, None, None)


def board_record(point: DesignPoint, **changes: Any) -> dict[str, Any]:
    """What a board would have written: every layer a tenth slower than predicted."""
    layers = [
        {
            "name": check.name,
            "compared": 3,
            "different": 0,
            "measured": check.predicted.terms() | {"cycles": check.predicted.cycles * 11 // 10},
            "predicted": check.predicted.cycles,
            "simulated": None,
            "behind": None,
        }
        for check in certificate_of(point).layers
    ]
    record = {"format": "hotnas-selftest", "format_version": 1, "design": "small"}
    record |= {"design_digest": point.digest(), "driver": "C", "failures": [], "images": 2, "runs": 3}
    ports = [{"name": "ifm_read", "beats": 386, "stalls": 41, "predicted_beats": 386}]
    record |= {"ports": ports, "clock_mhz": 200.0}
    return record | {"cycles": 3456, "ms": 0.021, "layers": layers} | changes


def imported(record: dict[str, Any], simulated: Path, folder: Path) -> Path:
    """A package into which the self-test in ``folder`` was imported."""
    (folder / "lab").mkdir()
    (folder / "lab" / "selftest.json").write_text(json.dumps(record))
    package = folder / "small"
    shutil.copytree(simulated, package)
    assert main(["import-reports", str(folder / "lab"), "--into", str(package)]) == 0
    return package


def test_the_report_shows_what_was_measured_on_the_board(
    point: DesignPoint, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = board_record(point)
    package = imported(record, simulated, tmp_path)
    said = "self-test passed: 2 images, 3 runs, 3,456 cycles an image"
    assert f"on the board: {said}\n" in capsys.readouterr().out
    data = assemble(package)
    assert [layer.board for layer in data.layers] == [each["measured"]["cycles"] for each in record["layers"]]
    assert data.record()["latency"]["board_cycles"] == 3456 and data.notes == ()
    text = markdown(data)
    assert f"On the board: {said}, 0.021 ms an image by the processor's clock." in text.replace("\\", "")
    first = f"{record['layers'][0]['measured']['cycles']:,}"
    assert "| behind DRAM | on the board |" in text and f"| {first} |" in text
    assert "| ifm_read | 386 | 386 | unknown | 41 | unknown |" in text.replace("\\", "")
    html = page(data)
    assert "<th>On the board</th>" in html and f"<td>{first}</td>" in html and said in html
    assert "<td>ifm_read</td><td>386</td>" in html


def test_unknown_cycles_of_a_board_are_unknown(
    point: DesignPoint, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = [layer | {"measured": None} for layer in board_record(point)["layers"]]
    failures = ["first difference: image 0, layer stem, channel 0, row 0, column 0: 1 instead of 2"]
    record = board_record(point, layers=layers, cycles=None, ms=None, failures=failures)
    data = assemble(imported(record, simulated, tmp_path))
    assert "unknown: csynth, cosim, implementation, board.cycles, board.ms\n" in capsys.readouterr().out
    assert data.board_cycles is None and {layer.board for layer in data.layers} == {None}
    said = f"self-test FAILED: 2 images, 3 runs, cycles unknown; {failures[0]}"
    assert wording.board(data) == said and "on the board" not in markdown(data)


def test_the_self_test_of_another_design_is_left_out(
    point: DesignPoint, simulated: Path, tmp_path: Path
) -> None:
    data = assemble(imported(board_record(point, design_digest="0" * 64), simulated, tmp_path))
    assert data.board_cycles is None and wording.board(data) == "unknown"
    assert data.notes == (
        "the self-test in reports/vendor_reports.json ran another design; run this package's on the board",
    )


def test_what_is_no_self_test_is_refused(point: DesignPoint, tmp_path: Path) -> None:
    path = tmp_path / "selftest.json"
    path.write_text("{}")
    with pytest.raises(ConfigError) as refused:
        read_selftest(path)
    assert str(refused.value) == f'{path}: not of a self-test (it has no "format": "hotnas-selftest")'
    path.write_text(json.dumps(board_record(point, format_version=2)))
    with pytest.raises(ConfigError) as refused:
        read_selftest(path)
    assert str(refused.value) == f"{path}: format_version must be 1; run the package's self-test again"
    path.write_text(json.dumps(board_record(point, images="two")))
    with pytest.raises(ConfigError, match="not of a self-test:\n.*images: "):
        read_selftest(path)
