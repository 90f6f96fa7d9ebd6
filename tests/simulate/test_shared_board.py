"""Engines of different shape at the same time behind one DRAM: every output and every cycle as predicted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from small_designs import ACCEL, on_chip_design, small_design

import hotnas_hls as hn
from hotnas_hls.api.design import Design
from hotnas_hls.api.engines import SharedSimulation
from hotnas_hls.base import tools
from hotnas_hls.codegen.engine_sources import renamed
from hotnas_hls.simulate.engine_check import EngineCheck

needs_verilator = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")
WIDE = dataclasses.replace(ACCEL, tn=8, max_entries=16, ifm_bits=128, wgt_bits=128, ofm_bits=128)


@needs_verilator
@pytest.mark.whole
def test_both_engines_are_right_and_take_the_predicted_cycles(tmp_path: Path) -> None:
    """One keeps its data on chip, the other streams; the DRAM makes each wait for the other."""
    resident, streaming = on_chip_design(), small_design(network="wide", accelerator=WIDE)
    shared = hn.share_board({"resident": Design(resident), "streaming": Design(streaming)})
    assert all(found.cycles > found.alone_cycles for found in shared.latencies.values())
    done = shared.simulate(tmp_path)
    assert done.holds and done.reasons == ()
    phases = {found.worst_phase for found in shared.latencies.values()}
    assert {(check.engine, check.phase) for check in done.checks} == {
        (engine, phase) for engine in ("resident", "streaming") for phase in phases
    }
    for check in done.checks:
        assert check.outputs_match and check.simulated == check.predicted
        assert check.images == shared.latencies[check.engine].images


def test_what_is_not_as_predicted_is_told() -> None:
    right = EngineCheck("a", 3, 2, 1000, 1000, True)
    wrong = EngineCheck("b", 3, 1, 1000, 1100, False)
    assert SharedSimulation((right,)).holds
    found = SharedSimulation((right, wrong))
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
