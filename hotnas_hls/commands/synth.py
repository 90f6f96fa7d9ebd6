"""Resources by open synthesis (Yosys), beside the model's.

DESIGN is a design point (design_point.json or the folder that holds it) or a generated package. The
numbers of LUTs and flip-flops are those of Yosys's mapping, not Vivado's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "hand-off"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas synth``."""
    parser = subparsers.add_parser("synth", description=__doc__)
    parser.add_argument("design", type=Path, help="design_point.json, its folder, or a package's folder")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--log", type=Path, help="keep everything Yosys prints in this file")
    parser.add_argument(
        "--timeout",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="give up after this long (default: 3600)",
    )


def run(args: argparse.Namespace) -> None:
    """Print model, yosys and difference."""
    from hotnas_hls.synth import compare, load_source, table

    comparison = compare(load_source(args.design), args.log, args.timeout)
    print(json.dumps(comparison.record(), indent=2) if args.json else "\n".join(table(comparison)))
