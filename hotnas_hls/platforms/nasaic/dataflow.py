"""Three dataflows: which loops of a layer its PEs share out, and what that sends over the network on chip.

A layer makes M maps of R x C pixels from N maps with kernels of K x L, in G groups (M and N of one group).
What is multicast counts once. Partial sums stay where they are added; padding is sent like pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from hotnas_hls.network.operations import Operation


@dataclass(frozen=True)
class Pass:
    """A layer on an array: cycles it computes, values over the network, additions to a stored partial sum."""

    steps: int
    inputs: int
    weights: int
    outputs: int
    sums: int


def dla(layer: Operation, pes: int, cluster: int) -> Pass:
    """NVDLA: N over the PEs of a cluster, M over clusters; weights stay, and every tap reads its pixels."""
    n, m, pixels = layer.n // layer.groups, layer.m // layer.groups, layer.out_rows * layer.out_columns
    taps, rounds = layer.groups * layer.positions * pixels, -(-m // (pes // cluster))
    depth = -(-n // cluster)
    return Pass(taps * depth * rounds, taps * rounds * n, layer.weights, layer.outputs, taps * depth * m)


def shi(layer: Operation, pes: int, cluster: int) -> Pass:
    """ShiDianNao: R x C over a square array; sums stay, PEs hand on pixels, every tile reads all weights."""
    side = isqrt(pes)
    down, across = -(-layer.out_rows // side), -(-layer.out_columns // side)
    rows = _span(layer.out_rows, down, layer.stride_rows, layer.kernel_rows)
    columns = _span(layer.out_columns, across, layer.stride_columns, layer.kernel_columns)
    inputs, weights = layer.m * layer.n // layer.groups * rows * columns, down * across * layer.weights
    return Pass(weights, inputs, weights, layer.outputs, layer.macs)


def rs(layer: Operation, pes: int, cluster: int) -> Pass:
    """Row stationary (Eyeriss): K x R over the array, M over copies of it; a PE convolves one row."""
    n, m = layer.n // layer.groups, layer.m // layer.groups
    strip = min(layer.out_rows, pes // layer.kernel_rows)
    strips = -(-layer.out_rows // strip)
    rounds = layer.groups * -(-m // min(m, pes // (layer.kernel_rows * strip)))
    rows = _span(layer.out_rows, strips, layer.stride_rows, layer.kernel_rows)
    return Pass(
        steps=strips * rounds * n * layer.kernel_columns * layer.out_columns,
        inputs=rounds * n * rows * layer.in_columns,
        weights=strips * layer.weights,
        outputs=layer.outputs,
        sums=layer.macs,
    )


Dataflow = Callable[[Operation, int, int], Pass]
DATAFLOWS: dict[str, Dataflow] = {"dla": dla, "shi": shi, "rs": rs}


def _span(pixels: int, tiles: int, stride: int, kernel: int) -> int:
    """Rows (or columns) of input that all tiles of an output read, borders twice."""
    return (pixels - tiles) * stride + tiles * kernel
