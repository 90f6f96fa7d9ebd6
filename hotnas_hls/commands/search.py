"""Search network and hardware together: from a pre-trained network to a design point.

Writes design_point.json, weights.safetensors, search.json and charts/ into the run's folder, beside the
study (study.db, an Optuna study: optuna-dashboard sqlite:///FOLDER/study.db shows it while it runs). A search
that was interrupted goes on where it stopped; no finished trial is lost.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hotnas_hls import __version__
from hotnas_hls.base.tools import require
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.search.config import DEFAULT_CONFIG, BoundSettings, RunConfig, Strategy, load_config

if TYPE_CHECKING:
    from hotnas_hls.search.running.storage import StudyPlace

GROUP = "flow"
SUMMARY_FILE, CHART_FOLDER = "search.json", "charts"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas search``."""
    parser = subparsers.add_parser("search", description=__doc__)
    parser.add_argument(
        "config", nargs="?", default=DEFAULT_CONFIG, help="a shipped configuration, or a YAML file"
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
        "--resume", action="store_true", help="go on with the folder's study, or fail without one"
    )
    again.add_argument("--fresh", action="store_true", help="start anew, discard an interrupted study")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> None:
    """Search, write the design point, print what was found."""
    started = time.perf_counter()
    config = _configured(args)
    folder = args.output or Path(config.output)
    if config.search.ray is not None:
        require("ray")

    from hotnas_hls.base.atomic import replace_files
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.problem import load_problem
    from hotnas_hls.search.running.storage import study_place
    from hotnas_hls.search.search import search
    from hotnas_hls.search.telling.progress import ConsoleReporter
    from hotnas_hls.search.telling.study_charts import charts
    from hotnas_hls.search.telling.summary import summary_of

    place = study_place(config.search.storage, folder)
    resume = _study(place, folder, args.resume, args.fresh)
    with ConsoleReporter() as reporter:
        if resume:
            reporter.stage("going on with the interrupted study (--fresh starts anew)")
        problem = load_problem(config.network)
        platform = platform_of(config, problem.graph)
        result = search(problem, platform, options_of(config), place, resume, reporter)
        reporter.stage("charts")
        summary = summary_of(result) | {
            "tool_version": __version__,
            "board": config.board,
            "seed": config.seed,
            "cost": _cost(started, resume),
        }
        drawn = charts(summary)
    assert result.design is not None
    result.design.save(folder)
    replace_files(folder / CHART_FOLDER, drawn)
    replace_files(folder, {SUMMARY_FILE: (json.dumps(summary, indent=2) + "\n").encode()})
    print(json.dumps(summary, indent=2) if args.json else readable(summary, folder))


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


def _study(place: StudyPlace, folder: Path, resume: bool, fresh: bool) -> bool:
    """Whether to go on with what the place holds; a study that is not gone on with is discarded."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise OutputRefused(f"{folder}: cannot be made: {reason}") from None
    exists = place.exists()
    if resume and not exists:
        raise ConfigError(f"{place.file or place}: there is no study to go on with; leave --resume out")
    if exists and (resume or (not fresh and place.is_interrupted())):
        return True
    place.discard()
    return False


def _cost(started: float, resumed: bool) -> dict[str, Any]:
    """What this process and its workers used; a study gone on with had others before."""
    return {
        "wall_seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(sum(os.times()[:4]), 1),
        "cpus": len(os.sched_getaffinity(0)),
        "resumed": resumed,
    }


def readable(summary: dict[str, Any], folder: Path) -> str:
    """The summary in a few lines."""
    latency, test, cost = summary["latency_ms"], summary["test_accuracy"], summary["cost"]
    since = " since it was resumed" if cost["resumed"] else ""
    return "\n".join(
        (
            f"{summary['network']}: {summary['trials']} trials, {summary['trained']} trained, "
            f"{summary['stopped']} stopped early, {summary['refused']} refused by the hardware test, "
            f"{summary['repeated']} repeated",
            f"latency   {latency['before']:.4g} -> {latency['after']:.4g} ms ({-summary['reduction']:+.1%})",
            f"test      {test['before']:.2%} -> {test['after']:.2%} ({summary['test_images']} images)",
            f"time      {cost['wall_seconds'] / 60:.1f} min{since}, "
            f"{cost['cpu_seconds'] / 60:.1f} min of CPU time on {cost['cpus']} cores",
            f"written   {folder / 'design_point.json'}, {folder / SUMMARY_FILE}, {folder / CHART_FOLDER}",
        )
    )
