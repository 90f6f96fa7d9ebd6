"""iDetect as a picture: how far every layer is from the roof."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.platforms.platform import Roof
from hotnas_hls.search.detecting.detect import Detection

LABEL_COLOURS = {"I": "#6baed6", "W": "#74c476", "C": "#fd8d3c", "O": "#9e9ac8"}
OTHER_COLOUR = "#969696"


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
