"""Several designs at the same time on one board: whether they fit, their ports, what they cost each other.

Each DESIGN is a run's folder, a package or a design_point.json, and becomes an engine of its own, called
NAME or like its network. Their resources are added up and ports are handed out in this order. Behind the one
DRAM of the board every engine's latency is predicted alone and while the others run.

--simulate BUILD runs the RTL of all engines together in Verilator behind that DRAM: every layer must equal
the integer reference, every engine's cycles the prediction. The exit status is 1 when one does not.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from hotnas_hls.base.terminal import text_console
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
    parser.add_argument("--dram", metavar="NAME", help="another DRAM than the board's: PYNQ-Z2, dram.yaml")
    parser.add_argument("--simulate", type=Path, metavar="BUILD", help="run their RTL, built in this folder")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the tables, or JSON; whether what was simulated holds."""
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
    found = share_board(designs, dram=args.dram)
    console = text_console(PIPED_WIDTH, stderr=args.json)
    console.print(*found.tables())
    for note in found.notes():
        console.print(note, soft_wrap=True)
    done = found.simulate(args.simulate) if args.simulate else None
    if done is not None:
        console.print(*done.tables())
        console.print("\n".join(done.notes()), soft_wrap=True)
    if args.json:
        simulated = {} if done is None else {"simulated": done.record()}
        print(json.dumps(found.record() | simulated, indent=2))
    return 0 if done is None or done.holds else 1
