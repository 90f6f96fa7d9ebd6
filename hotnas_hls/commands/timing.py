"""Estimate how fast a design can be clocked, before any vendor tool: its worst paths, by open synthesis.

DESIGN is a design point (design_point.json or the folder that holds it) or a generated package. Yosys maps
its RTL for the board's part; delays of cells are AMD's published ones, wires are guessed by fan-out and by
the size of the design. Nothing is placed: the figure is an estimate, with a range. It goes to
reports/timing.json there, and 'hotnas report' shows it until a post-route report is imported.

The exit status is 1 when the design's clock is above the estimate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "hand-off"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas timing``."""
    parser = subparsers.add_parser("timing", description=__doc__)
    parser.add_argument("design", type=Path, help="design_point.json, its folder, or a package's folder")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--log", type=Path, help="keep everything Yosys prints in this file")
    parser.add_argument(
        "--timeout",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="give Yosys up after this long (default: 3600)",
    )


def run(args: argparse.Namespace) -> None:
    """Print the estimate, put it beside the design, and fail where the clock is above it."""
    from hotnas_hls.api.implementation import estimate_clock

    found = estimate_clock(args.design, log=args.log, timeout=args.timeout)
    print(json.dumps(found.record, indent=2) if args.json else found)
    if not args.json:
        print(f"written to {found.path}")
    if found.missed is not None:
        raise found.missed
