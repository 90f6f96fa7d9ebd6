"""The HLS C++ beside its twin, layer by layer, in cycles: predicted, simulated, HLS schedule.

Of the fastest designs of 8 bits on a board, as :mod:`boards` has them, with an ideal memory; and with one
that answers in the next cycle, which tells what of a difference is the memory's latency, hidden by one of
the two. In both the array works as many cycles; so a difference is cycles in which it waits, and these are
told by what it waits for. Of all designs of the bench of boards, the two in total.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.latency import LayerLatency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.bench import boards
from hotnas_hls.bench.boards import fastest_on
from hotnas_hls.bench.kept_results import Figures, KeptResults
from hotnas_hls.simulate.certify import certify
from hotnas_hls.simulate.flow import generate
from hotnas_hls.simulate.hls_schedule import LayerSchedule, hls_schedule
from hotnas_hls.version import __version__

BOARD = "ZCU102"
NETWORKS = {"digits_resnet": True, "resnet20": True, "resnet18_cifar": True}  # True: the twin is simulated
AT_ONCE = MemoryTiming(read_latency=1, write_latency=1)


def measure(
    results: Path, report: Callable[[str, Figures], None] = lambda name, figures: None
) -> dict[str, Figures]:
    """Figures of every network in the file ``results``, by name; what is there of the same design is kept."""
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptResults(results, Path(folder))
        for network, simulated in NETWORKS.items():
            point = fastest_on(network, BOARD)
            found = kept.figures.get(network, {})
            if found.get("design_digest") != point.digest() or "spent" not in found:
                kept.keep(network, compared(point, Path(folder) / network, simulated))
            report(network, kept.figures[network])
        return {network: kept.figures[network] for network in NETWORKS}


def compared(point: DesignPoint, folder: Path, simulated: bool = True) -> Figures:
    """Cycles of every layer: predicted, simulated, by the HLS schedule, the twin's and its own at once.

    simulated: False where the twin is not; then its cycles are None. ``spent``: see :func:`spent`.
    """
    generate(point, folder / "package", images=1)
    scheduled, at_once = (
        hls_schedule(folder / "package", memory, folder / "schedule") for memory in (point.memory, AT_ONCE)
    )
    layers = [entry.layer for entry in point.layers]
    twin, twin_at_once = (
        network_latency(layers, point.accelerator, point.tiles, memory).layers
        for memory in (point.memory, AT_ONCE)
    )
    found: Figures = {}
    counted: list[int | None] = [None] * len(layers)
    if simulated:
        certificate = certify(point, folder / "twin", images=1, stalls=(), behind=False)
        counted = [layer.simulated["cycles"] for layer in certificate.layers]
        found = {
            "every_layer_exact": certificate.exact,
            "every_output_equal": certificate.outputs_match,
        }
    return {
        **_of(point),
        "array": f"{point.accelerator.tm}x{point.accelerator.tn}",
        "on_chip": point.accelerator.keeps,
        **found,
        "layers": {
            name: [of_twin.cycles, cycles, own.cycles, twin_at_once[name].cycles, own_at_once.cycles]
            for (name, of_twin), cycles, own, own_at_once in zip(
                twin.items(), counted, scheduled, at_once, strict=True
            )
        },
        "spent": {
            name: spent(of_twin, own)
            for (name, of_twin), own in zip(twin.items(), scheduled, strict=True)
        },
    }


def measure_wholes(
    results: Path, report: Callable[[str, Figures], None] = lambda name, figures: None
) -> dict[str, Figures]:
    """Cycles of the designs of the bench of boards, by "network board" in the same file; likewise kept."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptResults(results, Path(folder))
        for network, board in product(boards.NETWORKS, boards.BOARDS):
            name = f"{network} {board}"
            point = fastest_on(network, board)
            if kept.figures.get(name, {}).get("design_digest") != point.digest():
                kept.keep(name, whole(point, Path(folder) / name))
            found[name] = kept.figures[name]
            report(name, found[name])
    return found


def whole(point: DesignPoint, folder: Path) -> Figures:
    """Cycles of a run: of the twin, as predicted, and by the HLS schedule."""
    generate(point, folder / "package", images=1)
    scheduled = hls_schedule(folder / "package", point.memory, folder / "schedule")
    layers = [entry.layer for entry in point.layers]
    twin = network_latency(layers, point.accelerator, point.tiles, point.memory)
    return {
        **_of(point),
        "predicted_cycles": twin.cycles,
        "hls_schedule": sum(layer.cycles for layer in scheduled),
    }


def _of(point: DesignPoint) -> Figures:
    return {"design_digest": point.digest(), "tool_version": __version__, "board": point.board.name}


def spent(twin: LayerLatency, own: LayerSchedule) -> list[int]:
    """Cycles of a layer in which the array works, in both; then of those in which it does not.

    In the twin: while it waits for weights, a slice or room, and between the layer's last step and the next
    one's first. In the C++, from where its compute stage ended the layer before to where it ends this one:
    while the IFM buffer fills, while the pipeline fills and runs empty, and while no weights or words come.
    """
    stage = own.stages["compute"]
    begins = twin.cycles - twin.compute - twin.stall
    fills = stage.looping - twin.compute
    return [twin.compute, twin.stall, begins, fills, stage.filling, stage.memory + stage.empty + stage.full]


def attribution(figures: Figures) -> list[str]:
    """Two lines for each layer and for all: by how much the C++ is below the twin, and why.

    What it hides of the memory's latency and the twin does not; and the rest, which is there with a memory
    that answers in the next cycle, too. Then what both arrays wait for (:func:`spent`).
    """
    rows = {
        name: [predicted, *others, *figures["spent"][name]]
        for name, (predicted, _, *others) in figures["layers"].items()
    }
    rows["all"] = [sum(of) for of in zip(*rows.values(), strict=True)]
    return [f"{name}: {line}" for name, row in rows.items() for line in _told(*row)]


def _told(twin: int, own: int, twin_at_once: int, own_at_once: int, *waits: int) -> tuple[str, str]:
    array, within, between, fills, pipeline, words = waits
    latency = twin - own - twin_at_once + own_at_once
    return (
        f"{twin:,} cycles, HLS schedule {own:,}; below by {twin - own:,}: "
        f"latency {latency:,}, rest {twin_at_once - own_at_once:,}",
        f"the array works {array:,}, and waits in the twin {within:,} within layers and {between:,} between "
        f"them, in the C++ {fills:,} while its buffer fills, {pipeline:,} for its pipeline, {words:,} for "
        "words",
    )
