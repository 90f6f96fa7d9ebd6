"""Several designs at the same time on one board: whether they fit, their ports, what they cost each other.

Each DESIGN is a run's folder, a package or a design_point.json, and becomes an engine of its own, called
NAME or like its network. Their resources are added up and ports are handed out in this order. Behind the one
DRAM of the board every engine's latency is predicted alone and while the others run.

--output writes the package of all engines: RTL under names of their own, one bench, one block design, weights
and a PYNQ driver. hotnas sim runs it: all engines at the same time behind that DRAM.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from hotnas_hls.base.terminal import next_command, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError

GROUP = "explore"
PIPED_WIDTH = 160  # columns of the tables when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas engines``."""
    parser = subparsers.add_parser("engines", description=__doc__)
    parser.add_argument(
        "designs", nargs="+", metavar="[NAME=]DESIGN", help="runs/digits, left=runs/digits, ..."
    )
    parser.add_argument("--board", metavar="NAME", help="they are put on (default: the one they are for)")
    parser.add_argument("--dram", metavar="NAME", help="another DRAM than the board's: PYNQ-Z2, dram.yaml")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write a package of all")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Write the package, print the tables, or JSON."""
    from hotnas_hls.api.design import Design, load_design
    from hotnas_hls.api.engines import share_board

    designs: dict[str, Design] = {}
    for text in args.designs:
        name, _, path = text.rpartition("=")
        design = load_design(Path(path))
        name = name or re.sub(r"\W+", "_", design.point.network.lower())
        if name in designs:
            raise ConfigError(f"{text}: there is an engine {name} already; name this one: OTHER={path}")
        designs[name] = design
    found = share_board(designs, board=args.board, dram=args.dram)
    console = text_console(PIPED_WIDTH, stderr=args.json)
    console.print(*found.tables())
    for note in found.notes():
        console.print(note, soft_wrap=True)
    if args.output:
        found.generate(args.output)
        console.print(str(args.output), next_command("sim", args.output), sep="\n", soft_wrap=True)
    if args.json:
        print(json.dumps(found.record(), indent=2))
