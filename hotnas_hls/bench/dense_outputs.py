"""Networks whose outputs are maps, as segmentation and detection have them, simulated whole on a board.

Random weights (seed 0), the fastest designs of 8 bits, as :mod:`boards` has them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.bench.boards import fastest_of
from hotnas_hls.bench.kept_results import Figures, KeptResults

if TYPE_CHECKING:
    from hotnas_hls.frontends.source import LoadedModel

BOARD = "PYNQ-Z2"
INPUT = (3, 32, 32)
NETWORKS = {
    "unet": "segmentation, U-Net",
    "detector": "detection, two heads",
}  # of models.architectures.dense


def loaded(name: str) -> LoadedModel:
    """A network of NETWORKS, its import proven."""
    import torch

    from hotnas_hls.frontends.source import load_module
    from hotnas_hls.models.architectures.dense import Detector, UNet

    torch.manual_seed(0)
    module = {"unet": UNet, "detector": Detector}[name]()
    return load_module(module, INPUT, name=name)


def measure(
    results: Path, report: Callable[[str, Figures], None] = lambda name, figures: None
) -> dict[str, Figures]:
    """Figures of every network in the file ``results``, by "network board"."""
    with tempfile.TemporaryDirectory() as builds:
        kept = KeptResults(results, Path(builds))
        for network in NETWORKS:
            name, model = f"{network} {BOARD}", loaded(network)
            assert model.proof is not None
            point = fastest_of(model.graph, BOARD)
            shapes = {out.name: list(model.graph[out.map].shape) for out in model.graph.host.outputs}
            report(
                name, kept.simulate(name, point, {"outputs": shapes, "difference": model.proof.difference})
            )
        return {f"{network} {BOARD}": kept.figures[f"{network} {BOARD}"] for network in NETWORKS}
