"""How far the published rule is from the sizes a network really has (section 1.5, last figure).

Two corrections, one after the other: real output sizes instead of the walker's (Q2), then the stride counted
once with the true input halo (Q1). Ragged tiles (Q4) and the depthwise double loop (Q3) stay as published.
This is an explanation of the published numbers, not the true latency model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from hotnas_hls.published.design import PublishedDesign, PublishedHardware
from hotnas_hls.published.latency import (
    Formula,
    PublishedLatency,
    engine_of,
    layer_latency,
    network_cycles,
    published_ms,
    weight_lanes,
)
from hotnas_hls.published.layers import ConvKind, PublishedLayer


@dataclass(frozen=True)
class ShapeEffect:
    """One network on one accelerator, milliseconds at 200 MHz."""

    as_published: float
    real_sizes: float
    stride_once: float  # and real sizes, and the true input halo


def shape_effect(
    walked: Iterable[PublishedLayer],
    real: Iterable[PublishedLayer],
    hardware: PublishedHardware,
    formula: Formula = Formula.HEAD,
) -> ShapeEffect:
    """The published latency and its two corrections; ``real`` holds the layers of ``layers.real_layers``."""
    real = list(real)
    once = 0.0
    for layer in real:
        once += stride_once_latency(layer, engine_of(layer, hardware)).cycles
    return ShapeEffect(
        as_published=published_ms(network_cycles(walked, hardware, formula)),
        real_sizes=published_ms(network_cycles(real, hardware, formula)),
        stride_once=published_ms(once),
    )


def stride_once_latency(layer: PublishedLayer, design: PublishedDesign) -> PublishedLatency:
    """The HEAD formula with an output tile of r x c that reads ((r-1)*S+K) x ((c-1)*S+K) of input, in cycles.

    ``layer`` has real output sizes. Raises UnsupportedNetwork when K exceeds the engine's Tk.
    """
    head = layer_latency(layer, design)
    tn = design.tm if layer.kind is ConvKind.DCONV else design.tn
    weight_channels = 1 if layer.kind is ConvKind.DCONV else tn
    r, c = min(design.tr, layer.R), min(design.tc, layer.C)
    input_rows, input_columns = (r - 1) * layer.S + layer.K, (c - 1) * layer.S + layer.K
    return PublishedLatency(
        load_ifm=min(tn, layer.N) * input_rows * input_columns / design.ip,
        load_wgt=design.tm * weight_channels * layer.K * layer.K / weight_lanes(design.wp, layer.bits),
        compute=float(layer.kernel_ones * r * c),
        store_ofm=min(design.tm, layer.M) * r * c / design.op,
        input_passes=head.input_passes,
        tiles=ceil(layer.R / design.tr) * ceil(layer.C / design.tc) * ceil(layer.M / design.tm),
    )
