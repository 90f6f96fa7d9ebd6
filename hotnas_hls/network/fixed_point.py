"""Power-of-two fixed point: value = integer * 2**-frac_bits, rounded half up, saturated."""

from __future__ import annotations

import math

import numpy as np

CLIPPING_TRIES = 3  # finer grids tried beyond the one that holds every value
BLOCK = 1 << 20  # values rounded at a time
SAMPLE = 1 << 16  # values the error is measured on
MOST_FRAC_BITS = 60  # sums of two such scales are still within float32, in which integers are trained


def quantised(values: np.ndarray, frac_bits: int, bits: int) -> np.ndarray:
    """The nearest integers of ``bits`` bits (at most 32), int32."""
    flat, limit = np.asarray(values).reshape(-1), 1 << (bits - 1)
    found = np.empty(flat.size, dtype=np.int32)
    for start in range(0, flat.size, BLOCK):  # float64 of all of a large layer at once would need gigabytes
        scaled = np.floor(flat[start : start + BLOCK].astype(np.float64) * 2.0**frac_bits + 0.5)
        found[start : start + BLOCK] = np.clip(scaled, -limit, limit - 1)
    return found.reshape(np.shape(values))


def holding_frac_bits(low: float, high: float, bits: int) -> int:
    """The most fraction bits at which neither ``low`` nor ``high`` saturates; ``bits - 1`` for zeros."""
    limit = 1 << (bits - 1)
    largest = max(-low, high)
    if largest <= 0:
        return bits - 1
    frac_bits = min(MOST_FRAC_BITS, math.floor(math.log2(limit / largest)) + 1)
    while math.floor(high * 2.0**frac_bits + 0.5) >= limit or math.floor(low * 2.0**frac_bits + 0.5) < -limit:
        frac_bits -= 1
    return frac_bits


def best_frac_bits(sample: np.ndarray, low: float, high: float, bits: int, clip: bool = True) -> int:
    """The grid with the least mean squared error on ``sample``, a part of values from ``low`` to ``high``.

    With ``clip`` grids that clip the largest values are tried too; of equal ones the coarsest wins.
    """
    start = holding_frac_bits(low, high, bits)
    if not clip:
        return start
    tries = range(start, min(start + CLIPPING_TRIES, MOST_FRAC_BITS) + 1)
    return min(tries, key=lambda frac_bits: mean_squared_error(sample, frac_bits, bits))


def weight_frac_bits(
    weights: np.ndarray, bits: int, clip: bool = True, power: np.ndarray | None = None
) -> int:
    """The fraction bits that suit ``weights`` at a width of ``bits``; ``clip`` as in best_frac_bits.

    power: mean square of what each weight multiplies, where known. Then what counts is the error of the
    products: a weight that multiplies nothing may saturate, however large it is.
    """
    flat = weights.ravel()
    if not flat.size:
        return bits - 1
    if power is not None and clip:
        start = holding_frac_bits(float(flat.min()), float(flat.max()), bits)
        root = np.sqrt(power.ravel())
        return min(
            range(start, MOST_FRAC_BITS + 1),
            key=lambda frac_bits: mean_squared_error(flat, frac_bits, bits, root),
        )
    sample = flat[:: -(-flat.size // SAMPLE)]
    return best_frac_bits(sample, float(flat.min()), float(flat.max()), bits, clip)


def mean_squared_error(
    sample: np.ndarray, frac_bits: int, bits: int, factor: np.ndarray | float = 1.0
) -> float:
    """Mean of ((value - fixed-point value) * factor) squared."""
    error = (quantised(sample, frac_bits, bits) * 2.0**-frac_bits - sample) * factor
    return float(np.mean(error * error))
