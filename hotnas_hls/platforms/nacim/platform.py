"""Compute in memory as a platform of the search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.network.operations import WEIGHTED, Operation
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.nacim.constants import CrossbarConstants, load_constants
from hotnas_hls.platforms.nacim.model import CrossbarLayer, crossbar_layer, crossbar_violations
from hotnas_hls.platforms.nacim.variation import accuracy_under_variation
from hotnas_hls.platforms.operators import OperatorPlatform
from hotnas_hls.platforms.platform import LayerCost, Remedy
from hotnas_hls.platforms.variation import Varied

ENERGY = Metric("energy_uj", "uJ", "one image: crossbars, converters, buffers, routers")
AREA = Metric("area_mm2", "mm2", "crossbars and converters, without buffers, routers and digital logic")
SPEED = Metric("images_per_s", "1/s", "layers as a pipeline: at the pace of the slowest", more_is_better=True)


class ComputeInMemoryPlatform(OperatorPlatform[CrossbarConstants]):
    """Crossbars for every layer; the layers of an image run one after the other."""

    registered: ClassVar[str] = "nacim"
    titled: ClassVar[str] = "compute in memory with {}'s constants"
    about: ClassVar[str] = "compute in memory: weights in crossbars, columns through shared converters"
    metrics: ClassVar[tuple[Metric, ...]] = (LATENCY, ENERGY, AREA, SPEED)
    multiple = 8
    remedies_of: ClassVar[Mapping[str, tuple[Remedy, ...]]] = {
        "A": (Remedy.CHANNEL_CUT, Remedy.WEIGHT_BITS, Remedy.ACT_BITS),  # fewer columns, fewer steps
        "X": (Remedy.CHANNEL_CUT, Remedy.WEIGHT_BITS, Remedy.ACT_BITS),  # fewer crossbars, fewer steps
        "B": (Remedy.CHANNEL_CUT, Remedy.ACT_BITS),
    }
    load_constants = staticmethod(load_constants)

    def broken(self, layers: Sequence[Operation]) -> list[str]:
        """Widths beyond what the constants are for."""
        return [problem for one in layers for problem in crossbar_violations(one, self.constants)]

    def layer_costs(self, layers: Sequence[Operation]) -> tuple[tuple[LayerCost, ...], dict[str, float]]:
        """Every layer with weights. Labels: A converters, X crossbars, B buffers."""
        found = [(one.name, crossbar_layer(one, self.constants)) for one in layers if one.kind in WEIGHTED]
        costs = {of: [self._cost(name, layer, of) for name, layer in found] for of in self._summed}
        totals = {metric: sum(one.total for one in rows) for metric, rows in costs.items()}
        slowest = max(one.total for one in costs[LATENCY.name])
        return tuple(costs[self.objective.name]), totals | {SPEED.name: 1000 / slowest}

    @property
    def weight_noise(self) -> int:
        """The deviation of a cell: most of what a weight is off by comes from that of its highest bits."""
        return round(1000 * self.constants.cell_deviation)

    def varied(
        self,
        network: IntegerNetwork,
        layers: Sequence[Operation],
        worth: Callable[[IntegerNetwork], float],
        images: int,
        seed: int,
        chips: int,
    ) -> Varied:
        """The accuracy on chips whose cells deviate."""
        return accuracy_under_variation(network, layers, self.constants, worth, images, chips, seed)

    _summed = (LATENCY.name, ENERGY.name, AREA.name)

    def _cost(self, name: str, layer: CrossbarLayer, metric: str) -> LayerCost:
        if metric == LATENCY.name:
            read, convert = (1000 * part for part in layer.seconds(self.constants))
            label = "A" if convert > read else "X"
            return LayerCost(name, max(read, convert), {"crossbars": read, "converters": convert}, label)
        if metric == ENERGY.name:
            parts = dict(zip("XAB", layer.microjoules(self.constants), strict=True))
        else:
            parts = dict(zip("XA", layer.square_millimetres(self.constants), strict=True))
        words = {"X": "crossbars", "A": "converters", "B": "buffers"}
        label = max(parts, key=lambda letter: parts[letter])
        return LayerCost(name, sum(parts.values()), {words[k]: v for k, v in parts.items()}, label)
