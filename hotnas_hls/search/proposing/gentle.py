"""The gentlest candidates that meet a bound: edits in the order of the time they save for the harm they do.

A ladder of even strength edits every layer alike. Here each edit of a layer is priced, and its harm measured
(:mod:`~hotnas_hls.search.proposing.sensitivity`); the edits that save most for their harm come first, until
the bound, or a shorter latency, is met.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hotnas_hls.explore.workload import Workload
from hotnas_hls.platforms.platform import Choices, Platform, measured
from hotnas_hls.platforms.space import Axis, Candidate, SearchSpace
from hotnas_hls.search.detecting.detect import price
from hotnas_hls.search.proposing.generate import choices_of, compression_of
from hotnas_hls.search.proposing.sensitivity import KINDS, Harms

SHARES = (1.0, 0.95, 0.9)  # of the bound that are met
LEAST_HARM = 1e-9


def gentle_candidates(
    workload: Workload,
    platform: Platform,
    space: SearchSpace,
    untouched: Candidate,
    harms: Harms,
    bound: float,
    hardware: Sequence[Choices] = (),
) -> list[Candidate]:
    """Candidates from ``untouched`` that just meet ``bound`` and shares of it, each once, if they can.

    hardware: what candidates may have instead of its own; none: they keep that. Where there is some, each is
    tried on what is fastest for its edits too, where it may need fewer of them.
    """
    greeds = [
        _Greed(workload, platform, space, Candidate({**untouched, **choices}), harms)
        for choices in (choices_of(untouched, space), *hardware)
    ]

    def harm(candidate: Candidate) -> float:
        return harm_of(candidate, space, harms)

    def gentlest(least: float) -> Candidate | None:
        found = [candidate for greed in greeds if (candidate := greed.candidate(least)) is not None]
        if not found:
            return None
        best = min(found, key=harm)
        if hardware and harm(best) > 0:
            own = platform.explore(workload.compressed(compression_of(best, space)))
            again = dataclasses.replace(greeds[0], untouched=Candidate({**untouched, **own})).candidate(least)
            best = min((best, again or best), key=harm)
        return best

    found = [gentlest(share * bound) for share in SHARES]
    return list(dict.fromkeys(candidate for candidate in found if candidate is not None))


def harm_of(candidate: Mapping[str, int], space: SearchSpace, harms: Harms) -> float:
    """The sum of what a candidate's edits do; of those of no measured kind nothing."""
    return sum(_harm(axis, candidate[axis.name], harms) for axis in space.of_kind(*KINDS))


def _harm(axis: Axis, option: int, harms: Harms) -> float:
    return 0.0 if option == axis.options[0] else harms[axis.name, option]


@dataclass
class _Greed:
    workload: Workload
    platform: Platform
    space: SearchSpace
    untouched: Candidate
    harms: Harms

    def __post_init__(self) -> None:
        self._costs: dict[tuple[bool, str, tuple[int, ...]], float] = {}
        self.choices = choices_of(self.untouched, self.space)
        self.axes: dict[str, list[Axis]] = {}  # by layer
        for axis in self.space.of_kind(*KINDS):
            if len(axis.options) > 1:
                self.axes.setdefault(axis.layer, []).append(axis)

    def candidate(self, bound: float) -> Candidate | None:
        """Edits added, the best bargain first, until the bound is met.

        At first such edits alone as the hardware could run without others. Where these do not suffice any:
        what patterns take of the device, narrower weights may leave.
        """
        return self._added(bound, alone=True) or self._added(bound, alone=False)

    def _added(self, bound: float, alone: bool) -> Candidate | None:
        values = dict(self.untouched)
        while not self._meets(values, bound):
            bargains = list(self._bargains(values, alone))
            if not bargains:
                return None
            _, name, option = max(bargains)
            values[name] = option
        return Candidate(values)

    def _bargains(self, values: Mapping[str, int], alone: bool) -> Iterator[tuple[float, str, int]]:
        """What each stronger edit that saves time saves for its harm, the edit's axis, and its option."""
        for layer, axes in self.axes.items():
            cost = self._cost(layer, values, alone)
            for axis in axes:
                harm = _harm(axis, values[axis.name], self.harms)
                for option in axis.options[axis.options.index(values[axis.name]) + 1 :]:
                    saved = cost - self._cost(layer, {**values, axis.name: option}, alone)
                    if saved > 0:
                        more = _harm(axis, option, self.harms) - harm
                        yield saved / max(more, LEAST_HARM), axis.name, option

    def _meets(self, values: Mapping[str, int], bound: float) -> bool:
        layers = self.workload.compressed(compression_of(values, self.space))
        cost = price(self.platform, layers, self.choices)
        if cost is None or cost.value > bound:
            return False  # too slow at best
        return measured(self.platform, layers, self.platform.design(layers, self.choices)).value <= bound

    def _cost(self, layer: str, values: Mapping[str, int], alone: bool) -> float:
        """What the network costs with one layer's values, the others untouched.

        alone: infinite where the hardware cannot run it like that.
        """
        key = alone, layer, tuple(values[axis.name] for axis in self.axes[layer])
        if key not in self._costs:
            only = {**self.untouched, **{axis.name: values[axis.name] for axis in self.axes[layer]}}
            edited = self.workload.compressed(compression_of(only, self.space))
            design = self.platform.design(edited, self.choices)
            runs = not alone or not self.platform.violations(edited, design)
            self._costs[key] = self.platform.cost(edited, design).work if runs else float("inf")
        return self._costs[key]
