"""An edited torch network as the layers and integers the accelerator runs, and how accurate those are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from torch import nn

from hotnas_hls.accel.design_point import Golden
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.reference_batch import logits
from hotnas_hls.arrangement import PLAIN, Arrangement
from hotnas_hls.fold import fold_batchnorm
from hotnas_hls.graph import Graph, OpKind
from hotnas_hls.lower import LoweredLayer, LoweredNetwork, Weights
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import Split
from hotnas_hls.models.edits import cut_paths, is_editable, pattern_masks
from hotnas_hls.models.integer_module import IntegerModule, is_exact
from hotnas_hls.models.trace import trace
from hotnas_hls.quantise import dequantise, quantise, quantise_image
from hotnas_hls.search.detect import Workload
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.refit import Reals, refit
from hotnas_hls.search.workload import edited_graph, with_formats

TRAINED = (Weights.NODE, Weights.BATCHNORM)
FULL_PRECISION = 16  # bits of activations and weights that are reduced from
EXACT_BITS = 2  # of layers whose weights are all one power of two: additions, copies, means of 2^k pixels


@dataclass(frozen=True)
class IntegerFormat:
    """Widths of the integer network, how it is laid, and how many images its formats are chosen on."""

    act_bits: int = 16
    weight_bits: int = 16  # of layers that are not narrowed
    calibration_images: int = 128  # of the training images
    clip: bool = True  # saturate rare values where that is the smaller error
    refit_images: int = 256  # of them, on which the integers are fitted (search.refit)
    arrangement: Arrangement = PLAIN

    def at_full_precision(self) -> IntegerFormat:
        """The format of the network that reductions are measured against."""
        return dataclasses.replace(self, act_bits=FULL_PRECISION, weight_bits=FULL_PRECISION)


def workload_of(graph: Graph, model: nn.Module | None, form: IntegerFormat) -> Workload:
    """The uncompressed network as the search sees it; without a torch module nothing can be edited."""
    layers = lowered_layers(graph, form, Compression())
    convolutions = {node.name for node in graph if node.kind is OpKind.CONV and not node.is_depthwise}
    trained = {node.name for node in graph if node.kind in (OpKind.CONV, OpKind.LINEAR)}
    names = {layer.name for layer in layers}
    editable = {name for name in convolutions & names if model is not None and is_editable(model, name)}
    paths = {name: path for name, path in cut_paths(graph).items() if name in editable}
    rewritten = _rewritten(graph, form, layers)
    editable -= rewritten  # their kernels are re-laid: neither patterns nor larger kernels
    packed = rewritten - {layer.name for layer in layers if layer.source == graph.input.name}
    paths = {name: path for name, path in paths.items() if not packed & {name, *path.along, path.reader}}
    return Workload(graph.name, layers, paths, frozenset(editable), frozenset(trained & names))


def _rewritten(graph: Graph, form: IntegerFormat, layers: tuple[Layer, ...]) -> set[str]:
    """Names of the layers that are not what they are in the plain arrangement."""
    plain = lowered_layers(graph, dataclasses.replace(form, arrangement=PLAIN), Compression())
    return {layer.name for layer, before in zip(layers, plain, strict=True) if layer != before}


def lowered_layers(graph: Graph, form: IntegerFormat, compression: Compression) -> tuple[Layer, ...]:
    """The layers of ``graph`` under ``compression``, exactly as they would be built."""
    edited = edited_graph(graph, cut_paths(graph), compression)
    lowered = form.arrangement.lower(fold_shapes(edited), form.weight_bits)
    widths = _widths(lowered.layers, form)
    layers = tuple(
        dataclasses.replace(layer, weight_bits=widths.get(layer.name, layer.weight_bits))
        for layer in lowered.shapes
    )
    return form.arrangement.layers(with_formats(layers, compression), lowered.image)


Tune = Callable[[IntegerNetwork, Collection[str]], IntegerNetwork]  # ..., names of the layers to train


def integer_network(
    problem: Problem,
    model: nn.Module,
    compression: Compression,
    form: IntegerFormat,
    wanted: nn.Module | None = None,
    tune: Tune | None = None,
) -> IntegerNetwork:
    """The integers of an edited network as the accelerator runs them; arguments as quantised_network."""
    return form.arrangement.network(quantised_network(problem, model, compression, form, wanted, tune))


def quantised_network(
    problem: Problem,
    model: nn.Module,
    compression: Compression,
    form: IntegerFormat,
    wanted: nn.Module | None = None,
    tune: Tune | None = None,
) -> IntegerNetwork:
    """The same before its pixels are packed: it computes the same integers, here in less time.

    wanted: the network its integers are fitted to, of the same shapes; ``model`` itself where none is given.
    tune: fine-tunes them afterwards.
    """
    graph, lowered = _lowered(problem, model, form)
    images = problem.dataset.train.images
    spread = np.linspace(0, len(images) - 1, min(form.calibration_images, len(images))).astype(int)
    widths = _widths(lowered.layers, form) | dict(compression.weight_bits)
    network = quantise(graph, lowered, images[spread], form.act_bits, widths, pattern_masks(model), form.clip)
    network = _sharing_patterns(network, compression)
    if form.refit_images:
        reals = real_weights(problem, wanted, form) if wanted else _parameters(graph, lowered)
        network = refit(network, reals, images[: form.refit_images])
    return tune(network, _parameters(graph, lowered)) if tune else network


def real_weights(problem: Problem, model: nn.Module, form: IntegerFormat) -> Reals:
    """Weights and bias of the layers of a network that have some of their own, batch norms folded in."""
    return _parameters(*_lowered(problem, model, form))


def _lowered(problem: Problem, model: nn.Module, form: IntegerFormat) -> tuple[Graph, LoweredNetwork]:
    """The graph of a network, batch norms folded, and its layers."""
    graph = fold_batchnorm(trace(model, problem.graph.input.shape, problem.name))
    return graph, form.arrangement.lower(graph, form.weight_bits)


def _parameters(graph: Graph, lowered: LoweredNetwork) -> Reals:
    """Real weights and bias of the layers that have some of their own."""
    of = (item for item in lowered.layers if item.weights in TRAINED)
    return {item.layer.name: item.parameters(graph) for item in of}


def _sharing_patterns(network: IntegerNetwork, compression: Compression) -> IntegerNetwork:
    """``network`` with the channels in a row that were made to share patterns; more may do by chance."""
    layers = tuple(
        dataclasses.replace(layer, pattern_rows=compression.patterns[layer.name].rows)
        if layer.name in compression.patterns
        else layer
        for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers)


def integer_accuracy(network: IntegerNetwork, split: Split) -> float:
    """Share of images the integer network classifies right."""
    return float((answers(network, split.images).argmax(axis=1) == split.labels).mean())


def answers(network: IntegerNetwork, images: np.ndarray) -> np.ndarray:
    """Outputs float32 (B, classes) of the integer network: by torch where it is exact, else the reference."""
    if is_exact(network):
        return IntegerModule(network).logits(images)
    return dequantise(network, network.logits, logits(network, quantise_image(network, images)))


def golden(network: IntegerNetwork, split: Split, count: int) -> Golden:
    """The first images as the accelerator reads them, for the test benches."""
    some = split.first(count)
    return Golden(quantise_image(network, some.images), some.labels)


def fold_shapes(graph: Graph) -> Graph:
    """``graph`` without its batch norms' numbers and without those that fold away; shapes only."""
    without = [
        dataclasses.replace(node, parameters={}) if node.kind is not OpKind.BATCHNORM else node
        for node in graph
    ]
    return _drop_folded(Graph(graph.name, without))


def _drop_folded(graph: Graph) -> Graph:
    """As fold_batchnorm does, but only the structure."""
    stands_for: dict[str, str] = {}
    kept = []
    for node in graph:
        node = dataclasses.replace(node, inputs=tuple(stands_for.get(name, name) for name in node.inputs))
        if node.kind is OpKind.BATCHNORM:
            source = graph[graph[node.name].inputs[0]]
            alone = len(graph.consumers(source.name)) == 1
            if source.kind in (OpKind.CONV, OpKind.LINEAR) and alone:
                stands_for[node.name] = source.name
                continue
        kept.append(node)
    return Graph(graph.name, kept)


def _widths(lowered: tuple[LoweredLayer, ...], form: IntegerFormat) -> dict[str, int]:
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
