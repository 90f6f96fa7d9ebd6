"""Windows that slide over maps: sizes, padding, and what pooling makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from hotnas_hls.accel.layer import LARGEST_KERNEL
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.network.graph import Shape

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]  # top, left, bottom, right; less than none: rows and columns left out

NO_PADDING: Padding = (0, 0, 0, 0)


def pair_of(sizes: Sequence[int]) -> Pair:
    """Sizes of rows and columns; one number is of columns."""
    rows, columns = (1, *sizes)[-2:]
    return int(rows), int(columns)


def around_of(padding: Sequence[int]) -> Padding:
    """(top, left, bottom, right) of that or of (left, right)."""
    before, after = _before_after(padding)
    return before[0], before[1], after[0], after[1]


def outputs_of(sides: Sequence[int], kernel: Pair, step: Pair, around: Padding, gap: Pair) -> Pair:
    """Rows and columns that a window makes of ``sides``; none, or less, where it does not fit."""
    rows, columns = (
        (side + before + after - apart * (size - 1) - 1) // stride + 1
        for side, size, stride, before, after, apart in zip(
            sides, kernel, step, around[:2], around[2:], gap, strict=True
        )
    )
    return rows, columns


def together(one: Padding, other: Padding) -> Padding:
    """Both paddings, one around the other."""
    top, left, bottom, right = (mine + its for mine, its in zip(one, other, strict=True))
    return top, left, bottom, right


def mergeable(zeros: Padding, other: Padding) -> bool:
    """Whether zeros around a padded map are padding of it, too: not around rows and columns left out."""
    return not any(more > 0 > less for more, less in zip(zeros, other, strict=True))


def _before_after(padding: Sequence[int]) -> tuple[Pair, Pair]:
    half = len(padding) // 2
    pairs = [(0, *padding[:half])[-2:], (0, *padding[half:])[-2:]]
    (top, left), (bottom, right) = ((int(one), int(other)) for one, other in pairs)
    return (top, left), (bottom, right)


def window_problems(stride: Pair, padding: Padding) -> list[tuple[str, str]]:
    problems = []
    if min(stride) < 1:
        problems.append((f"stride {times(stride)}", "use a stride of 1 or more"))
    if min(padding) < 0:
        problems.append((f"padding {times(padding)}", "use a padding of 0 or more"))
    return problems


def pooled(
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


def first_step(side: int) -> int:
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
