"""Convolutions, fully connected layers, norms, constants per channel, sums: what weighs and joins maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil, prod

import numpy as np

from hotnas_hls.accel.layer import LARGEST_KERNEL, LARGEST_SIDE
from hotnas_hls.frontends.channels_in_line import LARGEST_MATRIX, channel_matrix
from hotnas_hls.frontends.constants import (
    by_map_channel,
    by_one_axis,
    misfits,
    not_finite,
    onto,
    parameters_of,
    without_images,
)
from hotnas_hls.frontends.large_kernels import LargeKernels
from hotnas_hls.frontends.nodes import MOST_VALUES
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.spreading import strided_channels
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.windows import (
    NO_PADDING,
    Padding,
    Pair,
    around_of,
    mergeable,
    outputs_of,
    pair_of,
    together,
    window_problems,
)
from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.parts import part_weights


class Weighted(LargeKernels):
    """Operators that weigh and add values."""

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
        step, around, gap = pair_of(stride), around_of(padding), pair_of(dilation)
        channels, outputs, kernel = source.dims[0], weight.shape[0], (weight.shape[2], weight.shape[3])
        problems = misfits(bias, outputs, "bias")
        if weight.shape[1] * groups != channels or outputs % max(1, groups):
            problems.append(
                (
                    f"its weights are for {weight.shape[1] * groups} channels, the map has {channels}",
                    "give weights that fit the map",
                )
            )
        problems += window_problems(step, around)
        if min(gap) < 1:
            problems.append((f"dilation {times(gap)}", "use a dilation of 1 or more"))
        if problems:
            raise Refused(*problems)
        gap = pair_of([1 if size == 1 else each for size, each in zip(kernel, gap, strict=True)])
        if source.shape[1:] == (1, 1) and prod(source.dims[1:]) > 1:
            return self._along_channels(where, source, weight, bias, step, around, gap, groups)
        reach = pair_of([each * (size - 1) + 1 for each, size in zip(gap, kernel, strict=True)])
        if max(reach) > LARGEST_KERNEL:
            return self._large(where, source, weight, bias, step, around, gap, groups)
        strided = strided_channels(source) if groups == 1 and gap == (1, 1) else None
        if strided is not None and source.axes() is None:
            return self._of_every(where, source, strided, weight, bias, step, around)
        read = self._read(where, source)
        if not mergeable(around, read.padding):
            read = self._surrounded(source.step or where, read)
        zeros = together(around, read.padding)
        if any(pad >= size for pad, size in zip(zeros, (*reach, *reach), strict=True)):
            read, around = self._surrounded(where, replace(read, padding=zeros)), NO_PADDING
        depthwise = groups == channels == outputs > 1
        if groups > 1 and not depthwise and (outputs == groups or not read.in_order):
            weight, groups = part_weights(weight, groups), 1
        order = None
        if groups == 1:
            weight = onto(weight, read.channels, read.value.shape[0])
        elif not read.in_order:
            if not read.keeps_channels:
                read = replace(read, value=self._whole(where, source), channels=np.arange(channels))
            order = read.channels
            weight, bias = by_map_channel(weight, order), by_map_channel(bias, order)
            groups = channels
        padding_of = together(around, read.padding)
        shape = (outputs, *outputs_of(read.value.shape[1:], kernel, step, padding_of, gap))
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
            parameters=parameters_of(weight=weight, bias=bias),
        )
        return self._result(read, value, order)

    def _of_every(
        self,
        where: str,
        source: Value,
        strided: tuple[np.ndarray, Pair],
        weight: np.ndarray,
        bias: np.ndarray | None,
        step: Pair,
        around: Padding,
    ) -> Value:
        """A convolution of every so many rows and columns of a map: a larger one of all of them."""
        origins, (down, across) = strided
        outputs, _, rows, columns = weight.shape
        larger = np.zeros((outputs, source.shape[0], down * rows, across * columns))
        for own, (channel, row, column) in zip(weight.swapaxes(0, 1), origins, strict=True):
            larger[:, channel, row::down, column::across] += own
        top, left, bottom, right = around
        padding = (down * top, across * left, down * bottom, across * right)
        stride = (down * step[0], across * step[1])
        plain = self._plain_of(source)
        return self.conv(where, plain, larger, bias, stride, padding, (1, 1), 1)

    def _along_channels(
        self,
        where: str,
        source: Value,
        weight: np.ndarray,
        bias: np.ndarray | None,
        step: Pair,
        around: Padding,
        gap: Pair,
        groups: int,
    ) -> Value:
        """A convolution of a tensor in which the channels of a pixel lie side by side; as :meth:`conv`."""
        self._check(source)
        one_row, channels = len(source.dims) == 2, source.shape[0]
        elements = source.elements[:, None, :] if one_row else source.elements
        if len(weight) * prod(elements.shape[1:]) * channels > LARGEST_MATRIX:
            raise Refused(
                (f"it reads {times(source.dims)} channels in a line as a matrix", "use fewer channels")
            )
        matrix = channel_matrix(weight, elements, channels, step, around, gap, groups)
        outputs, rows, columns = matrix.shape[:3]
        biases = None if bias is None else np.repeat(bias, rows * columns)
        parameters = parameters_of(weight=matrix.reshape(-1, channels, 1, 1), bias=biases)
        shape = (outputs * rows * columns, 1, 1)
        value = self._add(where, OpKind.CONV, [self._plain_of(source)], shape, parameters=parameters)
        return value.reshaped((outputs, columns) if one_row else (outputs, rows, columns), where)

    def linear(self, where: str, source: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
        """Fully connected layer on a vector; ``weight`` is (out, in)."""
        if weight.ndim != 2:
            raise Refused((f"its constant has rank {weight.ndim}", "multiply a vector by a matrix"))
        rank = len(source.dims)
        if rank in (2, 3) and prod(source.dims[:-1]) != 1 and source.dims[-1] == weight.shape[1]:
            pixels, ones = self._channels_first(source, rank - 1), (1, 1)
            kernels, none = weight[:, :, None, None], (0, 0, 0, 0)
            found = self.conv(where, pixels, kernels, bias, ones, none, ones, 1)
            back = found.reshaped((len(weight), *source.dims[:-1]))
            return back.permuted((*range(1, rank), 0), where)
        if prod(source.dims[:-1]) != 1:
            raise Refused(
                (f"it reads a tensor of rank {source.rank}, not a vector", "flatten the map before it")
            )
        features = source.dims[-1]
        if weight.shape[1] != features:
            raise Refused(
                (
                    f"its weights are {times(weight.shape)}, the vector has {features} features",
                    "give a matrix that fits the vector",
                )
            )
        problems = misfits(bias, len(weight), "bias")
        if problems:
            raise Refused(*problems)
        self._check(source, joins=True)
        if source.order is None and source.shape[1:] != (1, 1) and max(source.shape[1:]) <= LARGEST_KERNEL:
            plain = self._whole(source.step or where, source.reshaped((features,)))
        else:
            plain = self._plain_of(source)
            weight = onto(weight, source.elements.reshape(-1), prod(source.shape))
        outputs = len(weight)
        first, *others = self._apart(where, plain, weight)
        total = self._linear_of(where, *first, bias)
        for part in others:
            total = self.add(where, total, self._linear_of(where, *part, None))
        return total.reshaped((*source.dims[:-1], outputs))

    def _linear_of(self, where: str, source: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
        shape, parameters = (len(weight), 1, 1), parameters_of(weight=weight, bias=bias)
        return self._add(where, OpKind.LINEAR, [source], shape, parameters=parameters)

    def _apart(self, where: str, source: Value, weight: np.ndarray) -> list[tuple[Value, np.ndarray]]:
        """A vector with its weights; of joined maps, which lie apart, each with its own."""
        parts = self.parts(source)
        ends = np.cumsum([prod(part.shape) for part in parts])
        weights = np.split(weight, ends[:-1], axis=1)
        return [self._in_a_kernel(where, *of) for of in zip(parts, weights, strict=True)]

    def _in_a_kernel(self, where: str, source: Value, weight: np.ndarray) -> tuple[Value, np.ndarray]:
        """A map and its weights (out, in); of one larger than a kernel, blocks of its pixels as channels."""
        channels, rows, columns = source.shape
        down, across = (min(ceil(side / LARGEST_KERNEL), LARGEST_KERNEL) for side in (rows, columns))
        if down == across == 1:
            return source, weight
        value = self._blocks(f"{where}.blocks", source, down, across, (0, 0, -rows % down, -columns % across))
        channel, row, column = np.unravel_index(np.arange(prod(source.shape)), source.shape)
        places = (channel, row % down, column % across, row // down, column // across)
        moved = np.ravel_multi_index(places, (channels, down, across, *value.shape[1:]))
        return self._in_a_kernel(where, value, onto(weight, moved, prod(value.shape)))

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
        problems = [problem for role, array in given.items() for problem in misfits(array, channels, role)]
        if not problems and (float(var.min()) < 0 or float(var.min()) + epsilon <= 0):
            problems.append(
                (
                    f"its smallest running variance is {var.min():g}, with epsilon {epsilon:g}",
                    "train it again: variances are more than 0",
                )
            )
        if problems:
            raise Refused(*problems)
        parameters = parameters_of(
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
        constants = [without_images(np.asarray(given, dtype=np.float64), source) for given in (scale, offset)]
        if self._is_untouched(source) and len(source.dims) == 3:
            factor, shift = constants
            if problems := not_finite({"scale": factor, "offset": shift}):
                raise Refused(*problems)
            if by_one_axis(factor) and by_one_axis(shift):
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
        source = self._without_zeros(where, source)
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
            where, OpKind.BATCHNORM, [plain], plain.shape, epsilon=epsilon, parameters=parameters_of(**of_map)
        )
        return replace(source, name=value.name)

    @staticmethod
    def _alike(one: Value, other: Value) -> bool:
        """True where two tensors see maps of one shape in the same way."""
        return one.shape == other.shape and (
            one.order is other.order
            or (one.order is not None and other.order is not None and np.array_equal(one.order, other.order))
        )

    def add(self, where: str, one: Value, other: Value) -> Value:
        """Element-wise sum of two tensors."""
        return self._two_maps(where, OpKind.ADD, one, other)

    def subtract(self, where: str, one: Value, other: Value) -> Value:
        """Element-wise difference of two tensors."""
        return self.add(where, one, self.affine(f"{where}.negative", other, scale=-1.0))

    def _two_maps(self, where: str, kind: OpKind, one: Value, other: Value) -> Value:
        """A node of two tensors, value by value; a single value of an axis meets all of the other's."""
        if len(one.dims) == len(other.dims) and (seen := self._as_maps(one, other)) is not None:
            (one, other), back = seen
            return back(self._two_maps(where, kind, one, other))
        if not self._alike(one, other) or one.dims != other.dims:
            one, other = self._beside(where, one, other)
        value = self._add(where, kind, [self._plain_of(one), self._plain_of(other)], one.shape)
        return replace(one, name=value.name)

    @staticmethod
    def _as_maps(one: Value, other: Value) -> tuple[tuple[Value, Value], Callable[[Value], Value]] | None:
        """Two tensors whose channels stand elsewhere as maps, and how what is made of them is seen again.

        Channels are the last axis of three, or the first two of four. None for maps, and for what is alike.
        """
        dims = one.dims
        if Weighted._alike(one, other) and dims == other.dims:
            return None
        if len(dims) == 4 and dims[:2] == other.dims[:2]:
            first, second = (value.reshaped((prod(dims[:2]), *value.dims[2:])) for value in (one, other))
            return (first, second), lambda value: value.reshaped((*dims[:2], *value.dims[1:]))
        sides = zip(dims[:2], other.dims[:2], strict=False)
        beside = len(dims) == 3 and all(min(pair) in (1, max(pair)) for pair in sides)
        if beside and one.axes() is None:
            first, second = (value.permuted((2, 0, 1), value.step) for value in (one, other))
            if first.axes() is not None:
                return (first, second), lambda value: value.permuted((1, 2, 0), value.step)
        return None

    @staticmethod
    def _channels_first(source: Value, axis: int) -> Value:
        """A tensor of channels along ``axis`` as a map."""
        others = [at for at in range(len(source.dims)) if at != axis]
        moved = source.permuted((axis, *others), source.step)
        sides = [source.dims[at] for at in others]
        return moved.reshaped((source.dims[axis], *[1, 1, *sides][-max(2, len(sides)) :]))

    def _beside(self, where: str, one: Value, other: Value) -> tuple[Value, Value]:
        """Two tensors as plain maps of one shape, or a map and a vector of as many channels."""
        sides = tuple(max(pair) for pair in zip(one.dims, other.dims, strict=False))
        misfit = Refused(
            (
                f"its inputs are {times(one.dims)} and {times(other.dims)}",
                "take maps of the same shape, or one value for every channel",
            )
        )
        meets = [
            size in (1, side)
            for value in (one, other)
            for size, side in zip(value.dims, sides, strict=len(value.dims) == len(sides))
        ]
        if one.rank != other.rank or not all(meets):
            raise misfit
        whole = []
        for value, beside in ((one, other), (other, one)):
            vector = self._vector(where, value, sides)
            if vector is not None:
                return self._whole(where, self._repeated(where, beside, sides)), vector
            if value.dims[1:] != sides[1:]:
                raise misfit
            whole.append(self._whole(where, self._repeated(where, value, sides)))
        one, other = whole
        return one, other

    def _repeated(self, where: str, value: Value, dims: Sequence[int]) -> Value:
        """A tensor with its values repeated along axes of a single one."""
        if max(dims) > LARGEST_SIDE or prod(dims) > MOST_VALUES:
            raise Refused((f"it repeats {times(value.dims)} to {times(dims)}", "use smaller maps"))
        dims = tuple(dims)
        return value if dims == value.dims else value.seen(np.broadcast_to(value.elements, dims), where)

    def _vector(self, where: str, value: Value, sides: Sequence[int]) -> Value | None:
        """A tensor of one value for all pixels of a channel as a map of one pixel; None for any other."""
        if prod(sides[1:]) == 1:
            return None
        pixel = (slice(None), *[slice(1)] * (len(sides) - 1))
        first = value.elements[pixel]
        if not (value.elements == first).all():
            return None
        channels = np.broadcast_to(first.reshape(-1, 1, 1), (sides[0], 1, 1))
        return self._whole(where, value.seen(channels, where))
