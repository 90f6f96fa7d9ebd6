"""Samplers compared on one problem: equal budget, several seeds, curves and a ranking."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hotnas_hls.base.arguments import checked
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.notebook import Shown
from hotnas_hls.base.pictures import picture
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.search.config import DEFAULT_CONFIG, RunConfig, Strategy, load_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

SUMMARY_FILE, STUDIES_FILE, CURVES = "compare.json", "studies.db", "curves"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """What samplers reached with the same budget."""

    summary: dict[str, Any]  # what compare.json holds

    def tables(self) -> Sequence[Table]:
        """A line a sampler, the best first."""
        from hotnas_hls.search.comparing.compare_charts import ranking_table

        return (ranking_table(self.summary),)

    def notes(self) -> list[str]:
        """Which samplers did not differ, and why."""
        from hotnas_hls.search.comparing.compare_charts import no_difference

        return no_difference(self.summary)

    def figure(self) -> Figure:
        """Hypervolume and the best feasible accuracy over the trials."""
        from hotnas_hls.search.comparing.compare_charts import curves_chart

        return curves_chart(self.summary)


@checked
def compare_samplers(
    config: str | Path | RunConfig = DEFAULT_CONFIG,
    output: str | Path = "runs/compare",
    *,
    strategies: Sequence[Strategy] = get_args(Strategy),
    seeds: int = 3,
    trials: int | None = None,
    cold: bool = False,
    early_stopping: bool = False,
    fresh: bool = False,
    quiet: bool = False,
) -> Comparison:
    """Run every sampler with every seed from 0 on; compare.json and the curves go into ``output``.

    trials: budget of each, None for the configuration's. cold: the first sampler from random weights, too.
    early_stopping: the first with early stopping, too. An interrupted comparison goes on where it stopped.
    Raises ConfigError for options or a configuration that cannot be, OutputRefused where nothing can be
    written.
    """
    settings = config if isinstance(config, RunConfig) else load_config(config)
    budget = settings.search.trials if trials is None else trials
    known = get_args(Strategy)
    wrong = [
        f"{name}: must be more than 0, not {value}"
        for name, value in (("seeds", seeds), ("trials", budget))
        if value < 1
    ]
    wrong += [f"strategies: {name!r}: must be {', '.join(known)}" for name in strategies if name not in known]
    if not strategies:
        wrong.append("strategies: name at least one")
    if settings.platform != RunConfig.platform:
        asked = settings.platform
        wrong.append(f"platform: samplers are compared on the {RunConfig.platform}, not on {asked}")
    raise_all(ConfigError, "these options cannot be compared with:", wrong)

    from hotnas_hls.search.comparing.compare import compare, ranking, variants
    from hotnas_hls.search.comparing.compare_charts import curves_chart
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.problem import load_problem
    from hotnas_hls.search.running.storage import StudyPlace
    from hotnas_hls.search.telling.progress import ConsoleReporter
    from hotnas_hls.search.telling.study_charts import FORMATS

    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise OutputRefused(f"{folder}: cannot be made: {reason}") from None
    studies = (folder / STUDIES_FILE).resolve()
    if fresh:
        studies.unlink(missing_ok=True)
    with ConsoleReporter(quiet=quiet) as reporter:
        problem = load_problem(settings.network)
        runs = compare(
            problem,
            platform_of(settings, problem.graph),
            replace(options_of(settings), trials=budget),
            variants(strategies, cold, early_stopping),
            range(seeds),
            lambda name: StudyPlace(f"sqlite:///{studies}", name),
            reporter,
        )
    record: dict[str, Any] = {
        "config": None if isinstance(config, RunConfig) else str(config),
        "network": settings.network.model,
        "board": settings.board,
        "bound_ms": settings.bound.latency_ms,
        "bound_reduction": settings.bound.reduction,
        "trials": budget,
        "seeds": seeds,
        "ranking": ranking(runs),
        "runs": [one.record() for one in runs],
    }
    figure = curves_chart(record)
    pictures = {f"{CURVES}.{kind}": picture(figure, kind) for kind in FORMATS}
    replace_files(folder, {SUMMARY_FILE: (json.dumps(record, indent=1) + "\n").encode(), **pictures})
    return Comparison(record)
