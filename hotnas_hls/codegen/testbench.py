"""The bench of the RTL as files: what lies in ``sim/``, its top wired from the table of ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hotnas_hls.accel.memory.dram import REQUESTERS
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.codegen.ports import CONTROL, MASTERS, Bus
from hotnas_hls.codegen.registers import PORT_COUNTS, PROFILE_ROW_BYTES, PROFILE_TERMS, REGISTERS
from hotnas_hls.codegen.render import SUFFIX, environment

TOP = "tb_top"
SV_SOURCES = ("dram_pkg.sv", "axi_memory.sv", "axi_checker.sv", "axi_lite_checker.sv", "tb_top.sv")
DRAM_SOURCE = "dram_timing.cpp"
TOP_FILE, CHECKER = "tb_top.sv", "axi_checker.sv"
PLAIN_SOURCE, PLAIN_LIST = "tb_plain.sv", "tb_plain.f"  # drives the bench without cocotb
# Of a bench, what knows no other engine.
OF_ONE_ENGINE = ("board.cpp", "board.h", "rtlsim.py", PLAIN_SOURCE, PLAIN_LIST)
PORTS_OF_ENGINE = REQUESTERS // 2
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


def bench_sources(bench: Mapping[str, str]) -> list[str]:
    """The SystemVerilog of a bench, what others need first."""
    own = [name for name in SV_SOURCES if name in bench]
    others = (name for name in bench if name.endswith(".sv") and name not in (*own, PLAIN_SOURCE))
    return own + sorted(others)


def instance_of(engine: str) -> str:
    """What the bench of an engine is called in ``tb_top``; no keyword, whatever the engine's name."""
    return f"u_{engine}"


def engines_bench(engines: Mapping[str, Sequence[Bus]]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The bench of several engines behind one DRAM: files of all of them, and each one's own by engine.

    engines: the masters of each, by name. An engine's own files name its modules (``hotnas_accel``,
    ``hotnas_pkg``): they are to be renamed with them.
    """
    shared = bench_files()
    own = {}
    for name, buses in engines.items():
        files = bench_files(buses)
        own[name] = {
            "bench.sv": files[TOP_FILE].replace(f"module {TOP} ", "module bench "),
            CHECKER: files[CHECKER],
        }
    for only_of_one in (CHECKER, *OF_ONE_ENGINE):
        del shared[only_of_one]
    instances = [
        f"  {name}_bench #(.FirstPort({PORTS_OF_ENGINE * at})) {instance_of(name)} ();"
        for at, name in enumerate(engines)
    ]
    head = "// Engines behind one DRAM, each in a bench of its own that cocotb drives."
    shared[TOP_FILE] = "\n".join([head, f"module {TOP};", *instances, "endmodule", ""])
    watched = [f'public_flat_rw -module "{name}_bench" -var "*"' for name in engines]
    shared["public.vlt"] = "\n".join(["`verilator_config", *watched, ""])
    return shared, own


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
