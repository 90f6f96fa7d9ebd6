"""Pattern sets of the published search spaces (section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from hotnas_hls.errors import ConfigError

SIDES = frozenset({3, 5})  # of the kernels that have patterns
_FREE_3X3 = (0, 1, 2, 3, 5, 6, 7, 8)  # the centre, cell 4, is always kept
_FREE_5X5 = (0, 1, 3, 4, 5, 9, 15, 19, 20, 21, 23, 24)  # kept: centre 3x3 and the middle of every edge
# Loops of the public code that stopped one cell early: the cells a set never zeroes, by number of zeros.
_NEVER_ZERO_3X3 = {1: (7, 8), 2: (8,), 5: (8,)}


@dataclass(frozen=True)
class PatternSet:
    """All patterns of one kernel size with a fixed number of zero cells.

    The index of a pattern is the lexicographic order of its zero cells (row-major). Raises ConfigError for a
    kernel other than 3 or 5, or for more zeros than there are free cells.
    """

    kernel: int  # side, 3 or 5
    zeros: int  # cells removed

    def __post_init__(self) -> None:
        if self.kernel not in SIDES:
            raise ConfigError(f"no pattern set for {self.kernel}x{self.kernel} kernels; there is 3x3 and 5x5")
        most = len(self._free_cells)
        if not 1 <= self.zeros <= most:
            side = self.kernel
            raise ConfigError(f"{side}x{side} patterns zero 1 to {most} cells, not {self.zeros}")

    @property
    def _free_cells(self) -> tuple[int, ...]:
        if self.kernel == 5:
            return _FREE_5X5
        never = _NEVER_ZERO_3X3.get(self.zeros, ())
        return tuple(cell for cell in _FREE_3X3 if cell not in never)

    @cached_property
    def zero_cells(self) -> tuple[tuple[int, ...], ...]:
        """Zero cells of every pattern, by index."""
        return tuple(combinations(self._free_cells, self.zeros))

    def __len__(self) -> int:
        return len(self.zero_cells)

    @property
    def ones(self) -> int:
        """Cells kept, the same for every pattern of the set."""
        return self.kernel * self.kernel - self.zeros

    def mask(self, index: int) -> np.ndarray:
        """Pattern ``index`` as uint8 of shape (kernel, kernel), one where the weight is kept."""
        mask = np.ones(self.kernel * self.kernel, dtype=np.uint8)
        mask[list(self.zero_cells[index])] = 0
        return mask.reshape(self.kernel, self.kernel)

    def largest_ones(self, indices: Sequence[int]) -> int:
        """Ones the latency is charged for the chosen patterns: the largest among them (section 3.3)."""
        return max(int(self.mask(index).sum()) for index in indices)
