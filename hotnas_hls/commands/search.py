"""Search network and hardware together: from a pre-trained network to a design point.

Writes design_point.json, weights.safetensors, search.json and charts/ into the run's folder, beside the
study (study.db, an Optuna study: optuna-dashboard sqlite:///FOLDER/study.db shows it while it runs). A search
that was interrupted goes on where it stopped; no finished trial is lost. One that is finished stays as it is,
unless --fresh starts anew. One process searches in a folder at a time; --workers and --ray are its hands.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import get_args

from hotnas_hls.base.names import file_name_violation
from hotnas_hls.base.terminal import next_command
from hotnas_hls.base.tools import require
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.search.config import (
    DEFAULT_CONFIG,
    BoundSettings,
    RunConfig,
    Strategy,
    config_path,
    load_config,
    shipped_configs,
)

GROUP = "flow"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas search``."""
    parser = subparsers.add_parser("search", description=__doc__)
    shipped = ", ".join(shipped_configs())
    parser.add_argument(
        "config",
        nargs="?",
        default=DEFAULT_CONFIG,
        help=f"a YAML file, or a shipped configuration: {shipped} (default {DEFAULT_CONFIG})",
    )
    parser.add_argument(
        "--show-config",
        action="store_true",
        help="print the configuration, with what its keys mean, as a start for one of your own",
    )
    parser.add_argument("--output", type=Path, help="the run's folder (default: the configuration's)")
    parser.add_argument("--bound-ms", type=float, help="latency bound, instead of the configuration's")
    parser.add_argument("--board", help="board, instead of the configuration's")
    parser.add_argument("--trials", type=int, help="trials, instead of the configuration's")
    parser.add_argument("--seed", type=int, help="seed, instead of the configuration's")
    parser.add_argument(
        "--strategy",
        choices=get_args(Strategy),
        help="sampler, instead of the configuration's",
    )
    parser.add_argument("--storage", metavar="URL", help="where the study is kept: sqlite, journal, or a URL")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that train candidates")
    parser.add_argument("--ray", metavar="ADDRESS", help="train on a Ray cluster: HOST:PORT, or auto")
    parser.add_argument(
        "--cold", action="store_true", help="start from random weights, to see what the hot start is worth"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="go on with the folder's study, also a finished one (with more --trials), or fail without one",
    )
    again.add_argument("--fresh", action="store_true", help="start anew, discard what the folder holds")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> None:
    """Search, write the design point, print what was found."""
    if args.show_config:
        print(config_path(args.config).read_text(encoding="utf-8"), end="")
        return
    config = _configured(args)
    if config.search.ray is not None:
        require("ray")

    from hotnas_hls.api.run import run_search

    found = run_search(config, args.output, fresh=args.fresh, more=args.resume)
    if args.json:
        print(json.dumps(found.summary, indent=2))
        return
    written = sorted(path.name for path in found.folder.iterdir() if not path.name.startswith("."))
    print("\n".join(found.lines()))
    print(f"written   {found.folder}: {', '.join(written)}")
    if found.model is None:
        named = ("--name", found.folder.name) if file_name_violation(found.summary["network"]) else ()
        print(next_command("hls", found.folder, *named))
    else:
        print(f"model     {found.model}: no design is written, nothing was run")


def _configured(args: argparse.Namespace) -> RunConfig:
    """The configuration with what the command line says instead."""
    config = load_config(args.config)
    if args.bound_ms is not None:
        config = dataclasses.replace(config, bound=BoundSettings(args.bound_ms))
    if args.board is not None:
        config = dataclasses.replace(config, board=args.board)
    if args.seed is not None:
        config = dataclasses.replace(config, seed=args.seed)
    names = ("strategy", "trials", "storage", "workers", "ray")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    given |= {"cold": True} if args.cold else {}
    config = dataclasses.replace(config, search=dataclasses.replace(config.search, **given))
    config.load_board()
    raise_all(ConfigError, "these options do not make a valid configuration:", config.violations())
    return config
