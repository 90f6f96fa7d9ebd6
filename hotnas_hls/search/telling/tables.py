"""iDetect and a finished search as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from hotnas_hls.platforms.platform import Platform
from hotnas_hls.search.detecting.detect import Detection
from hotnas_hls.search.proposing.strongest import Strongest


def detection_table(detection: Detection, platform: Platform, title: str) -> Table:
    """A row per layer: label, time, share of each term, slack to the next bottleneck, every remedy."""
    table = Table(title=title, show_footer=True)
    terms = list(detection.findings[0].terms)
    total, kept = detection.cost.total, any(finding.on_chip for finding in detection.findings)
    table.add_column("layer", footer=platform.objective.text(detection.cost.value), overflow="fold")
    table.add_column("bound")
    table.add_column(platform.unit, justify="right", footer=f"{total:,.0f}")
    for term in terms:
        table.add_column(term, justify="right")
    if kept:
        table.add_column("on chip")
    table.add_column("slack", justify="right")
    table.add_column("remedy")
    table.add_column("saves", justify="right")
    for finding in detection.findings:
        helpful = finding.helpful
        told = "\n".join(f"{effect.remedy}: {effect.description}" for effect in helpful)
        saves = "\n".join(f"{effect.saved:,.0f} ({effect.saved / total:.1%})" for effect in helpful)
        table.add_row(
            finding.layer,
            finding.label,
            f"{finding.cost:,.0f}",
            *(f"{finding.shares[term]:.0%}" for term in terms),
            *([" ".join(what[0].upper() for what in finding.on_chip)] if kept else []),
            f"{finding.slack:,.0f} to {finding.next_term}",
            told or "none saves time",
            saves,
        )
    return table


def detection_legend(detection: Detection, labels: Mapping[str, str]) -> list[str]:
    """What the columns of the detection's table say, and which resource is the scarcest.

    labels: what bounds a layer, by the letter of the table.
    """
    letters = dict.fromkeys(finding.label for finding in detection.findings)
    bounds = ", ".join(f"{letter} {labels.get(letter, letter)}" for letter in letters)
    lines = [
        f"bound: {bounds}; shares: how long each is busy, of the layer's time; slack: what the bound can be "
        "shortened by before another one bounds; remedy: what saves time, each alone, the best first, "
        "priced by the model"
    ]
    if kept := dict.fromkeys(what for finding in detection.findings for what in finding.on_chip):
        told = ", ".join(f"{what[0].upper()} {what}" for what in kept)
        lines.append(f"on chip: {told}, moved over no port")
    cost = detection.cost
    if cost.tightest is not None:
        used, limit = cost.usage[cost.tightest], cost.limits[cost.tightest]
        lines.append(f"the scarcest resource is {cost.tightest}: {used:,.0f} of {limit:,.0f}")
    return lines


def reductions_table(found: Strongest, title: str) -> Table:
    """A row for each kind of edit: latency with it and all before it, what it saves then, and alone."""
    before = found.baseline.value
    table = Table(title=title, show_footer=True)
    table.add_column("edits", footer="total")
    total = before - found.cost.value
    table.add_column("ms, cumulative", justify="right", footer=f"{before:.4g} -> {found.cost.value:.4g}")
    table.add_column("saves", justify="right", footer=f"{total:.4g} ({total / before:.1%})")
    table.add_column("ms, alone", justify="right")
    table.add_column("saves", justify="right")
    so_far: float | None = before
    for step in found.reductions:
        table.add_row(
            step.name,
            _ms(step.value),
            _ms(so_far - step.value if so_far is not None and step.value is not None else None),
            _ms(step.alone),
            _ms(before - step.alone if step.alone is not None else None),
        )
        so_far = step.value
    return table


def _ms(value: float | None) -> str:
    return "none such" if value is None else f"{value:.4g}"
