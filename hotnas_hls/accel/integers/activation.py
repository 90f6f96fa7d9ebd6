"""Activations that are not clamps: a line for each of 64 even segments of what an activation can be.

The six upper bits of an activation, as they are, number its segment. A line is given by what it is at the
segment's first value (its base) and how far it rises to the next segment (its rise), both 16 bits and at the
scale of 16-bit activations.
"""

from __future__ import annotations

import numpy as np

SEGMENT_BITS = 6
SEGMENTS = 1 << SEGMENT_BITS
LINE_BITS = 16  # of a base and of a rise
SHIFT = LINE_BITS - SEGMENT_BITS  # from a line's value, counted in parts of a segment too, to an activation
LOWEST, HIGHEST = -(1 << LINE_BITS - 1), (1 << LINE_BITS - 1) - 1


def activated(values: np.ndarray, lines: np.ndarray, act_bits: int) -> np.ndarray:
    """What ``lines`` (SEGMENTS, 2), bases and rises, make of activations: int64 of the shape of ``values``.

    round_half_up((base << within) + rise * place >> SHIFT), saturated, where ``within`` counts the bits of an
    activation below those of its segment: its place there.
    """
    values, within, top = values.astype(np.int64), act_bits - SEGMENT_BITS, 1 << act_bits - 1
    line = lines.astype(np.int64)[values >> within & SEGMENTS - 1]
    place = values & (1 << within) - 1  # within its segment
    found = (line[..., 0] << within) + line[..., 1] * place + (1 << SHIFT - 1) >> SHIFT
    return np.clip(found, -top, top - 1)


def identity_lines() -> np.ndarray:
    """Lines that hand every activation on, int32 (SEGMENTS, 2)."""
    bases = np.arange(-SEGMENTS // 2, SEGMENTS // 2) << SHIFT
    return _in_order(bases, np.full(SEGMENTS, 1 << SHIFT))


def lines_through(ends: np.ndarray, act_bits: int) -> np.ndarray:
    """Lines from each end of a segment to the next, int32 (SEGMENTS, 2).

    ends: (SEGMENTS + 1,) what is to come out there, in activations, the lowest segment first.
    """
    scaled = np.floor(ends * 2.0 ** (LINE_BITS - act_bits) + 0.5)
    bases = np.clip(scaled[:-1], LOWEST, HIGHEST)
    return _in_order(bases, np.clip(scaled[1:] - bases, LOWEST, HIGHEST))


def _in_order(bases: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """Lines from the lowest segment on, in the order of the segments' numbers."""
    return np.roll(np.stack([bases, rises], axis=1), SEGMENTS // 2, axis=0).astype(np.int32)


def words_of(lines: np.ndarray) -> np.ndarray:
    """Lines as the words of a descriptor, uint32 (SEGMENTS,): the base below, the rise above it."""
    base, rise = (lines.astype(np.int64) & (1 << LINE_BITS) - 1).T
    return (base | rise << LINE_BITS).astype(np.uint32)
