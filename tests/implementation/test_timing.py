"""hotnas timing: arrivals in netlists counted by hand, what is refused, what becomes of an estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report.files import certificate_of
from small_designs import small_design

from hotnas_hls.base import tools
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.errors import ConfigError
from hotnas_hls.implementation.delays import Device, Family, Grade, family_of, known_families
from hotnas_hls.implementation.netlist import Netlist, NetlistRefused
from hotnas_hls.implementation.synth import Source
from hotnas_hls.implementation.timing import Estimate, estimate, time_design
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.simulate import flow
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.flow import add_reports, generate, load_package

ZCU102 = "xczu9eg-ffvb1156-2-e"
PYNQ = "xc7z020clg400-1"
PARTS = (
    "xczu xck26 xck24 xcu50 xcu55 xcu200 xcu250 xcu280 xcau "
    "xc7z007 xc7z010 xc7z012 xc7z014 xc7z015 xc7z020 xc7a xc7s xc7z030 xc7z035 xc7z045 xc7z100 xc7k xc7v"
).split()

FDRE = {"C": 1, "CE": 1, "D": 1, "R": 1, "Q": 0}
LUT2 = {"I0": 1, "I1": 1, "O": 0}
CARRY8 = {"CI": 1, "S": 1, "DI": 1, "CO": 0, "O": 0}


def cell(
    kind: str, ports: dict[str, int], parameters: dict[str, str] | None = None, **bits: Any
) -> dict[str, Any]:
    """A cell of a netlist; ports: 1 for inputs."""
    return {
        "type": kind,
        "parameters": parameters or {},
        "port_directions": {port: "input" if ports[port] else "output" for port in bits},
        "connections": {port: value if isinstance(value, list) else [value] for port, value in bits.items()},
    }


def module(
    cells: dict[str, Any], names: dict[str, list[int]], outputs: tuple[int, ...] = ()
) -> dict[str, Any]:
    """A module of a netlist; every name is declared in line 3 of block.sv, at columns 9 and on."""
    place = "block.sv:3.9-3.{}|top.sv:1.1-1.5"
    return {
        "cells": cells,
        "ports": {"out": {"direction": "output", "bits": list(outputs)}},
        "netnames": {
            name: {"bits": bits, "attributes": {"src": place.format(9 + len(name.rsplit(".", 1)[-1]))}}
            for name, bits in names.items()
        },
    }


def family(**changes: Any) -> tuple[Family, Grade]:
    """UltraScale+ at -2 with round delays: the path's sum can be read off."""
    from dataclasses import fields, replace

    known, grade = family_of(ZCU102)
    flat = {each.name: 0.0 for each in fields(Family) if isinstance(getattr(known, each.name), float)}
    return replace(known, **(flat | {"wire_low": 1.0, "wire_high": 1.0} | changes)), grade


def timed(netlist: dict[str, Any], **delays: float) -> Estimate:
    return estimate(Netlist(netlist, {"block.sv": "\n\nlogic   u_a.a_q"}), *family(**delays))


def test_a_path_is_clock_to_output_logic_wires_and_set_up() -> None:
    cells = {
        "a": cell("FDRE", FDRE, C=1, CE="1", D=9, R="0", Q=2),
        "l": cell("LUT2", LUT2, I0=2, I1=3, O=4),
        "b": cell("FDRE", FDRE, C=1, CE="1", D=4, R="0", Q=3),
    }
    names = {"a_q": [2], "b_q": [3], "u.sum": [4], "in": [9]}
    found = timed(module(cells, names), flip_flop_out=1.0, lut=2.0, flip_flop_data=0.5, wire=10.0)
    worst = found.paths[0]
    assert worst.ns == pytest.approx(1 + 10 + 2 + 10 + 0.5)
    assert worst.logic_ns == pytest.approx(3.5)
    assert (worst.start.name, worst.end.name, worst.levels, worst.cells) == ("a_q", "b_q", 1, {"LUT2": 1})
    assert found.fmax_mhz == pytest.approx(1000 / 23.5)


def test_a_wire_grows_with_its_sinks_and_no_further_than_the_array() -> None:
    near = {"wire": 1.0, "wire_growth": 0.5, "wire_tile": 0.25}
    known, grade = family(**near)
    device = Device(known, grade, luts=8)  # one tile: 2 x 0.25 ns across
    assert device.wire(1) == pytest.approx(1.0)
    assert device.wire(2) == pytest.approx(1.5)
    assert device.wire(10_000) == pytest.approx(1.5)
    wider = Device(known, grade, luts=800)  # ten tiles
    assert wider.wire(5) == pytest.approx(2.0)
    assert wider.wire(10_000) == pytest.approx(6.0)
    grown, _ = family(**near, rent=0.5)
    assert Device(grown, grade, luts=40_000).wire(1) == pytest.approx(2.0)


def test_a_carry_chain_costs_no_wires_and_a_step_a_bit() -> None:
    cells = {
        "a": cell("FDRE", FDRE, C=1, CE="1", D="0", R="0", Q=2),
        "low": cell("CARRY8", CARRY8, CI="0", S=[2, "0"], DI=["0", "0"], CO=[10, 11], O=[12, 13]),
        "high": cell("CARRY8", CARRY8, CI=11, S=["0", "0"], DI=["0", "0"], CO=[14, 15], O=[16, 17]),
        "b": cell("FDRE", FDRE, C=1, CE="1", D=17, R="0", Q=3),
    }
    found = timed(
        module(cells, {"a_q": [2], "b_q": [3]}), wire=10.0, carry_in=1.0, carry_bit=0.1, carry_out=3.0
    )
    assert found.paths[0].ns == pytest.approx(10 + 1.1 + 3.1 + 10)


def test_registers_of_a_dsp_cut_the_path() -> None:
    ports = {"A": 1, "B": 1, "CLK": 1, "P": 0}

    def worst(parameters: dict[str, str]) -> float:
        cells = {
            "a": cell("FDRE", FDRE, C=1, CE="1", D="0", R="0", Q=2),
            "m": cell("DSP48E2", ports, parameters, A=2, B=2, CLK=1, P=[4]),
            "b": cell("FDRE", FDRE, C=1, CE="1", D=4, R="0", Q=3),
        }
        delays = {"dsp": 8.0, "dsp_in": 0.5, "dsp_product": 4.0, "dsp_sum": 3.0, "dsp_out": 1.0}
        return timed(module(cells, {"a_q": [2], "b_q": [3]}), **delays).paths[0].ns

    one = "0" * 31 + "1"
    assert worst({}) == pytest.approx(8.0)
    assert worst({"MREG": one}) == pytest.approx(4.0)
    assert worst({"AREG": one, "BREG": one, "MREG": one}) == pytest.approx(3.0)
    assert worst({"AREG": one, "BREG": one, "MREG": one, "PREG": one}) == pytest.approx(1.0)


def test_a_memory_of_luts_is_read_at_its_own_address() -> None:
    ports = {"DPRA0": 1, "A0": 1, "D": 1, "WE": 1, "WCLK": 1, "DPO": 0}
    cells = {
        "a": cell("FDRE", FDRE, C=1, CE="1", D="0", R="0", Q=2),
        "w": cell("FDRE", FDRE, C=1, CE="1", D=4, R="0", Q=5),
        "m": cell("RAM32X1D", ports, DPRA0=2, A0=5, D=5, WE=5, WCLK=1, DPO=4),
    }
    found = timed(module(cells, {"a_q": [2], "w_q": [5], "u.out": [4]}), lut=2.0, lutram_in=0.5, wire=1.0)
    pairs = {(path.start.name, path.end.name): path.ns for path in found.paths}
    assert pairs == {("a_q", "w_q"): pytest.approx(4.0), ("w_q", "u.out"): pytest.approx(1.5, abs=0.3)}


def test_paths_name_the_register_and_its_line() -> None:
    cells = {
        "a": cell("FDRE", FDRE, C=1, CE="1", D=2, R="0", Q=2),
        "out": cell("FDRE", FDRE, C=1, CE="1", D=2, R="0", Q=4),
    }
    names = {"word_o": [2], "u_a.a_q": [2], "$auto$1": [4]}
    netlist = Netlist(module(cells, names), {"block.sv": "module block;\n\n  logic a_q;\n"})
    worst = estimate(netlist, *family(wire=1.0)).paths[0]
    assert worst.start.name == "u_a.a_q"
    assert (worst.start.module, worst.start.declared) == ("block", "block.sv:3")
    assert {path.end.name for path in estimate(netlist, *family(wire=1.0)).paths} == {"u_a.a_q", "unnamed"}


def test_an_output_ends_at_a_register_outside() -> None:
    cells = {
        "a": cell("FDRE", FDRE, C=1, CE="1", D="0", R="0", Q=2),
        "l": cell("LUT2", LUT2, I0=2, I1=2, O=4),
    }
    found = timed(module(cells, {"a_q": [2], "out": [4]}, (4,)), lut=2.0, wire=1.0)
    assert (found.paths[0].end.name, found.paths[0].ns) == ("out", pytest.approx(4.0, abs=0.2))


def test_a_netlist_without_registers_is_refused() -> None:
    with pytest.raises(NetlistRefused) as error:
        Netlist(module({"l": cell("LUT2", LUT2, I0=2, I1=3, O=4)}, {}))
    assert str(error.value) == (
        "the netlist has no registers: no path begins and ends at a clock, so it has no Fmax"
    )


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(NetlistRefused) as error:
        Netlist(module({"x": cell("MYSTERY", LUT2, I0=2, I1=3, O=4)}, {}))
    assert str(error.value) == (
        "no delays are known of cells of type MYSTERY; nothing can be said of the clock"
    )


@pytest.mark.parametrize(
    ("part", "name", "grade"),
    [
        (ZCU102, "UltraScale+", "2"),
        ("xck26-sfvc784-2LV-c", "UltraScale+", "2LV"),
        ("xczu3eg-sbva484-1-i", "UltraScale+", "1"),
        ("xcu55c-fsvh2892-2L-e", "UltraScale+", "2L"),
        (PYNQ, "7 series", "1"),
        ("xc7z045ffg900-2", "7 series", "2"),
    ],
)
def test_a_part_has_a_family_and_a_grade(part: str, name: str, grade: str) -> None:
    family, found = family_of(part)
    assert (family.name, found.name) == (name, grade)


def test_every_board_that_ships_has_delays() -> None:
    from hotnas_hls.boards.board import known_boards

    for board in known_boards():
        family_of(board.part)


def test_a_part_without_delays_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        family_of("10AX115N2F45E1SG")
    assert str(error.value) == (
        "10AX115N2F45E1SG: no delays are known of this part, so nothing can be said of its clock; known are "
        f"{', '.join(PARTS)}; add its family to hotnas_hls/implementation/delays.yaml, or import Vivado's "
        "post-route report (hotnas import-reports)"
    )
    with pytest.raises(ConfigError) as error:
        family_of("xczu9eg-ffvb1156-9-e")
    assert str(error.value) == (
        "xczu9eg-ffvb1156-9-e: speed grade 9 of UltraScale+ has no known delays; known are 3, 2, 2L, 2LV, "
        "1, 1L (hotnas_hls/implementation/delays.yaml)"
    )


def test_a_device_for_calibration_alone_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        time_design(Source("x", small_design().accelerator, 1, {}), "LFE5U-45F-6", 50.0)
    assert str(error.value) == ("LFE5U-45F-6: ECP5 is placed and routed, not estimated: hotnas synth --place")


def test_remembered_delays_are_told() -> None:
    for known in known_families():
        assert known.remembered, "none of the families was looked up in every number"


# ---------------------------------------------------------------- the command


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, netlist: dict[str, Any]) -> None:
    """A program in Yosys's place that writes one netlist."""
    (folder / "netlist").write_text(json.dumps({"modules": {"hotnas_accel": netlist}}))
    path = folder / "yosys"
    path.write_text(f"#!/bin/sh\ncp {folder}/netlist netlist.json; echo 'Printing statistics.'\n")
    path.chmod(0o755)
    monkeypatch.setattr(tools, "find", lambda name: tools.Tool(name, path, "PATH"))
    monkeypatch.setattr(tools, "version", lambda tool: "0.0")


def chain(luts: int) -> dict[str, Any]:
    """A register, so many LUTs in a row, a register."""
    cells = {
        "a": cell("FDRE", FDRE, C=1, CE="1", D="0", R="0", Q=2),
        **{f"l{at}": cell("LUT2", LUT2, I0=2 + at, I1=2 + at, O=3 + at) for at in range(luts)},
        "b": cell("FDRE", FDRE, C=1, CE="1", D=2 + luts, R="0", Q=1000),
    }
    return module(cells, {"u_x.a_q": [2], "u_y.b_q": [1000]})


@pytest.fixture
def package(tmp_path: Path) -> Path:
    generate(small_design(), tmp_path / "small", images=1)
    return tmp_path / "small"


def test_an_estimate_goes_into_the_package_and_its_report(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, chain(8))
    assert main(["timing", str(package)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"small on {ZCU102}: estimated ")
    assert "from u_x.a_q" in printed and "to   u_y.b_q" in printed and "delays from memory: " in printed
    assert verify(package) == []
    record = json.loads((package / "reports" / "timing.json").read_text())
    assert record["met"] is True and record["low_mhz"] < record["fmax_mhz"] < record["high_mhz"]
    data = assemble(package)
    for text in (markdown(data), page(data)):
        assert f"{record['fmax_mhz']:.0f} MHz, " in text and "(an estimate before placement, not" in text
    assert data.record()["clock_estimate"]["part"] == ZCU102


def test_a_clock_above_the_estimate_fails_with_the_path(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, chain(60))
    assert main(["timing", str(package)]) == 1
    record = json.loads((package / "reports" / "timing.json").read_text())
    fmax, low, high = record["fmax_mhz"], record["low_mhz"], record["high_mhz"]
    assert capsys.readouterr().err == (
        f"hotnas: small: its clock of 200 MHz is above the estimate of {fmax:.0f} MHz ({low:.0f} to "
        f"{high:.0f}) on {ZCU102}; held by u_x.a_q -> u_y.b_q, {record['paths'][0]['ns']:.2f} ns. Set "
        f"clock_mhz of the design to {int(fmax)} or less, or import a post-route report that meets it "
        "(hotnas import-reports)\n"
    )
    assert record["met"] is False


def test_a_routed_figure_replaces_the_estimate(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, chain(3))
    assert main(["timing", str(package)]) == 0
    vendor = {
        "format": "hotnas-vendor-reports",
        "format_version": 1,
        "implementation": {"state": "Routed", "fmax_mhz": 212.5, "wns_ns": 0.3},
    }
    add_reports(package, {"vendor_reports.json": json.dumps(vendor).encode()})
    text = markdown(assemble(package))
    assert "212.5 MHz by Vivado (Routed) for a clock of 200 MHz" in text
    assert "estimate before placement" not in text


def test_without_yosys_it_is_one_message(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "find", lambda name: None)
    assert main(["timing", str(package)]) == 1
    assert capsys.readouterr().err.startswith("hotnas: yosys not found: it is needed for ")
    assert not (package / "reports" / "timing.json").exists()


def test_a_certificate_names_the_estimate_as_one(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = load_package(package)
    monkeypatch.setattr(flow, "certify", lambda *_, **__: certificate_of(point))
    assert flow.simulate(package, csim=False).certificate.clock_estimate is None
    stand_in(tmp_path, monkeypatch, chain(8))
    assert main(["timing", str(package)]) == 0
    line = flow.simulate(package, csim=False).certificate.clock_estimate
    assert line is not None and line.startswith("estimated ") and "before placement" in line
    assert Certificate.from_json(package / "reports" / "certificate.json").clock_estimate == line
