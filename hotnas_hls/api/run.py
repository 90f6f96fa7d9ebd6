"""A search and its folder: run, gone on with, read again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint
from hotnas_hls.accel.weights_file import WEIGHTS_FILE
from hotnas_hls.api.design import Design, load_design
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.names import article
from hotnas_hls.base.notebook import Shown
from hotnas_hls.base.records import differences, load_json, read_value
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.boards.board import Board, load_board
from hotnas_hls.errors import CallbackFailed, ConfigError, HotnasError, OutputRefused, raise_all
from hotnas_hls.report.run_record import MODEL, SUMMARY_FILE
from hotnas_hls.search.config import DEFAULT_CONFIG, RunConfig, load_config
from hotnas_hls.version import __version__

if TYPE_CHECKING:
    import optuna
    from matplotlib.figure import Figure
    from rich.table import Table

    from hotnas_hls.models.data import Dataset
    from hotnas_hls.network.graph import Graph
    from hotnas_hls.search.evaluating.outcome import Outcome as Trial
    from hotnas_hls.search.problem import Problem
    from hotnas_hls.search.running.storage import StudyPlace
    from hotnas_hls.search.telling.reporter import Reporter

CHART_FOLDER = "charts"
NOT_OF_THE_RESULT = ("storage", "workers", "ray", "trial_cpus", "trial_gpus", "time_limit_s")  # of search.*
BY_NAME = {"network", "board", "output"}  # what a call says by its own arguments


@dataclass(frozen=True, eq=False, repr=False)
class Run(Shown):
    """A finished search: what it found, what it started from, every trial."""

    folder: Path
    summary: dict[str, Any]  # what search.json holds
    place: StudyPlace

    @property
    def design(self) -> Design:
        """The design that was found; ConfigError where the platform is a model only."""
        return load_design(self.folder)

    @property
    def model(self) -> str | None:
        """The platform, where that is a model only, whose figures nothing was run for; else None."""
        return self.summary.get(MODEL)

    @property
    def platform(self) -> str:
        """The platform's name."""
        return str((_config_of(self.folder) or {}).get("platform", RunConfig.platform))

    @property
    def study(self) -> optuna.Study:
        """Every trial, as an Optuna study of two objectives: accuracy (up), the platform's own (down)."""
        return self.place.study()

    @property
    def latency_ms(self) -> tuple[float, float]:
        """Before (the best uncompressed design) and after, in milliseconds; of platforms that have it."""
        return self.metric("latency_ms")

    @checked
    def metric(self, name: str) -> tuple[float, float]:
        """A metric of the platform before (the best uncompressed design) and after, in its unit."""
        if not isinstance(self.summary.get(name), dict) or "before" not in self.summary[name]:
            raise ConfigError(f"{self.folder}: the search's platform has no metric {name!r}")
        return self.summary[name]["before"], self.summary[name]["after"]

    @property
    def test_accuracy(self) -> tuple[float, float]:
        """Before (the float network) and after (the integers of the design), 0 to 1; of images, mean
        intersection over union of pixels, or what else its data are judged by.
        """
        return self.summary["test_accuracy"]["before"], self.summary["test_accuracy"]["after"]

    def tables(self) -> Sequence[Table]:
        """Before and after."""
        from rich.table import Table

        from hotnas_hls.search.telling.summary import measure_of, objective_of

        table = Table(title=f"{self.summary['network']}: {self.summary['trials']} trials")
        for head in ("", "before", "after"):
            table.add_column(head, justify="right" if head else "left")
        objective = objective_of(self.summary)
        before, after = self.metric(objective.name)
        table.add_row(f"{objective.word}, {objective.unit}", f"{before:.4g}", f"{after:.4g}")
        before, after = self.test_accuracy
        what = f"test {measure_of(self.summary)}, {self.summary['test_images']} images"
        table.add_row(what, f"{before:.2%}", f"{after:.2%}")
        return (table,)

    def notes(self) -> list[str]:
        """What was lost, what was refused, what it cost."""
        return self.lines()

    def figure(self) -> Figure:
        """Accuracy over latency: every trained trial, the front, the bound, the result."""
        from hotnas_hls.search.telling.study_charts import front_chart

        return front_chart(self.summary)

    def lines(self) -> list[str]:
        """The result in a few lines, the first of them what is to be worried about."""
        from hotnas_hls.search.telling.summary import readable

        return readable(self.summary)


@checked
def load_run(folder: str | Path) -> Run:
    """A finished search from its folder; ConfigError where there is none."""
    folder = Path(folder)
    if not (folder / SUMMARY_FILE).is_file():
        raise ConfigError(f"{folder / SUMMARY_FILE}: no finished search; hotnas search writes it")
    from hotnas_hls.search.running.storage import study_place

    config = _config_of(folder) or {}
    stored = config.get("search", {}).get("storage") or "sqlite"
    return Run(folder, load_json(folder / SUMMARY_FILE), study_place(stored, folder))


@checked
def run_search(
    config: str | Path | RunConfig = DEFAULT_CONFIG,
    output: str | Path | None = None,
    *,
    callback: Callable[[Trial], None] | None = None,
    study: optuna.Study | None = None,
    fresh: bool = False,
    more: bool = False,
    quiet: bool = False,
) -> Run:
    """Search what a configuration says: its network, its data, its board.

    config: a YAML file, the name of a shipped one, or what :func:`load_config` gave.
    output: the run's folder; None for the configuration's.
    Everything else, and what is raised, as of :meth:`Network.search`.
    """
    settings = config if isinstance(config, RunConfig) else load_config(config)
    raise_all(ConfigError, "these options do not make a valid configuration:", settings.violations())

    def problem() -> Problem:
        from hotnas_hls.search import problem

        return problem.load_problem(settings.network)

    folder = Path(settings.output if output is None else output)
    return Session(folder, None, callback, study, fresh, more, quiet).search(problem, settings)


def configured(
    network: str,
    data: str,
    board: str | Path | Board,
    settings: Mapping[str, Any],
    output: str | Path = "runs",
) -> tuple[RunConfig, Board]:
    """A configuration of sections given by name, and the board; ConfigError with every key that is wrong."""
    target = load_board(board)
    named = sorted(BY_NAME & set(settings))
    raise_all(ConfigError, "these settings are arguments of their own:", named)
    bound = settings.get("bound", {})
    record = {
        **settings,
        "network": {"model": network, "data": data},
        "board": target.name if isinstance(board, Board) else str(board),
        "bound": bound,
        "output": str(output),
    }
    problems: list[str] = []
    config = read_value(RunConfig, record, "", problems)
    if config is not None:
        problems += config.violations()
    raise_all(ConfigError, "these settings do not make a valid configuration:", problems)
    return config, target


def own_data(data: str | Path | Dataset, graph: Graph) -> Dataset:
    """A data set as it is, or by its name, with images of the network's size."""
    from hotnas_hls.models.data import Dataset
    from hotnas_hls.search.problem import load_dataset

    if isinstance(data, str | Path):
        return load_dataset(data, graph.image[1])
    if not isinstance(data, Dataset):
        raise ConfigError(
            f"data: is {article(type(data).__name__)}; give what make_dataset makes of arrays, tensors or a "
            "DataLoader, or the name of a data set"
        )
    return data


@dataclass(frozen=True)
class Session:
    """A search as it is asked for: where it is kept, who hears of it, what becomes of an earlier one."""

    folder: Path
    board: Board | None = None  # None: the configuration's
    callback: Callable[[Trial], None] | None = None
    study: optuna.Study | None = None
    fresh: bool = False
    more: bool = False
    quiet: bool = False

    def search(self, load: Callable[[], Problem], config: RunConfig) -> Run:
        """Search as the sole writer of the folder; what is finished is on disk, whatever happens."""
        started = time.perf_counter()
        with sole_writer(self.folder, "hotnas search"):
            try:
                return self._search(load, config, started)
            except KeyboardInterrupt as interrupt:
                kept = "finished trials are kept; the same command goes on with them"
                interrupt.add_note(f"{self.folder}: {kept}")
                raise

    def _search(self, load: Callable[[], Problem], config: RunConfig, started: float) -> Run:
        """Search and write everything, the mark that it is finished last; or read what is finished."""
        from hotnas_hls.search import configure, search
        from hotnas_hls.search.running.storage import place_of, study_place
        from hotnas_hls.search.telling import study_charts, summary
        from hotnas_hls.search.telling.progress import ConsoleReporter

        folder, study = self.folder, self.study
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as reason:
            raise OutputRefused(f"{folder}: cannot be made: {reason}") from None
        place = study_place(config.search.storage, folder) if study is None else place_of(study)
        with ConsoleReporter(quiet=self.quiet) as console:
            reporter: Reporter = console
            if self.callback is not None:
                reporter = _Calling(console, self.callback, folder)
            mended = place.mend()
            if mended:
                reporter.stage(mended)
            exists = place.exists() and (study is None or bool(place.trials()))
            if self.more and not exists:
                where = place.file or place
                raise ConfigError(f"{where}: there is no study to go on with; leave --resume out")
            problem = load()
            if not (self.more or self.fresh or (exists and place.is_interrupted())):
                finished = _finished(place, exists, folder, config, problem.digests())
                if finished is not None:
                    reporter.stage("finished; nothing to do (--fresh starts anew)")
                    return Run(folder, finished, place)
            if self.fresh:
                place.discard()
            resume = exists and not self.fresh
            if resume:
                reporter.stage("going on with the interrupted study (--fresh starts anew)")
            platform = configure.platform_of(config, problem.graph, self.board)
            result = search.search(
                problem, platform, configure.options_of(config), place, resume or study is not None, reporter
            )
            found = summary.summary_of(result)
            if result.design is not None:
                result.design.save(folder)
            else:
                for name in (DESIGN_FILE, WEIGHTS_FILE):  # of an earlier search on another platform
                    (folder / name).unlink(missing_ok=True)
                found |= {MODEL: platform.name, "config": config.record()}
            found |= {
                "tool_version": __version__,
                "board": config.board,
                "seed": config.seed,
                "cost": cost(started, resume),
            }
            replace_files(folder, {SUMMARY_FILE: (json.dumps(found, indent=2) + "\n").encode()})
            reporter.stage("charts")
            replace_files(folder / CHART_FOLDER, study_charts.charts(found))
            place.complete()
        return Run(folder, found, place)


def _finished(
    place: StudyPlace, exists: bool, folder: Path, config: RunConfig, digests: Mapping[str, str]
) -> dict[str, Any] | None:
    """The summary of the finished search of this very configuration; None where there is something to do.

    Raises ConfigError, setting by setting, where the folder holds the result of another one.
    """
    design, summary = folder / DESIGN_FILE, folder / SUMMARY_FILE
    before = _config_of(folder)
    if before is None:
        return None
    other = "--fresh discards it; or name another folder with --output"
    if not exists:
        there = design if design.is_file() else summary
        raise ConfigError(f"{there}: is there, and no study that led to it in {place}; {other}")
    problems: list[str] = []
    known_before = read_value(RunConfig, before, "", problems)
    if not problems:  # keys that its version did not have are at their defaults
        before = known_before.record()
    after = config.record()
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


def _config_of(folder: Path) -> dict[str, Any] | None:
    """The configuration of the finished search in a folder; None where there is none.

    A design point holds it, and where a platform writes none the summary.
    """
    if (folder / DESIGN_FILE).is_file():
        return dict(DesignPoint.load(folder).config)
    if not (folder / SUMMARY_FILE).is_file():
        return None
    config: dict[str, Any] | None = load_json(folder / SUMMARY_FILE).get("config")
    return config


def cost(started: float, resumed: bool) -> dict[str, Any]:
    """What this process and its workers used; a study gone on with had others before."""
    return {
        "wall_seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(sum(os.times()[:4]), 1),
        "cpus": len(os.sched_getaffinity(0)),
        "resumed": resumed,
    }


class _Calling:
    """A reporter that hands every finished trial to the caller's function as well."""

    def __init__(self, reporter: Reporter, callback: Callable[[Trial], None], folder: Path) -> None:
        self._reporter, self._callback, self._folder = reporter, callback, folder

    def stage(self, text: str) -> None:
        self._reporter.stage(text)

    def step(self, done: int, total: int, what: str = "batches") -> None:
        self._reporter.step(done, total, what)

    def outcome(self, outcome: Trial, study: Any) -> None:
        self._reporter.outcome(outcome, study)
        try:
            self._callback(outcome)
        except HotnasError:
            raise
        except Exception as error:  # whatever a user's function raises
            raise CallbackFailed(
                f"the callback failed at trial {outcome.number} ({type(error).__name__}: {error}); "
                f"{self._folder}: finished trials are kept; the same call goes on with them"
            ) from error
