"""Measure this machine: exploration, search, generation and simulation speeds.

Without names every case is measured: a few minutes, and with the cases "networks", "boards" and "levers"
hours, since they simulate whole networks on full-size designs. Those go into runs/whole_networks.json,
runs/boards.json and runs/levers.json one by one, the stages of "ablation" into runs/ablation.json; a run that
was interrupted goes on where it stopped. --output writes the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError
from hotnas_hls.version import __version__

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
    from hotnas_hls.bench.cases import CASES, Case, Figures, run_cases

    known = [case.name for case in CASES]
    if args.list:
        print("\n".join(f"{case.name:22} {case.what}" for case in CASES))
        return
    if unknown := [name for name in args.cases if name not in known]:
        raise ConfigError(f"no case is called {', '.join(unknown)}; there are: {', '.join(known)}")

    def report(case: Case, figures: Figures) -> None:
        if not args.json:
            print(f"{case.what} ({case.name})")
            print("\n".join(f"  {name:30} {shown(value)}" for name, value in figures.items()), flush=True)

    measured = _networks(args) if args.network else run_cases(args.cases or known, report)
    record = {"tool_version": __version__, "machine": machine(), "cases": measured}
    text = json.dumps(record, indent=2) + "\n"
    if args.json:
        print(text, end="")
    if args.output:
        from hotnas_hls.base.atomic import replace_files

        replace_files(args.output.resolve().parent, {args.output.name: text.encode()})


def _networks(args: argparse.Namespace) -> dict[str, Any]:
    """The case "networks" with the networks of ``--network`` alone."""
    from hotnas_hls.bench.cases import NETWORK_RESULTS
    from hotnas_hls.bench.whole_networks import measure

    if args.cases:
        raise ConfigError('--network is of the case "networks"; leave the other cases out')

    def report(name: str, figures: dict[str, Any]) -> None:
        if not args.json:
            print(name)
            print("\n".join(f"  {key:30} {shown(value)}" for key, value in figures.items()), flush=True)

    return {"networks": measure(args.network, args.results or Path(NETWORK_RESULTS), report)}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"cpus": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()}


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
