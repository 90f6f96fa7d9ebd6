"""Maps larger than what they are made of: nearest neighbours, depth to space, transposed convolutions.

Such a tensor holds channels of a map of R x K pixels spread over S R x T K: pixel (S r + i, T k + j) of each
of its channels is pixel (r, k) of one channel, which (i, j) decides. It is made exactly of what there is:

1. the map of each i, its channels beside each other for every j: the convolution that makes the map, with
   those of its outputs, or a convolution that chooses channels, or the map itself;
2. ROWS, the rows of these in turn, which costs nothing where a layer makes them;
3. PIXELS, a single column of all pixels, which costs nothing;
4. a convolution of 1 x T weights, with T - 1 zeros around, that makes T columns of each pixel, each of those
   channels that are its own; PIXELS again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hotnas_hls.frontends.constants import onto, parameters_of
from hotnas_hls.frontends.nodes import Nodes, details_of
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network.graph import Node, OpKind

BESIDE = 8  # channels that a convolution spreads together: more take more multiplications, fewer more layers
CHANNELWISE = (OpKind.RELU, OpKind.CLIP, OpKind.ACTIVATION, OpKind.BATCHNORM)


class Spreader(Nodes):
    """Makes nodes for spread tensors."""

    def __init__(self, name: str, batch: int) -> None:
        """batch: images of the run that is read."""
        super().__init__(name, batch)
        self._spreads: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def _spread(self, where: str, value: Value) -> Value | None:
        """A tensor of three axes as a node's map, where it is channels of a map spread over more pixels."""
        channels = _spread_channels(value)
        if channels is None or channels.shape[0] * channels.shape[1] == 1:
            return None
        key = value.name, value.dims, channels.tobytes()
        if key not in self._spreads:
            self._spreads[key] = self._spread_over(where, value, channels)
        return self._spreads[key]

    def _spread_over(self, where: str, value: Value, channels: np.ndarray) -> Value:
        """A node of the tensor; ``channels`` (S, T, C) as :func:`_spread_channels` has it."""
        down, across, count = channels.shape
        _, rows, columns = value.shape
        same = bool((channels == channels[:, :1]).all())  # columns that repeat: nothing to choose
        beside = channels[:, 0] if same else channels.transpose(0, 2, 1).reshape(down, count * across)
        parts = [self._chosen(where, value.name, own) for own in beside]
        whole = parts[0]
        if down > 1:
            shape = (beside.shape[1], down * rows, columns)
            whole = self._add(where, OpKind.ROWS, parts, shape)
        if across > 1:
            whole = self._in_columns(where, whole, across, same)
        return whole

    def _in_columns(self, where: str, whole: Value, across: int, same: bool) -> Value:
        """Each pixel as ``across`` of them: all alike, or each of every so many channels."""
        inputs, rows, columns = whole.shape
        outputs = inputs if same else inputs // across
        groups = outputs if same else outputs // BESIDE if outputs % BESIDE == 0 else 1
        weight = np.ones((outputs, 1, 1, across))
        if not same:
            each = outputs // groups
            chosen = np.zeros((each, each, across, across))
            for column in range(across):  # the only pixel lies as far before the last weight as the column
                chosen[np.arange(each), np.arange(each), column, across - 1 - column] = 1
            weight = np.tile(chosen.reshape(each, each * across, 1, across), (groups, 1, 1, 1))
        single = self._add(where, OpKind.PIXELS, [whole], (inputs, rows * columns, 1))
        several = self._add(
            where,
            OpKind.CONV,
            [single],
            (outputs, rows * columns, across),
            kernel=(1, across),
            padding=(0, across - 1, 0, across - 1),
            groups=groups,
            parameters=parameters_of(weight=weight),
        )
        return self._add(where, OpKind.PIXELS, [several], (outputs, rows, across * columns))

    def _chosen(self, where: str, name: str, channels: np.ndarray) -> Value:
        """Those channels of a node's map, computed by what makes the node where that is cheaper."""
        node = self.nodes[name]
        whole = Value(name, node.shape, node.shape)
        if np.array_equal(channels, np.arange(node.shape[0])):
            return whole
        shape = (len(channels), *node.shape[1:])
        if node.kind in CHANNELWISE:
            source = self._chosen(where, node.inputs[0], channels)
            of = {role: values[channels] for role, values in node.parameters.items()}
            return self._add(where, node.kind, [source], shape, parameters=of, **details_of(node))
        if node.kind is OpKind.CONV and node.groups == 1:
            read = self.nodes[node.inputs[0]]
            source = Value(read.name, read.shape, read.shape)
            details, of = _trimmed(node, {role: values[channels] for role, values in node.parameters.items()})
            return self._add(where, node.kind, [source], shape, parameters=of, **details)
        weight = onto(np.eye(len(channels))[:, :, None, None], channels, node.shape[0])
        return self._add(where, OpKind.CONV, [whole], shape, parameters=parameters_of(weight=weight))


def _spread_channels(value: Value) -> np.ndarray | None:
    """The channel of every pixel (i, j) and channel, (S, T, C); None where the tensor is not a spread map."""
    channels, rows, columns = value.shape
    if value.order is None or len(value.dims) != 3 or value.dims[1] % rows or value.dims[2] % columns:
        return None
    down, across = value.dims[1] // rows, value.dims[2] // columns
    places = value.elements.reshape(value.dims[0], rows, down, columns, across).transpose(2, 4, 0, 1, 3)
    first = places[..., 0, 0] // (rows * columns)
    pixels = np.arange(rows * columns).reshape(rows, columns)
    wanted = first[..., None, None] * (rows * columns) + pixels
    return first if (first >= 0).all() and (places == wanted).all() else None


def strided_channels(value: Value) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Channels that are every S-th row and T-th column of a map: (C, 3) and (S, T); None for any other.

    Of each its channel of the map, and its first row and column, below S and T.
    """
    _, rows, columns = value.shape
    if value.order is None or len(value.dims) != 3 or rows % value.dims[1] or columns % value.dims[2]:
        return None
    down, across = rows // value.dims[1], columns // value.dims[2]
    first = value.order[:, 0, 0]
    origins = np.stack([first // (rows * columns), first // columns % rows, first % columns], axis=1)
    beyond = np.add.outer(np.arange(0, rows, down) * columns, np.arange(0, columns, across))
    regular = np.array_equal(value.order, first[:, None, None] + beyond)
    inside = (first >= 0).all() and (origins[:, 1:] < (down, across)).all()
    return (origins, (down, across)) if regular and inside and down * across > 1 else None


def _trimmed(
    node: Node, parameters: Mapping[str, np.ndarray]
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """A convolution of these parameters without rows and columns of weights that are all zero.

    Those stay without which the first or the last window would lie beside the map.
    """
    weight, padding, kernel = parameters["weight"], list(node.padding), list(node.kernel)
    if node.dilation == (1, 1) and node.stride == (1, 1):
        for axis in (0, 1):
            used = np.flatnonzero(weight.any(axis=(0, 1, 3 - axis)))
            first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
            beyond = kernel[axis] - 1
            before = max(0, min(first, padding[axis], beyond - padding[axis + 2]))
            after = max(0, min(beyond - last, padding[axis + 2], beyond - padding[axis]))
            weight = weight.take(range(before, kernel[axis] - after), axis=2 + axis)
            padding[axis] -= before
            padding[axis + 2] -= after
            kernel[axis] -= before + after
    details = details_of(node) | {"padding": tuple(padding), "kernel": tuple(kernel)}
    return details, {**parameters, "weight": weight}
