"""Compare samplers on a configuration: equal budget, several seeds, hypervolume curves.

Writes compare.json, curves.svg and curves.png into the folder, beside the studies (studies.db), from which an
interrupted comparison goes on. --cold adds the same budget from random weights, --early-stopping the same
with early stopping; the samplers themselves train every candidate to the end.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, get_args

from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.search.config import DEFAULT_CONFIG, Strategy, load_config

GROUP = "explore"
SUMMARY_FILE, STUDIES_FILE, CURVES = "compare.json", "studies.db", "curves"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas compare``."""
    parser = subparsers.add_parser("compare", description=__doc__)
    parser.add_argument(
        "config", nargs="?", default=DEFAULT_CONFIG, help="a shipped configuration, or a YAML file"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/compare"), help="folder (runs/compare)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N-1 (3)")
    parser.add_argument("--trials", type=int, help="budget of each, instead of the configuration's")
    parser.add_argument(
        "--strategies", nargs="+", choices=get_args(Strategy), default=list(get_args(Strategy)),
        metavar="NAME", help=f"samplers: {', '.join(get_args(Strategy))} (all)",
    )  # fmt: skip
    parser.add_argument("--cold", action="store_true", help="the first sampler from random weights, too")
    parser.add_argument("--early-stopping", action="store_true", help="the first with early stopping, too")
    parser.add_argument("--fresh", action="store_true", help="start anew, discard what the folder holds")
    parser.add_argument("--json", action="store_true", help="print the record instead of the table")


def run(args: argparse.Namespace) -> None:
    """Run every study, write the record and its chart, print the table."""
    config = load_config(args.config)
    trials = config.search.trials if args.trials is None else args.trials
    wrong = [
        f"{name}: must be more than 0, not {value}"
        for name, value in (("--seeds", args.seeds), ("--trials", trials))
        if value < 1
    ]
    raise_all(ConfigError, "these options cannot be compared with:", wrong)

    from dataclasses import replace

    from hotnas_hls.base.atomic import replace_files
    from hotnas_hls.search.comparing.compare import compare, ranking, variants
    from hotnas_hls.search.comparing.compare_charts import curves_chart, no_difference, ranking_text
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.problem import load_problem
    from hotnas_hls.search.running.storage import StudyPlace
    from hotnas_hls.search.telling.progress import ConsoleReporter
    from hotnas_hls.search.telling.study_charts import FORMATS, picture

    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise OutputRefused(f"{args.output}: cannot be made: {reason}") from None
    studies = (args.output / STUDIES_FILE).resolve()
    if args.fresh:
        studies.unlink(missing_ok=True)
    contestants = variants(args.strategies, args.cold, args.early_stopping)
    with ConsoleReporter() as reporter:
        problem = load_problem(config.network)
        runs = compare(
            problem,
            platform_of(config, problem.graph),
            replace(options_of(config), trials=trials),
            contestants,
            range(args.seeds),
            lambda name: StudyPlace(f"sqlite:///{studies}", name),
            reporter,
        )
    record: dict[str, Any] = {
        "config": str(args.config),
        "network": config.network.model,
        "board": config.board,
        "bound_ms": config.bound.latency_ms,
        "bound_reduction": config.bound.reduction,
        "trials": trials,
        "seeds": args.seeds,
        "ranking": ranking(runs),
        "runs": [one.record() for one in runs],
    }
    figure = curves_chart(record)
    pictures = {f"{CURVES}.{kind}": picture(figure, kind) for kind in FORMATS}
    replace_files(args.output, {SUMMARY_FILE: (json.dumps(record, indent=1) + "\n").encode(), **pictures})
    if args.json:
        print(json.dumps(record, indent=1))
    else:
        print(f"{config.network.model}, {trials} trials, means of {args.seeds} seeds\n")
        for sentence in no_difference(record):
            print(f"{sentence}\n")
        print(ranking_text(record))
