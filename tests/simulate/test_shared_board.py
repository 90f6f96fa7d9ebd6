"""Engines of different shape at the same time behind one DRAM: every output and every cycle as predicted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from small_designs import ACCEL, on_chip_design, small_design

import hotnas_hls as hn
from hotnas_hls.api.design import Design
from hotnas_hls.api.engines import SharedSimulation
from hotnas_hls.base import tools
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.codegen.engine_sources import renamed
from hotnas_hls.simulate.engine_check import EngineCheck

needs_verilator = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")
WIDE = dataclasses.replace(ACCEL, tn=8, max_entries=16, ifm_bits=128, wgt_bits=128, ofm_bits=128)


@needs_verilator
@pytest.mark.whole
def test_both_engines_are_right_and_take_the_predicted_cycles(tmp_path: Path) -> None:
    """One keeps its data on chip, the other, whose name is a keyword of Verilog, streams; each waits."""
    resident, streaming = on_chip_design(), small_design(network="wide", accelerator=WIDE)
    shared = hn.share_board({"resident": Design(resident), "small": Design(streaming)})
    assert all(found.cycles > found.alone_cycles for found in shared.latencies.values())
    package = tmp_path / "pair"
    shared.generate(package)
    loaded = hn.load_shared_board(package)
    assert loaded.engines == shared.engines and loaded.latencies == shared.latencies
    done = loaded.simulate(tmp_path / "build")
    assert done.holds and done.reasons == ()
    assert json.loads((package / "reports" / "engines.json").read_text())["checks"] == [
        dataclasses.asdict(check) for check in done.checks
    ]
    assert verify(package) == []
    phases = {found.worst_phase for found in shared.latencies.values()}
    assert {(check.engine, check.phase) for check in done.checks} == {
        (engine, phase) for engine in ("resident", "small") for phase in phases
    }
    for check in done.checks:
        assert check.outputs_match and check.simulated == check.predicted
        assert check.images == shared.latencies[check.engine].images


def test_what_is_not_as_predicted_is_told() -> None:
    right = EngineCheck("a", 3, 2, 1000, 1000, True)
    wrong = EngineCheck("b", 3, 1, 1000, 1100, False)
    assert SharedSimulation((right,)).holds and right.reasons() == []
    found = SharedSimulation((right, wrong), tuple(wrong.reasons()))
    assert not found.holds
    assert found.notes() == [
        "b, phase 3: an output differs from the integer reference",
        "b, phase 3: 1100 cycles simulated, 1000 predicted",
        "DOES NOT HOLD",
    ]


def test_every_module_of_an_engine_bears_its_name() -> None:
    files = {
        "pkg.sv": "package pkg;\nendpackage\n",
        "top.sv": (
            "module top;\n  wire [pkg::Bits-1:0] product;\n  product u_product (.product);\nendmodule\n"
        ),
        "product.sv": "module product (output product);\nendmodule\n",
    }
    assert renamed(files, "left") == {
        "left_pkg.sv": "package left_pkg;\nendpackage\n",
        "left_top.sv": (
            "module left_top;\n  wire [left_pkg::Bits-1:0] left_product;\n"
            "  left_product u_product (.left_product);\nendmodule\n"
        ),
        "left_product.sv": "module left_product (output left_product);\nendmodule\n",
    }
