"""Windows that do not count what lies outside of the map, as sums that weigh all pixels alike.

The array weighs every pixel alike, and zeros lie around a map. A window of k that misses one row has the mean
of k - 1 rows: more than the k-th part of their sum by g = 1/(k-1) - 1/k of it. That difference, at the edge
alone, is a convolution of a convolution less both in one::

    u = w * x     w: the k - 1 rows next to each pixel, on the side of the edge's window
    mean = (m - v . w) * x  +  v * u

m is the plain mean, v takes -g of the row of u where the missing one would be. Inside, v * u is (v . w) * x,
and both cancel. At the edge u ends, so v * u lacks the term, and what is left is g times the sum. All three
are depthwise.

A value between two pixels, one of them outside, is the other one: what the missing one weighs is added at
the edge alone in the same way, from u = the pixels on both sides of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Taps = Mapping[int, float]  # offset from a pixel -> weight
Move = Callable[[np.ndarray, float], np.ndarray]  # places of outputs, factor -> where they lie


@dataclass(frozen=True, eq=False)
class Kernel:
    """Weights along one axis, and the zeros around the map for an output of the size asked for."""

    weights: np.ndarray
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class EdgeWindow:
    """The three convolutions along an axis; ``near`` has stride 1 and gives as many pixels as it reads."""

    near: Kernel  # w
    direct: Kernel  # m - v . w, with the stride of a pooling
    edge: Kernel  # v, on what near gives, with that stride


def edge_mean(side: int, size: int, window: int, stride: int, before: int) -> EdgeWindow | None:
    """Of ``size`` means of ``window`` pixels of ``side``, ``before`` of them outside at the first.

    None where a window misses more than one pixel.
    """
    after = (size - 1) * stride - before + window - side
    if max(before, after) > 1 or window < 2:
        return None
    share = 1 / (window - 1) - 1 / window
    near: dict[int, float] = {}
    edge: dict[int, float] = {}
    if before == 1:
        near |= {offset: 1.0 for offset in range(1, window)}
        edge[-1] = -share
    if after == 1:
        near |= {-offset: 1.0 for offset in range(1, window)}
        edge[window - 1 - before] = -share
    direct = _less({offset - before: 1 / window for offset in range(window)}, edge, near)
    return EdgeWindow(
        _kernel(near, side, side, 1), _kernel(direct, side, size, stride), _kernel(edge, side, size, stride)
    )


def between(reach: float) -> EdgeWindow:
    """The value ``reach`` (-1 to 1) pixels behind each pixel, on the line to its neighbour there."""
    near = {-1: 1.0, 1: 1.0}
    side = 1 if reach > 0 else -1
    edge = {side: -abs(reach)}
    direct = _less({0: 1 - abs(reach), side: abs(reach)}, edge, near)
    return EdgeWindow(*(_wide(taps, size) for taps, size in ((near, 1), (direct, 2), (edge, 1))))


def half_pixel(places: np.ndarray, factor: float) -> np.ndarray:
    """Where outputs lie on an axis made ``factor`` times as long, from pixel centre to pixel centre."""
    return (places + 0.5) / factor - 0.5


def corner_to_corner(side: int, size: int) -> np.ndarray:
    """Where ``size`` outputs lie on an axis of ``side`` pixels, the first and last on those of the map."""
    return np.arange(size) * ((side - 1) / max(1, size - 1))


def _less(taps: Taps, edge: Taps, near: Taps) -> dict[int, float]:
    """``taps`` less what ``edge`` of ``near`` adds inside."""
    found = dict(taps)
    for outer, factor in edge.items():
        for inner, weight in near.items():
            found[outer + inner] = found.get(outer + inner, 0.0) - factor * weight
    return found


def _wide(taps: Taps, size: int) -> Kernel:
    """``taps`` with as many pixels on both sides."""
    return Kernel(np.array([taps.get(offset, 0.0) for offset in range(-size, size + 1)]), size, size)


def _kernel(taps: Taps, side: int, size: int, stride: int) -> Kernel:
    """``taps`` as an array that reaches at least to the last pixel any output needs."""
    end = (size - 1) * stride + 1 - side  # of the last output's own pixel, beyond the map
    low, high = min((0, *taps)), max((0, -end, *taps))
    weights = np.array([taps.get(offset, 0.0) for offset in range(low, high + 1)])
    return Kernel(weights, -low, end + high)
