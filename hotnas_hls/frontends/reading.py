"""How an operator reads a tensor: as the map of a node, its channels in any order, zeros around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hotnas_hls.accel.layer import LARGEST_KERNEL
from hotnas_hls.frontends.constants import onto, parameters_of
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.spreading import Spreader
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.windows import NO_PADDING, Padding, Pair, around_of, mergeable, together
from hotnas_hls.network.graph import OpKind, Shape

PART_REFUSED = ("it takes rows or columns that are not evenly apart", "take every s-th, from any on")

ROOM = LARGEST_KERNEL - 1  # zeros that the largest kernel reaches on both sides together


@dataclass(frozen=True, eq=False)
class MapRead:
    """A map as an operator reads it: tensor channel i is channel ``channels[i]`` of the node's map.

    ``padding`` are zeros around it, or where it is less than none rows and columns that are left out.
    """

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
        value = source.in_rows()
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
        rows, columns = (
            _stretch(numbers, side)
            for numbers, side in zip((axes.rows, axes.columns), value.shape[1:], strict=True)
        )
        base, channels = self._plain_of(value), axes.channels
        cut = (rows.cut[0], columns.cut[0], rows.cut[1], columns.cut[1])
        padding = (rows.zeros[0], columns.zeros[0], rows.zeros[1], columns.zeros[1])
        if (rows.step, columns.step) != (1, 1) or not mergeable(padding, cut):
            shape, steps = (base.shape[0], rows.count, columns.count), (rows.step, columns.step)
            base, channels = self._subsampled(value.step or where, base, shape, steps, channels, cut)
            cut = NO_PADDING
        return MapRead(base, channels, together(padding, cut), one_row)

    def _is_part(self, value: Value) -> bool:
        """Whether it leaves out the first or last rows or columns of a map."""
        axes = value.in_rows().axes()
        return axes is not None and any(
            min(_stretch(numbers, side).cut) < 0
            for numbers, side in zip((axes.rows, axes.columns), value.shape[1:], strict=True)
        )

    def _subsampled(
        self,
        where: str,
        base: Value,
        shape: Shape,
        stride: Pair,
        channels: np.ndarray,
        cut: Padding = NO_PADDING,
    ) -> tuple[Value, np.ndarray]:
        """Every stride-th row and column of what ``cut`` leaves, with the zero channels around them."""
        inside = np.flatnonzero(channels >= 0)
        before, after = (int(inside[0]), len(channels) - 1 - int(inside[-1])) if len(inside) else (0, 0)
        if not np.array_equal(channels[before : len(channels) - after], np.arange(base.shape[0])):
            before = after = 0
        shape = (before + shape[0] + after, *shape[1:])
        value = self._add(
            where, OpKind.SUBSAMPLE, [base], shape, stride=stride, channel_pad=(before, after), padding=cut
        )
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
        """A map with the zeros around it as one of its own: kernels of a single one move every channel.

        As many zeros at a time as a kernel reaches; of a map that is cut what is left.
        """
        channels, rows, columns = read.value.shape
        if max(read.padding) <= 0:
            top, left, bottom, right = read.padding
            shape = (channels, rows + top + bottom, columns + left + right)
            value, order = self._subsampled(
                where, read.value, shape, (1, 1), read.channels, read.padding
            )
            return replace(read, value=value, channels=order, padding=NO_PADDING)
        (top, bottom), (left, right) = (
            (min(before, ROOM), min(after, ROOM - max(0, min(before, ROOM))))
            for before, after in zip(read.padding[:2], read.padding[2:], strict=True)
        )
        above, ahead, below, behind = (max(0, zeros) for zeros in (top, left, bottom, right))
        weight = np.zeros((channels, 1, 1 + above + below, 1 + ahead + behind))
        weight[:, :, below, behind] = 1
        value = self._add(
            where,
            OpKind.CONV,
            [read.value],
            (channels, rows + top + bottom, columns + left + right),
            kernel=weight.shape[2:],
            padding=(top + below, left + behind, bottom + above, right + ahead),
            groups=channels,
            parameters=parameters_of(weight=weight),
        )
        rest = [of - done for of, done in zip(read.padding, (top, left, bottom, right), strict=True)]
        found = replace(read, value=value, padding=around_of(rest))
        return self._surrounded(where, found) if any(rest) else found

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


@dataclass(frozen=True)
class _Stretch:
    """Rows or columns that are read: every so many of those that are left, zeros before and after."""

    zeros: Pair
    cut: Pair  # less than none: left out before and behind
    step: int
    count: int


def _stretch(numbers: np.ndarray, side: int) -> _Stretch:
    """Rows or columns by their numbers, less than 0 of zeros; Refused for those not evenly apart."""
    inside = np.flatnonzero(numbers >= 0)
    if not len(inside):
        raise Refused(("it reads zeros only", "leave it out"))
    zeros = int(inside[0]), len(numbers) - 1 - int(inside[-1])
    middle = numbers[zeros[0] : len(numbers) - zeros[1]]
    first, last = int(middle[0]), int(middle[-1])
    step = int(middle[1]) - first if len(middle) > 1 else 1
    if step < 1 or not np.array_equal(middle, np.arange(first, last + 1, step)):
        raise Refused(PART_REFUSED)
    behind = 0 if side - last <= step and len(middle) > 1 else last + 1 - side
    return _Stretch(zeros, (-first, behind), step, len(middle))
