"""Accuracy of one network on several chips, whose devices are not quite what they should be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

DRAWS = 20  # chips
IMAGES = 1000  # of the test images, at most


@dataclass(frozen=True)
class Varied:
    """Accuracies: shares of images that are classified right, or another measure, 0 to 1."""

    exact: float  # by the integer network itself
    accuracies: tuple[float, ...]  # one a chip
    images: int

    @property
    def mean(self) -> float:
        """Over the chips."""
        return math.fsum(self.accuracies) / len(self.accuracies)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the chips; unknown of a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f", standard deviation {self.deviation:.2%}"
        chips = f"{len(self.accuracies)} chip{'s' if len(self.accuracies) > 1 else ''}"
        return f"under variation {self.mean:.2%}{spread} ({chips}, {self.images} images)"

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "mean": self.mean, "standard_deviation": self.deviation}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Varied:
        """Inverse of :meth:`record`."""
        return cls(record["exact"], tuple(record["accuracies"]), record["images"])
