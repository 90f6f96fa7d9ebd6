"""How a design's latency depends on the memory's: the stall-sensitivity curve, predicted and simulated."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.latency import MAX_HIDDEN_LATENCY, network_latency
from hotnas_hls.certificate import Rtl, simulate_runs
from hotnas_hls.simulate import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READ_LATENCIES = (5, 10, 20, 40, 60, 100, 160, 250)


@dataclass(frozen=True)
class SweepPoint:
    """One image under one read latency."""

    read_latency: int
    predicted_cycles: int
    simulated_cycles: int
    stall_cycles: int  # simulated: the MAC array waited, over all layers

    @property
    def exact(self) -> bool:
        """Prediction and simulation agree."""
        return self.predicted_cycles == self.simulated_cycles


def sweep(
    point: DesignPoint, rtl: Rtl, folder: Path, latencies: Sequence[int] = READ_LATENCIES
) -> list[SweepPoint]:
    """One image per read latency, without random stalls, on one simulated accelerator."""
    net = point.integer_network()
    image = point.golden_images(1)[0]
    memories = [dataclasses.replace(point.memory, read_latency=latency) for latency in latencies]
    predicted = [network_latency(net.layers, point.accelerator, point.tiles, memory) for memory in memories]
    here = network_latency(net.layers, point.accelerator, point.tiles, point.memory)
    results = simulate_runs(point, net, [Run(image, memory=memory) for memory in memories], folder, here, rtl)
    return [
        SweepPoint(
            latency, forecast.cycles, result.cycles, sum(layer["stall"] for layer in result.layers)
        )
        for latency, forecast, result in zip(latencies, predicted, results, strict=True)
    ]


def sweep_record(point: DesignPoint, points: Sequence[SweepPoint]) -> dict[str, Any]:
    """The curve as JSON."""
    return {
        "design": point.network,
        "design_digest": point.digest(),
        "clock_mhz": point.clock_mhz,
        "design_read_latency": point.memory.read_latency,
        "exact_up_to_read_latency": MAX_HIDDEN_LATENCY,
        "points": [dataclasses.asdict(p) | {"ms": point.cycles_to_ms(p.simulated_cycles)} for p in points],
    }


def sweep_json(point: DesignPoint, points: Sequence[SweepPoint]) -> str:
    """The text of ``sweep.json``."""
    return json.dumps(sweep_record(point, points), indent=2) + "\n"


def sweep_chart(point: DesignPoint, points: Sequence[SweepPoint]) -> Figure:
    """Time of an inference over the memory's read latency."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    latencies = [p.read_latency for p in points]
    axes.plot(latencies, [point.cycles_to_ms(p.simulated_cycles) for p in points], "o-", label="simulated")
    axes.plot(latencies, [point.cycles_to_ms(p.predicted_cycles) for p in points], "x--", label="predicted")
    axes.axvline(point.memory.read_latency, color="0.6", linewidth=1, label="assumed by the design")
    if point.latency_bound_ms is not None:
        axes.axhline(point.latency_bound_ms, color="tab:red", linewidth=1, label="bound")
    axes.set_xlabel("cycles from read address to first data")
    axes.set_ylabel("ms per image")
    axes.set_ylim(bottom=0)
    axes.set_title(f"{point.network}: sensitivity to memory latency")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
