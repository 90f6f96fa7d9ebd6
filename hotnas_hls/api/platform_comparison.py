"""One network on every platform: what it costs there before any search, and what searches found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.api.design import load_design
from hotnas_hls.api.network import DEFAULT_BOARD, Network
from hotnas_hls.api.package import load_package
from hotnas_hls.api.run import load_run, own_data
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.boards.board import Board, load_board
from hotnas_hls.errors import ConfigError, HotnasError, InfeasibleDesign, UnsupportedNetwork, raise_all
from hotnas_hls.explore.integer_layers import PLAIN_BITS, IntegerFormat
from hotnas_hls.models.compression import Compression
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.platform import Emits, measured, shares
from hotnas_hls.platforms.registry import TILED_ENGINE, known_platforms, make_platform
from hotnas_hls.platforms.request import PlatformRequest
from hotnas_hls.platforms.tiled_engine import CYCLES
from hotnas_hls.platforms.variation import IMAGES, Varied
from hotnas_hls.search.detecting.start import fastest_start
from hotnas_hls.search.telling.summary import SHARES, objective_of, varied_of
from hotnas_hls.simulate.certificate import HOLDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from hotnas_hls.models.data import Dataset, Split
    from hotnas_hls.models.task import Task

MODEL, PREDICTED, CERTIFIED = "model", "predicted to the cycle", "certified"
HATCHES = {MODEL: "//", PREDICTED: "", CERTIFIED: ""}
LEAST_NAMED = 0.03  # share of a bar; a smaller part has no room for its letter
COLOURS = ("#2b6cb0", "#dd6b20", "#2f855a", "#a0aec0", "#c53030")


@dataclass(frozen=True)
class PlatformRow:
    """A network on a platform: uncompressed, or as a search left it."""

    platform: str
    what: str  # the uncompressed network, or the folder of a run or a package
    kind: str | None  # MODEL, PREDICTED or CERTIFIED; None: refused
    objective: Metric | None
    metrics: dict[str, float]
    bound: float | None = None  # on the objective
    accuracy: float | None = None  # on the test images
    varied: Varied | None = None  # the same where devices vary
    shares: dict[str, float] | None = None  # of the objective, by what bounds the layers
    refused: str | None = None  # why it cannot run there

    @property
    def value(self) -> str:
        """The objective's, with its unit."""
        return "" if self.objective is None else self.objective.text(self.metrics[self.objective.name])

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "varied": None if self.varied is None else self.varied.record()}

    @property
    def right(self) -> str:
        """What is known of the accuracy."""
        found = [] if self.accuracy is None else [f"{self.accuracy:.2%}"]
        return "; ".join([*found, *([] if self.varied is None else [str(self.varied)])])

    @property
    def others(self) -> str:
        """The other metrics."""
        skipped = "" if self.objective is None else self.objective.name
        return ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items() if name != skipped)


@dataclass(frozen=True, eq=False, repr=False)
class PlatformComparison(Shown):
    """A row a platform, and one for each run and each package."""

    network: str
    rows: tuple[PlatformRow, ...]

    def tables(self) -> Sequence[Table]:
        """Every row; figures of models and of what can be simulated are told apart."""
        from rich.table import Table

        table = Table(title=f"{self.network} by platform")
        for head in ("platform", "network", "figures are", "objective", "bound", "accuracy", "other metrics"):
            table.add_column(head)
        for row in self.rows:
            bound = "" if row.bound is None or row.objective is None else row.objective.text(row.bound)
            kind, others = row.kind or "refused", row.refused or row.others
            table.add_row(row.platform, row.what, kind, row.value, bound, row.right, others)
        return (table,)

    def notes(self) -> list[str]:
        """What the words of a column mean."""
        return [
            f"{MODEL}: by formulas with constants of others, nothing was run; {PREDICTED}: by the model "
            f"that simulation confirms; {CERTIFIED}: counted in a simulation of the RTL behind its DRAM, "
            "outputs bit-exact (hotnas sim)"
        ]

    def figure(self) -> Figure:
        """A bar a row: the objective, by what bounds its layers; models are hatched."""
        from matplotlib.figure import Figure

        rows = [row for row in self.rows if row.shares]
        figure = Figure(figsize=(8, 1.2 + 0.6 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            left = 0.0
            for (label, share), colour in zip((row.shares or {}).items(), COLOURS, strict=False):
                hatch = HATCHES[row.kind or MODEL]
                axes.barh(place, 100 * share, left=left, color=colour, hatch=hatch, edgecolor="white")
                middle = left + 50 * share, place
                if share >= LEAST_NAMED:
                    axes.text(*middle, label, ha="center", va="center", color="white", weight="bold")
                left += 100 * share
        texts = [f"{row.platform} ({row.kind})\n{row.value}" for row in rows]
        axes.set_yticks(range(len(rows)), texts, fontsize=8)
        axes.invert_yaxis()
        axes.set(title=f"{self.network}: what bounds it", xlabel="share of the objective, %", xlim=(0, 100))
        return figure

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {"network": self.network, "rows": [row.record() for row in self.rows]}


@checked
def compare_platforms(
    network: Network,
    board: str | Path | Board = DEFAULT_BOARD,
    *,
    platforms: Sequence[str] = (),
    runs: Sequence[str | Path] = (),
    packages: Sequence[str | Path] = (),
    data: str | Path | Dataset | None = None,
) -> PlatformComparison:
    """The uncompressed network of 8 bits on every platform, each on its best hardware, and finished searches.

    board: of platforms that run on one. platforms: by name; none named: all. runs: folders of searches of the
    same network, on any platform. packages: folders of designs of it that were simulated. data: images and
    labels, or their name or folder; the uncompressed network is tried on the first 1,000 test images; None:
    its accuracy is not told.
    Raises ConfigError for a platform that there is not, for runs and packages that are none, or of another
    network, or whose certificate does not vouch for them, and for data that do not fit.
    """
    target = load_board(board)
    named = platforms or [one.name for one in known_platforms()]
    found, problems = [], []
    for read, folders in ((_found, runs), (_simulated, packages)):
        for folder in folders:
            try:
                found.append(read(network, Path(folder)))
            except HotnasError as reason:
                problems.append(str(reason))
    raise_all(ConfigError, f"these are not to be compared with {network.name}:", problems)
    trial = None if data is None else _trial(network, data)
    rows = [_uncompressed(network, name, target, trial) for name in named]
    return PlatformComparison(network.name, (*rows, *found))


@dataclass(frozen=True, eq=False)
class _Trial:
    """The uncompressed integer network, and what it is tried on."""

    network: IntegerNetwork
    test: Split  # labelled
    task: Task


def _trial(network: Network, data: str | Path | Dataset) -> _Trial:
    from hotnas_hls.search.fitting.integer import quantised_network
    from hotnas_hls.search.problem import problem_of

    own = own_data(data, network.graph)
    problem = problem_of(network.loaded, network.name, own, own.name)
    plain = quantised_network(problem, problem.model, Compression(), IntegerFormat().at_bits(PLAIN_BITS))
    return _Trial(plain, problem.labelled(problem.dataset.test.first(IMAGES)), problem.task)


def _uncompressed(network: Network, name: str, board: Board, trial: _Trial | None) -> PlatformRow:
    what = f"uncompressed, {PLAIN_BITS} bits"
    graph = network.graph
    platform = make_platform(name, PlatformRequest(graph, board, act_bits=PLAIN_BITS))
    form = IntegerFormat().at_bits(PLAIN_BITS)
    try:
        start = fastest_start(graph, None, platform, form, "best")
    except (InfeasibleDesign, UnsupportedNetwork) as reason:
        return PlatformRow(name, what, None, None, {}, refused=str(reason))
    layers = start.workload.layers
    cost = measured(platform, layers, platform.design(layers, start.choices))
    kind = PREDICTED if isinstance(platform, Emits) else MODEL
    row = PlatformRow(name, what, kind, cost.objective, dict(cost.metrics), shares=cost.shares())
    if trial is None:
        return row
    from hotnas_hls.search.fitting.integer import integer_accuracy, integer_variation

    right = integer_accuracy(trial.network, trial.test, trial.task)
    varied = integer_variation(trial.network, platform, layers, trial.test, seed=0, task=trial.task)
    return replace(row, accuracy=right, varied=varied)


def _found(network: Network, folder: Path) -> PlatformRow:
    """What a search found; ConfigError where it is of another network."""
    run = load_run(folder)
    _require_same(network, folder, "a search", run.summary["network"])
    objective = objective_of(run.summary)
    metrics = {
        name: value["after"]
        for name, value in run.summary.items()
        if isinstance(value, dict) and "after" in value and isinstance(value["after"], float)
    }
    metrics = {name: value for name, value in metrics.items() if not name.endswith("_accuracy")}
    return PlatformRow(
        run.platform,
        str(folder),
        PREDICTED if run.model is None else MODEL,
        objective,
        metrics,
        run.summary[objective.name]["bound"],
        run.test_accuracy[1],
        varied_of(run.summary),
        run.summary.get(SHARES),  # unknown of searches of older versions
    )


def _simulated(network: Network, folder: Path) -> PlatformRow:
    """What simulation counted of a package; ConfigError where that does not vouch for it."""
    package = load_package(folder)
    design = load_design(folder).point
    _require_same(network, folder, "a package", design.network)
    verdict, certificate = package.verify(), package.certificate()
    if not verdict.holds:
        raise ConfigError(f"{folder}: {verdict.headline}: {'; '.join(verdict.differences)}")
    if certificate is None:
        raise ConfigError(f"{folder}: it was not simulated ('hotnas sim' does)")
    if certificate.behind is None:
        raise ConfigError(f"{folder}: it was simulated with an ideal memory alone ('hotnas sim' has a DRAM)")
    if certificate.verdict != HOLDS:
        raise ConfigError(f"{folder}: its certificate: {certificate.verdict}")
    cycles, bound = certificate.certified_cycles, certificate.bound_cycles
    labels = (check.bottleneck for check in certificate.layers)
    return PlatformRow(
        TILED_ENGINE,
        str(folder),
        CERTIFIED,
        LATENCY,
        {LATENCY.name: certificate.ms(cycles), CYCLES.name: float(cycles)},
        None if bound is None else certificate.ms(bound),
        design.accuracy.final,
        shares=shares(zip(labels, certificate.layer_cycles(), strict=True)),
    )


def _require_same(network: Network, folder: Path, what: str, other: str) -> None:
    if other != network.name:
        raise ConfigError(f"{folder}: {what} of {other}, not of {network.name}; leave it out")
