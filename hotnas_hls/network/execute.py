"""Float reference of a network graph in numpy: the outputs of all nodes for a batch of images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from math import prod

import numpy as np

from hotnas_hls.network.graph import Graph, Node, OpKind
from hotnas_hls.network.parts import part_weights

Array = np.ndarray

WIDE_ENOUGH = 256  # columns from which a matrix product runs at full speed

def run(graph: Graph, images: Array, keep: Collection[str] | None = None) -> dict[str, Array]:
    """Node outputs, each float32 (images, *node.shape), for ``images`` (images, channels, rows, columns).

    ``keep`` names the nodes to return (all by default); others are freed as soon as their readers are done.
    ValueError if the images do not have the shape of the graph's input.
    """
    if images.ndim != 4 or images.shape[1:] != graph.input.shape:
        raise ValueError(f"images are {images.shape}, the network reads (images, *{graph.input.shape})")
    last_reader = {source: node.name for node in graph for source in node.inputs}
    values: dict[str, Array] = {graph.input.name: np.asarray(images, dtype=np.float32)}
    kept: dict[str, Array] = {}
    for node in graph:
        if node.kind is not OpKind.INPUT:
            values[node.name] = OPERATORS[node.kind](node, *(values[source] for source in node.inputs))
        if keep is None or node.name in keep:
            kept[node.name] = values[node.name]
        for source in set(node.inputs):
            if last_reader[source] == node.name:
                del values[source]
    return kept


def conv(node: Node, x: Array) -> Array:
    """Convolution, in groups or depthwise too."""
    weight = node.parameters["weight"]
    x = _padded(x, node, 0.0)
    if node.is_depthwise:
        out = np.zeros((len(x), *node.shape), dtype=np.float32)
        for (row, column), window in _windows(x, node):
            out += window * weight[None, :, 0, row, column, None, None]
    else:
        out = np.empty((len(x), *node.shape), dtype=np.float32)
        flat = part_weights(weight, node.groups).reshape(len(weight), -1)
        together = 1 + WIDE_ENOUGH // prod(node.shape[1:])
        for first in range(0, len(x), together):
            images = slice(first, first + together)
            sums = flat @ _patches(x[images], node)
            out[images] = sums.reshape(len(flat), -1, *node.shape[1:]).swapaxes(0, 1)
    return _biased(out, node)


def linear(node: Node, x: Array) -> Array:
    """Fully connected layer."""
    out = x.reshape(len(x), -1) @ node.parameters["weight"].T
    return _biased(out[:, :, None, None], node)


def batchnorm(node: Node, x: Array) -> Array:
    """Normalisation by running statistics."""
    of = {role: array[:, None, None] for role, array in node.parameters.items()}
    out = x - of["mean"]
    out *= of["weight"] / np.sqrt(of["var"] + np.float32(node.epsilon))
    out += of["bias"]
    return out


def maxpool(node: Node, x: Array) -> Array:
    """Maximum of each window; padding never wins."""
    out = np.full((len(x), *node.shape), -np.inf, dtype=np.float32)
    for _, window in _windows(_padded(x, node, -np.inf), node):
        np.maximum(out, window, out=out)
    return out


def avgpool(node: Node, x: Array) -> Array:
    """Mean of each window, over the padding too."""
    total = np.zeros((len(x), *node.shape), dtype=np.float32)
    for _, window in _windows(_padded(x, node, 0.0), node):
        total += window
    return total / np.float32(node.kernel[0] * node.kernel[1])


def subsample(node: Node, x: Array) -> Array:
    """Every stride-th row and column, zero channels before and after."""
    strided = _padded(x, node, 0.0)[:, :, :: node.stride[0], :: node.stride[1]]
    return np.pad(strided, ((0, 0), node.channel_pad, (0, 0), (0, 0)))


def activation(node: Node, x: Array) -> Array:
    """A function of each value."""
    if node.activation is None:
        raise ValueError(f"{node.name}: an activation without a function")
    return node.activation(x)


OPERATORS: dict[OpKind, Callable[..., Array]] = {
    OpKind.CONV: conv,
    OpKind.LINEAR: linear,
    OpKind.BATCHNORM: batchnorm,
    OpKind.RELU: lambda node, x: np.maximum(x, 0),
    OpKind.CLIP: lambda node, x: np.clip(x, *node.bounds),
    OpKind.ACTIVATION: activation,
    OpKind.MAXPOOL: maxpool,
    OpKind.AVGPOOL: avgpool,
    OpKind.ADD: lambda node, one, other: one + other,
    OpKind.MULTIPLY: lambda node, one, other: one * other,
    OpKind.CONCAT: lambda node, *maps: np.concatenate(maps, axis=1),
    OpKind.SUBSAMPLE: subsample,
    OpKind.FLATTEN: lambda node, x: x.reshape(len(x), *node.shape),
    OpKind.ROWS: lambda node, *maps: np.stack(maps, axis=3).reshape(len(maps[0]), *node.shape),
    OpKind.PIXELS: lambda node, x: x.reshape(len(x), *node.shape),
}


def _biased(out: Array, node: Node) -> Array:
    """``out`` (images, channels, ...), changed in place where the node has a bias."""
    if "bias" in node.parameters:
        out += node.parameters["bias"][:, None, None]
    return out


def _patches(images: Array, node: Node) -> Array:
    """What each output pixel of each image meets: (channels x kernel positions, images x pixels)."""
    windows = [window.swapaxes(0, 1) for _, window in _windows(images, node)]
    return np.stack(windows, axis=1).reshape(len(windows) * images.shape[1], -1)


def _padded(x: Array, node: Node, value: float) -> Array:
    if node.padding == (0, 0, 0, 0):
        return x
    top, left, bottom, right = (max(0, zeros) for zeros in node.padding)
    first_row, first_column, rows_cut, columns_cut = (max(0, -zeros) for zeros in node.padding)
    inside = x[..., first_row : x.shape[-2] - rows_cut, first_column : x.shape[-1] - columns_cut]
    around = [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)]
    return np.pad(inside, around, constant_values=value)


def _windows(x: Array, node: Node) -> Iterator[tuple[tuple[int, int], Array]]:
    """For every kernel position: the input cells it meets, one for each output pixel."""
    _, rows, columns = node.shape
    for row in range(node.kernel[0]):
        for column in range(node.kernel[1]):
            top, left = row * node.dilation[0], column * node.dilation[1]
            yield (
                (row, column),
                x[
                    ...,
                    top : top + (rows - 1) * node.stride[0] + 1 : node.stride[0],
                    left : left + (columns - 1) * node.stride[1] + 1 : node.stride[1],
                ],
            )
