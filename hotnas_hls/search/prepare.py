"""From a problem to a study: graph -> layers -> best uncompressed design -> iDetect -> iSpace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from hotnas_hls.accel.design_point import Accuracy
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork, raise_all
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.platforms.platform import Emission, Emits, Platform
from hotnas_hls.platforms.space import Candidate, SearchSpace
from hotnas_hls.search.detecting.detect import Detection, detect
from hotnas_hls.search.detecting.start import Start, Starts, starts
from hotnas_hls.search.evaluating.evaluate import Evaluator
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.fitting.balance import balanced
from hotnas_hls.search.openings import opening
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.problem import Problem, cold_start
from hotnas_hls.search.running.study import StudySettings
from hotnas_hls.search.telling.reporter import Reporter

SMALL_NETWORK_MACS = 20_000_000  # below, one thread is faster than several
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
    baseline = found.full
    reporter.stage(
        "uncompressed: "
        + ", ".join(f"{name} {platform.objective.text(took)}" for name, took in found.values.items())
    )
    small = sum(layer.macs for layer in found.own.workload.layers) < SMALL_NETWORK_MACS
    if small:
        torch.set_num_threads(1)

    _require_writable(problem, platform, found.own, options)
    digests = problem.digests()  # of the weights as they were given
    problem, told = balanced(problem, found.own.format)
    for line in told:
        reporter.stage(line)
    reporter.stage("iDetect: what bounds each layer")
    full = platform.at_bits(platform.full_bits)
    detection = detect(baseline.workload, full, baseline.choices, options.space.least_weight_bits)
    if options.reduction is not None:
        options = replace(options, bound=_reduced(options, found, platform))

    reporter.stage("iSpace: axes from the labels")
    opened = opening(problem, platform, found, options, reporter)
    start, space = opened.start, opened.space
    options = replace(options, format=start.format)
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
        opened.seeds,
        evaluator,
        settings,
        small,
    )


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
