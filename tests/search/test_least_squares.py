"""Descent on the integers ends at the least-squares solution, on the grid and within its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hotnas_hls.models.pattern_pruning import RIDGE
from hotnas_hls.search.fitting.least_squares import SWEEPS, Moments, descend


@pytest.mark.parametrize("step", [0.25, 2.0**-20])
def test_descent_ends_where_no_weight_gains_alone(step: float) -> None:
    """On a fine grid that is the least-squares solution of the weights that are kept."""
    rng = np.random.default_rng(0)
    inputs, wanted = rng.standard_normal((200, 12)), rng.standard_normal((200, 3))
    inner, cross = (inputs.T @ inputs / 200)[None], (wanted.T @ inputs / 200)[None]
    mask = (rng.random((1, 3, 12)) < 0.6).astype(np.float32)
    weights, limit = np.zeros((1, 3, 12)), 1 << 30
    for _ in range(2000 // SWEEPS):
        descend(weights, cross - weights @ inner, inner, mask, step, limit)
    assert not weights[mask == 0].any() and np.array_equal(np.round(weights / step) * step, weights)

    def error(values: np.ndarray) -> float:
        return float(np.square(inputs @ values[0].T - wanted).sum())

    for at in zip(*np.nonzero(mask), strict=True):
        for change in (-step, step):
            moved = weights.copy()
            moved[at] += change
            assert error(moved) >= error(weights) - 1e-9
    if step < 1e-3:
        for row in range(3):
            kept = mask[0, row] > 0
            solved = np.linalg.lstsq(inputs[:, kept], wanted[:, row], rcond=None)[0]
            np.testing.assert_allclose(weights[0, row, kept], solved, atol=1e-4)


def test_descent_stays_between_the_limits() -> None:
    weights, inner = np.zeros((1, 1, 2)), np.eye(2)[None]
    descend(weights, np.array([[[9.0, -9.0]]]), inner, np.ones((1, 1, 2), np.float32), 0.5, 4)
    assert weights.tolist() == [[[1.5, -2.0]]]


def test_a_pruned_layer_is_held_to_weights_that_make_up_for_what_is_gone() -> None:
    """Where the images say nothing of a kernel's sums, it gets those, and not its own with holes."""
    rng = np.random.default_rng(3)
    seen = rng.standard_normal((300, 18)) + 2 * rng.standard_normal((300, 1))
    square = torch.from_numpy(seen.T @ seen / 300)[None]
    weights, mask = torch.from_numpy(rng.standard_normal((4, 2, 3, 3))), torch.zeros(4, 2, 3, 3)
    mask[:, :, 1:, 1:] = 1
    inner = square[0] + RIDGE * float(square[0].diagonal().mean()) * torch.eye(18)
    wanted = torch.zeros(4, 2, 9, dtype=torch.float64)
    kept = mask[0, 0].flatten() > 0
    for kernel in range(2):
        at = slice(9 * kernel, 9 * kernel + 9)
        block, own = inner[at, at], weights[:, kernel].flatten(1)
        wanted[:, kernel, kept] = torch.linalg.solve(block[kept][:, kept], (block @ own.T)[kept]).T
    means = (torch.zeros(1, count, dtype=torch.float64) for count in (18, 4))
    moments = Moments(*means, square, (wanted.flatten(1) @ square[0])[None])
    found, _ = moments.fitted(weights, mask, 2.0**-24, 32)
    torch.testing.assert_close(found, wanted.reshape(4, 2, 3, 3).float(), atol=1e-5, rtol=0)


def test_inputs_that_never_change_leave_weights_as_they_are() -> None:
    nothing = torch.zeros(1, 9, 9, dtype=torch.float64)
    means = (torch.zeros(1, count, dtype=torch.float64) for count in (9, 2))
    weights, mask = torch.ones(2, 1, 3, 3), torch.ones(2, 1, 3, 3)
    mask[:, :, 0] = 0
    found, bias = Moments(*means, nothing, nothing[:, :2]).fitted(weights, mask, 0.25, 8)
    assert torch.equal(found, weights * mask) and not bias.any()
