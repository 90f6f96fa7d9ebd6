"""What may be done to a network to make it cheaper, as data: edits by layer (section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from hotnas_hls.accel.packed_patterns import PATTERNS, Spread
from hotnas_hls.models.patterns import PatternSet


@dataclass(frozen=True)
class PatternChoice:
    """That a layer's kernels are pruned to patterns of :class:`PatternSet` (section 3.2).

    Which ones follows from their effect (see :mod:`~hotnas_hls.models.pattern_pruning`). ``rows`` output
    channels in a row share them: 2 for a design with dsp_packing, whose channels 2k and 2k + 1 see the same
    activations.
    """

    kernel: int
    zeros: int
    rows: int = 1
    spread: Spread | None = None  # of a layer that runs on packed maps, which hold some patterns only

    @property
    def ones(self) -> int:
        """Weights kept of every kernel."""
        return self.kernel * self.kernel - self.zeros

    def masks(self) -> np.ndarray:
        """All patterns there are, uint8 (patterns, kernel, kernel)."""
        if self.spread is None:
            every = PatternSet(self.kernel, self.zeros)
            return np.stack([every.mask(index) for index in range(len(every))])
        kept = combinations(range(self.kernel * self.kernel), self.ones)
        found = np.array([np.isin(np.arange(self.kernel * self.kernel), cells) for cells in kept])
        masks = found.reshape(-1, self.kernel, self.kernel).astype(np.uint8)
        return masks[[self.together([mask]) for mask in masks]]

    def together(self, masks: Sequence[np.ndarray]) -> bool:
        """Whether a layer can have all of these patterns."""
        if self.spread is None:
            return len(masks) <= PATTERNS
        ones = self.spread.ones(self.ones)
        return ones is not None and len(masks) <= PATTERNS and self.spread.fits(masks, ones)


def _frozen(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(sorted(values.items())))


@dataclass(frozen=True)
class Compression:
    """The edits of one candidate network; a layer that is not named stays as it was."""

    channels: Mapping[str, int] = field(default_factory=dict)  # convolution -> output channels kept
    patterns: Mapping[str, PatternChoice] = field(default_factory=dict)
    expanded: tuple[str, ...] = ()  # convolutions whose kernel grows by 2
    weight_bits: Mapping[str, int] = field(default_factory=dict)  # layer -> fixed-point width
    act_bits: Mapping[str, int] = field(default_factory=dict)  # layer -> width of what it reads
    noise: int = 0  # of all weights while they are trained, in thousandths of a layer's largest
    skips_cut: tuple[str, ...] = ()  # convolutions without the skip connection they read

    def __post_init__(self) -> None:
        for name in ("channels", "patterns", "weight_bits", "act_bits"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        for name in ("expanded", "skips_cut"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))

    def record(self) -> dict[str, Any]:
        """JSON-ready; equal for equal networks, so it also tells whether one was evaluated before."""
        return {
            "channels": dict(self.channels),
            "patterns": {name: [c.kernel, c.zeros, c.rows] for name, c in self.patterns.items()},
            "expanded": list(self.expanded),
            "weight_bits": dict(self.weight_bits),
            **({"act_bits": dict(self.act_bits)} if self.act_bits else {}),
            **({"skips_cut": list(self.skips_cut)} if self.skips_cut else {}),
            **({"noise": self.noise} if self.noise else {}),
        }
