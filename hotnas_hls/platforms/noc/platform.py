"""A mesh as a platform of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.metric import Metric, metric_named
from hotnas_hls.platforms.noc.constants import MeshConstants, load_constants
from hotnas_hls.platforms.noc.model import mesh_layers, mesh_violations
from hotnas_hls.platforms.operators import OperatorPlatform
from hotnas_hls.platforms.platform import LayerCost, Remedy
from hotnas_hls.platforms.request import PlatformRequest

PERIOD = Metric("period_ms", "ms", "between two images: the slowest layer, or the busiest link")
SPEED = Metric("images_per_s", "1/s", "the inverse of the period", more_is_better=True)


class MeshPlatform(OperatorPlatform):
    """A tile for every layer; all of them work at once, on images that follow each other."""

    about: ClassVar[str] = "network on chip: a layer a tile of a mesh, maps over its links"
    metrics: ClassVar[tuple[Metric, ...]] = (PERIOD, SPEED)
    multiple = 4
    remedies_of: ClassVar[Mapping[str, tuple[Remedy, ...]]] = {
        "C": (Remedy.CHANNEL_CUT,),
        "N": (Remedy.CHANNEL_CUT,),  # fewer bits on the link
    }

    def __init__(self, constants: MeshConstants | None = None, objective: str = PERIOD.name) -> None:
        self.constants = constants or load_constants()
        self.objective = metric_named(objective, self.metrics, "noc", "objective")
        self.name = f"network on chip {self.constants.name}"

    @classmethod
    def of(cls, request: PlatformRequest) -> MeshPlatform:
        """With the constants asked for."""
        constants = load_constants(request.technology) if request.technology else None
        return cls(constants, request.objective or PERIOD.name)

    def broken(self, layers: Sequence[Operation]) -> list[str]:
        """More layers than tiles."""
        return mesh_violations(layers, self.constants)

    def layer_costs(self, layers: Sequence[Operation]) -> tuple[tuple[LayerCost, ...], dict[str, float]]:
        """Every layer with weights by the longer of its computation and its links: C or N."""
        per_ms = self.constants.clock_mhz * 1000
        costs = []
        for one in mesh_layers(layers, self.constants):
            terms = {"compute": one.compute / per_ms, "link": one.link / per_ms}
            label = "N" if one.link > one.compute else "C"
            costs.append(LayerCost(one.name, max(terms.values()), terms, label))
        period = max(one.total for one in costs)
        return tuple(costs), {PERIOD.name: period, SPEED.name: 1000 / period}
