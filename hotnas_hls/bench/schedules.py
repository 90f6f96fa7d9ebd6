"""The HLS C++ beside its twin, layer by layer, in cycles: predicted, simulated, HLS schedule.

Of the fastest designs of 8 bits on a board, as :mod:`boards` has them, with an ideal memory; and with one
that answers in the next cycle, which tells what of a difference is the memory's latency, hidden by one of
the two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.bench.boards import fastest_on
from hotnas_hls.bench.kept_results import Figures, KeptResults
from hotnas_hls.simulate.certify import certify
from hotnas_hls.simulate.flow import generate
from hotnas_hls.simulate.hls_schedule import hls_schedule
from hotnas_hls.version import __version__

BOARD = "ZCU102"
NETWORKS = ("digits_resnet", "resnet20")
AT_ONCE = MemoryTiming(read_latency=1, write_latency=1)


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
    """Cycles of every layer: predicted, simulated, by the HLS schedule, the twin's and its own at once."""
    generate(point, folder / "package", images=1)
    scheduled, at_once = (
        hls_schedule(folder / "package", memory, folder / "schedule") for memory in (point.memory, AT_ONCE)
    )
    layers = [entry.layer for entry in point.layers]
    twin = network_latency(layers, point.accelerator, point.tiles, AT_ONCE).layers
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
            layer.name: [
                *(layer.predicted.cycles, layer.simulated["cycles"], own.cycles),
                *(twin[layer.name].cycles, own_at_once.cycles),
            ]
            for layer, own, own_at_once in zip(certificate.layers, scheduled, at_once, strict=True)
        },
    }


def attribution(figures: Figures) -> list[str]:
    """A line for each layer and one for all: by how much the C++ is below the twin, and why.

    What it hides of the memory's latency and the twin does not; and the rest, which is there with a memory
    that answers in the next cycle, too: how far each works ahead over the end of a job, a tile, a layer.
    """
    counts = figures["layers"] | {"all": [sum(of) for of in zip(*figures["layers"].values(), strict=True)]}
    return [
        f"{name}: {twin:,} cycles, HLS schedule {own:,}; below by {twin - own:,}: "
        f"latency {twin - own - twin_at_once + own_at_once:,}, rest {twin_at_once - own_at_once:,}"
        for name, (_, twin, own, twin_at_once, own_at_once) in counts.items()
    ]
