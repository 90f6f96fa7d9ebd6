"""hotnas synth --place: what fits an ECP5, what nextpnr reports, what becomes of it in a design's report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_designs import small_design

from hotnas_hls.base import tools
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.implementation.place import DEVICES, PlaceFailed, fitting, parse_report, place, table, wrapper
from hotnas_hls.implementation.synth import load_source
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.simulate.flow import generate

# Of a 4 x 4, 8-bit design (dse --model digits_resnet --array 4x4 --no-on-chip), by nextpnr 0.11.1.
REPORT = Path(__file__).parent / "nextpnr_report.json"
FMAX_MHZ = 45.65
USED = {"lut": (21_002, 43_848), "ff": (8_212, 43_848), "multiplier": (33, 72), "ram18": (2, 108)}


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, cells: dict[str, int]) -> None:
    """Programs in the tools' place: a netlist with so many cells, and the recorded report."""
    nothing: dict[str, Any] = {"port_directions": {}, "connections": {}}
    listed = {
        f"{kind}{at}": {"type": kind, **nothing} for kind, count in cells.items() for at in range(count)
    }
    ways = {"CLK": "input", "DI": "input", "Q": "output"}
    for name, source, target in (("a_q", 2, 3), ("b_q", 3, 4)):
        pins = {"CLK": [1], "DI": [source], "Q": [target]}
        listed[name] = {"type": "TRELLIS_FF", "port_directions": ways, "connections": pins}
    module = {"cells": listed, "netnames": {"a_q": {"bits": [3]}, "b_q": {"bits": [4]}}}
    (folder / "netlist").write_text(json.dumps({"modules": {"place_top": module}}))
    scripts = {
        "yosys-ecp5": f"cp {folder}/netlist netlist.json",
        "nextpnr-ecp5": f'cp {REPORT} report.json; echo "$@" > {folder}/arguments',
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(tools, "find", lambda name: tools.Tool(name, folder / name, "PATH"))
    monkeypatch.setattr(tools, "version", lambda tool: "0.0")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    generate(small_design(), tmp_path / "small", images=1)
    return tmp_path / "small"


def test_the_smallest_device_with_room_is_taken() -> None:
    assert fitting("small", {"LUT4": 10_000, "MULT18X18D": 28}) == DEVICES[0]
    assert fitting("small", {"LUT4": 10_000, "MULT18X18D": 29}) == DEVICES[1]
    assert fitting("small", {"CCU2C": 10_000}) == DEVICES[1], "a carry cell is two LUTs"
    assert fitting("small", {"DP16KD": 200}) == DEVICES[2]


def test_what_does_not_fit_is_refused_with_the_cure() -> None:
    with pytest.raises(PlaceFailed) as error:
        fitting("large", {"LUT4": 100, "MULT18X18D": 157, "DP16KD": 209})
    assert str(error.value) == (
        "large: does not fit the largest ECP5 (LFE5U-85F): after synthesis it takes 157 18x18 multipliers "
        "(it has room for 156) and 209 18 Kb RAM (it has room for 208); place a smaller one, e.g. hotnas dse "
        "--model NETWORK --array 4x4 --act-bits 8 --weight-bits 8 --no-on-chip --save runs/small, then "
        "hotnas synth --place runs/small"
    )


def test_a_design_far_too_large_is_refused_before_synthesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, {})
    arguments = ("dse", "--model", "digits_resnet", "--array", "32x16", "--save", str(tmp_path / "run"))
    assert main([*arguments]) == 0
    assert main(["synth", "--place", str(tmp_path / "run")]) == 1
    message = capsys.readouterr().err
    assert "by the model it takes" in message and "18x18 multipliers (it has room for 156)" in message


def test_a_report_of_nextpnr_is_read() -> None:
    routed = parse_report(REPORT.read_text())
    assert routed.fmax_mhz == pytest.approx(FMAX_MHZ, abs=0.01)
    assert {kind: (amount.used, amount.available) for kind, amount in routed.used.items()} == USED
    assert 1000 / routed.fmax_mhz == pytest.approx(routed.logic_ns + routed.routing_ns, abs=0.05)
    assert routed.path_from == "gen_split.u_ifm_port.u_splitter.addr_q"
    assert routed.path_to == "u_load_ifm.tile_c_q"


def test_the_accelerator_stands_between_shift_registers(package: Path) -> None:
    source = load_source(package)
    text = wrapper(source)
    ports = text[text.index("hotnas_accel dut (") :].count("    .")
    declared = source.files["hotnas_accel.sv"].split(");")[0]
    assert ports == declared.count("input ") + declared.count("output ")


def test_placing_adds_to_the_package_and_its_report(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, {"LUT4": 20_000, "MULT18X18D": 35})
    log = tmp_path / "both.log"
    assert main(["synth", "--place", str(package), "--log", str(log)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"small placed and routed on a LFE5U-45F-6 CABGA381: {FMAX_MHZ:.1f} MHz")
    assert "static timing before placement says " in printed and "not the board's part" in printed
    assert "--45k" in (tmp_path / "arguments").read_text()
    assert verify(package) == []
    data = assemble(package)
    assert data.record()["placement"]["device"] == "LFE5U-45F-6 CABGA381"
    for text in (markdown(data), page(data)):
        assert f"{FMAX_MHZ:.1f} MHz on a LFE5U-45F-6" in text


@pytest.mark.long("ten minutes")
@pytest.mark.timeout(3600)
def test_a_small_design_is_placed_and_routed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ("--array", "4x4", "--act-bits", "8", "--weight-bits", "8")
    assert main(["dse", "--model", "digits_resnet", *small, "--save", str(run)]) == 0
    placed = place(load_source(run))
    assert 15 < placed.routed.fmax_mhz < 120
    assert placed.routed.used["multiplier"].used >= 16
    assert "MHz" in table(placed)[0]
