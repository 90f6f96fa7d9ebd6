"""The whole search, from a pre-trained network to a design point that meets its bound.

graph -> layers -> best uncompressed design -> iDetect -> iSpace -> iSearch -> final fine-tuning -> integers
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import torch

from hotnas_hls.accel.design_point import Accuracy, DesignPoint, Golden
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.edits import popular_patterns
from hotnas_hls.models.train import accuracy as float_accuracy
from hotnas_hls.search.crew import CrewOptions, hire
from hotnas_hls.search.detect import Detection, Workload, detect, price
from hotnas_hls.search.evaluate import Evaluator, epoch
from hotnas_hls.search.finetune import Tuning
from hotnas_hls.search.generate import (
    SpaceOptions,
    choices_of,
    compression_of,
    generate_space,
    ladder,
    pattern_groups,
)
from hotnas_hls.search.integer import IntegerFormat, golden, integer_accuracy
from hotnas_hls.search.outcome import Outcome, best_outcome, pareto_front
from hotnas_hls.search.platform import Choices, Cost, Emission, Emits, Platform
from hotnas_hls.search.problem import Problem, cold_start
from hotnas_hls.search.reductions import Reduction, reductions
from hotnas_hls.search.reward import RewardTargets
from hotnas_hls.search.space import AxisKind, Candidate, SearchSpace
from hotnas_hls.search.start import fastest_start
from hotnas_hls.search.storage import StudyPlace
from hotnas_hls.search.study import SearchStudy, StudySettings

SMALL_NETWORK_MACS = 20_000_000  # below, one thread is faster than several
LATENCY_LOW = 0.7  # share of the bound at which latency earns its full reward (published: 7 of 10 ms)


@dataclass(frozen=True)
class SearchOptions:
    """How a search goes; the defaults suit the embedded example."""

    bound_ms: float | None
    strategy: str = "reinforce"
    trials: int = 100
    rungs: int = 6  # first trials: from untouched to every edit at its strongest
    alpha: float = 0.7
    accuracy: tuple[float, float] = (0.9, 1.0)
    accuracy_drop: float = 0.01
    tuning: Tuning = Tuning()
    final_epochs: int = 10
    space: SpaceOptions = SpaceOptions()
    format: IntegerFormat = IntegerFormat()
    validation_images: int = 1000  # candidates are compared on so many at most
    golden_images: int = 32
    time_limit_s: float | None = None
    early_stopping: bool = False
    cold: bool = False  # start from random weights, to compare with
    crew: CrewOptions = CrewOptions()
    seed: int = 0
    stem: StemChoice = BEST  # how the first convolution runs; best: as is fastest on this platform
    config: Mapping[str, Any] = field(default_factory=dict)  # kept in the design point


class Reporter(Protocol):
    """Hears how a search goes."""

    def stage(self, text: str) -> None: ...

    def outcome(self, outcome: Outcome, study: SearchStudy) -> None: ...

    def step(self, done: int, total: int) -> None: ...


class Silent:
    """A reporter that says nothing."""

    def stage(self, text: str) -> None:
        pass

    def outcome(self, outcome: Outcome, study: SearchStudy) -> None:
        pass

    def step(self, done: int, total: int) -> None:
        pass


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found, and what it started from."""

    design: DesignPoint | None  # None on a platform that emits none
    network: IntegerNetwork
    compression: Compression
    choices: Choices
    cost: Cost
    baseline: Detection  # the best uncompressed design
    space: SearchSpace
    outcomes: Sequence[Outcome]
    chosen: Outcome
    baseline_validation: float  # of the float network
    validation: float  # of the final integer network
    test: Accuracy
    reductions: tuple[Reduction, ...]  # what each kind of edit brought
    bound_ms: float | None

    @property
    def front(self) -> list[Outcome]:
        """The accuracy/latency Pareto front of the trained candidates."""
        return pareto_front(self.outcomes)


def search(
    problem: Problem,
    platform: Platform,
    options: SearchOptions,
    storage: str | StudyPlace | None = None,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> SearchResult:
    """Co-search of network and hardware with a hot start.

    The design returned meets the latency bound and every resource by the true model; where nothing can,
    InfeasibleDesign says what blocks it and the lowest latency found.
    """
    reporter = reporter or Silent()
    if options.cold:
        problem = cold_start(problem, options.seed)
    reporter.stage(f"exploring uncompressed designs ({platform.name})")
    start = fastest_start(problem.graph, problem.model, platform, options.format, options.stem)
    workload, choices, options = start.workload, start.choices, replace(options, format=start.format)
    small = sum(layer.macs for layer in workload.layers) < SMALL_NETWORK_MACS
    if small:
        torch.set_num_threads(1)

    reporter.stage("iDetect: what bounds each layer")
    baseline = detect(workload, platform, choices, options.space.least_weight_bits)

    reporter.stage("iSpace: axes from the labels")
    space, seeds = space_and_seeds(problem, workload, platform, choices, options)

    by = f"{options.strategy}{' from random weights' if options.cold else ''}"
    reporter.stage(f"iSearch: {space.size:.2g} candidates, {options.trials} trials by {by}")
    evaluator = evaluator_of(problem, platform, space, options)
    settings = study_settings(options, problem, platform, baseline.cost.latency_ms)
    before = float_accuracy(problem.model, *_arrays(evaluator.validation))
    bounded = options.bound_ms is not None
    with closing(hire(evaluator, options.crew, small)) as crew:
        study = SearchStudy(space, evaluator, settings, storage, resume, crew)
        outcomes = study.run(seeds, lambda outcome: reporter.outcome(outcome, study))
        chosen = best_outcome(outcomes, before - options.accuracy_drop, bounded)
        if chosen is None:  # the budget ended before a feasible candidate: the fastest one is known to be
            chosen = study.add(seeds[-1])

    reporter.stage("final fine-tuning of the chosen design")
    compression = compression_of(chosen.candidate, space)
    network, reached = _finished(evaluator, compression, chosen, options, reporter)
    assert network.layers == evaluator.layers(compression), "what was priced is not what was built"
    choices, cost = _best_hardware(
        network, platform, choices_of(chosen.candidate, space), options.space.hardware
    )
    if options.bound_ms is not None and cost.latency_ms > options.bound_ms:
        raise AssertionError(f"{cost.latency_ms} ms does not meet the bound {options.bound_ms} ms")

    reporter.stage("test accuracy, once")
    test = Accuracy(
        baseline=float_accuracy(problem.model, *_arrays(problem.dataset.test)),
        final=integer_accuracy(network, problem.dataset.test),
        images=len(problem.dataset.test),
    )
    study.complete()
    images = golden(network, problem.dataset.test, options.golden_images)
    design = _design_point(platform, network, choices, options, test, images)
    return SearchResult(
        design,
        network,
        compression,
        choices,
        cost,
        baseline,
        space,
        outcomes,
        chosen,
        before,
        reached,
        test,
        reductions(workload, platform, baseline.choices, compression, choices, cost),
        options.bound_ms,
    )


def _arrays(split: Any) -> tuple[Any, Any]:
    return split.images, split.labels


def space_and_seeds(
    problem: Problem, workload: Workload, platform: Platform, choices: Choices, options: SearchOptions
) -> tuple[SearchSpace, list[Candidate]]:
    """The space, and the candidates that come first: the rungs of the ladder, and last the fastest.

    InfeasibleDesign where even that misses the bound: said before anything is trained.
    """
    space = generate_space(workload, platform, choices, options.space, options.bound_ms)
    patterns = {
        (kernel, zeros): popular_patterns(problem.start, names, kernel, zeros)
        for (kernel, zeros), names in pattern_groups(space).items()
    }
    rungs = ladder(space, options.rungs, patterns)
    fastest = _fastest(workload, platform, space, ladder(space, 2, patterns)[-1])
    _require_feasible(workload, platform, space, fastest, options.bound_ms)
    return _widened(space, fastest), [*rungs, fastest]


def evaluator_of(
    problem: Problem, platform: Platform, space: SearchSpace, options: SearchOptions
) -> Evaluator:
    """What trains the candidates."""
    return Evaluator(
        problem,
        platform,
        space,
        options.bound_ms,
        options.tuning,
        options.format,
        problem.dataset.validation.first(options.validation_images),
        options.seed,
        options.early_stopping,
    )


def study_settings(
    options: SearchOptions, problem: Problem, platform: Platform, baseline_ms: float
) -> StudySettings:
    """Reward targets as shares of the bound, or of the baseline's latency where there is none."""
    targets = RewardTargets(*options.accuracy, LATENCY_LOW, 1.0, options.alpha)
    subject = [
        problem.name,
        problem.dataset.name,
        platform.name,
        options.bound_ms,
        asdict(options.tuning),
        asdict(options.format),
        options.validation_images,
        options.cold,
    ]
    return StudySettings(
        targets=targets,
        latency_unit_ms=options.bound_ms if options.bound_ms is not None else baseline_ms,
        strategy=options.strategy,
        trials=options.trials,
        seed=options.seed,
        time_limit_s=options.time_limit_s,
        early_stopping=options.early_stopping,
        subject=json.dumps(subject),
    )


def _fastest(workload: Workload, platform: Platform, space: SearchSpace, strongest: Candidate) -> Candidate:
    """The fastest candidate: from every edit at its strongest, each axis at its best in turn, twice.

    Edits of different layers hardly meet, so that this is the fastest but for ties; on the hardware that
    suits it best, or the baseline's where that is fixed.
    """
    searched = any(len(axis.options) > 1 for axis in space.of_kind(AxisKind.HARDWARE))
    values = dict(strongest)
    for _ in range(2):
        if searched:
            values |= platform.explore(workload.compressed(compression_of(values, space)))
        choices = choices_of(values, space)
        for axis in space.of_kind(AxisKind.PRUNE, AxisKind.EXPAND, AxisKind.CHANNELS, AxisKind.BITS):
            costs = {}
            for option in axis.options:
                layers = workload.compressed(compression_of({**values, axis.name: option}, space))
                priced = price(platform, layers, choices)
                costs[option] = priced.total if priced else float("inf")
            kept = values[axis.name]
            values[axis.name] = min(costs, key=lambda option: (costs[option], option != kept))
    return Candidate(values)


def _widened(space: SearchSpace, candidate: Candidate) -> SearchSpace:
    """``space`` with the values of ``candidate`` among its options."""
    return SearchSpace(
        tuple(
            axis
            if candidate[axis.name] in axis.options
            else replace(axis, options=(*axis.options, candidate[axis.name]))
            for axis in space.axes
        )
    )


def _require_feasible(
    workload: Workload,
    platform: Platform,
    space: SearchSpace,
    fastest: Candidate,
    bound_ms: float | None,
) -> None:
    """InfeasibleDesign when even the fastest candidate misses the bound: said before anything is trained."""
    layers = workload.compressed(compression_of(fastest, space))
    cost = platform.cost(layers, platform.design(layers, choices_of(fastest, space)))
    if bound_ms is None or cost.latency_ms <= bound_ms:
        return
    slowest = cost.slowest
    term = max(slowest.terms, key=lambda name: slowest.terms[name])
    lines = [
        f"no design of {workload.name} meets {bound_ms:.4g} ms on the {platform.name}; "
        f"the lowest latency found is {_at_least(cost.latency_ms)} ms, with the edits that save most:",
        f"  - layer {slowest.layer} blocks most: {slowest.total:.0f} of {cost.total:.0f} {platform.unit}, "
        f"bound by {slowest.label} ({term})",
    ]
    if cost.tightest is not None:
        used, limit = cost.usage[cost.tightest], cost.limits[cost.tightest]
        lines.append(f"  - resource {cost.tightest} is the tightest: {used:.0f} of {limit:.0f} used")
    lines.append(
        f"raise the bound to {_at_least(cost.latency_ms)} ms or more, allow stronger edits "
        "(least_weight_bits, patterns, channel_cut), a higher clock, or a larger board"
    )
    raise InfeasibleDesign("\n".join(lines))


def _at_least(latency_ms: float) -> str:
    """Four digits, rounded up: a bound of this text can be met."""
    digits = 3 - math.floor(math.log10(latency_ms))
    return f"{math.ceil(latency_ms * 10**digits - 1e-9) / 10**digits:.{max(0, digits)}f}"


def _finished(
    evaluator: Evaluator,
    compression: Compression,
    chosen: Outcome,
    options: SearchOptions,
    reporter: Reporter,
) -> tuple[IntegerNetwork, float]:
    """The chosen network after the final fine-tuning, or as the search saw it where that was no gain."""
    dataset = evaluator.problem.dataset

    def trained(tuning: Tuning) -> tuple[IntegerNetwork, float]:
        model = evaluator.tuned(compression, tuning, lambda _, done, total: reporter.step(done, total))
        network = evaluator.integer_network(model, compression)
        return network, integer_accuracy(network, evaluator.validation)

    if options.final_epochs > 0:
        network, accuracy = trained(epoch(options.tuning, options.final_epochs, len(dataset.train)))
        if chosen.accuracy is None or accuracy >= chosen.accuracy:
            return network, accuracy
    return trained(options.tuning)


def _best_hardware(
    network: IntegerNetwork, platform: Platform, choices: Choices, searched: bool
) -> tuple[Choices, Cost]:
    """The hardware of the chosen candidate; where hardware is searched, a faster one for the same network."""
    found = platform.cost(network.layers, platform.design(network.layers, choices))
    if not searched:
        return choices, found
    explored = platform.explore(network.layers)
    cost = platform.cost(network.layers, platform.design(network.layers, explored))
    return (explored, cost) if cost.total < found.total else (choices, found)


def _design_point(
    platform: Platform,
    network: IntegerNetwork,
    choices: Choices,
    options: SearchOptions,
    accuracy: Accuracy,
    images: Golden,
) -> DesignPoint | None:
    if not isinstance(platform, Emits):
        return None
    return platform.emit(
        Emission(network, choices, options.seed, options.bound_ms, accuracy, options.config, images)
    )
