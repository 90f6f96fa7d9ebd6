"""What the strongest edits bring in time: the latency side of a search, without weights or training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression
from hotnas_hls.platforms.platform import Choices, Cost, Platform, measured
from hotnas_hls.platforms.space import AxisKind, Candidate, SearchSpace
from hotnas_hls.search.detecting.detect import price
from hotnas_hls.search.detecting.reductions import Reduction, reductions
from hotnas_hls.search.detecting.start import Start
from hotnas_hls.search.proposing.generate import (
    SpaceOptions,
    choices_of,
    compression_of,
    generate_space,
    ladder,
)


@dataclass(frozen=True)
class Strongest:
    """The fastest design of the search space."""

    baseline: Start
    compression: Compression
    choices: Choices
    cost: Cost
    reductions: tuple[Reduction, ...]

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "baseline_ms": self.baseline.value,
            "ms": self.cost.value,
            "hardware": dict(self.choices),
            "edits": self.compression.record(),
            "reductions": [step.record() for step in self.reductions],
        }


def strongest_edits(baseline: Start, start: Start, platform: Platform, options: SpaceOptions) -> Strongest:
    """The fastest candidate that iSpace holds for a network; what it costs in accuracy is not asked.

    ``baseline`` and ``start`` as :func:`~hotnas_hls.search.detecting.start.starts` finds them.
    """
    space = generate_space(start.workload, platform, start.choices, options)
    candidate = fastest_candidate(start.workload, platform, space, ladder(space, 2)[-1])
    compression, choices = compression_of(candidate, space), choices_of(candidate, space)
    layers = start.workload.compressed(compression)
    cost = measured(platform, layers, platform.design(layers, choices))
    steps = reductions(baseline, start, platform, compression, choices, cost)
    return Strongest(baseline, compression, choices, cost, steps)


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
