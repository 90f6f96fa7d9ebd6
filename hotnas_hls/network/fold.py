"""Batch normalisation into the weights, or into the batch norm, of the layer before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hotnas_hls.network.activation import affine
from hotnas_hls.network.graph import Graph, Node, OpKind

FOLDED_INTO = (OpKind.CONV, OpKind.LINEAR, OpKind.BATCHNORM)


def fold_batchnorm(graph: Graph) -> Graph:
    """The same network without the batch norms that alone read a convolution, linear layer or batch norm.

    Nor those of one factor and offset for all channels that alone read an activation. The layer keeps its
    name and takes the norm's place. A batch norm behind anything else stays (pre-activation networks).
    ``graph`` is not changed.
    """
    return _fold(graph, folded)


def fold_affine(graph: Graph) -> Graph:
    """The same where the batch norm has no statistics: it is a factor and an offset, not to be measured."""
    return _fold(graph, folded, lambda norm: norm.is_affine)


def fold_shapes(graph: Graph) -> Graph:
    """What :func:`fold_batchnorm` leaves, shapes only: no weights, but the numbers of the norms that stay."""
    without = [node if node.kind is OpKind.BATCHNORM else replace(node, parameters={}) for node in graph]
    return _fold(
        Graph(graph.name, without, graph.host),
        lambda layer, norm: layer if layer.kind in (OpKind.CONV, OpKind.LINEAR) else folded(layer, norm),
    )


def _fold(
    graph: Graph, merged: Callable[[Node, Node], Node], wanted: Callable[[Node], bool] = lambda norm: True
) -> Graph:
    """``graph`` with every ``wanted`` batch norm that folds merged into its layer."""
    nodes: dict[str, Node] = {}
    stands_for: dict[str, str] = {}  # folded batch norm -> the layer that took its place
    for node in graph:
        node = replace(node, inputs=tuple(stands_for.get(source, source) for source in node.inputs))
        if node.kind is OpKind.BATCHNORM:
            layer = nodes[node.inputs[0]]
            read_by_others = graph.readers(graph[node.name].inputs[0]) > 1
            if wanted(node) and _takes(layer, node) and not read_by_others:
                nodes[layer.name] = merged(layer, node)
                stands_for[node.name] = layer.name
                continue
        nodes[node.name] = node
    return Graph(graph.name, list(nodes.values()), graph.host.renamed(stands_for))


def _takes(layer: Node, norm: Node) -> bool:
    """Whether ``norm`` can be folded into ``layer``."""
    if layer.kind is not OpKind.ACTIVATION:
        return layer.kind in FOLDED_INTO
    return all(np.ptp(values) == 0 for values in norm.parameters.values())


def folded(layer: Node, norm: Node) -> Node:
    """``layer`` with the per-channel scale and offset of ``norm`` in its weight and bias, or its function."""
    of = {role: array.astype(np.float64) for role, array in norm.parameters.items()}
    scale = of["weight"] / np.sqrt(of["var"] + norm.epsilon)
    if layer.activation is not None:
        offset = of["bias"] - of["mean"] * scale
        return replace(layer, activation=layer.activation.then(affine(scale[0], offset[0])))
    if layer.kind is OpKind.BATCHNORM:
        changed = {
            "weight": layer.parameters["weight"] * scale,
            "bias": (layer.parameters["bias"] - of["mean"]) * scale + of["bias"],
        }
        parameters = layer.parameters | {role: array.astype(np.float32) for role, array in changed.items()}
        return replace(layer, parameters=parameters)
    weight = layer.parameters["weight"]
    bias = layer.parameters.get("bias", np.zeros(len(scale)))
    new_weight = weight * scale.reshape(-1, *([1] * (weight.ndim - 1)))
    new_bias = (bias - of["mean"]) * scale + of["bias"]
    parameters = {"weight": new_weight.astype(np.float32), "bias": new_bias.astype(np.float32)}
    return replace(layer, parameters=parameters)
