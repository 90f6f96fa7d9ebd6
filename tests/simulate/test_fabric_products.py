"""Products in LUTs: every product, whole layers through RTL and HLS, and what a design must obey."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
from codegen.test_hls import BANNER, needs_csim, write
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base import tools
from hotnas_hls.codegen.hls import Target, hls_files
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import FABRIC_PRODUCT, PACKAGE, rtl_files
from hotnas_hls.fuzzing.layer_fuzz import FuzzCase, build_case, run_case
from hotnas_hls.simulate.csim import LEAST_IMAGES, run_csim
from simulate.test_dsp_packing import ACCEL, EXTREMES, N, extreme_case, extreme_network
from simulate.test_rtl import needs_verilator

# Every weight with the activations from both ends of their range, those around zero and 200 others.
BENCH = """
module bench;
  import hotnas_pkg::*;
  localparam int Top = 1 << (ActBits - 1);
  logic clk = 0;
  logic [ActBits-1:0] ifm;
  logic [WgtBits-1:0] weight;
  logic signed [ActBits+WgtBits-1:0] product;
  fabric_product u_product (.clk_i(clk), .ifm_i(ifm), .weight_i(weight), .product_o(product));
  initial begin
    for (int w = -(1 << (WgtBits - 1)); w < 1 << (WgtBits - 1); w++) begin
      for (int i = 0; i < 232; i++) begin
        weight = WgtBits'(w);
        ifm    = ActBits'(i < 8 ? i - Top : i < 16 ? Top + 7 - i : i < 32 ? i - 24 : $urandom);
        #1 clk = 1;
        #1 clk = 0;
        if (32'(product) != w * 32'($signed(ifm))) $fatal(1, "%0d * %0d", w, $signed(ifm));
      end
    end
    $finish;
  end
endmodule
"""


@pytest.mark.whole
@needs_verilator
@pytest.mark.parametrize(("act_bits", "weight_bits"), [(8, 7), (8, 8), (16, 5), (16, 16)])
def test_every_weight_multiplies_exactly(act_bits: int, weight_bits: int, tmp_path: Path) -> None:
    accel = dataclasses.replace(
        ACCEL, act_bits=act_bits, weight_bits=weight_bits, dsp_packing=False, fabric_rows=1
    )
    files = rtl_files(accel, 1, Banner("products", "0"))
    names = (PACKAGE, FABRIC_PRODUCT, "bench.sv")
    for name, text in zip(names, (files[PACKAGE], files[FABRIC_PRODUCT], BENCH), strict=True):
        (tmp_path / name).write_text(text)
    verilator = tools.require("verilator")
    command = [
        *(verilator.path, "--binary", "--timing", "-Wno-lint", "--top-module", "bench"),
        *("-CFLAGS", "-std=c++20", "-MAKEFLAGS", "OPT_FAST=-Og OPT_SLOW=-O0 CFG_CXXFLAGS_PCH_I=-include"),
    ]
    environment = verilator.full_environment() | tools.compiler_cache()
    subprocess.run([*command, *names], cwd=tmp_path, check=True, capture_output=True, env=environment)
    subprocess.run(tmp_path / "obj_dir" / "Vbench", check=True, capture_output=True)


@pytest.mark.whole
@needs_verilator
@pytest.mark.parametrize(("packing", "rows"), [(True, 4), (False, 5)])
def test_rtl_multiplies_extreme_factors_exactly_in_either(packing: bool, rows: int, tmp_path: Path) -> None:
    """Some rows in LUTs, the others in DSP slices: every output and every cycle as predicted."""
    _, image = extreme_network(N)
    case = extreme_case(N)
    accel = dataclasses.replace(case.accel, dsp_packing=packing, fabric_rows=rows)
    fuzz = FuzzCase(0, case.net, accel, case.tiles, {"x": image}, MemoryTiming())
    for result in run_case(fuzz, build_case(fuzz, tmp_path), tmp_path / "job"):
        assert result.outputs_equal and result.largest_difference == 0, result.layer


@needs_csim
@pytest.mark.parametrize("packing", [True, False])
def test_hls_multiplies_extreme_factors_exactly_in_either(packing: bool, tmp_path: Path) -> None:
    case, (_, image) = extreme_case(N), extreme_network(N)
    accel = dataclasses.replace(case.accel, dsp_packing=packing, fabric_rows=4)
    images = [image] * LEAST_IMAGES
    files = hls_files(case.net, accel, case.tiles, images=images, target=Target(), banner=BANNER)
    result = run_csim(write(files, tmp_path))
    assert (result.layers, result.warnings) == (len(EXTREMES), 0)


def test_products_in_luts_cost_no_cycle() -> None:
    case = extreme_case(N)
    latencies = (
        network_latency(
            case.net.layers, dataclasses.replace(ACCEL, fabric_rows=rows), case.tiles, MemoryTiming()
        )
        for rows in (0, 8)
    )
    assert len({latency.cycles for latency in latencies}) == 1


def test_a_design_without_them_has_no_module_for_them() -> None:
    assert FABRIC_PRODUCT not in rtl_files(ACCEL, 1, Banner("none", "0"))


def test_rows_are_some_of_the_array_and_pairs_stay_together() -> None:
    def broken(rows: int, packing: bool = True) -> list[str]:
        return dataclasses.replace(ACCEL, fabric_rows=rows, dsp_packing=packing).violations()

    assert broken(0) == broken(8) == broken(3, packing=False) == []
    for rows in (-1, 9):
        assert broken(rows) == [f"fabric_rows = {rows}: must be 0 (all products in DSP slices) to tm = 8"]
    assert broken(3) == [
        "fabric_rows = 3: with dsp_packing rows 2k and 2k + 1 have their products in LUTs both or neither; "
        "use 2 or 4"
    ]


def test_a_design_point_keeps_its_rows_and_older_ones_have_none(tmp_path: Path) -> None:
    point = small_design()
    assert "fabric_rows" not in json.loads(point.save(tmp_path / "old").read_text())["accelerator"]
    assert DesignPoint.load(tmp_path / "old").accelerator.fabric_rows == 0
    some = dataclasses.replace(
        point, accelerator=dataclasses.replace(point.accelerator, fabric_rows=point.accelerator.tm)
    )
    assert DesignPoint.load(some.save(tmp_path / "new")) == some
    assert some.digest() != point.digest()
