"""The HLS C++ beside its twin, layer by layer, in cycles: predicted, simulated, HLS schedule.

Of the fastest designs of 8 bits on a board, as :mod:`boards` has them, with an ideal memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.bench.boards import fastest_on
from hotnas_hls.bench.kept_results import Figures, KeptResults
from hotnas_hls.simulate.certify import certify
from hotnas_hls.simulate.flow import generate
from hotnas_hls.simulate.hls_schedule import hls_schedule
from hotnas_hls.version import __version__

BOARD = "ZCU102"
NETWORKS = ("digits_resnet", "resnet20")


def measure(
    results: Path, report: Callable[[str, Figures], None] = lambda name, figures: None
) -> dict[str, Figures]:
    """Figures of every network in the file ``results``, by name; what is there of the same design is kept."""
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptResults(results, Path(folder))
        for network in NETWORKS:
            point = fastest_on(network, BOARD)
            if kept.figures.get(network, {}).get("design_digest") != point.digest():
                kept.keep(network, compared(point, Path(folder) / network))
            report(network, kept.figures[network])
        return {network: kept.figures[network] for network in NETWORKS}


def compared(point: DesignPoint, folder: Path) -> Figures:
    """Cycles of every layer, predicted, simulated and by the HLS schedule, in that order."""
    generate(point, folder / "package", images=1)
    scheduled = hls_schedule(folder / "package", point.memory, folder / "schedule")
    certificate = certify(point, folder / "twin", images=1, stalls=(), behind=False)
    return {
        "design_digest": point.digest(),
        "tool_version": __version__,
        "board": point.board.name,
        "array": f"{point.accelerator.tm}x{point.accelerator.tn}",
        "on_chip": point.accelerator.keeps,
        "every_layer_exact": certificate.exact,
        "every_output_equal": certificate.outputs_match,
        "layers": {
            layer.name: [layer.predicted.cycles, layer.simulated["cycles"], own.cycles]
            for layer, own in zip(certificate.layers, scheduled, strict=True)
        },
    }
