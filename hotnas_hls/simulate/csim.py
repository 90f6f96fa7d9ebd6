"""C simulation of generated HLS C++ with a plain compiler: build, run, and what came out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.base.processes import run
from hotnas_hls.base.tools import require
from hotnas_hls.codegen.hls import CSIM_FLAGS, SOURCES
from hotnas_hls.errors import SimulationFailed

BUILD_SECONDS = 300
RUN_SECONDS = 1800
LEAST_IMAGES = 16  # of a simulation that is called a proof


@dataclass(frozen=True)
class CsimResult:
    """A simulation whose every layer equalled the golden data."""

    transactions: int  # starts of the accelerator: one an image, and a batch of the first two
    images: int
    layers: int
    build_seconds: float
    run_seconds: float
    warnings: int  # of the compiler
    log: Path


def run_csim(
    directory: Path,
    *,
    build: Path | None = None,
    compiler: str = "g++",
    dataflow: bool = True,
    per_layer: bool = False,
    images: int | None = None,
    extra_flags: tuple[str, ...] = (),
) -> CsimResult:
    """Build and run the testbench of the package in ``directory``.

    build: folder for the program and the logs, by default ``build`` in the package. images: how many
    of the package's images to run (all). Raises SimulationFailed when the sources do not compile or
    an output differs (the message names the first layer, channel and pixel), ToolNotFound without
    a compiler or ap_int headers.
    """
    build = build or directory / "build"
    build.mkdir(parents=True, exist_ok=True)
    program = build / f"csim{'' if dataflow else '_sequential'}"
    command: list[str | Path] = [
        require(compiler).path,
        *CSIM_FLAGS,
        *extra_flags,
        f"-DHOTNAS_DATAFLOW={int(dataflow)}",
        *(f"-I{directory / folder}" for folder in ("include", "tb")),
        *("-isystem", require("ap_types").path),
        # As one unit, which reads the ap_int headers once.
        *(argument for source in SOURCES for argument in ("-include", directory / source)),
        directory / "tb" / "testbench.cpp",
        *("-o", program),
    ]
    built = run(command, program.with_suffix(".build.log"), timeout=BUILD_SECONDS, failure=SimulationFailed)
    warnings = len(re.findall(r"\bwarning:", built.log.read_text(encoding="utf-8", errors="replace")))
    arguments = ["--per-layer"] if per_layer else []
    arguments += ["--images", str(images)] if images else []
    log = program.with_suffix(".log")
    ran = run([program, *arguments, directory], log, timeout=RUN_SECONDS)
    text = log.read_text(encoding="utf-8", errors="replace")
    verdict = re.search(r"^PASS: (\d+) transactions, (\d+) layers", text, re.MULTILINE)
    if ran.returncode != 0 or verdict is None:
        found = re.search(r"^MISMATCH .*", text, re.MULTILINE)
        what = found.group() if found else f"ended with status {ran.returncode}:\n{ran.tail()}"
        raise SimulationFailed(f"C simulation of {directory}: {what}; all it printed is in {log}")
    transactions = int(verdict[1])
    return CsimResult(
        transactions=transactions,
        images=transactions - 1,
        layers=int(verdict[2]),
        build_seconds=built.seconds,
        run_seconds=ran.seconds,
        warnings=warnings,
        log=log,
    )
