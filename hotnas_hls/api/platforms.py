"""The platforms that a search can run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hotnas_hls.base.notebook import Shown
from hotnas_hls.platforms.registry import KnownPlatform, known_platforms

if TYPE_CHECKING:
    from rich.table import Table

EMITS, MODEL_ONLY = "hardware: generated, simulated, certified", "model only"


@dataclass(frozen=True, eq=False, repr=False)
class Platforms(Shown):
    """Every platform, this project's and other packages'."""

    all: tuple[KnownPlatform, ...]

    def tables(self) -> Sequence[Table]:
        """A line a platform."""
        from rich.table import Table

        table = Table(title="platforms")
        for head in ("platform", "what it is", "gives", "metrics, the objective first"):
            table.add_column(head)
        for one in self.all:
            metrics = ", ".join(metric.name for metric in one.metrics)
            table.add_row(one.name, one.about, EMITS if one.emits else MODEL_ONLY, metrics)
        return (table,)

    def notes(self) -> list[str]:
        """What each metric says."""
        lines = []
        for one in self.all:
            lines += [f"{one.name}: {m.name} ({m.unit}): {m.meaning}" for m in one.metrics]
        return lines

    def record(self) -> list[dict[str, Any]]:
        """Everything as plain values, for JSON."""
        return [asdict(one) for one in self.all]


def list_platforms() -> Platforms:
    """Every platform with its metrics; ConfigError where two share a name or one cannot be imported."""
    return Platforms(known_platforms())
