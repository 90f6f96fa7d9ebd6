"""Compare samplers on a configuration: equal budget, several seeds, hypervolume curves.

Writes compare.json, curves.svg and curves.png into the folder, beside the studies (studies.db), from which an
interrupted comparison goes on. --cold adds the same budget from random weights, --early-stopping the same
with early stopping; the samplers themselves train every candidate to the end.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import get_args

from hotnas_hls.base.terminal import text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.search.config import DEFAULT_CONFIG, Strategy

GROUP = "explore"
PIPED_WIDTH = 120  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas compare``."""
    parser = subparsers.add_parser("compare", description=__doc__)
    parser.add_argument(
        "config", nargs="?", default=DEFAULT_CONFIG, help="a shipped configuration, or a YAML file"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/compare"), help="folder (runs/compare)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N-1 (3)")
    parser.add_argument("--trials", type=int, help="budget of each, instead of the configuration's")
    parser.add_argument(
        "--strategies", nargs="+", choices=get_args(Strategy), default=list(get_args(Strategy)),
        metavar="NAME", help=f"samplers: {', '.join(get_args(Strategy))} (all)",
    )  # fmt: skip
    parser.add_argument("--cold", action="store_true", help="the first sampler from random weights, too")
    parser.add_argument("--early-stopping", action="store_true", help="the first with early stopping, too")
    parser.add_argument("--fresh", action="store_true", help="start anew, discard what the folder holds")
    parser.add_argument("--json", action="store_true", help="print the record instead of the table")


def run(args: argparse.Namespace) -> None:
    """Run every study, write the record and its chart, print the table."""
    from hotnas_hls.api.comparison import compare_samplers

    found = compare_samplers(
        args.config,
        args.output,
        strategies=args.strategies,
        seeds=args.seeds,
        trials=args.trials,
        cold=args.cold,
        early_stopping=args.early_stopping,
        fresh=args.fresh,
    )
    if args.json:
        print(json.dumps(found.summary, indent=1))
        return
    console = text_console(PIPED_WIDTH)
    for sentence in found.notes():
        console.print(f"{sentence}\n", soft_wrap=True)
    for table in found.tables():
        console.print(table)
