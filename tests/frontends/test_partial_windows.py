"""Means that do not count the padding: three convolutions that every pixel shares give them exactly."""

from __future__ import annotations

import numpy as np
import pytest

from hotnas_hls.frontends.partial_windows import Kernel, edge_mean


def convolved(values: np.ndarray, kernel: Kernel, stride: int) -> np.ndarray:
    padded = np.pad(values, (kernel.before, kernel.after))
    return np.correlate(padded, kernel.weights, "valid")[::stride]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("window", [2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_mean_is_of_what_is_inside(window: int, stride: int, before: int, after: int) -> None:
    for side in range(window, 12):
        values = np.random.default_rng(side).normal(size=side)
        size = (side + before + after - window) // stride + 1
        found = edge_mean(side, size, window, stride, before)
        assert found is not None
        near = convolved(values, found.near, 1)
        assert len(near) == side
        means = convolved(values, found.direct, stride) + convolved(near, found.edge, stride)
        spans = [(max(0, at * stride - before), at * stride - before + window) for at in range(size)]
        np.testing.assert_allclose(means, [values[start:end].mean() for start, end in spans], atol=1e-12)


def test_windows_that_miss_more_are_left_alone() -> None:
    assert edge_mean(9, 9, 5, 1, 2) is None
    assert edge_mean(9, 6, 3, 2, 0) is None
