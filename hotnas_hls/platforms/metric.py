"""What a platform measures: named figures with units, any of which can be the objective or be bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hotnas_hls.base.names import nearest
from hotnas_hls.errors import ConfigError


@dataclass(frozen=True)
class Metric:
    """One figure of a design."""

    name: str  # as configurations and records call it
    unit: str
    meaning: str
    more_is_better: bool = False

    @property
    def word(self) -> str:
        """The name without its unit: ``latency``."""
        return self.name.removesuffix(f"_{self.unit}")

    def excess(self, value: float, bound: float) -> float:
        """By which share ``value`` misses a bound; 0 and below: it keeps it."""
        return 1 - value / bound if self.more_is_better else value / bound - 1

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.4g} {self.unit}"


LATENCY = Metric("latency_ms", "ms", "one image, from its first byte read to its last result written")


def metric_named(name: str, metrics: Iterable[Metric], platform: str, where: str) -> Metric:
    """The metric of a platform; ConfigError where it has none of that name, with those it has."""
    known = {metric.name: metric for metric in metrics}
    if name not in known:
        told = ", ".join(known)
        raise ConfigError(
            f"{where}: the platform {platform} has no metric {name!r}; {nearest(name, known)}it has: {told}"
        )
    return known[name]
