"""Every tool the flow can use: found where, which version, what works without it."""

from __future__ import annotations

import argparse
import json

from hotnas_hls.api.machine import FoundTool, find_tools
from hotnas_hls.commands import Subparsers

GROUP = "machine"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas doctor``."""
    parser = subparsers.add_parser("doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    """Print what was found."""
    found = find_tools()
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return
    for one in found.all:
        print("\n".join(describe(one)))
    print(f"\n{sum(one.found for one in found.all)} of {len(found.all)} found")


def describe(one: FoundTool) -> list[str]:
    """One tool as lines of text."""
    name = f"{one.tool:12}"
    head = f"{one.version or 'version unknown'}, {one.path} ({one.source})" if one.found else "not found"
    lines = [f"{name}  {head}", f"{'':12}  for {one.purpose}; works without it: {one.works_without}"]
    return lines if one.found else [*lines, f"{'':12}  to get it: {one.cure}"]
