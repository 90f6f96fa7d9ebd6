"""What each kind of edit brought: HotNAS's reduction table, by the true model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hotnas_hls.models.compression import Compression
from hotnas_hls.search.detect import Workload, price
from hotnas_hls.search.platform import Choices, Cost, Platform

NOTHING = Compression()


@dataclass(frozen=True)
class Reduction:
    """One kind of edit. ``latency_ms`` is with it and every kind before it; ``alone_ms`` with it alone."""

    name: str
    latency_ms: float | None  # None: the hardware of this step cannot run the network
    alone_ms: float | None


def reductions(
    workload: Workload,
    platform: Platform,
    before: Choices,
    compression: Compression,
    after: Choices,
    final: Cost,
) -> tuple[Reduction, ...]:
    """Pattern, channel, quantisation, hardware: HotNAS's order; kernel expansion first where there is any.

    before: the hardware of the uncompressed baseline; every step but the last runs on it. after and final:
    the hardware of the design found and its cost.
    """

    def latency(edits: Compression, choices: Choices) -> float | None:
        cost = price(platform, workload.compressed(edits), choices)
        return cost.latency_ms if cost is not None else None

    kinds = {
        "kernel expansion": {"expanded": compression.expanded},
        "pattern": {"patterns": compression.patterns},
        "channel": {"channels": compression.channels},
        "quantisation": {"weight_bits": compression.weight_bits},
    }
    steps = []
    so_far = NOTHING
    for name, edits in kinds.items():
        if name == "kernel expansion" and not compression.expanded:
            continue
        so_far = replace(so_far, **edits)  # type: ignore[arg-type]
        alone = replace(NOTHING, **edits)  # type: ignore[arg-type]
        steps.append(Reduction(name, latency(so_far, before), latency(alone, before)))
    return (*steps, Reduction("hardware", final.latency_ms, latency(NOTHING, after)))
