"""Measure this machine: exploration, search, generation and simulation speeds.

Without names every case is measured: a few minutes, and with the cases "networks", "boards", "mlperf-tiny",
"dense-outputs", "schedules" and "levers" hours, since they simulate whole networks on full-size designs.
Those go into runs/whole_networks.json, runs/boards.json, runs/mlperf_tiny.json, runs/dense_outputs.json,
runs/schedules.json and runs/levers.json one by one, the stages of "ablation" into runs/ablation.json; a run
that was interrupted goes on where it stopped. --output writes the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hotnas_hls.commands import Subparsers

GROUP = "machine"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas bench``."""
    parser = subparsers.add_parser("bench", description=__doc__)
    parser.add_argument("cases", nargs="*", help="names of cases (default: all)")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME",
        help='only the case "networks", and of it this network (may be given again)',
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="of --network (default runs/whole_networks.json)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Measure, print a table a case."""
    from hotnas_hls.api.machine import benchmark, benchmark_cases

    known = benchmark_cases()
    if args.list:
        lines = (f"{name:22} {what}" for name, what in known.items())
        print(json.dumps(known, indent=2) if args.json else "\n".join(lines))
        return

    def report(name: str, figures: dict[str, Any]) -> None:
        if not args.json:
            print(f"{known[name]} ({name})" if name in known else name)
            print("\n".join(f"  {key:30} {shown(value)}" for key, value in figures.items()), flush=True)

    record = benchmark(args.cases, networks=args.network, results=args.results, report=report)
    text = json.dumps(record, indent=2) + "\n"
    if args.json:
        print(text, end="")
    if args.output:
        from hotnas_hls.base.atomic import replace_files

        replace_files(args.output.resolve().parent, {args.output.name: text.encode()})


def shown(value: Any) -> str:
    """A figure for people."""
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}"
