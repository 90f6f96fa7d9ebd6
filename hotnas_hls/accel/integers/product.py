"""Products of two maps: what a residual that multiplies makes of an activation."""

from __future__ import annotations

import numpy as np


def multiplied(values: np.ndarray, factors: np.ndarray, shift: int, act_bits: int) -> np.ndarray:
    """clamp(round_half_up(values * factors >> shift)), within activations of ``act_bits``; int64.

    values: activations (..., C, H, W); factors: the same, or a vector (..., C, 1, 1).
    """
    top = 1 << act_bits - 1
    product = values.astype(np.int64) * factors.astype(np.int64)
    return np.clip(product + (1 << shift >> 1) >> shift, -top, top - 1)
