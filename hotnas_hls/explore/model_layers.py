"""The layers the accelerator would run for a network by name, and what the network asks of the design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.image_layout import ImageLayout
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.residency import keep_maps, keep_weights
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.explore.arrangement import PLAIN, Arrangement
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lower import channel_blocks, concat_alignment


@dataclass(frozen=True)
class ModelLayers:
    """An uncompressed network as the true rule sees it."""

    name: str
    layers: tuple[Layer, ...]
    blocks: tuple[int, ...]  # channel blocks its concatenations allow
    feature_maps: tuple[FeatureMap, ...]
    image: str
    host: HostWork
    image_layout: ImageLayout | None = None  # None: the stem is plain
    arrangement: Arrangement = PLAIN

    def maps_kept(self, accel: Accelerator) -> ModelLayers:
        """The same network with as many maps on chip as ``accel`` has words for."""
        layers = keep_maps(self.layers, self.feature_maps, self.image, self.host.maps, accel)
        return replace(self, layers=layers)

    def weights_kept(
        self, accel: Accelerator, tiles: Mapping[str, Tile], memory: MemoryTiming
    ) -> ModelLayers:
        """The same network with those weights on chip that save most, as ``accel`` has planes for."""
        return replace(self, layers=keep_weights(self.layers, accel, tiles, memory))

    def pruned(self, ones: int, rows: int = 1) -> ModelLayers:
        """The same network, each 3x3 convolution over all channels pruned to ``ones`` positions.

        rows: output channels in a row that share their patterns. Layers on packed maps stay as they are:
        their kernels are patterns already.
        """
        layers = tuple(
            replace(layer, pattern_ones=ones, pattern_rows=rows)
            if layer.kind is LayerKind.CONV
            and (layer.kernel_rows, layer.kernel_columns) == (3, 3)
            and layer.pattern_ones is None
            else layer
            for layer in self.layers
        )
        return replace(self, layers=layers)


def load_layers(
    model: str,
    input_shape: tuple[int, ...] | None = None,
    weight_bits: int = 16,
    act_bits: int = 16,
    arrangement: Arrangement = PLAIN,
) -> ModelLayers:
    """The network that ``model`` names (a zoo name, package.module:function, x.onnx); see ``load_model``."""
    from hotnas_hls.frontends.source import load_model

    own = ":" in model or model.endswith(".onnx")  # no network of the zoo
    graph = load_model(model, None, input_shape, proven=own).graph
    return layers_of(graph, weight_bits, act_bits, arrangement)


def layers_of(
    graph: Graph, weight_bits: int = 16, act_bits: int = 16, arrangement: Arrangement = PLAIN
) -> ModelLayers:
    """The layers of a graph, as the search would build them without compression."""
    from hotnas_hls.explore.integer_layers import IntegerFormat, lowered_layers
    from hotnas_hls.models.compression import Compression
    from hotnas_hls.network.fold import fold_shapes

    lowered = arrangement.lower(fold_shapes(graph))
    maps, layout = arrangement.maps(lowered)
    return ModelLayers(
        graph.name,
        lowered_layers(graph, IntegerFormat(act_bits, weight_bits, arrangement=arrangement), Compression()),
        channel_blocks(act_bits, concat_alignment(lowered)),
        tuple(maps.values()),
        lowered.image,
        lowered.host,
        layout,
        arrangement,
    )
