"""Patterns of kernels on packed maps: which cells of a plain kernel lie where in the one that runs.

Each pair of an output and an input pixel of a packed map takes a few cells of the plain kernel, and has a
kernel of its own. With 3 x 3 kernels on rows of pixels::

    four pixels   a pair takes one column of the kernel, from one of three cells across
    two pixels    a pair takes the middle column, or those at the sides, one from each of two cells

So a packed layer is pattern-pruned as it is: four patterns hold what its pairs take. Where kernels of the
plain network are pruned, pairs take less. In rows of two, one weight a kernel less saves a position of six,
two save two and three save three; in rows of four three weights save one of three. All kernels together need
no more than four patterns, which bounds the masks that a layer can choose from.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

PATTERNS = 4  # different ones a layer may have
NOWHERE = -1

Moves = tuple[int, ...]  # by cell of the plain kernel, the cell of the packed one, or NOWHERE
Cells = frozenset[int]


@dataclass(frozen=True)
class Spread:
    """How a kernel lies in the packed one: ``moves`` by output and input pixel of a packed map."""

    cells: int  # of the packed kernel
    moves: tuple[tuple[Moves, ...], ...]

    def fits(self, masks: Iterable[np.ndarray], ones: int) -> bool:
        """Whether four patterns of ``ones`` cells hold kernels of these ``masks`` (kh, kw)."""
        return _held(_needed(self, tuple(map(_cells, masks))), ones)

    def ones(self, kept: int) -> int | None:
        """Cells of the patterns that hold kernels of ``kept`` weights; None where no four patterns do."""
        return _ones(self, kept)

    def patterns(self, masks: Iterable[np.ndarray], ones: int, shape: tuple[int, int]) -> np.ndarray:
        """Patterns uint8 (4, *shape) of ``ones`` cells that hold kernels of these masks (kh, kw)."""
        needed = _needed(self, tuple(map(_cells, masks)))
        if not _held(needed, ones):
            raise ValueError(f"no four patterns of {ones} cells hold kernels of these masks")
        found = np.zeros((PATTERNS, self.cells), dtype=np.uint8)
        for at, pattern in enumerate(found):
            held = needed[min(at, len(needed) - 1)]
            others = [cell for cell in range(self.cells) if cell not in held]
            pattern[[*held, *others[: ones - len(held)]]] = 1
        return found.reshape(PATTERNS, *shape)

    def index(self, masks: Iterable[np.ndarray], chosen: np.ndarray, patterns: np.ndarray) -> np.ndarray:
        """uint8 (M', N') of the packed layer: the first pattern that holds what each kernel takes.

        chosen: (M, N), the mask of each plain kernel.
        """
        held = [_cells(pattern) for pattern in patterns]
        kinds = [_cells(mask) for mask in masks]

        def of(moves: Moves) -> np.ndarray:
            firsts = [
                next((at for at, cells in enumerate(held) if _taken(moves, kind) <= cells), 0)
                for kind in kinds
            ]
            return np.array(firsts, dtype=np.uint8)[chosen]

        return np.block([[of(moves) for moves in row] for row in self.moves])


def _cells(mask: np.ndarray) -> Cells:
    return frozenset(np.flatnonzero(np.asarray(mask)).tolist())


def _taken(moves: Moves, kept: Cells) -> Cells:
    """Cells of the packed kernel where a pair of pixels has weights."""
    return frozenset(moves[cell] for cell in kept if moves[cell] != NOWHERE)


@functools.lru_cache(maxsize=1 << 14)
def _needed(spread: Spread, masks: tuple[Cells, ...]) -> tuple[tuple[int, ...], ...]:
    """The largest sets of cells that pairs of pixels take, none within another."""
    pairs = {moves for row in spread.moves for moves in row}
    taken = {_taken(moves, mask) for moves in pairs for mask in masks}
    return tuple(sorted(tuple(sorted(one)) for one in taken if not any(one < other for other in taken)))


def _held(needed: tuple[tuple[int, ...], ...], ones: int) -> bool:
    """Whether four patterns of ``ones`` cells hold these sets."""
    return len(needed) <= PATTERNS and max(map(len, needed)) <= ones


@functools.lru_cache(maxsize=1 << 10)
def _ones(spread: Spread, kept: int) -> int | None:
    cells = range(len(spread.moves[0][0]))
    needed = (_needed(spread, (frozenset(mask),)) for mask in combinations(cells, kept))
    return min((max(map(len, one)) for one in needed if len(one) <= PATTERNS), default=None)
