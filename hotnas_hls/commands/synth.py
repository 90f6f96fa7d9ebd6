"""Resources by open synthesis (Yosys), beside the model's; --place adds an Fmax by open tools.

DESIGN is a design point (design_point.json or the folder that holds it) or a generated package. The
numbers of LUTs and flip-flops are those of Yosys's mapping, not Vivado's. The figures go to
reports/synth.json there, and 'hotnas report' shows them beside its own.

--place puts the design on a Lattice ECP5 instead (Yosys, nextpnr-ecp5): a small one, in minutes. Its Fmax
is that of the RTL on an ECP5, not on the board's part; it goes to reports/place.json.
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
    parser.add_argument("--place", action="store_true", help="place and route on an ECP5 instead")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--log", type=Path, help="keep everything the tools print in this file")
    parser.add_argument(
        "--timeout",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="give up after this long (default: 3600)",
    )


def run(args: argparse.Namespace) -> None:
    """Print what the tools found, and put it beside the design."""
    from hotnas_hls.api.implementation import synthesise

    found = synthesise(args.design, on_ecp5=args.place, log=args.log, timeout=args.timeout)
    print(json.dumps(found.record, indent=2) if args.json else found)
    if found.path is not None and not args.json:
        print(f"written to {found.path}")
