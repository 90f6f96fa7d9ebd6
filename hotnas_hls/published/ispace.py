"""iSpace from iDetect: which layers to edit and how, from the bottleneck labels (sections 2.2, 2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor

from hotnas_hls.published.genes import FlagGene, QuantGene
from hotnas_hls.published.latency import WORD_BITS, Bottleneck, LayerReport, PublishedLatency
from hotnas_hls.published.layers import ConvKind

PRUNABLE_KERNELS = (3, 5)  # section 2.2: 1x1 and 7x7 kernels have no pattern set
MOST_OPTIONS = 6  # the rule steps through the fractions so that about this many are left


@dataclass(frozen=True)
class GeneratedSpace:
    """What the rule offers for one network on one accelerator."""

    quant: tuple[QuantGene, ...]  # W-bound layers
    patterns: tuple[FlagGene, ...]  # C-bound layers with a prunable kernel
    unprunable: tuple[str, ...]  # C-bound layers without a pattern set
    expand: tuple[str, ...]  # I-bound layers: compute is slack there
    ports_only: tuple[str, ...]  # O-bound layers: nothing but hardware helps


def bound_by(reports: Iterable[LayerReport], bottleneck: Bottleneck) -> list[LayerReport]:
    """The layers of one iDetect label, in order."""
    return [report for report in reports if report.latency.bottleneck is bottleneck]


def quant_fractions(latency: PublishedLatency, integer_bits: int) -> tuple[int, ...]:
    """Fraction bits worth trying for a W-bound layer (section 2.3).

    The ladder stops where the weight transfer would stop being the bottleneck: 16 bits divided by the
    ratio of the largest of the layer's four totals to the second largest.
    """
    second, largest = sorted(latency.totals.values())[-2:]
    top = WORD_BITS + 1 - integer_bits
    bottom = min(max(floor(WORD_BITS / (largest / second)), 1), top - 1)
    step = max(1, ceil((top - bottom) / MOST_OPTIONS))
    return tuple(range(bottom, top, step))


def generate(
    reports: Iterable[LayerReport],
    integer_bits: int | Mapping[str, int] = 1,
    *,
    quantise_depthwise: bool = False,
) -> GeneratedSpace:
    """The search space of a network from the latencies of its layers (sections 2.2, 2.3).

    ``integer_bits`` is one number for all layers or one per layer name (section 3.6). The published
    generator quantised conventional convolutions only; the hand-sized ImageNet spaces B, C and D list every
    W-bound layer, which ``quantise_depthwise`` gives.
    """
    reports = list(reports)

    def integer(name: str) -> int:
        return integer_bits if isinstance(integer_bits, int) else integer_bits[name]

    weight_bound = [
        report
        for report in bound_by(reports, Bottleneck.LOAD_WGT)
        if quantise_depthwise or report.layer.kind is ConvKind.CCONV
    ]
    compute_bound = [report.layer for report in bound_by(reports, Bottleneck.COMPUTE)]
    return GeneratedSpace(
        quant=tuple(
            QuantGene(
                report.layer.name,
                integer(report.layer.name),
                quant_fractions(report.latency, integer(report.layer.name)),
            )
            for report in weight_bound
        ),
        patterns=tuple(
            FlagGene(layer.name, layer.K) for layer in compute_bound if layer.K in PRUNABLE_KERNELS
        ),
        unprunable=tuple(layer.name for layer in compute_bound if layer.K not in PRUNABLE_KERNELS),
        expand=tuple(report.layer.name for report in bound_by(reports, Bottleneck.LOAD_IFM)),
        ports_only=tuple(report.layer.name for report in bound_by(reports, Bottleneck.STORE)),
    )
