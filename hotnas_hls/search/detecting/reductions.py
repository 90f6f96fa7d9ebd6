"""What each kind of edit brought: HotNAS's reduction table, by the true model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.models.compression import Compression
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.platform import Choices, Cost, Platform, measured
from hotnas_hls.search.detecting.start import Start

NOTHING = Compression()
OURS = ("skip", "kernel expansion")  # not in HotNAS's table: told where there are any


@dataclass(frozen=True)
class Reduction:
    """One kind of edit. ``value``: the objective with it and every kind before it; ``alone``: with it."""

    name: str
    value: float | None  # None: this step alone cannot be had
    alone: float | None
    objective: Metric = LATENCY

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        metric = self.objective
        return {"name": self.name, metric.name: self.value, f"alone_{metric.unit}": self.alone}


def reductions(
    baseline: Start,
    start: Start,
    platform: Platform,
    compression: Compression,
    after: Choices,
    final: Cost,
) -> tuple[Reduction, ...]:
    """Pattern, channel, quantisation, hardware: HotNAS's order; skip connections and kernel
    expansion first, where there is any.

    Edits of the network are priced on the hardware of ``baseline``, the 16-bit uncompressed network, or where
    that cannot run them (patterns take read ports) on the fastest that can. The
    quantisation is that of weights and activations: from it on, the hardware is that of ``start``, the
    fastest for the uncompressed network at the search's own widths (the baseline's, where these are 16 bits).
    Hardware alone is the uncompressed network on the hardware found, ``after``, at the baseline's widths:
    none where that computes with narrower activations. ``final`` is the cost of the design found.
    """
    metric = platform.objective
    full = platform.at_bits(platform.full_bits)

    def value(edits: Compression, narrowed: bool) -> float | None:
        of, engine = (start, platform) if narrowed else (baseline, full)
        if not of.workload.takes(edits):
            return None
        layers = of.workload.compressed(edits)
        cost = _measured(engine, layers, of.choices) or _fastest(engine, layers)
        return cost.value if cost is not None else None

    kinds: dict[str, dict[str, Any]] = {
        "skip": {"skips_cut": compression.skips_cut},
        "kernel expansion": {"expanded": compression.expanded},
        "pattern": {"patterns": compression.patterns},
        "channel": {"channels": compression.channels},
        "quantisation": {"weight_bits": compression.weight_bits, "act_bits": compression.act_bits},
    }
    steps = []
    so_far = NOTHING
    for name, edits in kinds.items():
        if name in OURS and not any(edits.values()):
            continue
        so_far = replace(so_far, **edits)
        alone = replace(NOTHING, **edits)
        narrowed = name == "quantisation"
        steps.append(Reduction(name, value(so_far, narrowed), value(alone, narrowed), metric))
    same_width = baseline.format.act_bits == start.format.act_bits
    alone_cost = _measured(full, baseline.workload.layers, after) if same_width else None
    return (*steps, Reduction("hardware", final.value, alone_cost.value if alone_cost else None, metric))


def _fastest(platform: Platform, layers: Sequence[Any]) -> Cost | None:
    """The cost on the hardware that suits the layers best."""
    try:
        return _measured(platform, layers, platform.explore(layers))
    except InfeasibleDesign:
        return None


def _measured(platform: Platform, layers: Sequence[Any], choices: Choices) -> Cost | None:
    """The cost of a whole network on the hardware of ``choices``; None when it cannot run there."""
    design = platform.design(layers, choices)
    return None if platform.violations(layers, design) else measured(platform, layers, design)
