"""A network's latency for programs and for people: one JSON schema and one table for every rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from hotnas_hls.accel.timing.efficiency import efficiency
from hotnas_hls.accel.timing.latency import NetworkLatency

LABELS = {"I": "load IFM", "W": "load weights", "C": "compute", "O": "store OFM"}


@dataclass(frozen=True)
class LayerRow:
    """One layer under some rule."""

    name: str
    cycles: float
    bottleneck: str  # I, W, C or O
    terms: dict[str, float]
    macs: int | None = None  # that remain; None under a rule that does not count them
    multipliers: int | None = None

    @property
    def dsp_efficiency(self) -> float | None:
        """MACs that remain, of those the array could do in these cycles."""
        return _efficiency([self])


def _efficiency(rows: list[LayerRow]) -> float | None:
    """DSP efficiency over some layers of a design, None where it is not known."""
    if not rows or any(row.macs is None for row in rows) or not rows[0].multipliers:
        return None
    macs, cycles = sum(row.macs or 0 for row in rows), sum(row.cycles for row in rows)
    return efficiency(macs, cycles, rows[0].multipliers)


def rows_of(latency: NetworkLatency, macs: Mapping[str, int], multipliers: int) -> list[LayerRow]:
    """Rows of the true rule; ``macs`` that each layer needs, ``multipliers`` of the array."""
    return [
        LayerRow(name, layer.cycles, str(layer.bottleneck), _terms(layer.terms()), macs[name], multipliers)
        for name, layer in latency.layers.items()
    ]


def _terms(counts: dict[str, int]) -> dict[str, float]:
    return {name: count for name, count in counts.items() if name != "cycles"}


def record(rows: Iterable[LayerRow], clock_mhz: float, **more: Any) -> dict[str, Any]:
    """The JSON of a network's latency: totals, clock, then ``more``, then the layers."""
    rows = list(rows)
    total = sum(row.cycles for row in rows)
    return {
        "total_cycles": total,
        "total_ms": total / (clock_mhz * 1000),
        "clock_mhz": clock_mhz,
        "dsp_efficiency": _efficiency(rows),
        **more,
        "layers": [
            {
                "name": row.name,
                "cycles": row.cycles,
                "bottleneck": row.bottleneck,
                "macs": row.macs,
                "dsp_efficiency": row.dsp_efficiency,
                "terms": row.terms,
            }
            for row in rows
        ],
    }


def latency_table(rows: Iterable[LayerRow], clock_mhz: float, title: str) -> Table:
    """A line a layer, with its share of the time and its terms."""
    rows = list(rows)
    total = sum(row.cycles for row in rows)
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("layer", footer="total")
    table.add_column("cycles", justify="right", footer=f"{total:,.0f}")
    table.add_column("ms", justify="right", footer=f"{total / (clock_mhz * 1000):.4f}")
    table.add_column("share", justify="right")
    known = _efficiency(rows)
    if known is not None:
        table.add_column("DSP eff.", justify="right", footer=f"{known:.1%}")
    table.add_column("bound by")
    names = list(rows[0].terms) if rows else []
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        cells = [f"{row.terms[name]:,.0f}" for name in names]
        label = f"{row.bottleneck} {LABELS[row.bottleneck]}"
        ms = f"{row.cycles / (clock_mhz * 1000):.4f}"
        busy = [] if row.dsp_efficiency is None else [f"{row.dsp_efficiency:.1%}"]
        table.add_row(row.name, f"{row.cycles:,.0f}", ms, f"{row.cycles / total:.1%}", *busy, label, *cells)
    return table
