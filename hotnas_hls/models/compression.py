"""What may be done to a network to make it cheaper, as data: HotNAS's four edits by layer (section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from hotnas_hls.models.patterns import PatternSet

PATTERNS_PER_NETWORK = 4  # PATn of section 3.2


@dataclass(frozen=True)
class PatternChoice:
    """The patterns one layer's kernels choose from: indices into :class:`PatternSet` (section 3.2).

    Indices are kept in their order without repeats (a repeated pattern can never be the first maximum).
    ``rows`` output channels in a row share their choice: 2 for a design with dsp_packing, whose channels 2k
    and 2k + 1 see the same activations.
    """

    kernel: int
    zeros: int
    indices: tuple[int, ...]
    rows: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "indices", tuple(dict.fromkeys(self.indices)))

    @property
    def pattern_set(self) -> PatternSet:
        return PatternSet(self.kernel, self.zeros)

    @property
    def ones(self) -> int:
        """Weights kept of every kernel."""
        return self.kernel * self.kernel - self.zeros

    def masks(self) -> np.ndarray:
        """The chosen patterns, uint8 (patterns, kernel, kernel)."""
        chosen = self.pattern_set
        return np.stack([chosen.mask(index) for index in self.indices])


def _frozen(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(sorted(values.items())))


@dataclass(frozen=True)
class Compression:
    """The edits of one candidate network; a layer that is not named stays as it was."""

    channels: Mapping[str, int] = field(default_factory=dict)  # convolution -> output channels kept
    patterns: Mapping[str, PatternChoice] = field(default_factory=dict)
    expanded: tuple[str, ...] = ()  # convolutions whose kernel grows by 2
    weight_bits: Mapping[str, int] = field(default_factory=dict)  # layer -> fixed-point width

    def __post_init__(self) -> None:
        for name in ("channels", "patterns", "weight_bits"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        object.__setattr__(self, "expanded", tuple(sorted(self.expanded)))

    def record(self) -> dict[str, Any]:
        """JSON-ready; equal for equal networks, so it also tells whether one was evaluated before."""
        return {
            "channels": dict(self.channels),
            "patterns": {
                name: [choice.kernel, choice.zeros, list(choice.indices), choice.rows]
                for name, choice in self.patterns.items()
            },
            "expanded": list(self.expanded),
            "weight_bits": dict(self.weight_bits),
        }
