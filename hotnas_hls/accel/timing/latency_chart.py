"""A network's latency as a picture: a bar a layer, of its terms."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.figure import Figure

from hotnas_hls.accel.timing.latency_report import LayerRow

TERM_COLOURS = ("#6baed6", "#74c476", "#fd8d3c", "#9e9ac8", "#969696")


def term_chart(layers: Iterable[LayerRow], unit: str, title: str) -> Figure:
    """A bar per layer, its terms stacked; the line is the layer's time, in which the terms overlap."""
    rows = list(layers)
    figure = Figure(figsize=(max(6.4, 0.32 * len(rows) + 2), 4.8), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    bottom = [0.0] * len(rows)
    for term, colour in zip(rows[0].terms, TERM_COLOURS * 3, strict=False):
        heights = [row.terms[term] for row in rows]
        axes.bar(places, heights, bottom=bottom, color=colour, label=term, width=0.8)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.plot(places, [row.cycles for row in rows], "k_", markersize=9, label="layer")
    for place, row, top in zip(places, rows, bottom, strict=True):
        axes.annotate(row.bottleneck, (place, top), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(places, [row.name for row in rows], rotation=90, fontsize=7)
    axes.set(ylabel=unit, title=title)
    axes.legend(fontsize=8)
    return figure
