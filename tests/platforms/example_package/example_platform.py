"""A single multiplier: the smallest platform there is, registered by the entry point in pyproject.toml."""

from __future__ import annotations

from collections.abc import Sequence

from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.metric import Metric, metric_named
from hotnas_hls.platforms.operators import OperatorPlatform
from hotnas_hls.platforms.platform import LayerCost, Remedy
from hotnas_hls.platforms.request import PlatformRequest

PICOJOULES = 0.2  # a product of 8 by 8 bits and its addition, 45 nm (M. Horowitz, ISSCC 2014)


class MultiplierPlatform(OperatorPlatform):
    about = "one multiplier of the width of each layer's operands"
    metrics = (
        Metric("energy_uj", "uJ", "of all products of one image"),
        Metric("images_per_s", "1/s", "at one product a nanosecond", more_is_better=True),
    )
    remedies_of = {"multiply": (Remedy.CHANNEL_CUT, Remedy.WEIGHT_BITS)}
    multiple = 4

    def __init__(self, objective: str = "energy_uj") -> None:
        self.name = "one multiplier"
        self.objective = metric_named(objective, self.metrics, "multiplier", "objective")

    @classmethod
    def of(cls, request: PlatformRequest) -> MultiplierPlatform:
        return cls(request.objective or "energy_uj")

    def broken(self, layers: Sequence[Operation]) -> list[str]:
        return [
            f"{one.name}: weights of {one.weight_bits} bits, the multiplier takes 16; use fewer"
            for one in layers
            if one.weight_bits > 16
        ]

    def layer_costs(self, layers: Sequence[Operation]) -> tuple[tuple[LayerCost, ...], dict[str, float]]:
        costs = []
        for one in layers:
            if one.macs:
                energy = one.macs * PICOJOULES * one.act_bits * one.weight_bits / 64e6
                costs.append(LayerCost(one.name, energy, {"multiply": energy}, "multiply"))
        macs = sum(one.macs for one in layers)
        return tuple(costs), {"energy_uj": sum(one.total for one in costs), "images_per_s": 1e9 / macs}
