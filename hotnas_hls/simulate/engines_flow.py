"""The flow of engines that share a board: their package on disk, simulated, with what was found beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.engine_set import EngineSet, share_board
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.joint_latency import SharedLatency
from hotnas_hls.base.records import load_json
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.codegen.bundle import Bundle, read_manifest, refuse_foreign, verify
from hotnas_hls.codegen.engine_package import (
    BENCH,
    DESIGNS,
    ENGINES_FILE,
    FORMAT,
    FORMAT_VERSION,
    RTL,
    engine_package,
)
from hotnas_hls.errors import OutputRefused
from hotnas_hls.simulate.certify import Rtl
from hotnas_hls.simulate.engine_check import EngineCheck
from hotnas_hls.simulate.flow import add_reports, build_folder, refuse_links
from hotnas_hls.simulate.rtl_simulation import PACKAGE
from hotnas_hls.simulate.shared_board import simulate_together

REPORT = "engines.json"


def generate(
    engines: EngineSet, dram: DramTiming, latencies: Mapping[str, SharedLatency], output: Path
) -> Bundle:
    """Write the package of ``engines`` to the folder ``output``; its last part is the package's name."""
    with sole_writer(output, "hotnas engines"):
        refuse_foreign(output)
        bundle = engine_package(engines, dram, latencies, output.name)
        bundle.write(output)
    return bundle


def load(output: Path) -> EngineSet:
    """The engines of a package; OutputRefused for a folder that is none, or not of this version."""
    again = "make it anew: hotnas engines"
    record = load_json(output / ENGINES_FILE, OutputRefused)
    if read_manifest(output) is None or not isinstance(record, dict) or record.get("format") != FORMAT:
        raise OutputRefused(f"{output}: not a package of several engines; {again}")
    if record.get("format_version") != FORMAT_VERSION or not isinstance(record.get("engines"), dict):
        raise OutputRefused(f"{output}: {ENGINES_FILE} is not of this version of hotnas; {again}")
    refuse_links(output)
    return share_board({name: DesignPoint.load(output / DESIGNS / name) for name in record["engines"]})


def simulate(
    output: Path,
    engines: EngineSet,
    latencies: Mapping[str, SharedLatency],
    dram: DramTiming,
    build: Path | None = None,
) -> tuple[tuple[EngineCheck, ...], tuple[str, ...]]:
    """Run the RTL and the bench of a package as they lie there; its checks, and why it does not hold.

    The package keeps both in its reports.
    """
    with sole_writer(output, "hotnas sim"):
        changed = [problem for problem in verify(output) if not problem.endswith(": added")]
        rtl = {path.name: path.read_text(encoding="utf-8") for path in sorted((output / RTL).glob("*.sv"))}
        packages = {name: text for name, text in rtl.items() if name.endswith(f"_{PACKAGE}")}
        bench = {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted((output / BENCH).iterdir())
            if path.is_file()
        }
        folder = build or build_folder(output)
        checks = simulate_together(engines, latencies, dram, folder, Rtl(packages | rtl, bench=bench))
        reasons = [reason for check in checks for reason in check.reasons()]
        reasons += [f"{path} since it was generated; it certifies nothing" for path in changed]
        told = {
            "digest": engines.digest(),
            "dram": dram.name,
            "holds": not reasons,
            "reasons": reasons,
            "checks": [asdict(check) for check in checks],
        }
        add_reports(output, {REPORT: (json.dumps(told, indent=2) + "\n").encode()})
    return checks, tuple(reasons)
