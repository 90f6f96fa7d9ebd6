"""How an operator reads a tensor: as the map of a node, its channels in any order, zeros around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from hotnas_hls.frontends.constants import onto, parameters_of
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.spreading import Spreader
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.windows import NO_PADDING, Padding, Pair
from hotnas_hls.network.graph import OpKind, Shape

PART_REFUSED = ("it takes a part of a map", "take channels, or every s-th row and column")


@dataclass(frozen=True, eq=False)
class MapRead:
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


class MapReader(Spreader):
    """Nodes that read tensors as maps."""

    def _read(self, where: str, source: Value) -> MapRead:
        """A tensor as a map, rows and columns left out by a node of their own."""
        self._check(source)
        one_row = len(source.dims) == 2
        value = source.reshaped((source.dims[0], 1, source.dims[1])) if one_row else source
        if len(value.dims) != 3:
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        value = self._spread(value.step or where, value) or value
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
        return MapRead(base, channels, padding, one_row)

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

    def _kept(self, where: str, source: Value, pads: Callable[[MapRead], bool]) -> MapRead:
        """A map for an operator that treats every channel alike: each is there once, in any order.

        pads: whether zeros around a map may stay its padding, since the operator takes them as it would.
        """
        read = self._read(where, source)
        if read.padding != NO_PADDING and not pads(read):
            read = self._surrounded(source.step or where, read)
        if read.keeps_channels:
            return read
        value = self._whole(where, source)
        return MapRead(value, np.arange(value.shape[0]), NO_PADDING, read.one_row)

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
            read = self._surrounded(source.step or where, read)
        value = read.value
        if not read.in_order:
            inside = np.flatnonzero(read.channels >= 0)
            middle = read.channels[inside[0] : inside[-1] + 1] if len(inside) else read.channels
            count, size = len(read.channels), value.shape[1:]
            step = source.step or where
            if np.array_equal(middle, np.arange(value.shape[0])):
                value, _ = self._subsampled(step, value, value.shape, (1, 1), read.channels)
            else:
                chosen = onto(np.eye(count)[:, :, None, None], read.channels, value.shape[0])
                value = self._add(
                    step, OpKind.CONV, [value], (count, *size), parameters=parameters_of(weight=chosen)
                )
        return replace(value, dims=source.dims)

    def _surrounded(self, where: str, read: MapRead) -> MapRead:
        """A map with the zeros around it as one of its own: kernels of a single one move every channel."""
        channels, rows, columns = read.value.shape
        top, left, bottom, right = read.padding
        more = (top + bottom, left + right)
        weight = np.zeros((channels, 1, 1 + more[0], 1 + more[1]))
        weight[:, :, bottom, right] = 1
        value = self._add(
            where,
            OpKind.CONV,
            [read.value],
            (channels, rows + more[0], columns + more[1]),
            kernel=weight.shape[2:],
            padding=(*more, *more),
            groups=channels,
            parameters=parameters_of(weight=weight),
        )
        return replace(read, value=value, padding=NO_PADDING)

    def _without_zeros(self, where: str, source: Value) -> Value:
        """A tensor for an operator that makes something else of a zero: zeros around it become its map's."""
        if source.order is not None and (source.elements < 0).any():
            return self._whole(where, source)
        return source

    def _result(self, read: MapRead, value: Value, channels: np.ndarray | None = None) -> Value:
        """What a node made of a map, its channels in the order ``channels`` or as they are."""
        if channels is not None:
            value = value.taken(channels, "")
        return (
            value.reshaped((value.dims[0], value.dims[2])) if read.one_row and value.dims[1] == 1 else value
        )


def _stretch(numbers: np.ndarray, side: int) -> tuple[int, int, int]:
    """Zeros before, step and zeros after, of rows or columns; Refused for a part of them."""
    inside = np.flatnonzero(numbers >= 0)
    if not len(inside):
        raise Refused(("it reads zeros only", "leave it out"))
    before, after = int(inside[0]), len(numbers) - 1 - int(inside[-1])
    middle = numbers[before : len(numbers) - after]
    step = int(middle[1] - middle[0]) if len(middle) > 1 else side
    if step < 1 or not np.array_equal(middle, np.arange(0, side, step)):
        raise Refused(PART_REFUSED)
    return before, step, after
