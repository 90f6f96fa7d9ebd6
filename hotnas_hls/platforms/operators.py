"""Platforms that are models: their workload is the network's operators, and there is no hardware to choose.

A model says what a network costs. It writes no design: nothing of it is generated, simulated or certified.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

from hotnas_hls.accel.image_layout import StemChoice
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.errors import InfeasibleDesign, raise_all
from hotnas_hls.explore.arrangement import PLAIN, Arrangement
from hotnas_hls.explore.integer_layers import FULL_PRECISION, IntegerFormat
from hotnas_hls.explore.workload import Workload, edited_graph, with_formats
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.cut_paths import cut_paths
from hotnas_hls.models.edits import editable
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.operations import Operation, free_readers, operations
from hotnas_hls.platforms.metric import Metric, metric_named
from hotnas_hls.platforms.platform import Choices, Cost, LayerCost, Relief, Remedy
from hotnas_hls.platforms.request import PlatformRequest
from hotnas_hls.platforms.space import Axis
from hotnas_hls.platforms.technology import Constants

if TYPE_CHECKING:
    from torch import nn

NOTHING: Choices = {}


class OperatorPlatform(Generic[Constants]):
    """:class:`~hotnas_hls.platforms.platform.Platform` but for its metrics, violations and costs."""

    registered: ClassVar[str]  # as the registry calls it
    titled: ClassVar[str]  # its name, with a place for that of its constants
    metrics: ClassVar[tuple[Metric, ...]]  # the first is the objective where none is chosen
    needs_board: ClassVar[bool] = False
    takes_several: ClassVar[bool] = False  # networks at once
    beside: tuple[Graph, ...] = ()  # networks that run at the same time, unedited
    constants: Constants
    name: str
    objective: Metric
    full_bits: int = FULL_PRECISION
    pattern_rows: int = 1
    remedies_of: ClassVar[Mapping[str, tuple[Remedy, ...]]]  # by label, the best first
    multiple: int = 1  # channels

    def __init__(self, constants: Constants | None = None, objective: str | None = None) -> None:
        self.constants = constants or self.load_constants()
        wanted = objective or self.metrics[0].name
        self.objective = metric_named(wanted, self.metrics, self.registered, "objective")
        self.name = self.titled.format(self.constants.name)

    @staticmethod
    def load_constants(name: str | Path = "") -> Constants:
        """Constants by name, or from a YAML file; ConfigError where there are none."""
        raise NotImplementedError

    @classmethod
    def of(cls, request: PlatformRequest) -> Self:
        """With the constants and the objective asked for."""
        constants = cls.load_constants(request.technology) if request.technology else None
        platform = cls(constants, request.objective)
        platform.beside = request.beside
        return platform

    @property
    def unit(self) -> str:
        """That of the objective."""
        return self.objective.unit

    def layer_costs(self, layers: Sequence[Operation]) -> tuple[tuple[LayerCost, ...], dict[str, float]]:
        """Costs in the objective's unit, of every layer that has any; and all metrics by name."""
        raise NotImplementedError

    def broken(self, layers: Sequence[Operation]) -> list[str]:
        """What of the network lies outside the model, each with its cure."""
        raise NotImplementedError

    # --- workload -------------------------------------------------------------------------------------

    def arrangements(self, graph: Graph, stem: StemChoice, packed: PackingChoice) -> tuple[Arrangement, ...]:
        """The network as it is."""
        return (PLAIN,)

    def workload(self, graph: Graph, model: nn.Module | None, form: IntegerFormat) -> Workload:
        """The uncompressed network's operators."""
        allowed = editable(model, graph)
        layers = self.layers(graph, form, Compression())
        readers = free_readers(layers) & allowed.narrowable  # names of networks beside it are not among them

        def without(cut: tuple[str, ...]) -> tuple[Operation, ...]:
            return self.layers(graph, form, Compression(skips_cut=cut))

        return Workload(
            graph.name,
            layers,
            allowed.paths,
            allowed.convolutions,
            allowed.narrowable,
            readers,
            skips=allowed.skips,
            lowered_without=functools.cache(without),
        )

    def layers(self, graph: Graph, form: IntegerFormat, compression: Compression) -> tuple[Operation, ...]:
        """The operators under ``compression``, then those of the networks beside it."""
        edited = edited_graph(graph, cut_paths(graph), compression)
        own = with_formats(operations(fold_shapes(edited), form.act_bits, form.weight_bits), compression)
        others = (
            one.within(f"{place}:{other.name}")
            for place, other in enumerate(self.beside, 2)
            for one in operations(fold_shapes(other), form.act_bits, form.weight_bits)
        )
        return (*own, *others)

    def at_bits(self, bits: int) -> OperatorPlatform:
        """Itself: widths are the workload's."""
        return self

    # --- design space: none ---------------------------------------------------------------------------

    def axes(self, near: Choices | None = None) -> tuple[Axis, ...]:
        """None."""
        return ()

    def explore(self, layers: Sequence[Operation]) -> Choices:
        """Nothing to choose; InfeasibleDesign where the network lies outside the model."""
        headline = f"{self.name}: outside what the model is made for:"
        raise_all(InfeasibleDesign, headline, self.violations(layers, NOTHING))
        return NOTHING

    def design(self, layers: Sequence[Operation], choices: Choices) -> Choices:
        """The same."""
        return choices

    def reliefs(self, label: str, choices: Choices) -> tuple[Relief, ...]:
        """None."""
        return ()

    def channel_multiple(self, choices: Choices) -> int:
        """Counts that are tried."""
        return self.multiple

    def remedies(self, label: str, choices: Choices) -> tuple[Remedy, ...]:
        """By label."""
        return self.remedies_of[label]

    # --- cost -----------------------------------------------------------------------------------------

    def violations(self, layers: Sequence[Operation], design: Any) -> list[str]:
        """What of the network lies outside the model."""
        return self.broken(layers)

    def cost(self, layers: Sequence[Operation], design: Any) -> Cost:
        """By the model."""
        costs, metrics = self.layer_costs(layers)
        return Cost(costs, metrics[self.objective.name], metrics, self.objective, {})
