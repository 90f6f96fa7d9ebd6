"""What the strongest edits bring in time: the latency side of a search, without weights or training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression
from hotnas_hls.platforms.platform import Choices, Cost, Platform, measured
from hotnas_hls.platforms.space import AxisKind, Candidate, SearchSpace
from hotnas_hls.search.detecting.detect import price
from hotnas_hls.search.detecting.reductions import Reduction, reductions
from hotnas_hls.search.detecting.start import Start, Starts
from hotnas_hls.search.proposing.generate import (
    PATTERN_STRENGTHS,
    PatternZeros,
    SpaceOptions,
    choices_of,
    compression_of,
    generate_space,
    ladder,
)


@dataclass(frozen=True)
class Strongest:
    """The fastest design of the search space, of all arrangements."""

    found: Starts
    start: Start  # in its arrangement
    compression: Compression
    choices: Choices
    cost: Cost
    reductions: tuple[Reduction, ...]
    published: float  # the objective's, with patterns of the published sets only

    @property
    def baseline(self) -> Start:
        """The best 16-bit uncompressed design."""
        return self.found.full

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        slowest, work = self.cost.slowest, self.cost.work
        return {
            "baseline_ms": self.baseline.value,
            "uncompressed_ms": self.found.values,
            "arrangement": str(self.start.format.arrangement),
            "published_ms": self.published,
            "ms": self.cost.value,
            "shares": self.cost.shares(),
            "slowest": {"layer": slowest.layer, "share": slowest.total / work, "term": slowest.label},
            "hardware": dict(self.choices),
            "edits": self.compression.record(),
            "reductions": [step.record() for step in self.reductions],
        }


def strongest_edits(found: Starts, platform: Platform, options: SpaceOptions) -> Strongest:
    """The fastest candidate that iSpace holds for a network; what it costs in accuracy is not asked.

    Patterns are as strong as a bound may make them, unless ``options`` says which.
    """

    def fastest(zeros: PatternZeros) -> tuple[Cost, Start, Compression, Choices]:
        strengths = replace(options, pattern_zeros=options.pattern_zeros or zeros)
        tried = (_fastest(start, platform, strengths) for start in found.arranged)
        return min(tried, key=lambda one: one[0].value)

    cost, start, compression, choices = fastest(PATTERN_STRENGTHS[-1])
    steps = reductions(found.full, start, platform, compression, choices, cost)
    published, *_ = fastest(PATTERN_STRENGTHS[0])
    return Strongest(found, start, compression, choices, cost, steps, published.value)


def _fastest(
    start: Start, platform: Platform, options: SpaceOptions
) -> tuple[Cost, Start, Compression, Choices]:
    """The fastest candidate of an arrangement."""
    space = generate_space(start.workload, platform, start.choices, options)
    candidate = fastest_candidate(start.workload, platform, space, ladder(space, 2)[-1])
    compression, choices = compression_of(candidate, space), choices_of(candidate, space)
    layers = start.workload.compressed(compression)
    cost = measured(platform, layers, platform.design(layers, choices))
    return cost, start, compression, choices


def fastest_candidate(
    workload: Workload, platform: Platform, space: SearchSpace, strongest: Candidate
) -> Candidate:
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
        for axis in space.axes:
            if axis.kind is AxisKind.HARDWARE:
                continue
            costs = {}
            for option in axis.options:
                layers = workload.compressed(compression_of({**values, axis.name: option}, space))
                priced = price(platform, layers, choices)
                costs[option] = priced.total if priced else float("inf")
            kept = values[axis.name]
            values[axis.name] = min(costs, key=lambda option: (costs[option], option != kept))
    return Candidate(values)
