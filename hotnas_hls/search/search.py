"""The whole search, from a pre-trained network to a design point that meets its bound.

prepare (iDetect, iSpace) -> iSearch -> final fine-tuning -> integers -> design point
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from hotnas_hls.accel.design_point import Accuracy, DesignPoint
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.weights_file import Golden
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.task import CLASSES, Task
from hotnas_hls.models.train import score
from hotnas_hls.platforms.platform import Choices, Cost, Emission, Emits, Platform, measured
from hotnas_hls.platforms.space import SearchSpace
from hotnas_hls.platforms.variation import Varied
from hotnas_hls.search.detecting.detect import Detection, detect
from hotnas_hls.search.detecting.reductions import Reduction, reductions
from hotnas_hls.search.evaluating.evaluate import Evaluator, epoch
from hotnas_hls.search.evaluating.outcome import Outcome, best_outcome, pareto_front
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer import golden, integer_accuracy, integer_variation
from hotnas_hls.search.fitting.integer_tuning import UNTUNED, IntegerTuning
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.prepare import Prepared, prepare
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.proposing.generate import choices_of, compression_of
from hotnas_hls.search.running.hire import hire
from hotnas_hls.search.running.storage import StudyPlace
from hotnas_hls.search.running.study import SearchStudy
from hotnas_hls.search.telling.reporter import Reporter, Silent

UNSURPRISING = 0.6  # accuracy below which a mistake in the data is as likely as a hard task


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found, and what it started from."""

    design: DesignPoint | None  # None on a platform that emits none
    network: IntegerNetwork
    compression: Compression
    choices: Choices
    cost: Cost
    baseline: Detection  # the best 16-bit uncompressed design
    uncompressed: Mapping[str, float]  # of the best uncompressed designs, as Starts.values
    space: SearchSpace
    outcomes: Sequence[Outcome]
    chosen: Outcome
    baseline_validation: float  # of the float network
    validation: float  # of the final integer network
    test: Accuracy
    varied: Varied | None  # of the final integer network on test images, where devices vary
    reductions: tuple[Reduction, ...]  # what each kind of edit brought
    bound: float | None
    accuracy_drop: float  # what the search was allowed to lose
    baseline_format: IntegerFormat
    format: IntegerFormat
    remaining: Detection  # what bounds the layers of the result, and what would help them further

    @property
    def front(self) -> list[Outcome]:
        """The accuracy/objective Pareto front of the trained candidates."""
        return pareto_front(self.outcomes)


def hot_start(accuracy: float, images: int, task: Task = CLASSES) -> str:
    """How good the network is that the search starts from, and what to look at where that is a surprise."""
    if task != CLASSES:
        return f"the network as it was given: {task.measure} {accuracy:.2%} on {images} validation images"
    told = f"the network as it was given is right on {accuracy:.2%} of {images} validation images"
    if accuracy >= UNSURPRISING:
        return told
    return f"{told}; if you expect more, look at the order of the classes, the images' size and normalisation"


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
    InfeasibleDesign says what blocks it and the lowest latency found. A study in ``storage`` is complete when
    its result is on disk: the caller says so (:meth:`StudyPlace.complete`).
    """
    reporter = reporter or Silent()
    prepared = prepare(problem, platform, options, reporter)
    options, space, evaluator = prepared.options, prepared.space, prepared.evaluator

    before = score(problem.model, evaluator.validation, problem.task)
    reporter.stage(hot_start(before, len(evaluator.validation), problem.task))
    by = f"{options.strategy}{' from random weights' if options.cold else ''}"
    reporter.stage(f"iSearch: {space.size:.2g} candidates, {options.trials} trials by {by}")
    bounded = options.bound is not None
    with closing(hire(evaluator, options.crew, prepared.small)) as crew:
        study = SearchStudy(space, evaluator, prepared.settings, storage, resume, crew)
        outcomes = study.run(prepared.seeds, lambda outcome: reporter.outcome(outcome, study))
        least = max(before - options.accuracy_drop, options.varied_accuracy or 0.0)
        chosen = best_outcome(outcomes, least, bounded, len(evaluator.validation))
        _require_accurate(outcomes, options)
        if chosen is None:  # the budget ended before a feasible candidate: the fastest one is known to be
            chosen = study.add(prepared.seeds[-1])

    compression = compression_of(chosen.candidate, space)
    quantised, reached = _finished(evaluator, compression, chosen, options, reporter)
    network = options.format.arrangement.network(quantised)
    layers = evaluator.layers(compression)
    if isinstance(platform, Emits):
        assert network.layers == layers, "what was priced is not what was built"
    choices, cost = _best_hardware(
        layers, platform, choices_of(chosen.candidate, space), options.space.hardware
    )
    if options.bound is not None and cost.value > options.bound:
        raise AssertionError(f"{cost.value} does not meet the bound {options.bound}")

    reporter.stage("test accuracy, once")
    unseen = problem.labelled(problem.dataset.test)
    test = Accuracy(
        baseline=score(problem.model, unseen, problem.task),
        final=integer_accuracy(quantised, unseen, problem.task),
        images=len(unseen),
        measure=problem.task.measure,
    )
    varied = integer_variation(quantised, platform, layers, unseen, options.seed, task=problem.task)
    images = golden(network, problem.dataset.test, options.golden_images)
    design = _design_point(platform, network, choices, options, test, images)
    return SearchResult(
        design,
        network,
        compression,
        choices,
        cost,
        prepared.detection,
        prepared.uncompressed,
        space,
        outcomes,
        chosen,
        before,
        reached,
        test,
        varied,
        reductions(prepared.baseline, prepared.start, platform, compression, choices, cost),
        options.bound,
        options.accuracy_drop,
        prepared.baseline.format,
        options.format,
        _remaining(prepared, platform, compression, choices),
    )


def _remaining(
    prepared: Prepared, platform: Platform, compression: Compression, choices: Choices
) -> Detection:
    """iDetect on the result: its layers are a workload like any other."""
    workload = prepared.start.workload.edited(compression)
    return detect(workload, platform, choices, prepared.options.space.least_weight_bits)


def _require_accurate(outcomes: Sequence[Outcome], options: SearchOptions) -> None:
    """InfeasibleDesign where no candidate is as accurate under variation as the result must be."""
    least, found = options.varied_accuracy, [one.accuracy for one in outcomes if one.accuracy is not None]
    if least is None or max(found, default=0.0) >= least:
        return
    most = f"the most is {max(found):.2%}" if found else "none was trained"
    raise InfeasibleDesign(
        f"no candidate of {len(outcomes)} has {least:.2%} on validation under variation, the mean of "
        f"{options.chips} chips; {most}: lower bound.varied_accuracy, or give it more trials or batches"
    )


def _finished(
    evaluator: Evaluator,
    compression: Compression,
    chosen: Outcome,
    options: SearchOptions,
    reporter: Reporter,
) -> tuple[IntegerNetwork, float]:
    """The chosen network after the final fine-tuning, or as the search saw it where that was no gain."""
    dataset = evaluator.problem.dataset

    def trained(what: str, tuning: Tuning, integers: IntegerTuning = UNTUNED) -> tuple[IntegerNetwork, float]:
        reporter.stage(f"{what} of the chosen design")
        model = evaluator.tuned(compression, tuning, lambda _, done, total: reporter.step(done, total))
        if integers.trains:
            reporter.stage("final fine-tuning of its integers")
        network = evaluator.quantised_network(model, compression, tuning, integers, reporter.step)
        return network, evaluator.accuracy(network, compression)

    if options.final_epochs > 0 or options.integer_tuning.trains:
        longer = epoch(options.tuning, options.final_epochs, len(dataset.train))
        network, accuracy = trained("final fine-tuning", longer, options.integer_tuning)
        if chosen.accuracy is None or accuracy >= chosen.accuracy:
            return network, accuracy
    return trained("integers", options.tuning)


def _best_hardware(
    layers: Sequence[Any], platform: Platform, choices: Choices, searched: bool
) -> tuple[Choices, Cost]:
    """The hardware of the chosen candidate; where hardware is searched, a faster one for the same network."""
    found = measured(platform, layers, platform.design(layers, choices))
    if not searched:
        return choices, found
    explored = platform.explore(layers)
    cost = measured(platform, layers, platform.design(layers, explored))
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
        Emission(
            network,
            choices,
            options.seed,
            options.bound,
            accuracy,
            options.config,
            images,
            options.format.arrangement.packed_resolutions,
            options.format.arrangement.packed_across,
        )
    )
