"""What values occur: ranges and samples of every feature map over calibration images."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from hotnas_hls.base.blas import one_blas_thread
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import Graph

SAMPLE = 1 << 16  # values kept of a feature map
BATCH_VALUES = 1 << 24  # activations of all maps together held at a time


@dataclass(frozen=True, eq=False)
class Observed:
    """Values seen in a feature map: the exact range and an evenly spaced sample, float32."""

    low: float
    high: float
    sample: np.ndarray


def observe(graph: Graph, images: np.ndarray, names: Collection[str]) -> Mapping[str, Observed]:
    """Run ``images`` float32 (B, C, H, W) through the float network and look at the nodes in ``names``."""
    if not len(images):
        raise ValueError("calibration needs at least one image")
    values = sum(int(np.prod(graph[name].shape)) for name in names)
    batch = max(1, min(len(images), BATCH_VALUES // values))
    batches = -(-len(images) // batch)
    low = dict.fromkeys(names, np.inf)
    high = dict.fromkeys(names, -np.inf)
    samples: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, len(images), batch):
        with one_blas_thread():
            arrays = run(graph, images[start : start + batch], keep=names)
        for name, array in arrays.items():
            flat = array.ravel()
            low[name], high[name] = min(low[name], flat.min()), max(high[name], flat.max())
            samples[name].append(flat[:: -(-flat.size * batches // SAMPLE)].copy())
    return {
        name: Observed(float(low[name]), float(high[name]), np.concatenate(samples[name])) for name in names
    }
