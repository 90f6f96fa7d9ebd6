"""Grouped and dilated convolutions as the array computes them.

A grouped one runs as plain ones: each reads a slice of the channels and writes a slice of the result.

A slice begins on a word of a port, so groups of few channels are taken together: their convolution has zeros
where the groups do not meet. Where no slices fit, one convolution does it all, with as many zeros.

A dilated one has a larger kernel with zeros, which are a pattern: the array leaves them out, as it does those
of pruned kernels.
"""

from __future__ import annotations

import numpy as np

SLICE_CHANNELS = 16  # a slice is a multiple of these: a word of 8-bit channels on a port of 128 bits


def parts_of(groups: int, inputs: int, outputs: int) -> int:
    """How many convolutions compute one of ``groups`` from ``inputs`` to ``outputs`` channels."""
    return max(
        parts
        for parts in range(1, groups + 1)
        if groups % parts == 0
        and (parts == 1 or (inputs // parts % SLICE_CHANNELS == 0 and outputs // parts % SLICE_CHANNELS == 0))
    )


def spread(kernels: np.ndarray, dilation: tuple[int, int]) -> np.ndarray:
    """Kernels (..., rows, columns) with the zeros of a dilation between their weights."""
    *others, rows, columns = kernels.shape
    down, across = dilation
    found = np.zeros((*others, down * (rows - 1) + 1, across * (columns - 1) + 1), dtype=kernels.dtype)
    found[..., ::down, ::across] = kernels
    return found


def part_weights(weight: np.ndarray, groups: int, part: int = 0, parts: int = 1) -> np.ndarray:
    """Weights of one of the convolutions: of (out, in / groups, ...) its (out / parts, in / parts, ...)."""
    together, made, read = groups // parts, len(weight) // groups, weight.shape[1]
    found = np.zeros((together * made, together * read, *weight.shape[2:]), dtype=weight.dtype)
    for group in range(together):
        of_whole = (part * together + group) * made
        rows = slice(group * made, (group + 1) * made)
        found[rows, group * read : (group + 1) * read] = weight[of_whole : of_whole + made]
    return found
