"""Platforms whose workload is what this project's accelerator runs: the layers of the lowered network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotnas_hls.accel.image_layout import StemChoice
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements
from hotnas_hls.explore.integer_layers import FULL_PRECISION, IntegerFormat, lowered_layers, workload_of
from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression
from hotnas_hls.network.graph import Graph
from hotnas_hls.platforms.metric import LATENCY, Metric

if TYPE_CHECKING:
    from torch import nn


class LayeredPlatform:
    """The part of :class:`~hotnas_hls.platforms.platform.Platform` that makes the workload."""

    objective: Metric = LATENCY
    full_bits: int = FULL_PRECISION

    def arrangements(self, graph: Graph, stem: StemChoice, packed: PackingChoice) -> tuple[Arrangement, ...]:
        """Every one that the network allows, of those asked for."""
        return allowed_arrangements(graph, stem, packed)

    def workload(self, graph: Graph, model: nn.Module | None, form: IntegerFormat) -> Workload:
        """The uncompressed network, lowered."""
        return workload_of(graph, model, form)

    def layers(self, graph: Graph, form: IntegerFormat, compression: Compression) -> tuple[Layer, ...]:
        """The layers as they would be built."""
        return lowered_layers(graph, form, compression)
