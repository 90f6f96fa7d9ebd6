"""HotNAS's published latencies beside those computed by the published and by the true rule.

The first column of milliseconds is as printed; the second is computed by the published rule and rounds to
it; the true one is the latency of the nearest accelerator that can be built, by the model that simulation
confirms. All at 200 MHz.
"""

from __future__ import annotations

import argparse
import json

from hotnas_hls.base.terminal import text_console
from hotnas_hls.commands import Subparsers

GROUP = "explore"
PIPED_WIDTH = 140  # columns of the tables when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas published``."""
    parser = subparsers.add_parser("published", description=__doc__)
    parser.add_argument("--no-true", action="store_true", help="leave the true rule out (much quicker)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the tables; 1 when a computed value does not round to the printed one."""
    from hotnas_hls.api.published import published_tables

    found = published_tables(true=not args.no_true)
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return 0 if found.all_round else 1
    console = text_console(PIPED_WIDTH)
    console.print(*found.tables())
    for line in found.notes():
        console.print(line, soft_wrap=True)
    return 0 if found.all_round else 1
