"""The gentlest candidates that meet a bound: edits in the order of the time they save for the harm they do.

A ladder of even strength edits every layer alike. Here each edit of a layer is priced, and its harm measured
as the share of the layer's squared weights it changes; the edits that save most for their harm come first,
until the bound is met. Fine-tuning mends pruning and rounding differently, which nobody knows beforehand:
pruned weights are counted ten times, once and by a tenth, and the search compares what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from hotnas_hls.graph import Graph
from hotnas_hls.models.edits import compress
from hotnas_hls.search.detect import Workload, price
from hotnas_hls.search.generate import choices_of, compression_of
from hotnas_hls.search.platform import Platform
from hotnas_hls.search.space import Axis, AxisKind, Candidate, SearchSpace

PRUNED_COUNTS = (10.0, 1.0, 0.1)  # shares of the harm of pruning
LEAST_HARM = 1e-12
KINDS = (AxisKind.PRUNE, AxisKind.BITS)  # of the edits chosen: they change weights, not shapes


def gentle_candidates(
    workload: Workload,
    platform: Platform,
    space: SearchSpace,
    untouched: Candidate,
    model: nn.Module,
    graph: Graph,
    bound_ms: float,
) -> list[Candidate]:
    """Candidates from ``untouched`` that just meet ``bound_ms``, each once; none where none does."""
    greed = _Greed(workload, platform, space, untouched, model, graph)
    found = [greed.candidate(count, bound_ms) for count in PRUNED_COUNTS]
    return list(dict.fromkeys(candidate for candidate in found if candidate is not None))


@dataclass
class _Greed:
    workload: Workload
    platform: Platform
    space: SearchSpace
    untouched: Candidate
    model: nn.Module
    graph: Graph
    _harms: dict[tuple[str, int], float] = field(default_factory=dict)
    _costs: dict[tuple[str, tuple[int, ...]], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.choices = choices_of(self.untouched, self.space)
        self.axes: dict[str, list[Axis]] = {}  # by layer
        for axis in self.space.of_kind(*KINDS):
            if len(axis.options) > 1:
                self.axes.setdefault(axis.layer, []).append(axis)

    def candidate(self, pruned_count: float, bound_ms: float) -> Candidate | None:
        """Edits added, the best bargain first, until the bound is met."""
        values = dict(self.untouched)
        while not self._meets(values, bound_ms):
            bargains = list(self._bargains(values, pruned_count))
            if not bargains:
                return None
            _, name, option = max(bargains)
            values[name] = option
        return Candidate(values)

    def _bargains(self, values: Mapping[str, int], pruned_count: float) -> Iterator[tuple[float, str, int]]:
        """What each stronger edit that saves time saves for its harm, the edit's axis, and its option."""
        for layer, axes in self.axes.items():
            cost = self._cost(layer, values)
            for axis in axes:
                harm = self._harm(axis, values[axis.name], pruned_count)
                for option in axis.options[axis.options.index(values[axis.name]) + 1 :]:
                    saved = cost - self._cost(layer, {**values, axis.name: option})
                    if saved > 0:
                        more = self._harm(axis, option, pruned_count) - harm
                        yield saved / max(more, LEAST_HARM), axis.name, option

    def _meets(self, values: Mapping[str, int], bound_ms: float) -> bool:
        layers = self.workload.compressed(compression_of(values, self.space))
        cost = price(self.platform, layers, self.choices)
        return cost is not None and cost.latency_ms <= bound_ms

    def _cost(self, layer: str, values: Mapping[str, int]) -> float:
        """What one layer costs with its values."""
        key = layer, tuple(values[axis.name] for axis in self.axes[layer])
        if key not in self._costs:
            edited = self.workload.compressed(compression_of(values, self.space))
            priced = price(self.platform, [each for each in edited if each.name == layer], self.choices)
            self._costs[key] = float("inf") if priced is None else priced.total
        return self._costs[key]

    def _harm(self, axis: Axis, option: int, pruned_count: float) -> float:
        """Share of a layer's squared weights that an edit changes; of pruning, ``pruned_count`` of it."""
        if option == axis.options[0]:
            return 0.0
        key = axis.name, option
        if key not in self._harms:
            edits = compression_of({**self.untouched, axis.name: option}, self.space)
            edited = compress(self.model, self.graph, edits)
            after, before = (_weight(model, axis.layer) for model in (edited, self.model))
            self._harms[key] = float((after - before).square().sum() / before.square().sum())
        return self._harms[key] * (pruned_count if axis.kind is AxisKind.PRUNE else 1.0)


def _weight(model: nn.Module, layer: str) -> Tensor:
    weight = model.get_submodule(layer).weight
    assert isinstance(weight, Tensor)
    return weight.detach()
