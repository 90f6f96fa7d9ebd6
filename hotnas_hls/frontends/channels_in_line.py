"""A convolution along the channels of a map of one pixel, as a matrix of bands with zeros between: exact."""

from __future__ import annotations

import numpy as np

from hotnas_hls.frontends.tensor import OUTSIDE
from hotnas_hls.frontends.windows import Padding, Pair

LARGEST_MATRIX = 1 << 24  # of these weights, of which most are zeros


def channel_matrix(
    weight: np.ndarray,
    elements: np.ndarray,
    channels: int,
    step: Pair,
    padding: Padding,
    gap: Pair,
    groups: int,
) -> np.ndarray:
    """Weights (outputs, rows, columns, channels) of what a convolution makes of a tensor.

    weight: (outputs, inputs / groups, kernel rows, kernel columns). elements: the channel of the map at each
    place (inputs, rows, columns) of the tensor, or OUTSIDE for a zero. padding: top, left, bottom, right.
    """
    top, left, bottom, right = padding
    around = np.pad(elements, ((0, 0), (top, bottom), (left, right)), constant_values=OUTSIDE)
    outputs, inputs, *kernel = weight.shape
    rows, columns = (
        (side - reach * (size - 1) - 1) // stride + 1
        for side, size, stride, reach in zip(around.shape[1:], kernel, step, gap, strict=True)
    )
    found = np.zeros((outputs, max(0, rows), max(0, columns), channels))
    together = outputs // groups
    for group in range(groups):
        part = slice(group * together, (group + 1) * together)
        for source, row, column in np.ndindex(inputs, *kernel):
            met = around[
                group * inputs + source,
                row * gap[0] : row * gap[0] + (rows - 1) * step[0] + 1 : step[0],
                column * gap[1] : column * gap[1] + (columns - 1) * step[1] + 1 : step[1],
            ]
            at = np.nonzero(met != OUTSIDE)
            found[part, at[0], at[1], met[at]] += weight[part, source, row, column][:, None]
    return found
