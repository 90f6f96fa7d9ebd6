"""Convolutions whose kernels reach further than the array's: over blocks of pixels, or as sums of parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil

import numpy as np

from hotnas_hls.accel.layer import LARGEST_KERNEL
from hotnas_hls.frontends.host_steps import HostSteps
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.windows import NO_PADDING, Padding, Pair, outputs_of


@dataclass(frozen=True, eq=False)
class Part:
    """Weights of a kernel along one axis that the array takes at once."""

    weights: slice
    own: np.ndarray  # those that no other part counts
    before: int  # zeros before the map; less than none: pixels left out
    after: int


def parts_of(size: int, gap: int, stride: int, side: int, before: int, after: int) -> list[Part]:
    """Parts of ``size`` weights, ``gap`` apart, over ``side`` pixels with zeros before and after.

    The first window of each has to end inside the map and the last to begin there: weights that another part
    counts are taken in for that. No parts where the array's kernels do not reach so far.
    """
    reach, most = gap * (size - 1) + 1, (LARGEST_KERNEL - 1) // gap + 1
    steps = (side + before + after - reach) // stride * stride  # from the first window to the last
    earliest_end, latest_begin = ceil(before / gap), (side - 1 + before - steps) // gap
    count, found = ceil(size / most), []
    for part in range(count):
        low, high = size * part // count, size * (part + 1) // count - 1
        first, last = min(low, latest_begin), max(high, earliest_end)
        if first < 0 or last >= size or last - first >= most:
            return []
        weights = np.arange(first, last + 1)
        zeros = before - gap * first
        end = steps + gap * (last - first) + 1 - zeros
        found.append(Part(slice(first, last + 1), (low <= weights) & (weights <= high), zeros, end - side))
    return found


class LargeKernels(HostSteps):
    """How large kernels are made of smaller ones."""

    @abstractmethod
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
        """Convolution."""

    @abstractmethod
    def add(self, where: str, one: Value, other: Value) -> Value:
        """Sum of two maps."""

    def _large(
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
        """A convolution whose kernel reaches further than the array's."""
        if len(source.dims) == 2:
            found = self._large(where, source.in_rows(where), weight, bias, step, around, gap, groups)
            return found.reshaped((len(weight), found.dims[2]), where)
        kernel = (weight.shape[2], weight.shape[3])
        sizes = outputs_of(source.dims[1:], kernel, step, around, gap)
        if min(sizes) < 1:
            wanted = times((len(weight), *sizes))
            raise Refused((f"its output would be {wanted}", "use a larger input or less stride"))
        in_blocks = None
        if gap == (1, 1):
            in_blocks = self._in_blocks(where, source, weight, bias, step, around, groups)
        return in_blocks or self._in_parts(where, source, weight, bias, step, around, gap, groups)

    def _in_blocks(
        self,
        where: str,
        source: Value,
        weight: np.ndarray,
        bias: np.ndarray | None,
        step: Pair,
        around: Padding,
        groups: int,
    ) -> Value | None:
        """A kernel larger than the array's as one over blocks of pixels, which are made once of a map.

        None where its steps are no whole blocks.
        """
        outputs, inputs, *kernel = weight.shape
        blocks, steps, sizes = [], [], []
        zeros: list[list[int]] = [[], [], [], []]  # in the first block and the last; blocks before and behind
        for axis, size in enumerate(kernel):
            least, stride = min(ceil(size / LARGEST_KERNEL), LARGEST_KERNEL), step[axis]
            side, before, after = source.dims[1 + axis], around[axis], around[2 + axis]
            beyond = before + side + after - size
            if 0 <= beyond < min(least, stride):  # the only place of the kernel
                stride = least
            fitting = [block for block in range(least, LARGEST_KERNEL + 1) if stride % block == 0]
            if beyond < 0 or not fitting:
                return None
            block = fitting[0]
            blocks.append(block)
            steps.append(stride // block)
            sizes.append(ceil(size / block))
            ahead, first = divmod(before, block)
            wanted = beyond // stride * steps[-1] + sizes[-1] - ahead  # blocks from the first one inside on
            last = -(side + first) % block if wanted > (side + first) // block else 0
            behind = max(0, wanted - (side + first + last) // block)
            for kind, count in zip(zeros, (first, last, ahead, behind), strict=True):
                kind.append(count)
        (down, across), (rows, columns) = blocks, sizes
        (top, left), (bottom, right), aheads, behinds = zeros
        padding = (top, left, bottom, right)
        key = (source.name, source.dims, down, across, padding)
        value = self.blocked.get(key) if source.order is None else None
        if value is None:
            value = self._blocks(f"{where}.blocks", source, down, across, padding)
            self.blocked |= {key: value} if source.order is None else {}
        whole = np.zeros((outputs, inputs, rows * down, columns * across))
        whole[:, :, : kernel[0], : kernel[1]] = weight
        parted = whole.reshape(outputs, inputs, rows, down, columns, across).transpose(0, 1, 3, 5, 2, 4)
        larger = parted.reshape(outputs, -1, rows, columns)
        return self.conv(where, value, larger, bias, steps, aheads + behinds, (1, 1), groups)

    def _in_parts(
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
        """The sum of smaller kernels, each on its part of the map; every sum is rounded as a map."""
        top, left, bottom, right = around
        axes = [
            parts_of(*of)
            for of in zip(weight.shape[2:], gap, step, source.dims[1:], around[:2], around[2:], strict=True)
        ]
        if not all(axes):  # zeros are in the way: on a map that has them
            wider = source.padded((0, top, left), (0, bottom, right), where)
            return self._in_parts(
                where, self._whole(where, wider), weight, bias, step, NO_PADDING, gap, groups
            )
        found: list[Value] = []
        for down, across in product(*axes):
            part = weight[:, :, down.weights, across.weights] * np.outer(down.own, across.own)
            if part.any() or not found:
                ends = (down.before, across.before), (down.after, across.after)
                before, after = ((0, *(min(0, end) for end in pair)) for pair in ends)
                zeros = [max(0, end) for pair in ends for end in pair]
                read, own_bias = source.padded(before, after, where), None if found else bias
                found.append(
                    self.conv(f"{where}.part{len(found)}", read, part, own_bias, step, zeros, gap, groups)
                )
        total = found[0]
        for count, value in enumerate(found[1:], 2):
            total = self.add(where if count == len(found) else f"{where}.sum{count}", total, value)
        return total

    def _blocks(
        self, where: str, source: Value, down: int, across: int, padding: Padding = (0, 0, 0, 0)
    ) -> Value:
        """Blocks of pixels as channels (c, row, column)."""
        channels = source.dims[0]
        weight = np.tile(np.eye(down * across).reshape(-1, 1, down, across), (channels, 1, 1, 1))
        return self.conv(where, source, weight, None, (down, across), padding, (1, 1), channels)
