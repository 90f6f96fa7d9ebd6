"""Pooling and means, as windows that slide over maps."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

import numpy as np

from hotnas_hls.frontends.elementwise import Elementwise
from hotnas_hls.frontends.partial_windows import Kernel, edge_mean
from hotnas_hls.frontends.reading import MapRead
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.windows import (
    NO_PADDING,
    Padding,
    Pair,
    around_of,
    first_step,
    mergeable,
    pair_of,
    pooled,
    together,
    window_problems,
)
from hotnas_hls.network.graph import OpKind


class Pooling(Elementwise):
    """Operators that take the largest or the mean of windows."""

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
        window, step, around, gap = pair_of(kernel), pair_of(stride), around_of(padding), pair_of(dilation)
        problems = window_problems(step, around)
        if gap != (1, 1):
            problems.append((f"dilation {times(gap)}", "use dilation 1"))
        if problems:
            raise Refused(*problems)
        read = self._kept(
            where,
            source,
            lambda read: (
                not ceil_mode
                and (max(read.padding) <= 0 or self._is_positive(read))
                and _reach_inside(read, window, around)
            ),
        )
        around = together(around, read.padding)
        shape, around = pooled(read.value.shape, window, step, around, ceil_mode)
        value = self._add(
            where, OpKind.MAXPOOL, [read.value], shape, kernel=window, stride=step, padding=around
        )
        return self._result(read, value, read.channels)

    def adaptive_maxpool(self, where: str, source: Value, size: Sequence[int]) -> Value:
        """Max-pooling to ``size``: of windows that overlap where it does not divide the map."""
        sides = source.dims[1:]
        if len(sides) != len(size):
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        if len(sides) == 1:
            found = self.adaptive_maxpool(where, source.in_rows(where), [1, *size])
            return found.reshaped((source.dims[0], *size), where)
        for axis, (side, want) in enumerate(zip(sides, size, strict=True)):
            if side % want or (want > 1 and side // want % first_step(side // want)):
                value, parts = self._whole(where, source), []
                for first, end in _bins(side, want):
                    to = [*value.dims[1:]]
                    to[axis] = 1
                    part = self._stretch_of(where, value, axis, first, end)
                    parts.append(self.adaptive_maxpool(f"{where}.{first}_{end}", part, to))
                source = self._in_turn(where, parts, axis)
        kernel = [side // want for side, want in zip(source.dims[1:], size, strict=True)]
        firsts, none = [first_step(side) for side in kernel], [0, 0] * len(sides)
        if firsts != kernel:  # in two steps: cells outside never win
            source = self.maxpool(f"{where}.windows", source, firsts, firsts, none, ceil_mode=True)
            kernel = [ceil(side / first) for side, first in zip(kernel, firsts, strict=True)]
        return self.maxpool(where, source, kernel, kernel, none)

    def largest(self, where: str, source: Value, axes: Sequence[int], keep: bool) -> Value:
        """The largest pixel of every channel."""
        gone = sorted(self.axis(source, axis) for axis in axes)
        if gone != list(range(2, source.rank)) or not 2 <= len(source.dims) <= 3:
            raise Refused((f"maximum over axes {gone}", "take it over rows and columns: axes 2 and 3"))
        found = self.adaptive_maxpool(where, source, [1] * (source.rank - 2))
        return found if keep else found.reshaped(source.dims[:1], where)

    def _is_positive(self, read: MapRead) -> bool:
        """True for a map without a value below zero: zeros around it are no larger than what it has."""
        node = self.nodes[read.value.name]
        return node.kind is OpKind.RELU or (node.kind is OpKind.CLIP and node.bounds[0] >= 0)

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
        window, step, around = pair_of(kernel), pair_of(stride), around_of(padding)
        problems = window_problems(step, around)
        if problems:
            raise Refused(*problems)
        counted = not ceil_mode and (count_include_pad or not any(around))
        read = self._kept(where, source, lambda read: counted and _reach_inside(read, window, around))
        if any(read.padding):
            around, count_include_pad = together(around, read.padding), True
        shape, padded = pooled(read.value.shape, window, step, around, ceil_mode)
        if padded != around and count_include_pad and any(around):
            raise Refused(
                (
                    "ceil_mode adds a partial window that counts padding on one side",
                    "use ceil_mode=False, or do not count the padding",
                )
            )
        if padded != around:
            around, count_include_pad = padded, False
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
            direct = self._along(f"{place}.direct", value, axis, [found.direct], steps)
            if found.edge.weights.any():
                near = self._along(f"{place}.near", value, axis, [found.near])
                edge = self._along(f"{place}.edge", near, axis, [found.edge], steps)
                direct = self.add(place, direct, edge)
            value = direct
        return value

    def _along(
        self, where: str, source: Value, axis: int, kernels: Sequence[Kernel], stride: Pair = (1, 1)
    ) -> Value:
        """Every channel weighed along its rows (axis 0) or columns by each of ``kernels``, alike in size."""
        channels, kernel = source.shape[0], kernels[0]
        shape = (len(kernels), 1, -1, 1) if axis == 0 else (len(kernels), 1, 1, -1)
        weight = np.tile(np.stack([each.weights for each in kernels]).reshape(shape), (channels, 1, 1, 1))
        before, after = [0, 0], [0, 0]
        before[axis], after[axis] = kernel.before, kernel.after
        return self.conv(where, source, weight, None, stride, (*before, *after), (1, 1), channels)

    def adaptive_avgpool(self, where: str, source: Value, size: Sequence[int]) -> Value:
        """Average pooling to ``size``: of windows that overlap where it does not divide the map."""
        sides = source.dims[1:]
        if len(sides) != len(size):
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        if all(want == 1 for want in size):
            return self.mean(where, source, range(2, source.rank), keep=True)
        windows = [_bins(side, want) for side, want in zip(sides, size, strict=True)]
        if all(end - first == 1 for axis in windows for first, end in axis):  # a larger map
            places = source.numbers
            for axis, along in enumerate(windows):
                places = places.take([first for first, _ in along], axis=1 + axis)
            return source.picked(places, where)
        if all(side % want == 0 for side, want in zip(sides, size, strict=True)):
            kernel = [side // want for side, want in zip(sides, size, strict=True)]
            return self.avgpool(where, source, kernel, kernel)
        one_row = len(sides) == 1
        value = self._whole(where, source.in_rows(where))
        for axis, along in enumerate([[(0, 1)], *windows][-2:]):
            pixels = np.arange(value.shape[1 + axis])
            means = [(first <= pixels) * (pixels < end) / (end - first) for first, end in along]
            value = self._weighed(where, value, axis, np.array(means))
        return value.reshaped((source.dims[0], *size), where) if one_row else value

    def _weighed(self, where: str, source: Value, axis: int, weights: np.ndarray) -> Value:
        """Rows (axis 0) or columns as sums of those of ``source``, by ``weights`` (out, in): a layer each."""
        if np.array_equal(weights, np.eye(source.shape[1 + axis])):
            return source
        parts = []
        for row in weights:
            read = np.flatnonzero(row)
            first, end = int(read[0]), int(read[-1]) + 1
            part = self._stretch_of(where, source, axis, first, end)
            parts.append(self._along(f"{where}.{first}_{end}", part, axis, [Kernel(row[first:end], 0, 0)]))
        return self._in_turn(where, parts, axis)

    @staticmethod
    def _stretch_of(where: str, source: Value, axis: int, first: int, end: int) -> Value:
        """Some rows (axis 0) or columns of a map."""
        before, after = [0, 0, 0], [0, 0, 0]
        before[1 + axis], after[1 + axis] = -first, end - source.dims[1 + axis]
        return source.padded(before, after, where)

    def _in_turn(self, where: str, parts: Sequence[Value], axis: int) -> Value:
        """Maps of one row (axis 0) or one column as the rows or columns of one."""
        plain = [self._plain_of(part) for part in parts]
        channels, rows, columns = plain[0].shape
        if axis == 0:
            return self._add(where, OpKind.ROWS, plain, (channels, len(parts), columns))
        in_line = self._add(where, OpKind.ROWS, plain, (channels, rows * len(parts), 1))
        return self._add(where, OpKind.PIXELS, [in_line], (channels, rows, len(parts)))

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
        if len(gone) == 1 and len(source.dims) == 3 and (gone == [0] or source.axes() is None):
            pixels = self._channels_first(source, gone[0])
            ones, none, kernels = (1, 1), (0, 0, 0, 0), np.full((1, pixels.dims[0], 1, 1), 1 / pixels.dims[0])
            return self.conv(where, pixels, kernels, None, ones, none, ones, 1).reshaped(dims, where)
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
        firsts = [first_step(side) for side in sides]
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


def _bins(side: int, size: int) -> list[tuple[int, int]]:
    """The first pixel and the end of each window of an adaptive pooling from ``side`` pixels to ``size``."""
    return [(at * side // size, -(-(at + 1) * side // size)) for at in range(size)]


def _reach_inside(read: MapRead, window: Pair, around: Padding) -> bool:
    """True where every window holds a value of the map, with the zeros around it as padding too."""
    padding = together(around, read.padding)
    inside = all(pad < size for pad, size in zip(padding, (*window, *window), strict=True))
    return inside and mergeable(around, read.padding)
