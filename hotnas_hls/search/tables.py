"""iDetect and a finished search as tables for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from hotnas_hls.search.detect import Detection
from hotnas_hls.search.platform import Platform


def detection_table(detection: Detection, platform: Platform, title: str) -> Table:
    """A row per layer: label, time, share of each term, slack to the next bottleneck, the best remedy."""
    table = Table(title=title, show_footer=True)
    terms = list(detection.findings[0].terms)
    total = detection.cost.total
    table.add_column("layer", footer=f"{detection.cost.latency_ms:.4g} ms", overflow="fold")
    table.add_column("bound")
    table.add_column(platform.unit, justify="right", footer=f"{total:,.0f}")
    for term in terms:
        table.add_column(term, justify="right")
    table.add_column("slack", justify="right")
    table.add_column("remedy")
    table.add_column("saves", justify="right")
    for finding in detection.findings:
        effect = finding.best
        saves = f"{effect.saved:,.0f} ({effect.saved / total:.1%})" if effect else ""
        table.add_row(
            Text(finding.layer),
            finding.label,
            f"{finding.cost:,.0f}",
            *(f"{finding.shares[term]:.0%}" for term in terms),
            f"{finding.slack:,.0f} to {finding.next_term}",
            Text(f"{effect.remedy}: {effect.description}" if effect else "none saves time"),
            saves,
        )
    return table
