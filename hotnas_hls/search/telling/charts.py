"""iDetect as pictures: where each layer's time goes, and how far it is from the roof."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.platforms.platform import Roof
from hotnas_hls.search.detecting.detect import Detection

TERM_COLOURS = ("#6baed6", "#74c476", "#fd8d3c", "#9e9ac8", "#969696")
LABEL_COLOURS = {"I": "#6baed6", "W": "#74c476", "C": "#fd8d3c", "O": "#9e9ac8"}
OTHER_COLOUR = "#969696"


def term_chart(detection: Detection, unit: str, title: str) -> Figure:
    """A bar per layer, its terms stacked; the line is the layer's time, in which the terms overlap."""
    findings = detection.findings
    figure = Figure(figsize=(max(6.4, 0.32 * len(findings) + 2), 4.8), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(findings))
    bottom = [0.0] * len(findings)
    for term, colour in zip(findings[0].terms, TERM_COLOURS * 3, strict=False):
        heights = [finding.terms[term] for finding in findings]
        axes.bar(places, heights, bottom=bottom, color=colour, label=term, width=0.8)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.plot(places, [finding.cost for finding in findings], "k_", markersize=9, label="layer")
    for place, finding, top in zip(places, findings, bottom, strict=True):
        axes.annotate(finding.label, (place, top), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(places, [finding.layer for finding in findings], rotation=90, fontsize=7)
    axes.set(ylabel=unit, title=title)
    axes.legend(fontsize=8)
    return figure


def roofline_chart(
    detection: Detection, layers: Sequence[Layer], roof: Roof, bits: int, title: str
) -> Figure:
    """Every layer by its operations per byte (each tensor moved once) and its operations per unit of cost."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    points = []
    for layer, finding in zip(layers, detection.findings, strict=True):
        points.append((layer.macs / moved_bytes(layer, bits), layer.macs / finding.cost, finding))
    for label in dict.fromkeys(finding.label for _, _, finding in points):
        some = [(x, y) for x, y, finding in points if finding.label == label]
        axes.plot(*zip(*some, strict=True), "o", color=LABEL_COLOURS.get(label, OTHER_COLOUR), label=label)
    for x, y, finding in points:
        axes.annotate(finding.layer, (x, y), fontsize=6, xytext=(3, 3), textcoords="offset points")
    knee = roof.macs / roof.bytes
    left, right = min([knee, *(x for x, _, _ in points)]) / 2, max([knee, *(x for x, _, _ in points)]) * 2
    axes.plot([left, knee, right], [left * roof.bytes, roof.macs, roof.macs], "k-", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="MAC per byte", ylabel="MAC per cycle", title=title)
    axes.legend(fontsize=8, title="bound by")
    return figure


def moved_bytes(layer: Layer, act_bits: int) -> float:
    """Bytes of a layer's input, weights and output, each once."""
    maps = layer.n * layer.in_rows * layer.in_columns + layer.m * layer.out_rows * layer.out_columns
    fan_in = layer.n if layer.kind is LayerKind.CONV else 1
    weights = 0 if layer.kind is LayerKind.MAXPOOL else layer.m * fan_in * layer.positions * layer.weight_bits
    return (maps * act_bits + weights) / 8
