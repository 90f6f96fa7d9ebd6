"""Every tool the flow can use: found where, which version, what works without it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from hotnas_hls.base import tools
from hotnas_hls.commands import Subparsers

GROUP = "machine"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas doctor``."""
    parser = subparsers.add_parser("doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    """Print what was found."""
    findings = [examine(wanted) for wanted in tools.TOOLS.values()]
    if args.json:
        print(json.dumps(findings, indent=2))
        return
    for finding in findings:
        print("\n".join(describe(finding)))
    missing = [finding["tool"] for finding in findings if not finding["found"]]
    print(f"\n{len(findings) - len(missing)} of {len(findings)} found")


def examine(wanted: tools.Wanted) -> dict[str, Any]:
    """One tool as plain values; what is unknown is ``None``."""
    tool = wanted.locate()
    return {
        "tool": wanted.name,
        "found": tool is not None,
        "version": tools.version(tool) if tool else None,
        "path": str(tool.path) if tool else None,
        "source": tool.source if tool else None,
        "purpose": wanted.purpose,
        "works_without": wanted.without,
        "cure": wanted.cure,
    }


def describe(finding: dict[str, Any]) -> list[str]:
    """One tool as lines of text."""
    name = f"{finding['tool']:12}"
    if finding["found"]:
        version = finding["version"] or "version unknown"
        return [
            f"{name}  {version}, {finding['path']} ({finding['source']})",
            f"{'':12}  for {finding['purpose']}; works without it: {finding['works_without']}",
        ]
    return [
        f"{name}  not found",
        f"{'':12}  for {finding['purpose']}; works without it: {finding['works_without']}",
        f"{'':12}  to get it: {finding['cure']}",
    ]
