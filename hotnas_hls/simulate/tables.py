"""A certificate, a check behind another DRAM and a sweep as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.dram_check import DramCheck
from hotnas_hls.simulate.sweep import SweepPoint


def certificate_table(certificate: Certificate) -> Table:
    """A line a layer: predicted and simulated with the ideal memory and behind the DRAM, and the bound."""

    def number(value: int | None) -> str:
        return "-" if value is None else f"{value:,}"

    behind = certificate.behind
    title = f"{certificate.design} on {certificate.board}"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("layer", footer="total")
    for head, value in (
        ("predicted", certificate.predicted_cycles),
        ("simulated", certificate.simulated_cycles),
    ):
        table.add_column(head, justify="right", footer=number(value))
    table.add_column("difference", justify="right", footer=_gap(certificate))
    scheduled = certificate.hls_schedule
    if scheduled is not None:
        table.add_column("HLS schedule", justify="right", footer=number(sum(scheduled)))
    if behind is not None:
        for head, value in (
            ("predicted behind DRAM", behind.predicted_cycles),
            ("simulated", behind.simulated_cycles),
        ):
            table.add_column(head, justify="right", footer=number(value))
    table.add_column("bound", justify="right", footer=number(certificate.bound_cycles))
    table.add_column("margin", justify="right", footer=number(certificate.margin))
    table.add_column("bound by")
    table.add_column("output", footer="equal" if certificate.outputs_match else "DIFFERS")
    bounds, certified = certificate.layer_bounds(), certificate.layer_cycles()
    for at, layer in enumerate(certificate.layers):
        cycles, bound = layer.simulated["cycles"], bounds[at]
        table.add_row(
            layer.name,
            number(layer.predicted.cycles),
            number(cycles),
            f"{cycles - layer.predicted.cycles:+,}" if cycles != layer.predicted.cycles else "0",
            *([] if scheduled is None else [number(scheduled[at])]),
            *([] if behind is None else [number(behind.layers[at].predicted), number(certified[at])]),
            number(bound),
            number(None if bound is None else bound - certified[at]),
            layer.bottleneck,
            "equal" if layer.outputs_match else "DIFFERS",
        )
    return table


def _gap(certificate: Certificate) -> str:
    gap = certificate.simulated_cycles - certificate.predicted_cycles
    return f"{gap:+,}" if gap else "0"


def dram_table(check: DramCheck) -> Table:
    """A line a layer: predicted and simulated behind the DRAM."""
    found = check.behind
    table = Table(title=f"{check.design} behind {found.dram.name}", title_justify="left", show_footer=True)
    table.add_column("layer", footer="total")
    for head, value in (("predicted", found.predicted_cycles), ("simulated", found.simulated_cycles)):
        table.add_column(head, justify="right", footer=f"{value:,}")
    table.add_column("difference", justify="right", footer=f"{found.difference:+.2%}")
    stalls = sum(layer.stall for layer in found.layers)
    table.add_column("array waits", justify="right", footer=f"{stalls / found.simulated_cycles:.1%}")
    for layer in found.layers:
        table.add_row(
            layer.name,
            f"{layer.predicted:,}",
            f"{layer.simulated:,}",
            f"{layer.predicted / layer.simulated - 1:+.2%}",
            f"{layer.stall / layer.simulated:.1%}",
        )
    return table


def sweep_table(point: DesignPoint, found: Sequence[SweepPoint], title: str) -> Table:
    """A line an image: the memory, predicted and simulated cycles, how long the array waits."""
    table = Table(title=title, title_justify="left")
    for head in ("read latency", "MB/s", "predicted", "simulated", "difference", "ms", "array waits"):
        table.add_column(head, justify="right")
    for p in found:
        table.add_row(
            f"{p.read_latency}",
            "-" if p.mb_per_s is None else f"{p.mb_per_s:,.0f}",
            f"{p.predicted_cycles:,}",
            f"{p.simulated_cycles:,}",
            f"{p.difference:+.2%}",
            f"{point.cycles_to_ms(p.simulated_cycles):.4f}",
            f"{p.stall_cycles / p.simulated_cycles:.1%}",
        )
    return table
