"""Search network and hardware together: from a pre-trained network to a design point.

Writes design_point.json, weights.safetensors and search.json into the run's folder, beside the study
(study.db, an Optuna study: optuna-dashboard sqlite:///FOLDER/study.db shows it while it runs). A search that
was interrupted goes on where it stopped; no finished trial is lost.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.commands import Subparsers
from hotnas_hls.config import DEFAULT_CONFIG, RunConfig, load_config
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all

if TYPE_CHECKING:
    from hotnas_hls.search.search import SearchResult

GROUP = "flow"
STUDY_FILE, SUMMARY_FILE = "study.db", "search.json"


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
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="go on with the folder's study, or fail without one"
    )
    again.add_argument("--fresh", action="store_true", help="start anew, discard an interrupted study")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> None:
    """Search, write the design point, print what was found."""
    config = _configured(args)
    folder = args.output or Path(config.output)
    storage, resume = _study(folder, args.resume, args.fresh)

    from hotnas_hls.atomic import replace_files
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.problem import load_problem
    from hotnas_hls.search.progress import ConsoleReporter
    from hotnas_hls.search.search import search

    with ConsoleReporter() as reporter:
        if resume:
            reporter.stage("going on with the interrupted study (--fresh starts anew)")
        problem = load_problem(config.network)
        result = search(problem, platform_of(config), options_of(config), storage, resume, reporter)
    assert result.design is not None
    result.design.save(folder)
    summary = summary_of(result)
    replace_files(folder, {SUMMARY_FILE: (json.dumps(summary, indent=2) + "\n").encode()})
    print(json.dumps(summary, indent=2) if args.json else readable(summary, folder))


def _configured(args: argparse.Namespace) -> RunConfig:
    """The configuration with what the command line says instead."""
    config = load_config(args.config)
    if args.bound_ms is not None:
        config = dataclasses.replace(
            config, bound=dataclasses.replace(config.bound, latency_ms=args.bound_ms)
        )
    if args.board is not None:
        config = dataclasses.replace(config, board=args.board)
    if args.trials is not None:
        config = dataclasses.replace(config, search=dataclasses.replace(config.search, trials=args.trials))
    if args.seed is not None:
        config = dataclasses.replace(config, seed=args.seed)
    config.load_board()
    raise_all(ConfigError, "these options do not make a valid configuration:", config.violations())
    return config


def _study(folder: Path, resume: bool, fresh: bool) -> tuple[str, bool]:
    """The storage of the folder's study, and whether to go on with what it holds."""
    from hotnas_hls.search.study import is_interrupted

    path = folder / STUDY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise OutputRefused(f"{folder}: cannot be made: {reason}") from None
    url = f"sqlite:///{path.resolve()}"
    if resume:
        if not path.exists():
            raise ConfigError(f"{path}: there is no study to go on with; leave --resume out")
        return url, True
    if path.exists():
        if not fresh and is_interrupted(url):
            return url, True
        path.unlink()
    return url, False


def summary_of(result: SearchResult) -> dict[str, Any]:
    """The figures of a search, JSON-ready."""
    trained = [o for o in result.outcomes if o.accuracy is not None and o.repeats is None]
    baseline = result.baseline.cost
    return {
        "network": result.network.name,
        "latency_ms": {"before": baseline.latency_ms, "after": result.cost.latency_ms},
        "cycles": {"before": baseline.total, "after": result.cost.total},
        "reduction": 1 - result.cost.total / baseline.total,
        "validation_accuracy": {"before": result.baseline_validation, "after": result.validation},
        "test_accuracy": {"before": result.test.baseline, "after": result.test.final},
        "test_images": result.test.images,
        "space_size": result.space.size,
        "trials": len(result.outcomes),
        "trained": len(trained),
        "refused": sum(1 for outcome in result.outcomes if outcome.refusals),
        "repeated": sum(1 for outcome in result.outcomes if outcome.repeats is not None),
        "evaluation_seconds": round(sum(outcome.seconds for outcome in result.outcomes), 3),
        "hardware": {"before": dict(result.baseline.choices), "after": dict(result.choices)},
        "edits": result.compression.record(),
        "reductions": [dataclasses.asdict(step) for step in result.reductions],
        "front": [
            {"accuracy": o.accuracy, "latency_ms": o.latency_ms, "trial": o.number} for o in result.front
        ],
    }


def readable(summary: dict[str, Any], folder: Path) -> str:
    """The summary in a few lines."""
    latency, test = summary["latency_ms"], summary["test_accuracy"]
    return "\n".join(
        (
            f"{summary['network']}: {summary['trials']} trials, {summary['trained']} trained, "
            f"{summary['refused']} refused by the hardware test, {summary['repeated']} repeated",
            f"latency   {latency['before']:.4g} -> {latency['after']:.4g} ms ({-summary['reduction']:+.1%})",
            f"test      {test['before']:.2%} -> {test['after']:.2%} ({summary['test_images']} images)",
            f"written   {folder / 'design_point.json'}",
        )
    )
