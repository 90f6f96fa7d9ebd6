"""A mesh as a platform of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.metric import Metric
from hotnas_hls.platforms.noc.constants import MeshConstants, load_constants
from hotnas_hls.platforms.noc.model import mesh_layers, mesh_violations
from hotnas_hls.platforms.operators import OperatorPlatform
from hotnas_hls.platforms.platform import LayerCost, Remedy

PERIOD = Metric("period_ms", "ms", "between two images: the slowest layer, or the busiest link")
SPEED = Metric("images_per_s", "1/s", "the inverse of the period", more_is_better=True)


class MeshPlatform(OperatorPlatform[MeshConstants]):
    """A tile for every layer; all of them work at once, on images that follow each other."""

    registered: ClassVar[str] = "noc"
    titled: ClassVar[str] = "network on chip {}"
    about: ClassVar[str] = "network on chip: a layer a tile of a mesh, maps over its links"
    metrics: ClassVar[tuple[Metric, ...]] = (PERIOD, SPEED)
    multiple = 4
    remedies_of: ClassVar[Mapping[str, tuple[Remedy, ...]]] = {
        "C": (Remedy.CHANNEL_CUT,),
        "N": (Remedy.CHANNEL_CUT,),  # fewer bits on the link
    }
    load_constants = staticmethod(load_constants)

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
