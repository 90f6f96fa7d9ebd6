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
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hotnas_hls import __version__
from hotnas_hls.base.records import differences, load_json
from hotnas_hls.base.terminal import next_command
from hotnas_hls.base.tools import require
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.search.config import (
    DEFAULT_CONFIG,
    BoundSettings,
    RunConfig,
    Strategy,
    config_path,
    load_config,
    shipped_configs,
)

if TYPE_CHECKING:
    from hotnas_hls.search.running.storage import StudyPlace

GROUP = "flow"
SUMMARY_FILE, CHART_FOLDER = "search.json", "charts"
NOT_OF_THE_RESULT = ("storage", "workers", "ray", "trial_cpus", "trial_gpus", "time_limit_s")  # of search.*


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
    started = time.perf_counter()
    if args.show_config:
        print(config_path(args.config).read_text(encoding="utf-8"), end="")
        return
    config = _configured(args)
    folder = args.output or Path(config.output)
    if config.search.ray is not None:
        require("ray")

    from hotnas_hls.base.writer import sole_writer

    with sole_writer(folder, "hotnas search"):
        try:
            summary = _search(args, config, folder, started)
        except KeyboardInterrupt:
            print(f"{folder}: finished trials are kept; the same command goes on with them", file=sys.stderr)
            raise
    print(json.dumps(summary, indent=2) if args.json else readable(summary, folder))


def _search(args: argparse.Namespace, config: RunConfig, folder: Path, started: float) -> dict[str, Any]:
    """Search and write everything, the mark that it is finished last; or the summary of a finished search."""
    from hotnas_hls.base.atomic import replace_files
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.problem import load_problem
    from hotnas_hls.search.running.storage import study_place
    from hotnas_hls.search.search import search
    from hotnas_hls.search.telling.progress import ConsoleReporter
    from hotnas_hls.search.telling.study_charts import charts
    from hotnas_hls.search.telling.summary import summary_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise OutputRefused(f"{folder}: cannot be made: {reason}") from None
    place = study_place(config.search.storage, folder)
    with ConsoleReporter() as reporter:
        mended = place.mend()
        if mended:
            reporter.stage(mended)
        exists = place.exists()
        if args.resume and not exists:
            raise ConfigError(f"{place.file or place}: there is no study to go on with; leave --resume out")
        problem = load_problem(config.network)
        if not (args.resume or args.fresh or (exists and place.is_interrupted())):
            finished = _finished(place, exists, folder, config, problem.digests())
            if finished is not None:
                reporter.stage("finished; nothing to do (--fresh starts anew)")
                return finished
        if args.fresh:
            place.discard()
        resume = exists and not args.fresh
        if resume:
            reporter.stage("going on with the interrupted study (--fresh starts anew)")
        platform = platform_of(config, problem.graph)
        result = search(problem, platform, options_of(config), place, resume, reporter)
        assert result.design is not None
        result.design.save(folder)
        summary = summary_of(result) | {
            "tool_version": __version__,
            "board": config.board,
            "seed": config.seed,
            "cost": _cost(started, resume),
        }
        replace_files(folder, {SUMMARY_FILE: (json.dumps(summary, indent=2) + "\n").encode()})
        reporter.stage("charts")
        replace_files(folder / CHART_FOLDER, charts(summary))
        place.complete()
    return summary


def _finished(
    place: StudyPlace, exists: bool, folder: Path, config: RunConfig, digests: Mapping[str, str]
) -> dict[str, Any] | None:
    """The summary of the finished search of this very configuration; None where there is something to do.

    Raises ConfigError, setting by setting, where the folder holds the result of another one.
    """
    from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint

    design, summary = folder / DESIGN_FILE, folder / SUMMARY_FILE
    if not design.is_file():
        return None
    other = "--fresh discards it; or name another folder with --output"
    if not exists:
        raise ConfigError(f"{design}: is there, and no study that led to it in {place}; {other}")
    before, after = DesignPoint.load(design).config, config.record()
    for record in (before, after):
        record.pop("output", None)
        for name in NOT_OF_THE_RESULT:
            record.get("search", {}).pop(name, None)
    known = place.settings()
    found = differences(before, after)
    found += differences({name: known.get(name) for name in digests}, digests)
    more = "--resume goes on with more trials, "
    raise_all(ConfigError, f"{folder}: holds a finished search of another kind; {more}{other}:", found)
    return load_json(summary) if summary.is_file() else None


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
    faster = 0 - summary["reduction"]  # not -0.0
    written = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    since = " since it was resumed" if cost["resumed"] else ""
    return "\n".join(
        (
            *_losses(summary),
            *_mostly_refused(summary),
            f"{summary['network']}: {summary['trials']} trials, {summary['trained']} trained, "
            f"{summary['stopped']} stopped early, {summary['refused']} refused by the hardware test, "
            f"{summary['repeated']} repeated",
            f"latency   {latency['before']:.4g} -> {latency['after']:.4g} ms ({faster:+.1%})",
            f"test      {test['before']:.2%} -> {test['after']:.2%} ({summary['test_images']} images)",
            f"time      {cost['wall_seconds'] / 60:.1f} min{since}, "
            f"{cost['cpu_seconds'] / 60:.1f} min of CPU time on {cost['cpus']} cores",
            f"written   {folder}: {', '.join(written)}",
            next_command("hls", folder),
        )
    )


def _mostly_refused(summary: dict[str, Any]) -> list[str]:
    """A line where the hardware test refused most of what was proposed, and why."""
    if 2 * summary["refused"] <= summary["trials"]:
        return []
    why = ", ".join(f"{reason} ({count})" for reason, count in summary.get("refusals", {}).items())
    return [
        f"MOSTLY REFUSED {summary['refused']} of {summary['trials']} candidates, {summary['trained']} were "
        f"trained: {why}; give it more trials, or raise the bound"
    ]


def _losses(summary: dict[str, Any]) -> list[str]:
    """A line where the result loses more accuracy than the search was allowed to."""
    from hotnas_hls.report.wording import loss

    asked = summary.get("accuracy_drop")  # unknown of searches of older versions
    accuracies = {kind: summary[f"{kind}_accuracy"] for kind in ("validation", "test")}
    found = loss(asked, {kind: (one["before"], one["after"]) for kind, one in accuracies.items()})
    return [f"{found}; raise the bound, or give it more trials"] if found else []
