"""The platforms a search can run on: what each is, what it measures, whether hardware comes out.

A platform is chosen by "platform:" in the configuration. Other packages add theirs by an entry point of the
group hotnas_hls.platforms.
"""

from __future__ import annotations

import argparse
import json

from hotnas_hls.base.terminal import text_console
from hotnas_hls.commands import Subparsers

GROUP = "explore"
PIPED_WIDTH = 140  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas platforms``."""
    parser = subparsers.add_parser("platforms", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    from hotnas_hls.api.platforms import list_platforms

    found = list_platforms()
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return
    console = text_console(PIPED_WIDTH)
    for table in found.tables():
        console.print(table)
    print("\n".join(found.notes()))
