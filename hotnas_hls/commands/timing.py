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
    from hotnas_hls.accel.design_point import DesignPoint
    from hotnas_hls.implementation import timing
    from hotnas_hls.implementation.synth import load_source
    from hotnas_hls.simulate.flow import put_reports

    point = DesignPoint.load(args.design)
    found = timing.time_design(
        load_source(args.design), point.board.part, point.clock_mhz, args.log, args.timeout
    )
    text = json.dumps(found.record(), indent=2) + "\n"
    print(text if args.json else "\n".join(timing.table(found)), end="" if args.json else "\n")
    (path,) = put_reports(args.design, {timing.TIMING_FILE: text.encode()})
    if not args.json:
        print(f"written to {path}")
    timing.refuse_if_missed(found)
