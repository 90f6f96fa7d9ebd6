"""A network graph in the making: what the accelerator supports, stated once for every kind of source.

The readers of torch modules and of ONNX files translate operators into calls of :class:`Draft`. Each call
adds nodes or raises :class:`Refused`; the reader notes refusals and goes on, so that a user sees all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

import networkx as nx
import numpy as np

from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.network.graph import Graph, Node, OpKind, Shape

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]  # top, left, bottom, right

NO_PADDING: Padding = (0, 0, 0, 0)

# Operators often met, and what to do about them.
CURES: dict[tuple[str, ...], str] = {
    ("groupnorm", "layernorm", "instancenorm", "localresponsenorm", "lrn", "normalize"): (
        "replace it by BatchNorm2d"
    ),
    (
        *("sigmoid", "silu", "swish", "hardswish", "hardsigmoid", "gelu", "leakyrelu", "elu", "selu", "celu"),
        *("prelu", "tanh", "softplus", "mish", "exp", "threshold"),
    ): "replace it by ReLU or ReLU6 and fine-tune",
    ("mul", "imul", "rmul", "div", "truediv", "multiply"): (
        "leave scaling and squeeze-and-excite branches out, and fine-tune"
    ),
    ("chunk", "split", "slice", "unbind", "tensorsplit"): (
        "split the channels by separate convolutions instead"
    ),
    ("convtranspose", "convtranspose2d", "interpolate", "upsample", "resize", "pixelshuffle"): (
        "use layers that keep or shrink the map"
    ),
}
SUPPORTED = (
    "convolution, linear, batch norm, ReLU, ReLU6, max and average pooling, addition, concatenation, flatten"
)


def cure_for(operator: str) -> str:
    """Advice for an operator that the accelerator does not have."""
    plain = operator.replace("_", "").lower()
    cures = (cure for operators, cure in CURES.items() if plain in operators)
    return next(cures, f"build the network from {SUPPORTED}")


class Refused(Exception):
    """An operator that the accelerator cannot run: (reason, cure) for everything wrong with it."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True)
class Value:
    """What flows between operators: the node that makes it, its shape, and zeros yet to be put around it."""

    name: str
    shape: Shape
    rank: int = 4  # of the tensor with its batch axis; 2 for a vector
    padding: Padding = NO_PADDING  # asked for by an operator of its own; the next convolution takes it

    @property
    def padded_shape(self) -> Shape:
        """Its shape with the zeros around it."""
        channels, rows, columns = self.shape
        top, left, bottom, right = self.padding
        return channels, rows + top + bottom, columns + left + right


class Draft:
    """Nodes collected so far and every refusal."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: dict[str, Node] = {}
        self.violations: list[str] = []

    # --- bookkeeping ---------------------------------------------------------------------------------------

    def refuse(self, where: str, operator: str, refused: Refused) -> None:
        """Note everything wrong with one operator."""
        place = where if where.split(".")[-1] == operator else f"{where}: {operator}"
        self.violations += [f"{place}: {reason}; {cure}" for reason, cure in refused.problems]

    def finish(self, output: Value) -> Graph:
        """The graph of everything ``output`` depends on; UnsupportedNetwork listing all refusals, if any."""
        if not self.violations and self.nodes[output.name].kind is OpKind.INPUT:
            self.violations.append("output: it is the input itself; there is nothing to accelerate")
        if output.padding != NO_PADDING:
            self.violations.append(f"output: pad: {_PADDING_REFUSED[0]}; {_PADDING_REFUSED[1]}")
        raise_all(
            UnsupportedNetwork, f"{self.name}: the accelerator cannot run this network", self.violations
        )
        edges = nx.DiGraph((source, node.name) for node in self.nodes.values() for source in node.inputs)
        needed = nx.ancestors(edges, output.name) | {output.name}
        return Graph(self.name, [node for node in self.nodes.values() if node.name in needed])

    def _unique(self, wanted: str) -> str:
        name, count = wanted, 0
        while name in self.nodes:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _add(
        self,
        where: str,
        kind: OpKind,
        sources: Sequence[Value],
        shape: Shape,
        *,
        rank: int = 4,
        **details: Any,
    ) -> Value:
        if any(source.padding != NO_PADDING for source in sources):
            raise Refused(_PADDING_REFUSED)
        if min(shape) < 1:
            raise Refused((f"its output would be {_times(shape)}", "use a larger input or less stride"))
        problems = _not_finite(details.get("parameters", {}))
        if problems:
            raise Refused(*problems)
        name = self._unique(where)
        inputs = tuple(source.name for source in sources)
        self.nodes[name] = Node(name, kind, inputs, shape, **details)
        return Value(name, shape, rank)

    # --- operators -----------------------------------------------------------------------------------------

    def input(self, shape: Shape, name: str = "input") -> Value:
        """The image, of shape (channels, rows, columns)."""
        return self._add(name, OpKind.INPUT, (), shape)

    def conv(
        self,
        where: str,
        source: Value,
        weight: np.ndarray,
        bias: np.ndarray | None,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
    ) -> Value:
        """Convolution; ``weight`` is (out, in / groups, rows, columns)."""
        if weight.ndim != 4:
            raise Refused((f"its weights have {weight.ndim} axes", "use two-dimensional operators"))
        channels, rows, columns = source.shape
        outputs, kernel = weight.shape[0], (weight.shape[2], weight.shape[3])
        problems = _misfits(bias, outputs, "bias")
        if weight.shape[1] * groups != channels:
            problems.append(
                (
                    f"its weights are for {weight.shape[1] * groups} channels, the map has {channels}",
                    "give weights that fit the map",
                )
            )
        problems += _window_problems(stride, padding)
        if dilation != (1, 1):
            problems.append((f"dilation {_times(dilation)}", "use dilation 1 and a larger kernel"))
        if groups != 1 and not groups == channels == outputs:
            problems.append(
                (
                    f"{groups} groups from {channels} to {outputs} channels",
                    "use one group, or a depthwise convolution (as many groups as channels in and out)",
                )
            )
        if problems:
            raise Refused(*problems)
        top, left, bottom, right = (
            own + pending for own, pending in zip(padding, source.padding, strict=True)
        )
        shape = (
            outputs,
            (rows + top + bottom - kernel[0]) // stride[0] + 1,
            (columns + left + right - kernel[1]) // stride[1] + 1,
        )
        return self._add(
            where,
            OpKind.CONV,
            [replace(source, padding=NO_PADDING)],
            shape,
            kernel=kernel,
            stride=stride,
            padding=(top, left, bottom, right),
            groups=groups,
            parameters=_parameters(weight=weight, bias=bias),
        )

    def linear(self, where: str, source: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
        """Fully connected layer on a vector; ``weight`` is (out, in)."""
        if source.rank != 2:
            raise Refused(
                (f"it reads a tensor of rank {source.rank}, not a vector", "flatten the map before it")
            )
        if weight.ndim != 2 or weight.shape[1] != source.shape[0]:
            raise Refused(
                (
                    f"its weights are {_times(weight.shape)}, the vector has {source.shape[0]} features",
                    "give a matrix that fits the vector",
                )
            )
        problems = _misfits(bias, len(weight), "bias")
        if problems:
            raise Refused(*problems)
        shape = (weight.shape[0], 1, 1)
        return self._add(
            where, OpKind.LINEAR, [source], shape, rank=2, parameters=_parameters(weight=weight, bias=bias)
        )

    def batchnorm(
        self,
        where: str,
        source: Value,
        mean: np.ndarray,
        var: np.ndarray,
        weight: np.ndarray | None,
        bias: np.ndarray | None,
        epsilon: float,
    ) -> Value:
        """(x - mean) / sqrt(var + epsilon) * weight + bias, per channel."""
        given = {"mean": mean, "variance": var, "weight": weight, "bias": bias}
        problems = [
            problem for role, array in given.items() for problem in _misfits(array, source.shape[0], role)
        ]
        if not problems and (float(var.min()) < 0 or float(var.min()) + epsilon <= 0):
            problems.append(
                (
                    f"its smallest running variance is {var.min():g}, with epsilon {epsilon:g}",
                    "train it again: variances are more than 0",
                )
            )
        if problems:
            raise Refused(*problems)
        parameters = _parameters(
            weight=np.ones_like(mean) if weight is None else weight,
            bias=np.zeros_like(mean) if bias is None else bias,
            mean=mean,
            var=var,
        )
        return self._add(
            where,
            OpKind.BATCHNORM,
            [source],
            source.shape,
            rank=source.rank,
            epsilon=epsilon,
            parameters=parameters,
        )

    def clip(self, where: str, source: Value, low: float | None, high: float | None) -> Value:
        """ReLU for the range from 0 up, ReLU6 for 0 to 6."""
        ranges: dict[tuple[float | None, float | None], OpKind] = {
            (0, None): OpKind.RELU,
            (0, 6): OpKind.RELU6,
        }
        kind = ranges.get((low, high))
        if kind is None:
            raise Refused((f"range {_bound(low)} to {_bound(high)}", "use ReLU, or ReLU6 (0 to 6)"))
        return self._add(where, kind, [source], source.shape, rank=source.rank)

    def maxpool(
        self,
        where: str,
        source: Value,
        kernel: Pair,
        stride: Pair,
        padding: Padding,
        dilation: Pair = (1, 1),
        ceil_mode: bool = False,
    ) -> Value:
        """Max-pooling; cells outside the map never win, so ``ceil_mode`` is padding at the far sides."""
        problems = _window_problems(stride, padding)
        if dilation != (1, 1):
            problems.append((f"dilation {_times(dilation)}", "use dilation 1"))
        if problems:
            raise Refused(*problems)
        shape, padding = _pooled(source.shape, kernel, stride, padding, ceil_mode)
        return self._add(
            where, OpKind.MAXPOOL, [source], shape, kernel=kernel, stride=stride, padding=padding
        )

    def avgpool(
        self,
        where: str,
        source: Value,
        kernel: Pair,
        stride: Pair,
        padding: Padding = NO_PADDING,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        rank: int = 4,
    ) -> Value:
        """Average pooling with a window of its own; ``rank`` is that of the result."""
        problems = _window_problems(stride, padding)
        if problems:
            raise Refused(*problems)
        shape, padded = _pooled(source.shape, kernel, stride, padding, ceil_mode)
        if padded != padding:
            raise Refused(("ceil_mode adds a partial window", "use ceil_mode=False or a size that divides"))
        if kernel == stride == (1, 1) and padding == NO_PADDING:
            return replace(source, rank=rank)
        return self._add(
            where,
            OpKind.AVGPOOL,
            [source],
            shape,
            rank=rank,
            kernel=kernel,
            stride=stride,
            padding=padding,
            count_include_pad=count_include_pad,
        )

    def adaptive_avgpool(self, where: str, source: Value, size: Pair) -> Value:
        """Average pooling to ``size``, which must divide the map."""
        _, rows, columns = source.shape
        if rows % size[0] or columns % size[1]:
            raise Refused(
                (
                    f"a {rows}x{columns} map does not divide into {_times(size)}",
                    "choose an input size whose map does, or pool to 1x1",
                )
            )
        kernel = (rows // size[0], columns // size[1])
        return self.avgpool(where, source, kernel, kernel)

    def add(self, where: str, one: Value, other: Value) -> Value:
        """Element-wise sum of two maps of the same shape."""
        if one.shape != other.shape:
            raise Refused(
                (f"adds {_times(one.shape)} to {_times(other.shape)}", "add maps of the same shape")
            )
        return self._add(where, OpKind.ADD, [one, other], one.shape, rank=one.rank)

    def add_bias(self, source: Value, constant: np.ndarray) -> Value:
        """A constant per channel into the bias of the layer that makes ``source``, read by nobody else."""
        node = self.nodes.get(source.name)
        channels = source.shape[0]
        one_each = (1, channels, 1, 1)[: source.rank]
        aligned = (*([1] * (len(one_each) - constant.ndim)), *constant.shape)
        fits = len(aligned) == len(one_each) and all(
            a in (1, b) for a, b in zip(aligned, one_each, strict=True)
        )
        if node is None or node.kind not in (OpKind.CONV, OpKind.LINEAR) or not fits:
            raise Refused(("it adds a constant", "put the constant into the bias of the layer before"))
        bias = node.parameters.get("bias", 0) + np.broadcast_to(constant, one_each).reshape(channels)
        self.nodes[node.name] = replace(
            node, parameters=_parameters(weight=node.parameters["weight"], bias=bias)
        )
        return source

    def concat(self, where: str, sources: Sequence[Value]) -> Value:
        """Channels of several maps one after the other."""
        if len(sources) == 1:
            return sources[0]
        _, rows, columns = sources[0].shape
        if any(source.shape[1:] != (rows, columns) for source in sources):
            shapes = ", ".join(_times(source.shape) for source in sources)
            raise Refused((f"it joins maps of {shapes}", "join maps of the same rows and columns"))
        channels = sum(source.shape[0] for source in sources)
        return self._add(where, OpKind.CONCAT, sources, (channels, rows, columns), rank=sources[0].rank)

    def subsample(self, where: str, source: Value, stride: Pair, before: int, after: int) -> Value:
        """Every ``stride``-th row and column, with zero channels added; two of them in a row become one."""
        previous = self.nodes.get(source.name)
        if previous is not None and previous.kind is OpKind.SUBSAMPLE and source.padding == NO_PADDING:
            inner = self.nodes[previous.inputs[0]]
            stride = (stride[0] * previous.stride[0], stride[1] * previous.stride[1])
            before, after = before + previous.channel_pad[0], after + previous.channel_pad[1]
            source = Value(inner.name, inner.shape, source.rank)
        channels, rows, columns = source.shape
        shape = (channels + before + after, ceil(rows / stride[0]), ceil(columns / stride[1]))
        return self._add(where, OpKind.SUBSAMPLE, [source], shape, stride=stride, channel_pad=(before, after))

    def pad(self, source: Value, padding: Padding) -> Value:
        """Zeros around a map, kept until the convolution that reads it."""
        top, left, bottom, right = (a + b for a, b in zip(padding, source.padding, strict=True))
        return replace(source, padding=(top, left, bottom, right))

    def flatten(self, where: str, source: Value) -> Value:
        """A map as a vector, channel by channel."""
        if source.rank == 2:
            return source
        return self._add(where, OpKind.FLATTEN, [source], (prod(source.shape), 1, 1), rank=2)


_PADDING_REFUSED = ("zeros are put around a map that no convolution reads", "pad inside the operator itself")


def _pooled(
    shape: Shape, kernel: Pair, stride: Pair, padding: Padding, ceil_mode: bool
) -> tuple[Shape, Padding]:
    """Output shape of a pooling, and the padding with the rows and columns that ``ceil_mode`` adds."""
    channels, *sides = shape
    sizes, ends = [], []
    for axis, side in enumerate(sides):
        before, after = padding[axis], padding[axis + 2]
        steps = (side + before + after - kernel[axis]) / stride[axis]
        size = (ceil(steps) if ceil_mode else int(steps // 1)) + 1
        if ceil_mode and (size - 1) * stride[axis] >= side + before:
            size -= 1  # a window may not start outside the map
        reach = (size - 1) * stride[axis] + kernel[axis]
        sizes.append(size)
        ends.append(max(after, reach - side - before))
    return (channels, sizes[0], sizes[1]), (padding[0], padding[1], ends[0], ends[1])


def _misfits(array: np.ndarray | None, channels: int, role: str) -> list[tuple[str, str]]:
    """A parameter that has not one value for every channel."""
    if array is None or array.shape == (channels,):
        return []
    shape = _times(array.shape) or "a scalar"
    return [(f"its {role} is {shape}, there are {channels} channels", "give one value for every channel")]


def _window_problems(stride: Pair, padding: Padding) -> list[tuple[str, str]]:
    problems = []
    if min(stride) < 1:
        problems.append((f"stride {_times(stride)}", "use a stride of 1 or more"))
    if min(padding) < 0:
        problems.append((f"padding {_times(padding)}", "use a padding of 0 or more"))
    return problems


def _not_finite(parameters: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """Parameters that hold NaN or infinity."""
    return [
        (
            f"{array.size - np.count_nonzero(np.isfinite(array))} of {array.size} values of its {role} "
            "are not finite",
            "load other weights, or train it again",
        )
        for role, array in parameters.items()
        if not np.isfinite(array).all()
    ]


def _parameters(**arrays: np.ndarray | None) -> dict[str, np.ndarray]:
    return {
        role: np.array(array, dtype=np.float32, order="C")
        for role, array in arrays.items()
        if array is not None
    }


def _times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _bound(value: float | None) -> str:
    return "infinity" if value is None else f"{value:g}"
