"""The package of engines that share a board: whole, the same bytes again, nothing of it named twice."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from small_designs import small_design

import hotnas_hls as hn
from codegen.test_package import needs_tclsh, recorded
from hotnas_hls.api.design import Design
from hotnas_hls.boards.board import load_board
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.errors import ConfigError, OutputRefused
from hotnas_hls.simulate import engines_flow, flow
from hotnas_hls.simulate.engine_check import EngineCheck


@pytest.fixture(scope="module")
def shared() -> hn.SharedBoard:
    """Two engines of one design, made for parts of the board, which would clash in every name."""
    halves = [dataclasses.replace(load_board("ZCU102"), name=name, dsp=1260) for name in ("first", "second")]
    designs = {n: Design(small_design(board=b)) for n, b in zip(("left", "left_two"), halves, strict=True)}
    return hn.share_board(designs, board="ZCU102")


@pytest.fixture(scope="module")
def package(shared: hn.SharedBoard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "pair"
    shared.generate(folder)
    return folder


def test_no_module_is_there_twice_and_none_is_missing(package: Path) -> None:
    text = [path.read_text() for folder in ("rtl", "sim") for path in (package / folder).glob("*.*v")]
    modules = re.findall(r"^(?:module|package)\s+(\w+)", "\n".join(text), re.MULTILINE)
    assert len(modules) == len(set(modules)) and "left_engine" in modules and "left_two_engine" in modules
    for name in ("left", "left_two"):
        top = (package / "rtl" / f"{name}_hotnas_accel.sv").read_text()
        assert f"{name}_engine u_engine" in top or f"{name}_engine #" in top
        assert f"{name}_hotnas_accel accelerator (" in (package / f"rtl/{name}_hotnas_accel_ip.v").read_text()
    assert verify(package) == []


def test_the_same_engines_give_the_same_bytes(shared: hn.SharedBoard, package: Path, tmp_path: Path) -> None:
    shared.generate(tmp_path / "pair")
    assert (tmp_path / "pair" / "manifest.json").read_text() == (package / "manifest.json").read_text()
    record = json.loads((package / "engines.json").read_text())
    assert {name: (each["registers"], each["ports"]) for name, each in record["engines"].items()} == {
        "left": ("0xA0000000", "HP0, HP1, HP3"),
        "left_two": ("0xA0010000", "HP2, HPC0, HPC1"),
    }
    assert hn.load_shared_board(package).engines == shared.engines


@needs_tclsh
def test_the_block_design_wires_every_engine(package: Path, tmp_path: Path) -> None:
    commands = recorded(
        package / "scripts" / "block_design.tcl",
        tmp_path / "work",
        HOTNAS_BITSTREAM="0",
        HOTNAS_DEBUG="1",
        RECORDED_CLOCK="200000000",
    )
    nets = [command for command in commands if command.startswith("connect_bd")]
    ports = {"left": ("HP0", "HP1", "HP3"), "left_two": ("HP2", "HPC0", "HPC1")}
    for at, (name, wired) in enumerate(ports.items()):
        cell = f"{name}_hotnas_accel_0"
        assert f"connect_bd_intf_net control/M0{at}_AXI {cell}/s_axi_control" in nets
        for stream, port in zip(("ifm", "wgt", "ofm"), wired, strict=True):
            assert f"connect_bd_intf_net {cell}/m_axi_{stream} {name}_memory_{stream}/S00_AXI" in nets
            assert f"connect_bd_intf_net {name}_memory_{stream}/M00_AXI ps/S_AXI_{port}_FPD" in nets
        assert f"connect_bd_net ps/pl_clk0 {cell}/ap_clk" in nets
        assert f"connect_bd_net reset/peripheral_aresetn {cell}/ap_rst_n" in nets
        assert f"connect_bd_net {cell}/interrupt requests/In{at}" in nets
        assert f"connect_bd_net {cell}/interrupt {name}_direct/Din" in nets
        assert f"connect_bd_net {name}_direct/Dout interrupts/In{at + 1}" in nets
    assert "connect_bd_intf_net control/M02_AXI intc/s_axi" in nets
    assert "connect_bd_net requests/dout intc/intr" in nets
    made = [command.split()[-1] for command in commands if command.startswith("create_bd_cell")]
    assert len(made) == len(set(made))
    offsets = [command.split()[2] for command in commands if command.startswith("assign_bd_address -offset")]
    assert offsets == ["0xA0000000", "0xA0010000", "0xA0020000"]


@needs_tclsh
def test_every_engine_is_packed_as_an_ip_of_its_own(package: Path, tmp_path: Path) -> None:
    for name in ("left", "left_two"):
        commands = recorded(package / "scripts" / f"package_{name}.tcl", tmp_path / name)
        added, clock = (command for command in commands if command.startswith("add_files"))
        assert clock.endswith(f"/{name}_hotnas_accel_ooc.xdc") and Path(clock.split()[-1]).is_file()
        files = [Path(file).name for file in re.findall(r"\S+\.s?v\b", added)]
        assert files[0] == f"{name}_hotnas_pkg.sv" and files[-1] == f"{name}_hotnas_accel_ip.v"
        assert all((package / "rtl" / file).is_file() for file in files)
        assert any(f"name {name}_hotnas_accel " in command for command in commands)


def test_what_was_changed_certifies_nothing(
    shared: hn.SharedBoard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = tmp_path / "pair"
    shared.generate(package)
    (package / "sim" / "axi_memory.sv").write_text("// nothing\n")
    right = EngineCheck("left", 0, 1, 10, 10, True)
    monkeypatch.setattr(engines_flow, "simulate_together", lambda *_: (right,))
    assert main(["sim", str(package)]) == 1
    reason = "sim/axi_memory.sv: changed since it was generated; it certifies nothing"
    assert f"{reason}\nDOES NOT HOLD\n" in capsys.readouterr().out
    kept = json.loads((package / "reports" / "engines.json").read_text())
    assert kept["holds"] is False and kept["reasons"] == [reason]


def test_what_is_of_one_design_is_refused(
    shared: hn.SharedBoard, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", str(package), "--images", "3", "--no-csim", "--sweep"]) == 1
    assert capsys.readouterr().err == (
        f"hotnas: {package} holds several engines:\n"
        "  - --images: is of a package of one design; leave it out\n"
        "  - --no-csim: is of a package of one design; leave it out\n"
        "  - --sweep: is of a package of one design; leave it out\n"
    )
    for read in (flow.load_package, hn.write_report):
        with pytest.raises(OutputRefused) as refused:
            read(package)
        assert str(refused.value) == (
            f"{package}: holds several engines, which 'hotnas sim' runs together; this is done with a "
            "package of one: hotnas hls RUN"
        )
    with pytest.raises(OutputRefused, match="not a package of several engines; make it anew: hotnas engines"):
        (tmp_path / "engines.json").write_text("{}")
        hn.load_shared_board(tmp_path)
    elsewhere = dataclasses.replace(shared, dram=dataclasses.replace(shared.dram, name="other"))
    with pytest.raises(ConfigError) as wrong:
        elsewhere.generate(tmp_path / "other")
    assert str(wrong.value) == "other: a package is of its designs' own DRAM; leave --dram out"
