"""Which values of feature maps stand where in a tensor that the host puts together of them.

Networks end in reshapes, transpositions and concatenations of their maps, as detectors do. Whatever their
order, they come to a few strided copies: of every index below ``sizes``, the value ``first`` + index x
``steps`` of a map goes to ``place`` + index x ``place_steps`` of the tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

MOST_PIECES = 256  # of a tensor; drivers hold them as a table


@dataclass(frozen=True)
class Piece:
    """Values of one output in a tensor; all numbers count values, maps in channel, row, column order."""

    output: str
    sizes: tuple[int, ...]
    first: int
    steps: tuple[int, ...]
    place: int
    place_steps: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many values it holds."""
        return math.prod(self.sizes)

    @property
    def values(self) -> np.ndarray:
        """The value of the map each of them is, int64."""
        return _counted(self.first, self.sizes, self.steps)

    @property
    def places(self) -> np.ndarray:
        """Where each of them stands in the tensor, int64."""
        return _counted(self.place, self.sizes, self.place_steps)

    def violation(self, values: int) -> str:
        """What is wrong with it on a map of so many values; empty if nothing is."""
        if not len(self.sizes) == len(self.steps) == len(self.place_steps):
            return "sizes, steps and place_steps are not equally many"
        if min(self.sizes, default=1) < 1:
            return f"sizes = {list(self.sizes)}: must be at least 1"
        ends = [step * (size - 1) for size, step in zip(self.sizes, self.steps, strict=True)]
        lowest, highest = (self.first + sum(pick(0, end) for end in ends) for pick in (min, max))
        if lowest < 0 or highest >= values:
            return f"it reads values {lowest} to {highest} of {self.output}, which has {values}"
        return ""


def pieces_of(elements: np.ndarray, outputs: Mapping[str, int]) -> tuple[Piece, ...] | None:
    """The pieces of a tensor; None where there would be more than MOST_PIECES.

    elements: int64, a number for each value in order, that counts through the outputs one after the other;
    outputs: how many values each has.
    """
    ends = np.cumsum(list(outputs.values()))
    belongs = np.searchsorted(ends, elements, side="right")
    found: list[Piece] = []
    for number, (output, size) in enumerate(outputs.items()):
        places = np.flatnonzero(belongs == number)
        values = elements[places] - (ends[number] - size)
        by_value = np.argsort(values, kind="stable")
        in_place, in_map = (
            list(islice(_strided(output, values[order], places[order]), MOST_PIECES + 1))
            for order in (slice(None), by_value)
        )
        found += in_place if len(in_place) <= len(in_map) else in_map
    return tuple(found) if len(found) <= MOST_PIECES else None


def _strided(output: str, values: np.ndarray, places: np.ndarray) -> Iterator[Piece]:
    """Pairs of a value and its place as pieces, each of as many as go on regularly."""
    pairs = np.stack([values, places])
    while pairs.shape[1]:
        rest, axes = pairs, []
        while rest.shape[1] > 1:
            step = rest[:, 1] - rest[:, 0]
            size = _leading((np.diff(rest) == step[:, None]).all(axis=0)) + 1
            blocks = rest[:, : rest.shape[1] // size * size].reshape(2, -1, size)
            alike = (blocks - blocks[:, :, :1] == blocks[:, :1] - blocks[:, :1, :1]).all(axis=(0, 2))
            rest = blocks[:, : _leading(alike), 0]
            axes.append((size, *step.tolist()))
        sizes, steps, place_steps = zip(*axes[::-1], strict=True) if axes else ((), (), ())
        piece = Piece(output, sizes, int(pairs[0, 0]), steps, int(pairs[1, 0]), place_steps)
        yield piece
        pairs = pairs[:, piece.count :]


def _leading(flags: np.ndarray) -> int:
    """How many are true before the first that is not."""
    return len(flags) if flags.all() else int(flags.argmin())


def _counted(first: int, sizes: Sequence[int], steps: Sequence[int]) -> np.ndarray:
    numbers = np.array([first])
    for size, step in zip(sizes, steps, strict=True):
        numbers = (numbers[:, None] + step * np.arange(size)).reshape(-1)
    return numbers
