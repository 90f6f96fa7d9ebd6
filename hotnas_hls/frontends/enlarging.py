"""Operators that make maps larger: as tensors they are channels of a map, spread (see :mod:`.spreading`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from hotnas_hls.frontends.constants import misfits
from hotnas_hls.frontends.partial_windows import between
from hotnas_hls.frontends.pooling import Pooling
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.windows import around_of, pair_of
from hotnas_hls.network.parts import spread


class Enlarging(Pooling):
    """Values between pixels, depth to space and back, transposed convolutions."""

    def interpolated(self, where: str, source: Value, places: Sequence[np.ndarray]) -> Value:
        """Linear interpolation of every channel at ``places`` of its rows and of its columns.

        Beyond the edge every value is that of the edge. Of a map that does not become a whole number of times
        as large, or with places of another pattern at each pixel, every row and column is a layer of its own.
        """
        sides = source.dims[1:]
        if len(sides) == 1:
            found = self.interpolated(where, source.in_rows(where), [np.zeros(1), *places])
            return found.reshaped((found.dims[0], found.dims[2]), where)
        reaches = [_reaches(along, side) for along, side in zip(places, sides, strict=True)]
        if all(one is not None for one in reaches):
            return self._between(where, source, [one for one in reaches if one is not None])
        value = self._whole(where, source)
        for axis, along in enumerate(places):
            value = self._weighed(where, value, axis, _between_two(along, sides[axis]))
        return value

    def _between(self, where: str, source: Value, reaches: Sequence[Sequence[float]]) -> Value:
        """Linear interpolation of every channel along its rows and columns, a whole number of times as large.

        reaches: of each axis, how far behind a pixel each of the outputs that it becomes lies, in pixels;
        beyond the edge every value is that of the edge.
        """
        value = source
        for axis, (along, name) in enumerate(zip(reaches, ("rows", "columns"), strict=True)):
            if list(along) == [0]:
                continue
            windows, place = [between(reach) for reach in along], f"{where}.{name}"
            near = self._along(f"{place}.near", value, axis, [windows[0].near])
            direct = self._along(f"{place}.direct", value, axis, [window.direct for window in windows])
            edge = self._along(f"{place}.edge", near, axis, [window.edge for window in windows])
            value = self.add(place, direct, edge)
        return self._spaced(where, value, [len(along) for along in reaches])

    @staticmethod
    def _spaced(where: str, source: Value, steps: Sequence[int]) -> Value:
        """Channels (c, row, column) of every pixel as so many rows and columns of channel c."""
        stacked, *sides = source.dims
        channels = stacked // prod(steps)
        spaced = source.reshaped((channels, *steps, *sides), where).permuted((0, 3, 1, 4, 2), where)
        larger = [side * step for side, step in zip(sides, steps, strict=True)]
        return spaced.reshaped((channels, *larger), where)

    def depth_to_space(self, where: str, source: Value, block: int, columns_first: bool = False) -> Value:
        """Channels as blocks of ``block`` x ``block`` pixels.

        columns_first: channel (row, column, c) of a block, and not (c, row, column).
        """
        if len(source.dims) != 3 or block < 1 or source.dims[0] % block**2:
            raise Refused(
                (f"it spreads {times(source.dims)} over blocks of {block}", "give it whole blocks")
            )
        if columns_first:
            channels = np.arange(source.dims[0]).reshape(block**2, -1).T.reshape(-1)
            source = source.taken(channels, where)
        return self._spaced(where, source, (block, block))

    def space_to_depth(self, where: str, source: Value, block: int, columns_first: bool = False) -> Value:
        """The pixels of ``block`` x ``block`` as channels; the order as of :meth:`depth_to_space`."""
        if len(source.dims) != 3 or block < 1 or source.dims[1] % block or source.dims[2] % block:
            raise Refused((f"it takes blocks of {block} of {times(source.dims)}", "give it whole blocks"))
        channels, value = source.dims[0], self._blocks(where, source, block, block)
        if not columns_first:
            return value
        order = np.arange(channels * block**2).reshape(channels, -1).T.reshape(-1)
        return value.taken(order, where)

    def conv_transpose(
        self,
        where: str,
        source: Value,
        weight: np.ndarray,
        bias: np.ndarray | None,
        stride: Sequence[int],
        padding: Sequence[int],
        more: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Value:
        """Transposed convolution; ``weight`` is (in, out / groups, rows, columns), padding that of ``conv``.

        more: rows and columns added at the end. Where the output is not as many times as large as the stride
        says, one that is a little larger is made, and its last rows and columns are left out.
        """
        if weight.ndim not in (3, 4) or weight.ndim != source.rank:
            raise Refused((f"it reads a tensor of rank {source.rank}", "use it on maps"))
        rows_kept = weight.ndim == 4
        weight = weight if rows_kept else weight[:, :, None, :]
        step, gap = pair_of(stride), pair_of(dilation)
        added, (top, left, bottom, right) = (0, *more)[-2:], around_of(padding)
        inputs, outputs = weight.shape[0], weight.shape[1] * groups
        problems = misfits(bias, outputs, "bias")
        if inputs != source.dims[0] or inputs % max(1, groups):
            problems.append((f"its weights are for {inputs} channels", "give weights that fit the map"))
        if problems:
            raise Refused(*problems)
        weight = spread(weight, gap)
        sides = source.dims[1:] if rows_kept else (1, *source.dims[1:])
        sizes = [
            (side - 1) * apart + size + end - cut
            for side, apart, size, end, cut in zip(
                sides, step, weight.shape[2:], added, (top + bottom, left + right), strict=True
            )
        ]
        if min(sizes) < 1:
            raise Refused(("its padding leaves nothing of its output", "choose less padding"))
        beyond = [  # pixels behind the map that the last outputs are made of
            max(0, -(-(size - side * apart) // apart))
            for size, side, apart in zip(sizes, sides, step, strict=True)
        ]
        down, across = (
            _Taps(*of) for of in zip(weight.shape[2:], step, (top, left), strict=True)
        )
        kernels = np.zeros((outputs, *step, inputs // groups, down.size, across.size))
        by_group = weight.reshape(groups, inputs // groups, -1, *weight.shape[2:]).swapaxes(1, 2)
        by_output = by_group.reshape(outputs, inputs // groups, *weight.shape[2:])
        for row, i, at in down.taps:
            for column, j, beside in across.taps:
                kernels[:, i, j, :, at, beside] = by_output[:, :, row, column]
        kernels = kernels.reshape(-1, *kernels.shape[3:])
        around = (down.before, across.before, down.after + beyond[0], across.after + beyond[1])
        if not rows_kept:
            kernels = kernels[:, :, 0, :]
        each_bias = None if bias is None else np.repeat(bias, prod(step))
        ones = (1,) * (2 if rows_kept else 1)
        value = self.conv(
            where, source, kernels, each_bias, ones, around if rows_kept else around[1::2], ones, groups
        )
        spaced = self._spaced(where, value.in_rows(where), step)
        if spaced.dims[1:] != (*sizes,):
            whole = self._whole(where, spaced)
            spaced = whole.taken((slice(None), slice(sizes[0]), slice(sizes[1])), where)
        return spaced if rows_kept else spaced.reshaped((outputs, sizes[1]), where)


def _reaches(places: np.ndarray, side: int) -> list[float] | None:
    """How far behind each of ``side`` pixels the outputs lie that it becomes; None where pixels differ."""
    if len(places) % side:
        return None
    by_pixel = places.reshape(side, -1) - np.arange(side)[:, None]
    alike = np.allclose(by_pixel, by_pixel[0], atol=1e-9) and np.abs(by_pixel).max() <= 1
    return [float(reach) for reach in by_pixel[0]] if alike else None


def _between_two(places: np.ndarray, side: int) -> np.ndarray:
    """Weights (places, side) of the pixels on both sides of each place."""
    inside = places.clip(0, side - 1)
    distance = np.abs(inside[:, None] - np.arange(side))
    return np.maximum(0.0, 1.0 - distance)


class _Taps:
    """One axis of a transposed convolution: which output each weight reaches, of every ``stride``."""

    def __init__(self, size: int, stride: int, cut: int) -> None:
        found = [
            (weight, (weight - cut) % stride, -((weight - cut) // stride)) for weight in range(size)
        ]  # output stride * q + i reads input q + reach through the weight
        lowest = min(0, *(reach for _, _, reach in found))
        highest = max(0, *(reach for _, _, reach in found))
        self.before, self.after, self.size = -lowest, highest, highest - lowest + 1
        self.taps = [(weight, output, reach - lowest) for weight, output, reach in found]
