"""The bench of the RTL as files: what lies in ``sim/``, its top wired from the table of ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.codegen.ports import CONTROL, MASTERS, Bus
from hotnas_hls.codegen.registers import PORT_COUNTS, PROFILE_ROW_BYTES, PROFILE_TERMS, REGISTERS
from hotnas_hls.codegen.render import SUFFIX, environment

TOP = "tb_top"
SV_SOURCES = ("dram_pkg.sv", "axi_memory.sv", "axi_checker.sv", "axi_lite_checker.sv", "tb_top.sv")
DRAM_SOURCE = "dram_timing.cpp"
# How the bench is built and run, by hotnas sim and by the Makefile of a package.
VERILATOR = (
    *("--cc", "--exe", "--build", "--vpi", "--timing", "-j", "2"),
    # Registers and memories begin with random bits: nothing may depend on what was never written.
    *("-O3", "--x-assign", "unique", "--x-initial", "unique", "--no-assert"),
    *("--prefix", "Vtop", "-o", TOP, "--top-module", TOP, "--timescale", "1ns/1ps"),
    *("-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC"),
)
AT_POWER_UP = ("+dir=.", "+verilator+rand+reset+2")
COCOTB = {
    "COCOTB_TOPLEVEL": TOP,
    "COCOTB_TEST_MODULES": "tb_network",
    "COCOTB_TRUST_INERTIAL_WRITES": "1",
    "TOPLEVEL_LANG": "verilog",
}


def bench_registers(slots: int) -> dict[str, Any]:
    """What the bench must know of the registers; ``slots``: of the cycle-count window."""
    return {
        "offsets": {register.name: register.offset for register in REGISTERS},
        "terms": list(PROFILE_TERMS),
        "profile": slots * PROFILE_ROW_BYTES,
        "row_bytes": PROFILE_ROW_BYTES,
        "ports": PORT_COUNTS.offset,
        "counts": list(PORT_COUNTS.words),
    }


def bench_files(masters: Sequence[Bus] = MASTERS) -> dict[str, str]:
    """Every file of the bench by name; the same for all designs that have these masters."""
    files = {}
    for path in sorted(shipped_folder("sim").iterdir()):
        if path.name.endswith(SUFFIX):
            template = environment(path.parent).get_template(path.name)
            files[path.name.removesuffix(SUFFIX)] = template.render(control=CONTROL, masters=masters)
        elif path.is_file():
            files[path.name] = path.read_text(encoding="utf-8")
    return files
