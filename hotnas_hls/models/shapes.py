"""Shapes to be told apart pixel by pixel: a data set for segmentation that is drawn, not fetched.

Discs, squares and triangles of any size, turned any way, over a background that is never even. Those of one
radius have the same area, so that only their outlines differ: small ones are told apart by fine pixels, large
ones by coarse ones.
"""

from __future__ import annotations

import math

import numpy as np

from hotnas_hls.models.data import Dataset, Split

SIDE = 32  # rows and columns
CLASSES = ("background", "disc", "square", "triangle")
SIZES = {"train": 1536, "validation": 128, "test": 256}  # images
MOST_SHAPES = 4  # of an image
RADII = 3.0, 10.0  # pixels, of the disc of the same area
CONTRAST = 0.4, 1.2  # of a shape and what lies behind it
NOISE = 0.1  # standard deviation of every pixel
STEP = 64  # pixels are multiples of 1 / 64 between -2 and 2, exact in fixed point


def shapes() -> Dataset:
    """Images 1 x 32 x 32 and the class of each of their pixels; always the same ones."""
    streams = np.random.default_rng(0).spawn(len(SIZES))
    train, validation, test = (
        _drawn(count, rng) for count, rng in zip(SIZES.values(), streams, strict=True)
    )
    return Dataset("shapes", CLASSES, train, validation, test)


def _drawn(count: int, rng: np.random.Generator) -> Split:
    images, labels = zip(*(_image(rng) for _ in range(count)), strict=True)
    return Split(np.stack(images)[:, None], np.stack(labels))


def _image(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and their classes, (32, 32) each."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    slope = rng.uniform(-1, 1, 2) / SIDE
    image = rng.uniform(-0.5, 0.5) + slope[0] * (rows - SIDE / 2) + slope[1] * (columns - SIDE / 2)
    labels = np.zeros((SIDE, SIDE), np.int64)
    for _ in range(rng.integers(1, MOST_SHAPES + 1)):
        kind = int(rng.integers(1, len(CLASSES)))
        down, across = rng.uniform(0, SIDE, 2)
        inside = _inside(kind, rows - down, columns - across, rng.uniform(*RADII), rng.uniform(0, math.tau))
        image = image + inside * rng.choice([-1, 1]) * rng.uniform(*CONTRAST)
        labels[inside] = kind
    noisy = image + NOISE * rng.standard_normal(image.shape)
    return (np.round(noisy * STEP).clip(-2 * STEP, 2 * STEP) / STEP).astype(np.float32), labels


def _inside(kind: int, down: np.ndarray, across: np.ndarray, radius: float, turn: float) -> np.ndarray:
    """Which pixels, so far from its centre, a shape covers."""
    if CLASSES[kind] == "disc":
        return down**2 + across**2 <= radius**2
    sides = 4 if CLASSES[kind] == "square" else 3
    reach = radius * math.sqrt(math.pi / (sides * math.tan(math.pi / sides)))  # from the centre to each side
    angles = turn + math.tau / sides * np.arange(sides)
    beyond = [math.cos(angle) * down + math.sin(angle) * across for angle in angles]
    return np.max(beyond, axis=0) <= reach
