"""A network graph in the making: what each operator means on the accelerator, once for every kind of source.

The readers of torch modules and of ONNX files translate arguments into calls of :class:`Draft`. Axes count
that of the images as 0. Each call adds nodes, rearranges a value, leaves work to the host, or raises
:class:`Refused`; the reader notes refusals and goes on, so that a user sees all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

import networkx as nx
import numpy as np

from hotnas_hls.accel.host_work import Answer, HostWork, Preparation
from hotnas_hls.accel.layer import LARGEST_KERNEL, LARGEST_SIDE
from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.frontends.partial_windows import Kernel, edge_mean
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import OUTSIDE, Value
from hotnas_hls.network.graph import Graph, Node, OpKind, Shape
from hotnas_hls.network.parts import part_weights

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]  # top, left, bottom, right

NO_PADDING: Padding = (0, 0, 0, 0)
MOST_VALUES = 1 << 28  # of a map: a gigabyte of float32
_PADDING_REFUSED = ("zeros are put around a map that no convolution reads", "pad inside the operator itself")
_PART_REFUSED = (
    "it takes a part of a map",
    "take channels, or every s-th row and column",
)


@dataclass(frozen=True, eq=False)
class _Read:
    """A map as an operator reads it: tensor channel i is channel ``channels[i]`` of the node's map."""

    value: Value  # plain
    channels: np.ndarray
    padding: Padding
    one_row: bool  # the tensor has no axis of rows

    @property
    def keeps_channels(self) -> bool:
        """True where the tensor has every channel of the map once."""
        count = self.value.shape[0]
        return len(self.channels) == count and bool((np.sort(self.channels) == np.arange(count)).all())

    @property
    def in_order(self) -> bool:
        """True where the tensor has the channels of the map as they are."""
        return self.keeps_channels and bool((self.channels == np.arange(len(self.channels))).all())


class Draft:
    """Nodes collected so far, what the host is to do, and every refusal."""

    def __init__(self, name: str, batch: int) -> None:
        """batch: images of the run that is read."""
        self.name = name
        self.batch = batch
        self.nodes: dict[str, Node] = {}
        self.violations: list[str] = []
        self._image = Value("", (1, 1, 1), (1, 1, 1))  # as the host prepares it so far
        self._raw: Shape = (1, 1, 1)
        self._axes: tuple[int, ...] = (0, 1, 2)  # of the raw image, as channels, rows and columns
        self._scale, self._offset = np.ones((1, 1, 1)), np.zeros((1, 1, 1))

    # --- bookkeeping ---------------------------------------------------------------------------------------

    def refuse(self, where: str, operator: str, refused: Refused) -> None:
        """Note everything wrong with one operator."""
        place = where if where.split(".")[-1] == operator else f"{where}: {operator}"
        self.violations += [f"{place}: {reason}; {cure}" for reason, cure in refused.problems]

    def finish(self, output: Value) -> Graph:
        """The graph of everything ``output`` depends on; UnsupportedNetwork listing all refusals, if any."""
        if not self.violations and self._is_the_input(output):
            self.violations.append("output: it is the input itself; there is nothing to accelerate")
        if not self.violations:
            try:
                output = self._output(output)
            except Refused as refused:
                self.refuse("output", output.step or "output", refused)
        raise_all(
            UnsupportedNetwork, f"{self.name}: the accelerator cannot run this network", self.violations
        )
        edges = nx.DiGraph((source, node.name) for node in self.nodes.values() for source in node.inputs)
        needed = nx.ancestors(edges, output.name) | {output.name}
        answer = None if output.answer is None else Answer(output.answer)
        nodes = [node for node in self.nodes.values() if node.name in needed]
        return Graph(self.name, nodes, HostWork(self._preparation(), answer))

    def _is_the_input(self, output: Value) -> bool:
        return self.nodes[output.name].kind is OpKind.INPUT and output.order is None and len(output.dims) > 1

    def _output(self, output: Value) -> Value:
        """The result as a node of its own shape, channels and pixels in order."""
        value = replace(output, answer=None)
        if value.order is not None or len(value.dims) == 1:
            value = self._whole(value.step or "output", value)
        return replace(value, answer=output.answer)

    def _unique(self, wanted: str) -> str:
        name, count = wanted, 0
        while name in self.nodes:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _add(self, where: str, kind: OpKind, sources: Sequence[Value], shape: Shape, **details: Any) -> Value:
        """A node that reads the maps of ``sources`` as they are."""
        for source in sources:
            self._check(source)
        if min(shape) < 1:
            raise Refused((f"its output would be {_times(shape)}", "use a larger input or less stride"))
        if max(shape) > LARGEST_SIDE or prod(shape) > MOST_VALUES:
            raise Refused(
                (
                    f"its output would be {_times(shape)}",
                    f"use at most {LARGEST_SIDE:,} a side and {MOST_VALUES:,} values",
                )
            )
        problems = _not_finite(details.get("parameters", {}))
        if problems:
            raise Refused(*problems)
        name = self._unique(where)
        self.nodes[name] = Node(name, kind, tuple(source.name for source in sources), shape, **details)
        return Value(name, shape, shape)

    def _check(self, source: Value) -> None:
        """Refused for what the accelerator does not hold."""
        if source.answer is not None:
            raise Refused(
                (
                    f"it reads the {source.answer} of a map, which the host computes",
                    f"use {source.answer} at the end of the network only",
                )
            )
        if source.name not in self.nodes:
            raise Refused(
                (
                    "it reads the image as it is before the host prepares it",
                    "read the prepared image everywhere, or prepare it outside of the network",
                )
            )

    def stand_in(self, dims: Sequence[int]) -> Value:
        """What a reader goes on with behind a refused operator: a value of these dimensions."""
        return Value(
            self._image.name, _map_shape(dims or (1,)) if len(dims) < 4 else (prod(dims), 1, 1), tuple(dims)
        )

    # --- the host ------------------------------------------------------------------------------------------

    def input(self, dims: Sequence[int], name: str = "input") -> Value:
        """The image: (channels, rows, columns), one row as (channels, columns), a vector as (features,)."""
        shape = _map_shape(dims)
        self._image = replace(self._add(name, OpKind.INPUT, (), shape), dims=tuple(dims))
        self._raw = shape
        return self._image

    def answer(self, where: str, source: Value, answer: Answer, axis: int, dims: Sequence[int]) -> Value:
        """Softmax and the like over ``axis``, which the host computes behind the network, as ``dims``."""
        once = answer is Answer.ARGMAX and source.answer in (
            Answer.SOFTMAX,
            Answer.LOG_SOFTMAX,
            Answer.SIGMOID,
        )
        value = replace(source, answer=None) if once else source
        self._check(value)
        axis = self.axis(value, axis) - 1
        classes = value.dims[axis] if answer is not Answer.SIGMOID else value.shape[0]
        vector = value.shape[1:] == (1, 1) and prod(value.dims) == value.dims[axis]
        over_channels = value.is_plain and axis == 0
        if not (answer is Answer.SIGMOID or vector or over_channels) or classes != value.shape[0]:
            raise Refused(
                (
                    f"it is the {answer} over axis {axis + 1} of {_times(value.dims)}",
                    "take it over the channels",
                )
            )
        if vector:
            value = self._whole(where, value.reshaped((classes,)))
        return Value(value.name, value.shape, tuple(dims), None, where, answer)

    def _prepare(self, where: str, **changed: Any) -> Value:
        """The image after one more step of the host; the image before it is known no more."""
        (node,) = self.nodes.values()
        name = self._unique(where)
        self._image = replace(self._image, name=name, **changed)
        self.nodes = {name: replace(node, name=name, shape=self._image.shape)}
        return self._image

    def _is_untouched(self, value: Value) -> bool:
        """True for the image while nothing on the accelerator reads it."""
        return len(self.nodes) == 1 and value is self._image

    def _preparation(self) -> Preparation | None:
        channels = self._image.shape[0]
        if self._axes == (0, 1, 2) and (self._scale == 1).all() and (self._offset == 0).all():
            return None
        scale, offset = (
            tuple(np.broadcast_to(values, (channels, 1, 1)).reshape(-1).tolist())
            for values in (self._scale, self._offset)
        )
        first, second, third = self._axes
        return Preparation(self._raw, (first, second, third), scale, offset)

    # --- rearrangements ------------------------------------------------------------------------------------

    def reshape(self, where: str, source: Value, sizes: Sequence[int]) -> Value:
        """The same values under other axes; ``sizes`` are those of all of them, images first."""
        if sizes[0] != self.batch or prod(sizes[1:]) != prod(source.dims):
            raise Refused((f"it reshapes to {_times(sizes)}, mixing images", _IMAGES_FIRST))
        return source.reshaped(sizes[1:], where)

    def squeeze(self, where: str, source: Value, axes: Sequence[int] | None) -> Value:
        """Without ``axes`` of one value; None: without any of those behind the images' axis."""
        dropped = (
            {self.axis(source, axis) for axis in axes} if axes is not None else set(range(1, source.rank))
        )
        if axes is not None and any(source.dims[axis - 1] != 1 for axis in dropped):
            raise Refused(
                (f"it drops axes {sorted(dropped)} of {_times(source.dims)}", "drop axes of one value only")
            )
        dims = [size for axis, size in enumerate(source.dims, 1) if size != 1 or axis not in dropped]
        return source.reshaped(dims, where)

    def permute(self, where: str, source: Value, axes: Sequence[int]) -> Value:
        """Axes in another order; of the untouched image the host does it."""
        if len(axes) != source.rank or axes[0] % source.rank != 0:
            raise Refused((f"it orders the axes {_times(axes)}, mixing images", _IMAGES_FIRST))
        order = [axis % source.rank - 1 for axis in axes[1:]]
        if order == list(range(len(order))):
            return source
        if len(order) == 3 and self._is_untouched(source) and source.is_plain:
            self._axes = tuple(self._axes[axis] for axis in order)
            self._scale, self._offset = self._scale.transpose(order), self._offset.transpose(order)
            shape = tuple(source.shape[axis] for axis in order)
            return self._prepare(where, shape=shape, dims=shape)
        return source.permuted(order, where)

    def take(self, where: str, source: Value, index: Sequence[Any]) -> Value:
        """``tensor[index]``, an entry for every axis behind the images'."""
        return source.taken(tuple(index), where)

    def pad(self, where: str, source: Value, before: Sequence[int], after: Sequence[int]) -> Value:
        """Zeros around a tensor, counts for every axis; kept until the convolution that reads it."""
        if before[0] or after[0]:
            raise Refused(("it adds images", _IMAGES_FIRST))
        added = [b + a for b, a in zip(before[1:], after[1:], strict=True)]
        if any(abs(count) > LARGEST_SIDE for count in (*before, *after)) or (
            prod(max(0, side + count) for side, count in zip(source.dims, added, strict=True)) > MOST_VALUES
        ):
            raise Refused((f"it pads {_times(source.dims)} by {_times(added)}", "use smaller maps"))
        cut = min((*before, *after)) < 0
        if cut and any(
            side + b + a < 1 for side, b, a in zip(source.dims, before[1:], after[1:], strict=True)
        ):
            raise Refused(("it cuts more than there is", "keep a part of the map"))
        self._check(source)
        return source.padded(before[1:], after[1:], where)

    def axis(self, source: Value, axis: int) -> int:
        """An axis counted from the front, which is not that of the images."""
        counted = axis + source.rank if axis < 0 else axis
        if not 0 < counted < source.rank:
            raise Refused((f"it works along axis {axis} of {source.rank}", _IMAGES_FIRST))
        return counted

    # --- reading maps --------------------------------------------------------------------------------------

    def _read(self, where: str, source: Value) -> _Read:
        """A tensor as a map, rows and columns left out by a node of their own."""
        self._check(source)
        one_row = len(source.dims) == 2
        value = source.reshaped((source.dims[0], 1, source.dims[1])) if one_row else source
        if len(value.dims) != 3:
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        axes = value.axes()
        if axes is None:
            raise Refused(
                (
                    "it reads a tensor whose axes are not channels, rows and columns of a map",
                    "transpose it back",
                )
            )
        top, row_step, bottom = _stretch(axes.rows, value.shape[1])
        left, column_step, right = _stretch(axes.columns, value.shape[2])
        base, channels, padding = self._plain_of(value), axes.channels, (top, left, bottom, right)
        if (row_step, column_step) != (1, 1):
            shape = (base.shape[0], ceil(base.shape[1] / row_step), ceil(base.shape[2] / column_step))
            base, channels = self._subsampled(
                value.step or where, base, shape, (row_step, column_step), channels
            )
        return _Read(base, channels, padding, one_row)

    def _subsampled(
        self, where: str, base: Value, shape: Shape, stride: Pair, channels: np.ndarray
    ) -> tuple[Value, np.ndarray]:
        """Every stride-th row and column, with the zero channels that lie around them."""
        inside = np.flatnonzero(channels >= 0)
        before, after = (int(inside[0]), len(channels) - 1 - int(inside[-1])) if len(inside) else (0, 0)
        if not np.array_equal(channels[before : len(channels) - after], np.arange(base.shape[0])):
            before = after = 0
        shape = (before + shape[0] + after, *shape[1:])
        value = self._add(where, OpKind.SUBSAMPLE, [base], shape, stride=stride, channel_pad=(before, after))
        return value, np.arange(shape[0]) if before or after else channels

    @staticmethod
    def _plain_of(value: Value) -> Value:
        """The map of the node a value is seen from."""
        return replace(value, dims=value.shape, order=None)

    def _kept(self, where: str, source: Value) -> _Read:
        """A map for an operator that treats every channel alike: each is there once, in any order."""
        read = self._read(where, source)
        if read.padding != NO_PADDING:
            raise Refused(_PADDING_REFUSED)
        if read.keeps_channels:
            return read
        value = self._whole(where, source)
        return _Read(value, np.arange(value.shape[0]), NO_PADDING, read.one_row)

    def _whole(self, where: str, source: Value) -> Value:
        """A tensor as the map of a node of its own: channels chosen by a convolution where they must be."""
        if len(source.dims) == 1:
            features = source.dims[0]
            if source.shape[1:] == (1, 1):
                whole = self._whole(where, source.reshaped((features, 1, 1)))
                return replace(whole, dims=(features,))
            if source.order is not None:
                raise Refused(("it rearranges the values of a map", "let a linear layer read it"))
            flat = self._add(source.step or where, OpKind.FLATTEN, [self._plain_of(source)], (features, 1, 1))
            return replace(flat, dims=(features,))
        self._check(source)
        if source.order is None and source.dims == source.shape:
            return source
        read = self._read(where, source)
        if read.padding != NO_PADDING:
            raise Refused(_PADDING_REFUSED)
        value = read.value
        if not read.in_order:
            inside = np.flatnonzero(read.channels >= 0)
            middle = read.channels[inside[0] : inside[-1] + 1] if len(inside) else read.channels
            count, size = len(read.channels), value.shape[1:]
            step = source.step or where
            if np.array_equal(middle, np.arange(value.shape[0])):
                value, _ = self._subsampled(step, value, value.shape, (1, 1), read.channels)
            else:
                chosen = _onto(np.eye(count)[:, :, None, None], read.channels, value.shape[0])
                value = self._add(
                    step, OpKind.CONV, [value], (count, *size), parameters=_parameters(weight=chosen)
                )
        return replace(value, dims=source.dims)

    def _result(self, read: _Read, value: Value, channels: np.ndarray | None = None) -> Value:
        """What a node made of a map, its channels in the order ``channels`` or as they are."""
        if channels is not None:
            value = value.taken(channels, "")
        return (
            value.reshaped((value.dims[0], value.dims[2])) if read.one_row and value.dims[1] == 1 else value
        )

    # --- operators -----------------------------------------------------------------------------------------

    def conv(
        self,
        where: str,
        source: Value,
        weight: np.ndarray,
        bias: np.ndarray | None,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Value:
        """Convolution; ``weight`` is (out, in / groups, rows, columns), padding top, left, bottom, right.

        Without the axis of rows on maps of one row, padding then left, right.
        """
        if weight.ndim not in (3, 4):
            raise Refused((f"its weights have {weight.ndim} axes", "use one- or two-dimensional operators"))
        if weight.ndim != source.rank:
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        if weight.ndim == 3:
            weight = weight[:, :, None, :]
        step, around, gap = _pair(stride), _around(padding), _pair(dilation)
        channels, outputs, kernel = source.dims[0], weight.shape[0], (weight.shape[2], weight.shape[3])
        problems = _misfits(bias, outputs, "bias")
        if weight.shape[1] * groups != channels or outputs % max(1, groups):
            problems.append(
                (
                    f"its weights are for {weight.shape[1] * groups} channels, the map has {channels}",
                    "give weights that fit the map",
                )
            )
        problems += _window_problems(step, around)
        if min(gap) < 1:
            problems.append((f"dilation {_times(gap)}", "use a dilation of 1 or more"))
        if problems:
            raise Refused(*problems)
        gap = _pair([1 if size == 1 else each for size, each in zip(kernel, gap, strict=True)])
        read = self._read(where, source)
        depthwise = groups == channels == outputs > 1
        if groups > 1 and not depthwise and (outputs == groups or not read.in_order):
            weight, groups = part_weights(weight, groups), 1
        order = None
        if groups == 1:
            weight = _onto(weight, read.channels, read.value.shape[0])
        elif not read.in_order:
            if not read.keeps_channels:
                read = replace(read, value=self._whole(where, source), channels=np.arange(channels))
            order = read.channels
            weight, bias = _by_map_channel(weight, order), _by_map_channel(bias, order)
            groups = channels
        top, left, bottom, right = padding_of = tuple(
            own + pending for own, pending in zip(around, read.padding, strict=True)
        )
        _, rows, columns = read.value.shape
        shape = (
            outputs,
            (rows + top + bottom - gap[0] * (kernel[0] - 1) - 1) // step[0] + 1,
            (columns + left + right - gap[1] * (kernel[1] - 1) - 1) // step[1] + 1,
        )
        value = self._add(
            where,
            OpKind.CONV,
            [read.value],
            shape,
            kernel=kernel,
            stride=step,
            padding=padding_of,
            dilation=gap,
            groups=groups,
            parameters=_parameters(weight=weight, bias=bias),
        )
        return self._result(read, value, order)

    def linear(self, where: str, source: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
        """Fully connected layer on a vector; ``weight`` is (out, in)."""
        if weight.ndim != 2:
            raise Refused((f"its constant has rank {weight.ndim}", "multiply a vector by a matrix"))
        if prod(source.dims[:-1]) != 1:
            raise Refused(
                (f"it reads a tensor of rank {source.rank}, not a vector", "flatten the map before it")
            )
        features = source.dims[-1]
        if weight.shape[1] != features:
            raise Refused(
                (
                    f"its weights are {_times(weight.shape)}, the vector has {features} features",
                    "give a matrix that fits the vector",
                )
            )
        problems = _misfits(bias, len(weight), "bias")
        if problems:
            raise Refused(*problems)
        self._check(source)
        if source.order is None and source.shape[1:] != (1, 1):
            plain = self._whole(source.step or where, source.reshaped((features,)))
        else:
            plain = self._plain_of(source)
            weight = _onto(weight, source.elements.reshape(-1), prod(source.shape))
        outputs = len(weight)
        first, *others = self._joined(plain, weight)
        total = self._linear_of(where, *first, bias)
        for part in others:
            total = self.add(where, total, self._linear_of(where, *part, None))
        return total.reshaped((*source.dims[:-1], outputs))

    def _linear_of(self, where: str, source: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
        shape, parameters = (len(weight), 1, 1), _parameters(weight=weight, bias=bias)
        return self._add(where, OpKind.LINEAR, [source], shape, parameters=parameters)

    def _joined(self, source: Value, weight: np.ndarray) -> list[tuple[Value, np.ndarray]]:
        """A vector with its weights; of joined flattened maps, which lie apart, each with its own."""
        node = self.nodes[source.name]
        parts = [self.nodes[name] for name in node.inputs]
        if node.kind is not OpKind.CONCAT or all(part.kind is not OpKind.FLATTEN for part in parts):
            return [(source, weight)]
        ends = np.cumsum([part.shape[0] for part in parts])
        return [
            (Value(part.name, part.shape, part.shape), weight[:, end - part.shape[0] : end])
            for part, end in zip(parts, ends, strict=True)
        ]

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
        channels = source.dims[0] if source.dims else 0
        given = {"mean": mean, "variance": var, "weight": weight, "bias": bias}
        problems = [problem for role, array in given.items() for problem in _misfits(array, channels, role)]
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
        return self._normalised(where, source, parameters, epsilon)

    def affine(
        self, where: str, source: Value, scale: np.ndarray | float = 1.0, offset: np.ndarray | float = 0.0
    ) -> Value:
        """x * scale + offset with constants for each channel; of the untouched image the host does it."""
        self._check(source)
        constants = [
            _without_images(np.asarray(given, dtype=np.float64), source) for given in (scale, offset)
        ]
        if self._is_untouched(source) and len(source.dims) == 3:
            factor, shift = constants
            if problems := _not_finite({"scale": factor, "offset": shift}):
                raise Refused(*problems)
            if _by_one_axis(factor) and _by_one_axis(shift):
                self._scale, self._offset = self._scale * factor, self._offset * factor + shift
                return self._prepare(where)
        constants = [np.broadcast_to(values, source.dims) for values in constants]
        parameters = {"weight": constants[0], "bias": constants[1]}
        parameters |= {"mean": np.zeros(source.dims), "var": np.ones(source.dims)}
        return self._normalised(where, source, parameters, 0.0)

    def _normalised(
        self, where: str, source: Value, parameters: Mapping[str, np.ndarray], epsilon: float
    ) -> Value:
        """A batch norm of the node's map, from parameters of each channel of the tensor, or of each value."""
        self._check(source)
        if source.order is not None and (source.elements < 0).any():
            source = self._whole(where, source)
        area = source.shape[1] * source.shape[2]
        channel = source.elements // area
        of_map = {}
        for role, values in parameters.items():
            values = values.reshape(-1, *[1] * (len(source.dims) - 1)) if values.ndim == 1 else values
            values = np.broadcast_to(values, source.dims)
            per_channel = np.full(source.shape[0], float(role in ("weight", "var")))
            per_channel[channel.reshape(-1)] = values.reshape(-1)
            if not np.array_equal(per_channel[channel], values):
                raise Refused(
                    (
                        "its constants differ from value to value of a channel",
                        "give one value for every channel",
                    )
                )
            of_map[role] = per_channel
        plain = self._plain_of(source)
        value = self._add(
            where, OpKind.BATCHNORM, [plain], plain.shape, epsilon=epsilon, parameters=_parameters(**of_map)
        )
        return replace(source, name=value.name)

    def clip(self, where: str, source: Value, low: float | None, high: float | None) -> Value:
        """ReLU for the range from 0 up, ReLU6 for 0 to 6."""
        ranges: dict[tuple[float | None, float | None], OpKind] = {
            (0, None): OpKind.RELU,
            (0, 6): OpKind.RELU6,
        }
        kind = ranges.get((low, high))
        if kind is None:
            raise Refused((f"range {_bound(low)} to {_bound(high)}", "use ReLU, or ReLU6 (0 to 6)"))
        plain = self._plain_of(source)
        return replace(source, name=self._add(where, kind, [plain], plain.shape).name)

    def maxpool(
        self,
        where: str,
        source: Value,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int] = (1, 1),
        ceil_mode: bool = False,
    ) -> Value:
        """Max-pooling; cells outside the map never win, so ``ceil_mode`` is padding at the far sides."""
        window, step, around, gap = _pair(kernel), _pair(stride), _around(padding), _pair(dilation)
        problems = _window_problems(step, around)
        if gap != (1, 1):
            problems.append((f"dilation {_times(gap)}", "use dilation 1"))
        if problems:
            raise Refused(*problems)
        read = self._kept(where, source)
        shape, around = _pooled(read.value.shape, window, step, around, ceil_mode)
        value = self._add(
            where, OpKind.MAXPOOL, [read.value], shape, kernel=window, stride=step, padding=around
        )
        return self._result(read, value, read.channels)

    def avgpool(
        self,
        where: str,
        source: Value,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int] = NO_PADDING,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Value:
        """Average pooling with a window of its own."""
        window, step, around = _pair(kernel), _pair(stride), _around(padding)
        problems = _window_problems(step, around)
        if problems:
            raise Refused(*problems)
        read = self._kept(where, source)
        shape, padded = _pooled(read.value.shape, window, step, around, ceil_mode)
        if padded != around:
            raise Refused(("ceil_mode adds a partial window", "use ceil_mode=False or a size that divides"))
        if window == step == (1, 1) and around == NO_PADDING:
            return source
        if any(around) and not count_include_pad:
            return self._result(
                read, self._inner_mean(where, read.value, window, step, around), read.channels
            )
        value = self._add(
            where,
            OpKind.AVGPOOL,
            [read.value],
            shape,
            kernel=window,
            stride=step,
            padding=around,
        )
        return self._result(read, value, read.channels)

    def _inner_mean(self, where: str, source: Value, window: Pair, stride: Pair, padding: Padding) -> Value:
        """Means of what windows hold of the map (see ``partial_windows``): of every row, then of columns.

        The stride is taken with the columns, whose kernels leave rows out for free.
        """
        value = source
        for axis, name in enumerate(("rows", "columns")):
            side, before = source.shape[1 + axis], padding[axis]
            size = (side + before + padding[axis + 2] - window[axis]) // stride[axis] + 1
            step, steps = stride[axis], stride
            if axis == 0:
                size, step, steps = (size - 1) * stride[0] + 1, 1, (1, 1)
            found = edge_mean(side, size, window[axis], step, before)
            if found is None:
                raise Refused(
                    (
                        "it averages windows that miss more than a row or column",
                        "count the padding, or use less",
                    )
                )
            place = f"{where}.{name}"
            direct = self._along(f"{place}.direct", value, axis, found.direct, steps)
            if found.edge.weights.any():
                near = self._along(f"{place}.near", value, axis, found.near, (1, 1))
                direct = self.add(place, direct, self._along(f"{place}.edge", near, axis, found.edge, steps))
            value = direct
        return value

    def _along(self, where: str, source: Value, axis: int, kernel: Kernel, stride: Pair) -> Value:
        """Every channel weighed along its rows (axis 0) or columns."""
        channels = source.shape[0]
        weight = kernel.weights.reshape((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1)).repeat(
            channels, axis=0
        )
        before, after = [0, 0], [0, 0]
        before[axis], after[axis] = kernel.before, kernel.after
        return self.conv(where, source, weight, None, stride, (*before, *after), (1, 1), channels)

    def adaptive_avgpool(self, where: str, source: Value, size: Sequence[int]) -> Value:
        """Average pooling to ``size``, which must divide the map."""
        sides = source.dims[1:]
        if len(sides) != len(size):
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        if all(want == 1 for want in size):
            return self.mean(where, source, range(2, source.rank), keep=True)
        if any(side % want for side, want in zip(sides, size, strict=True)):
            raise Refused(
                (
                    f"a {_times(sides)} map does not divide into {_times(size)}",
                    "choose an input size whose map does, or pool to 1x1",
                )
            )
        kernel = [side // want for side, want in zip(sides, size, strict=True)]
        return self.avgpool(where, source, kernel, kernel)

    def mean(self, where: str, source: Value, axes: Sequence[int], keep: bool) -> Value:
        """The mean over whole axes; those of one value stay where ``keep`` says so."""
        gone = sorted(self.axis(source, axis) - 1 for axis in axes)
        stay = [axis for axis in range(len(source.dims)) if axis not in gone]
        dims = [1 if axis in gone else size for axis, size in enumerate(source.dims) if keep or axis in stay]
        self._check(source)
        channels = self._whole_channels(source, stay, gone)
        if channels is None and len(source.dims) == 3 and gone == [1, 2]:
            source = self._whole(where, source)
            channels = self._whole_channels(source, stay, gone)
        if channels is not None:
            value = self._global_mean(where, self._plain_of(source))
            return value.taken(channels, "").reshaped(dims, where)
        if len(source.dims) == 3 and gone in ([1], [2]):
            kernel = [size if axis in gone else 1 for axis, size in enumerate(source.dims)][1:]
            return self.avgpool(where, source, kernel, kernel).reshaped(dims, where)
        raise Refused(
            (f"mean over axes {[axis + 1 for axis in gone]}", "average over rows and columns: axes 2 and 3")
        )

    @staticmethod
    def _whole_channels(source: Value, stay: Sequence[int], gone: Sequence[int]) -> np.ndarray | None:
        """The channel whose every pixel is averaged, for each result; None where it is not that."""
        area = source.shape[1] * source.shape[2]
        if prod(source.dims[axis] for axis in gone) != area:
            return None
        elements = np.sort(source.elements.transpose(*stay, *gone).reshape(-1, area), axis=1)
        channels = elements[:, 0] // area
        whole = np.array_equal(elements, channels[:, None] * area + np.arange(area))
        return channels if whole and channels.min() >= 0 else None

    def _global_mean(self, where: str, source: Value) -> Value:
        """The mean of every channel, in two steps where the map is larger than a kernel can be."""
        channels, *sides = source.shape
        firsts = [_first_step(side) for side in sides]
        counts = [ceil(side / first) for side, first in zip(sides, firsts, strict=True)]
        if counts == [1, 1]:
            return self.avgpool(where, source, sides, sides)
        ends = [count * first - side for count, first, side in zip(counts, firsts, sides, strict=True)]
        value = self._add(
            f"{where}.windows",
            OpKind.AVGPOOL,
            [source],
            (channels, counts[0], counts[1]),
            kernel=tuple(firsts),
            stride=tuple(firsts),
            padding=(0, 0, *ends),
        )
        if ends == [0, 0]:
            return self.avgpool(where, value, counts, counts)
        share = np.full((channels, 1, *counts), prod(firsts) / prod(sides))  # zeros count in the windows
        return self.conv(where, value, share, None, (1, 1), NO_PADDING, (1, 1), channels)

    def add(self, where: str, one: Value, other: Value) -> Value:
        """Element-wise sum of two tensors of the same shape."""
        if one.dims != other.dims:
            raise Refused((f"adds {_times(one.dims)} to {_times(other.dims)}", "add maps of the same shape"))
        alike = one.shape == other.shape and (
            one.order is other.order
            or (one.order is not None and other.order is not None and np.array_equal(one.order, other.order))
        )
        if not alike:
            one, other = self._whole(where, one), self._whole(where, other)
        value = self._add(where, OpKind.ADD, [self._plain_of(one), self._plain_of(other)], one.shape)
        return replace(one, name=value.name)

    def concat(self, where: str, sources: Sequence[Value | np.ndarray], axis: int) -> Value:
        """Channels of several maps one after the other; constants of zeros are channels of zeros."""
        values = [source for source in sources if isinstance(source, Value)]
        rank = values[0].rank
        if axis % rank != 1:
            raise Refused((f"it joins along axis {axis}", "concatenate channels: axis 1"))
        if len(values) < len(sources):
            return self._with_zero_channels(where, sources, values)
        sizes = {source.dims[1:] for source in values}
        if len(sizes) > 1:
            shapes = ", ".join(_times(source.dims) for source in values)
            raise Refused((f"it joins maps of {shapes}", "join maps of the same rows and columns"))
        if len(values) == 1:
            return values[0]
        if len({source.shape[1:] for source in values}) > 1 or any(
            source.order is not None and not self._is_permuted(source) for source in values
        ):
            values = [self._whole(where, source) for source in values]
        channels = sum(source.shape[0] for source in values)
        bases, first = [], 0
        elements = []
        for source in values:
            bases.append(self._plain_of(source))
            elements.append(source.elements + first)
            first += prod(source.shape)
        value = self._add(where, OpKind.CONCAT, bases, (channels, *values[0].shape[1:]))
        return value.seen(np.concatenate(elements), where)

    @staticmethod
    def _is_permuted(value: Value) -> bool:
        """True where every element of the map stands somewhere once."""
        return np.array_equal(np.sort(value.elements, axis=None), np.arange(prod(value.shape)))

    def _with_zero_channels(
        self, where: str, sources: Sequence[Value | np.ndarray], values: Sequence[Value]
    ) -> Value:
        constants = [source for source in sources if isinstance(source, np.ndarray)]
        if len(values) > 1 or any(bool(item.any()) for item in constants):
            raise Refused(
                ("it joins maps with constants", "concatenate computed maps, or one map with zeros")
            )
        position = next(at for at, item in enumerate(sources) if isinstance(item, Value))
        counts = [0 if isinstance(item, Value) else item.shape[1] for item in sources]
        rest = [0] * (values[0].rank - 2)
        before, after = sum(counts[:position]), sum(counts[position:])
        return self.pad(where, values[0], [0, before, *rest], [0, after, *rest])


_IMAGES_FIRST = "keep the first axis for the images"


def _map_shape(dims: Sequence[int]) -> Shape:
    """(channels, rows, columns) of a tensor without the images' axis."""
    channels, *sides = dims
    rows, columns = (1, 1, *sides)[-2:]
    return channels, rows, columns


def _pair(sizes: Sequence[int]) -> Pair:
    """Sizes of rows and columns; one number is of columns."""
    rows, columns = (1, *sizes)[-2:]
    return int(rows), int(columns)


def _around(padding: Sequence[int]) -> Padding:
    """(top, left, bottom, right) of that or of (left, right)."""
    before, after = _before_after(padding)
    return before[0], before[1], after[0], after[1]


def _before_after(padding: Sequence[int]) -> tuple[Pair, Pair]:
    half = len(padding) // 2
    pairs = [(0, *padding[:half])[-2:], (0, *padding[half:])[-2:]]
    (top, left), (bottom, right) = ((int(one), int(other)) for one, other in pairs)
    return (top, left), (bottom, right)


def _stretch(numbers: np.ndarray, side: int) -> tuple[int, int, int]:
    """Zeros before, step and zeros after, of rows or columns; Refused for a part of them."""
    inside = np.flatnonzero(numbers >= 0)
    if not len(inside):
        raise Refused(("it reads zeros only", "leave it out"))
    before, after = int(inside[0]), len(numbers) - 1 - int(inside[-1])
    middle = numbers[before : len(numbers) - after]
    step = int(middle[1] - middle[0]) if len(middle) > 1 else side
    if step < 1 or not np.array_equal(middle, np.arange(0, side, step)):
        raise Refused(_PART_REFUSED)
    return before, step, after


def _onto(weight: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """``weight`` (out, in, ...) for an input of ``count`` channels, of which in's i-th is ``numbers[i]``."""
    if len(numbers) == count and np.array_equal(numbers, np.arange(count)):
        return weight
    found = np.zeros((len(weight), count, *weight.shape[2:]))
    inside = numbers != OUTSIDE
    np.add.at(found.swapaxes(0, 1), numbers[inside], weight[:, inside].swapaxes(0, 1))
    return found


def _by_map_channel(values: Any, channels: np.ndarray) -> Any:
    """Values of each tensor channel as those of each channel of the map; None stays None."""
    return None if values is None else values[np.argsort(channels)]


def _without_images(constant: np.ndarray, source: Value) -> np.ndarray:
    """A constant that is added to or multiplies a tensor, without the axis of the images."""
    if constant.ndim == source.rank and constant.shape[0] == 1:
        constant = constant[0]
    constant = constant.reshape(*[1] * (len(source.dims) - constant.ndim), *constant.shape)
    fits = constant.ndim == len(source.dims) and all(
        size in (1, own) for size, own in zip(constant.shape, source.dims, strict=True)
    )
    if not fits:
        raise Refused(
            (
                f"its constant is {_times(constant.shape)}, the tensor {_times(source.dims)}",
                "give one value for every channel",
            )
        )
    return constant


def _by_one_axis(constant: np.ndarray) -> bool:
    """True for one value, or one for each index of one axis."""
    return sum(size > 1 for size in constant.shape) <= 1


def _first_step(side: int) -> int:
    """The window of the first of two means over ``side`` values: the largest that leaves no rest."""
    if side <= LARGEST_KERNEL:
        return side
    windows = range(ceil(side / LARGEST_KERNEL), LARGEST_KERNEL + 1)
    if not windows:
        raise Refused(
            (
                f"it averages {side} rows or columns",
                f"average at most {LARGEST_KERNEL**2}: pool before it",
            )
        )
    return min(windows, key=lambda window: (ceil(side / window) * window - side, -window))


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
