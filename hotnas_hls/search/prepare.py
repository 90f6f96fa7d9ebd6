"""From a problem to a study: graph -> layers -> best uncompressed design -> iDetect -> iSpace."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from hotnas_hls.accel.design_point import Accuracy
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork, raise_all
from hotnas_hls.explore.workload import Workload
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.platforms.platform import Choices, Emission, Emits, Platform, measured
from hotnas_hls.platforms.space import AxisKind, Candidate, SearchSpace
from hotnas_hls.search.detecting.detect import Detection, detect
from hotnas_hls.search.detecting.start import Start, Starts, starts
from hotnas_hls.search.evaluating.evaluate import Evaluator
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.fitting.balance import balanced
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.problem import Problem, cold_start
from hotnas_hls.search.proposing.generate import (
    choices_of,
    compression_of,
    generate_space,
    ladder,
)
from hotnas_hls.search.proposing.gentle import gentle_candidates
from hotnas_hls.search.proposing.sensitivity import sensitivities
from hotnas_hls.search.proposing.strongest import fastest_candidate
from hotnas_hls.search.running.study import StudySettings
from hotnas_hls.search.telling.reporter import Reporter

SMALL_NETWORK_MACS = 20_000_000  # below, one thread is faster than several
SENSITIVITY_IMAGES = 256  # of the training images, as many as memory allows
LATENCY_LOW = 0.7  # share of the bound at which latency earns its full reward (published: 7 of 10 ms)


@dataclass(frozen=True, eq=False)
class Prepared:
    """All a study needs, and what it is compared with."""

    options: SearchOptions  # with the arrangement that was chosen, and the bound in ms
    baseline: Start  # the 16-bit uncompressed network on its best design: what reductions are measured from
    uncompressed: Mapping[str, float]  # the objective, of the best uncompressed designs, as Starts.values
    detection: Detection  # of the baseline
    start: Start  # the uncompressed network at the widths of the search: what candidates are edited from
    space: SearchSpace
    seeds: tuple[Candidate, ...]  # evaluated first; the last is the fastest
    evaluator: Evaluator
    settings: StudySettings
    small: bool  # faster on one thread

    def searched_by(self, other: SearchOptions) -> Prepared:
        """The same, for the sampler, seed and early stopping of ``other``: nothing that was found depends on
        them, but for the weights of a start from cold.
        """
        how: dict[str, Any] = {
            "strategy": other.strategy,
            "seed": other.seed,
            "early_stopping": other.early_stopping,
        }
        return replace(
            self,
            options=replace(self.options, **how),
            settings=replace(self.settings, **how),
            evaluator=replace(self.evaluator, seed=other.seed, looks=other.early_stopping),
        )


def prepare(problem: Problem, platform: Platform, options: SearchOptions, reporter: Reporter) -> Prepared:
    """Everything before the first trial.

    InfeasibleDesign where even the fastest candidate misses the bound: said before anything is trained.
    """
    if options.cold:
        problem = cold_start(problem, options.seed)
    if problem.proof is not None:
        reporter.stage(str(problem.proof))
    for note in problem.dataset.notes:
        reporter.stage(note)
    reporter.stage(f"exploring uncompressed designs ({platform.name})")
    found = starts(problem.graph, problem.model, platform, options.format, options.stem, options.packed)
    baseline, start = found.full, found.own
    reporter.stage(
        "uncompressed: "
        + ", ".join(f"{name} {platform.objective.text(took)}" for name, took in found.values.items())
    )
    workload, options = start.workload, replace(options, format=start.format)
    small = sum(layer.macs for layer in workload.layers) < SMALL_NETWORK_MACS
    if small:
        torch.set_num_threads(1)

    _require_writable(problem, platform, start, options)
    digests = problem.digests()  # of the weights as they were given
    problem, told = balanced(problem, options.format)
    for line in told:
        reporter.stage(line)
    reporter.stage("iDetect: what bounds each layer")
    full = platform.at_bits(platform.full_bits)
    detection = detect(baseline.workload, full, baseline.choices, options.space.least_weight_bits)
    if options.reduction is not None:
        options = replace(options, bound=_reduced(options, found, platform))

    reporter.stage("iSpace: axes from the labels")
    space, seeds = _space_and_seeds(
        problem, workload, platform, start.choices, options, found.values, reporter
    )
    evaluator = Evaluator(
        problem,
        platform,
        space,
        options.bound,
        options.tuning,
        options.format,
        problem.labelled(
            problem.dataset.validation.first(options.validation_images).blended(options.validation_blend)
        ),
        options.seed,
        options.bounds,
        options.chips,
        options.early_stopping,
    )
    settings = _study_settings(options, problem, digests, platform, detection.cost.value)
    return Prepared(
        options,
        baseline,
        found.values,
        detection,
        start,
        space,
        tuple(seeds),
        evaluator,
        settings,
        small,
    )


def _space_and_seeds(
    problem: Problem,
    workload: Workload,
    platform: Platform,
    choices: Choices,
    options: SearchOptions,
    uncompressed: Mapping[str, float],
    reporter: Reporter,
) -> tuple[SearchSpace, list[Candidate]]:
    """The space, and the candidates that come first: gentle ones, the ladder, and last the fastest."""
    space = generate_space(workload, platform, choices, options.space, options.bound)
    rungs = [
        fitted
        for rung in ladder(space, options.rungs)
        if (fitted := _on_hardware_that_fits(workload, platform, space, rung)) is not None
    ]
    fastest = fastest_candidate(workload, platform, space, ladder(space, 2)[-1])
    shortest = _require_feasible(workload, platform, space, fastest, options)
    metric = platform.objective
    name, took = min(uncompressed.items(), key=lambda one: one[1])
    if options.bound is not None and took <= options.bound:
        reporter.stage(
            f"the uncompressed {name} network meets the bound already: {metric.text(took)}, "
            f"{options.bound:.4g} asked for; a bound below {took:.4g} asks for compression, down to "
            f"{_at_least(shortest)} {metric.unit}"
        )
    gentle: list[Candidate] = []
    if options.bound is not None:
        reporter.stage("sensitivity: what each edit, alone and fitted, does to the answers")
        some = problem.dataset.train.first(SENSITIVITY_IMAGES).blended(options.validation_blend)
        harms = sensitivities(
            problem,
            space,
            options.format,
            some.images,
            lambda done, total: reporter.step(done, total, "edits"),
        )
        hardware = [choices_of(fastest, space)] if options.space.hardware else []
        gentle = gentle_candidates(workload, platform, space, rungs[0], harms, options.bound, hardware)
    seeds = [*dict.fromkeys((*gentle, *rungs)), fastest]
    for candidate in seeds:
        space = _widened(space, candidate)
    return space, seeds


def _reduced(options: SearchOptions, found: Starts, platform: Platform) -> float:
    """The bound that saves a share of a baseline; InfeasibleDesign where there is no such design."""
    of, known = options.reduction_of, found.values
    if of not in known:
        raise InfeasibleDesign(
            f"bound.reduction: no uncompressed design of {of} fits; give of: {', '.join(known)}, or "
            f"{platform.objective.name}"
        )
    assert options.reduction is not None
    return (1 - options.reduction) * known[of]


def _study_settings(
    options: SearchOptions,
    problem: Problem,
    digests: Mapping[str, str],
    platform: Platform,
    baseline: float,
) -> StudySettings:
    """Reward targets as shares of the bound, or of the baseline's objective where there is none."""
    targets = RewardTargets(*options.accuracy, LATENCY_LOW, 1.0, options.alpha)
    subject = {
        "network.model": problem.name,
        "network.data.name": problem.dataset.name,
        **digests,
        "board": platform.name,
        f"bound.{platform.objective.name}": options.bound,
        **{f"bound.{metric.name}": bound for metric, bound in options.bounds},
        "tuning": asdict(options.tuning),
        "format": asdict(options.format),
        "search.validation_images": options.validation_images,
        "search.validation_blend": options.validation_blend,
        "search.cold": options.cold,
        **({"search.chips": options.chips} if options.chips else {}),
    }
    return StudySettings(
        targets=targets,
        objective_unit=options.bound if options.bound is not None else baseline,
        objective=platform.objective,
        strategy=options.strategy,
        trials=options.trials,
        seed=options.seed,
        time_limit_s=options.time_limit_s,
        early_stopping=options.early_stopping,
        subject=subject,
    )


def _require_writable(problem: Problem, platform: Platform, start: Start, options: SearchOptions) -> None:
    """UnsupportedNetwork where the design at the end could not be written: the uncompressed one is, but for
    its numbers.
    """
    if not isinstance(platform, Emits):
        return
    arrangement = start.format.arrangement
    lowered = arrangement.lower(fold_shapes(problem.graph), start.format.weight_bits)
    maps, layout = arrangement.maps(lowered)
    network = IntegerNetwork(
        problem.name,
        maps,
        start.workload.layers,
        {},
        lowered.image,
        lowered.host,
        start.format.act_bits,
        layout,
    )
    emission = Emission(
        network, start.choices, options.seed, options.bound, Accuracy(), options.config, None
    )
    point = replace(platform.emit(emission), numbers=None, weights=None)
    point.to_json()
    raise_all(UnsupportedNetwork, f"{problem.name}: its design could not be written:", point.violations())


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


def _on_hardware_that_fits(
    workload: Workload, platform: Platform, space: SearchSpace, candidate: Candidate
) -> Candidate | None:
    """The candidate, on other hardware where its edits do not fit its own; None where that is not searched.

    Patterns, for one, take logic that the hardware of the uncompressed network may not have left.
    """
    layers = workload.compressed(compression_of(candidate, space))
    if not platform.violations(layers, platform.design(layers, choices_of(candidate, space))):
        return candidate
    if all(len(axis.options) == 1 for axis in space.of_kind(AxisKind.HARDWARE)):
        return None
    return Candidate({**candidate, **platform.explore(layers)})


def _require_feasible(
    workload: Workload,
    platform: Platform,
    space: SearchSpace,
    fastest: Candidate,
    options: SearchOptions,
) -> float:
    """What the fastest candidate takes, in the objective's unit.

    InfeasibleDesign when even that misses the bound: said before anything is trained.
    """
    layers = workload.compressed(compression_of(fastest, space))
    cost = measured(platform, layers, platform.design(layers, choices_of(fastest, space)))
    bound = options.bound
    missed = [
        f"  - {one.name}: {one.text(limit)} asked for, {one.text(cost.metrics[one.name])} found"
        for one, limit in options.bounds
        if one.excess(cost.metrics[one.name], limit) > 0
    ]
    if missed:
        least = f"the design of least {platform.objective.word} on the {platform.name}"
        cure = "loosen them, or allow stronger edits"
        raise InfeasibleDesign("\n".join([f"{least} misses bounds of {workload.name}; {cure}:", *missed]))
    if bound is None or cost.value <= bound:
        return cost.value
    slowest, metric = cost.slowest, platform.objective
    term = max(slowest.terms, key=lambda name: slowest.terms[name])
    lines = [
        f"no design of {workload.name} meets {metric.text(bound)} on the {platform.name}; "
        f"the lowest {metric.word} found is {_at_least(cost.value)} {metric.unit}, with the edits that save "
        "most:",
        f"  - layer {slowest.layer} blocks most: {slowest.total:.0f} of {cost.total:.0f} {platform.unit}, "
        f"bound by {slowest.label} ({term})",
    ]
    if cost.tightest is not None:
        used, limit = cost.usage[cost.tightest], cost.limits[cost.tightest]
        lines.append(f"  - resource {cost.tightest} is the tightest: {used:.0f} of {limit:.0f} used")
    narrower = "least_act_bits, " if space.of_kind(AxisKind.ACT_BITS) else ""
    larger = ", a higher clock, or a larger board" if space.of_kind(AxisKind.HARDWARE) else ""
    lines.append(
        f"raise the bound to {_at_least(cost.value)} {metric.unit} or more, allow stronger edits "
        f"(least_weight_bits, {narrower}patterns, channel_cut){larger}"
    )
    raise InfeasibleDesign("\n".join(lines))


def _at_least(value: float) -> str:
    """Four digits, rounded up: a bound of this text can be met."""
    digits = 3 - math.floor(math.log10(value))
    return f"{math.ceil(value * 10**digits - 1e-9) / 10**digits:.{max(0, digits)}f}"
