"""Read reports of Vitis HLS and Vivado, and a board's self-test, into a design's own report.

DIR is the project folder of either tool, or one with copies of their reports: *_csynth.xml, *_cosim.rpt,
result.transaction.rpt (cycles of each layer), what report_utilization and report_timing_summary wrote, and
selftest.json of the package's drivers.
Figures that none of them gives stay unknown.
With --into they become part of a package: 'hotnas report' shows them beside its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.base.atomic import replace_files
from hotnas_hls.commands import Subparsers

if TYPE_CHECKING:
    from hotnas_hls import VendorReports

GROUP = "hand-off"
FILE = "vendor_reports.json"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas import-reports``."""
    parser = subparsers.add_parser("import-reports", description=__doc__)
    parser.add_argument("directory", metavar="DIR", type=Path, help="folder with the tools' reports")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--into", metavar="PACKAGE", type=Path, help="a package's folder, e.g. hls_out/digits")
    place.add_argument("--output", type=Path, help=f"the JSON file (default: DIR/{FILE})")


def run(args: argparse.Namespace) -> None:
    """Write the JSON and print what was found, and what was not."""
    from hotnas_hls.api.implementation import import_reports
    from hotnas_hls.api.package import Package

    reports = import_reports(args.directory, args.into)
    if args.into is not None:
        output = Package(args.into).reports / FILE
    else:
        output = args.output or args.directory / FILE
        replace_files(output.parent, {output.name: reports.to_json().encode()})
    if args.json:
        print(reports.to_json(), end="")
        return
    print("\n".join(summary(reports)))
    print(f"written to {output}")


def summary(reports: VendorReports) -> list[str]:
    """One line a report, and one for all that is unknown."""
    lines = []
    if (csynth := reports.csynth) is not None:
        latency = _text(csynth.latency_max, "cycles")
        lines.append(
            f"csynth: {latency}, {_text(csynth.estimated_ns, 'ns')} of {_text(csynth.target_ns, 'ns')}"
        )
        if csynth.loops is not None:
            kept = len(csynth.loops) - len(csynth.slow_loops)
            lines.append(f"loops: {kept} of {len(csynth.loops)} that are pipelined keep their II")
            lines += [f"  {loop.line()}" for loop in csynth.slow_loops]
    if (cosim := reports.cosim) is not None:
        verdict = {True: "passed", False: "FAILED", None: "verdict unknown"}[cosim.passed]
        lines.append(f"cosim: {verdict}, {_text(cosim.latency_max, 'cycles')} a transaction")
    if (placed := reports.implementation) is not None:
        used = placed.resources
        amounts = ", ".join(
            f"{_text(amount)} {name}"
            for name, amount in (
                ("LUT", used.lut),
                ("FF", used.ff),
                ("DSP", used.dsp),
                ("BRAM18", used.bram18),
            )
        )
        lines.append(f"implementation: {amounts}; worst slack {_text(placed.wns_ns, 'ns')}")
        lines.append(f"clock of the processor: {_text(placed.clock_mhz, 'MHz')}")
    if (board := reports.board) is not None:
        lines.append(f"on the board: {board.line()}")
    missing = reports.unknown()
    return [*lines, "unknown: " + (", ".join(missing) or "nothing")]


def _text(value: float | None, unit: str = "") -> str:
    if value is None:
        return f"unknown {unit}".strip()
    return f"{value:,} {unit}".strip()
