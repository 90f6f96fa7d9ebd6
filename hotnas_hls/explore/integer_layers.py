"""The layers of a network under a compression, in a number format, exactly as they would be built."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.pixel_packing import prunable
from hotnas_hls.explore.arrangement import PLAIN, Arrangement
from hotnas_hls.explore.workload import Workload, edited_graph, with_formats
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.cut_paths import cut_paths
from hotnas_hls.models.edits import editable
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lowered import LoweredLayer, Weights

if TYPE_CHECKING:
    from torch import nn

FULL_PRECISION = 16  # bits of the uncompressed network that HotNAS reduces from
PLAIN_BITS = 8  # of the one that needs no search
EXACT_BITS = 2  # of layers whose weights are all one power of two: additions, copies, means of 2^k pixels


@dataclass(frozen=True)
class IntegerFormat:
    """Widths of the integer network, how it is laid, and how many images its formats are chosen on."""

    act_bits: int = 16
    weight_bits: int = 16  # of layers that are not narrowed
    calibration_images: int = 128  # of the training images
    clip: bool = True  # saturate rare values where that is the smaller error
    refit_images: int = 256  # of them, on which the integers are fitted (search.fitting.refit)
    arrangement: Arrangement = PLAIN

    def at_bits(self, bits: int) -> IntegerFormat:
        """The same, activations and weights of ``bits`` bits."""
        return dataclasses.replace(self, act_bits=bits, weight_bits=bits)


def lowered_layers(graph: Graph, form: IntegerFormat, compression: Compression) -> tuple[Layer, ...]:
    """The layers of ``graph`` under ``compression``, exactly as they would be built."""
    return form.arrangement.layers(*_lowered(graph, form, compression))


def _lowered(graph: Graph, form: IntegerFormat, compression: Compression) -> tuple[tuple[Layer, ...], str]:
    """The same before pixels are packed, and the name of the image."""
    edited = edited_graph(graph, cut_paths(graph), compression)
    lowered = form.arrangement.lower(fold_shapes(edited), form.weight_bits)
    widths = default_widths(lowered.layers, form)
    layers = tuple(
        dataclasses.replace(layer, weight_bits=widths.get(layer.name, layer.weight_bits))
        for layer in lowered.shapes
    )
    return with_formats(layers, compression), lowered.image


def workload_of(graph: Graph, model: nn.Module | None, form: IntegerFormat) -> Workload:
    """The uncompressed network as the search sees it; without a torch module nothing can be edited."""
    layers, image = _lowered(graph, form, Compression())
    names = {layer.name for layer in layers}
    allowed = editable(model, graph)
    packing = form.arrangement.packing(layers, image)
    spreads = packing.spreads(layers) if packing else {}
    relaid = form.arrangement.stem is not Stem.PLAIN
    fixed = {
        layer.name
        for layer in layers
        if (layer.source == image and relaid) or (layer.name in spreads and not prunable(layer))
    }

    def without(readers: tuple[str, ...]) -> tuple[Layer, ...]:
        return _lowered(graph, form, Compression(skips_cut=readers))[0]

    return Workload(
        graph.name,
        layers,
        allowed.paths,
        allowed.convolutions & names - fixed,  # the others: neither patterns nor larger kernels
        allowed.narrowable & names,
        arranged=packing.layers if packing else tuple,
        spreads=spreads,
        skips={} if packing else allowed.skips,  # which maps are packed depends on what is joined
        lowered_without=functools.cache(without),
    )


def default_widths(lowered: tuple[LoweredLayer, ...], form: IntegerFormat) -> dict[str, int]:
    """Weight width of every layer that has weights and is not narrowed."""
    return {
        item.layer.name: EXACT_BITS if _is_exact(item) else form.weight_bits
        for item in lowered
        if item.layer.kind is not LayerKind.MAXPOOL
    }


def _is_exact(item: LoweredLayer) -> bool:
    """True where every weight is 0 or one power of two, which two bits hold."""
    area = item.layer.kernel_rows * item.layer.kernel_columns
    return item.weights in (Weights.COPY, Weights.SUBSAMPLE, Weights.MEAN) and not area & (area - 1)
