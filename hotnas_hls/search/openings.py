"""What a search opens with: an arrangement, the space of its edits, and the candidates that come first.

The fastest arrangement of the uncompressed network need not be the one whose edits harm least: packed pixels
leave less to gain. Under a bound every arrangement is tried that can meet it, and the one is taken whose
gentlest candidate does least harm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore.workload import Workload
from hotnas_hls.platforms.platform import Platform, measured
from hotnas_hls.platforms.space import AxisKind, Candidate, SearchSpace
from hotnas_hls.search.detecting.start import Start, Starts
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.proposing.generate import choices_of, compression_of, generate_space, ladder
from hotnas_hls.search.proposing.gentle import gentle_candidates, harm_of
from hotnas_hls.search.proposing.sensitivity import Sensitivity
from hotnas_hls.search.proposing.strongest import fastest_candidate
from hotnas_hls.search.telling.reporter import Reporter

SENSITIVITY_IMAGES = 256  # of the training images, as many as memory allows


@dataclass(frozen=True)
class Opening:
    """An arrangement, the space of its edits, and what is evaluated first."""

    start: Start
    space: SearchSpace
    seeds: tuple[Candidate, ...]  # gentle ones, a ladder, and last the fastest
    harm: float = 0.0  # of the gentlest that meets the bound; infinite where none was found


def opening(
    problem: Problem, platform: Platform, found: Starts, options: SearchOptions, reporter: Reporter
) -> Opening:
    """The opening of least harm, of equals that of the fastest arrangement.

    InfeasibleDesign where even the fastest candidate misses the bound: said before anything is trained.
    """
    if options.bound is None:
        return _opened(platform, found.own, options)
    opened: list[Opening] = []
    refused: list[InfeasibleDesign] = []
    for start in found.arranged:
        try:
            opened.append(_opened(platform, start, options))
        except InfeasibleDesign as infeasible:
            refused.append(infeasible)
    if not opened:
        raise refused[0]
    _tell_bound_met(platform, found, opened[0], options, reporter)
    reporter.stage("sensitivity: what each edit, alone and fitted, does to the answers")
    some = problem.dataset.train.first(SENSITIVITY_IMAGES).blended(options.validation_blend)
    sensitivity = Sensitivity(problem, options.format, some.images)
    gentle = [_gentle(platform, one, options, sensitivity, reporter) for one in opened]
    best = min(gentle, key=lambda one: one.harm)
    if len(gentle) > 1:
        harms = ", ".join(f"{one.start.format.arrangement} {one.harm:.3g}" for one in gentle)
        reporter.stage(f"harm of the gentlest edits by arrangement: {harms}")
    return best


def _opened(platform: Platform, start: Start, options: SearchOptions) -> Opening:
    """What a start opens with before its edits are measured. Raises as :func:`opening`."""
    workload = start.workload
    space = generate_space(workload, platform, start.choices, options.space, options.bound)
    rungs = [
        fitted
        for rung in ladder(space, options.rungs)
        if (fitted := _on_hardware_that_fits(workload, platform, space, rung)) is not None
    ]
    fastest = fastest_candidate(workload, platform, space, ladder(space, 2)[-1])
    _require_feasible(workload, platform, space, fastest, options)
    return _seeded(Opening(start, space, ()), [*dict.fromkeys(rungs), fastest])


def _gentle(
    platform: Platform,
    opened: Opening,
    options: SearchOptions,
    sensitivity: Sensitivity,
    reporter: Reporter,
) -> Opening:
    """The same with the gentlest candidates first."""
    space, seeds = opened.space, opened.seeds
    assert options.bound is not None
    harms = sensitivity.harms(space, lambda done, total: reporter.step(done, total, "edits"))
    hardware = [choices_of(seeds[-1], space)] if options.space.hardware else []
    workload = opened.start.workload
    gentle = gentle_candidates(workload, platform, space, seeds[0], harms, options.bound, hardware)
    harm = harm_of(gentle[0], space, harms) if gentle else math.inf
    return _seeded(replace(opened, harm=harm), [*dict.fromkeys((*gentle, *seeds[:-1])), seeds[-1]])


def _seeded(opened: Opening, seeds: Sequence[Candidate]) -> Opening:
    """The same with these candidates, whose values are options of the space."""
    space = opened.space
    for candidate in seeds:
        space = _widened(space, candidate)
    return replace(opened, space=space, seeds=tuple(seeds))


def _tell_bound_met(
    platform: Platform, found: Starts, opened: Opening, options: SearchOptions, reporter: Reporter
) -> None:
    """Say so where an uncompressed design meets the bound already."""
    metric, bound = platform.objective, options.bound
    name, took = min(found.values.items(), key=lambda one: one[1])
    if bound is None or took > bound:
        return
    fastest, space = opened.seeds[-1], opened.space
    layers = opened.start.workload.compressed(compression_of(fastest, space))
    shortest = measured(platform, layers, platform.design(layers, choices_of(fastest, space))).value
    reporter.stage(
        f"the uncompressed {name} network meets the bound already: {metric.text(took)}, "
        f"{bound:.4g} asked for; a bound below {took:.4g} asks for compression, down to "
        f"{_at_least(shortest)} {metric.unit}"
    )


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
) -> None:
    """InfeasibleDesign where even the fastest candidate misses a bound."""
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
        return
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
