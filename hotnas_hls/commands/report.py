"""Report of a design: what was chosen and why, as a web page, as Markdown and as JSON.

FOLDER is a package; report.html, report.md and report.json go into its reports/. The page needs no network
and no other file. A run's folder or a design_point.json does too: its report goes beside it, into reports/.
What the search left in its run folder (before, Pareto front, edits) is found by itself where the package's
configuration names it, or by --run. What no file tells is shown as unknown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "flow"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas report``."""
    parser = subparsers.add_parser("report", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a package, e.g. hls_out/digits")
    parser.add_argument("--run", type=Path, help="the search's folder (default: the one the design names)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the three files there instead")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> None:
    """Write the three files, say where."""
    from hotnas_hls.api.report import write_report

    written = write_report(args.folder, run=args.run, output=args.output)
    if args.json:
        print(json.dumps(written.data.record(), indent=2))
        return
    for path in written.paths:
        print(path)
    for note in written.notes:
        print(f"note: {note}")
