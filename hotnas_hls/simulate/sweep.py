"""How a design's latency depends on the memory: the stall-sensitivity curve, predicted and simulated.

Two memories: the one of fixed latency, whose read latency is swept, or a DRAM, whose distance (idle read
latency) and bandwidth are swept one at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.memory.dram_latency import dram_latency
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.pipeline import MAX_HIDDEN_LATENCY
from hotnas_hls.base.records import to_record
from hotnas_hls.simulate.certify import Rtl, loading_runs, simulate_runs
from hotnas_hls.simulate.rtl_simulation import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READ_LATENCIES = (5, 10, 20, 40, 60, 100, 160, 250)  # cycles
DRAM_LATENCIES = (10, 20, 40, 60, 100, 160, 250)  # cycles of an idle read; 5 are too few for most DRAMs
BANDWIDTHS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2)  # of the DRAM's own


@dataclass(frozen=True)
class SweepPoint:
    """One image under one memory."""

    read_latency: int  # cycles; of an idle read where it is a DRAM
    predicted_cycles: int
    simulated_cycles: int
    stall_cycles: int  # simulated: the MAC array waited, over all layers
    mb_per_s: float | None = None  # at the DRAM's pins; none: as much as the ports move

    @property
    def exact(self) -> bool:
        """Prediction and simulation agree."""
        return self.predicted_cycles == self.simulated_cycles

    @property
    def difference(self) -> float:
        """Predicted - simulated, as a share of simulated."""
        return self.predicted_cycles / self.simulated_cycles - 1


def sweep(
    point: DesignPoint, rtl: Rtl, folder: Path, latencies: Sequence[int] = READ_LATENCIES
) -> list[SweepPoint]:
    """One image per read latency, without random stalls, on one simulated accelerator."""
    net = point.integer_network()
    image = point.golden_images(1)[0]
    memories = [dataclasses.replace(point.memory, read_latency=latency) for latency in latencies]
    predicted, loading = (
        [
            network_latency(net.layers, point.accelerator, point.tiles, memory, loaded=loaded).cycles
            for memory in memories
        ]
        for loaded in (True, False)
    )
    runs = loading_runs(point, net, image) + [Run(image, memory=memory) for memory in memories]
    results = simulate_runs(point, net, runs, folder, max(loading), rtl)[-len(memories) :]
    return [
        SweepPoint(latency, forecast, result.cycles, sum(layer["stall"] for layer in result.layers))
        for latency, forecast, result in zip(latencies, predicted, results, strict=True)
    ]


def sweep_dram(
    point: DesignPoint,
    dram: DramTiming,
    rtl: Rtl,
    folder: Path,
    latencies: Sequence[int] = DRAM_LATENCIES,
    bandwidths: Sequence[float] = BANDWIDTHS,
) -> tuple[list[SweepPoint], list[SweepPoint]]:
    """One image per idle read latency (cycles), one per bandwidth (shares of the DRAM's own)."""
    net = point.integer_network()
    image = point.golden_images(1)[0]
    drams = [dram.with_idle_read(1000 * latency / point.clock_mhz) for latency in latencies]
    drams += [dram.with_bandwidth(share * dram.mb_per_s) for share in bandwidths]
    numbers = [each.numbers(point.clock_mhz) for each in drams]
    predicted, loading = (
        [dram_latency(net, point.accelerator, point.tiles, each, loaded=loaded).cycles for each in numbers]
        for loaded in (True, False)
    )
    runs = loading_runs(point, net, image) + [Run(image, memory=point.memory, dram=each) for each in numbers]
    results = simulate_runs(point, net, runs, folder, max(loading), rtl)[-len(numbers) :]
    found = [
        SweepPoint(
            read_latency=round(each.idle_read_ns * point.clock_mhz / 1000),
            predicted_cycles=forecast,
            simulated_cycles=result.cycles,
            stall_cycles=sum(layer["stall"] for layer in result.layers),
            mb_per_s=each.mb_per_s,
        )
        for each, forecast, result in zip(drams, predicted, results, strict=True)
    ]
    return found[: len(latencies)], found[len(latencies) :]


def sweep_record(point: DesignPoint, points: Sequence[SweepPoint]) -> dict[str, Any]:
    """The curve of the memory of fixed latency as JSON."""
    return {
        **_heading(point),
        "design_read_latency": point.memory.read_latency,
        "exact_up_to_read_latency": MAX_HIDDEN_LATENCY,
        "points": _points(point, points),
    }


def dram_sweep_record(
    point: DesignPoint, dram: DramTiming, latencies: Sequence[SweepPoint], bandwidths: Sequence[SweepPoint]
) -> dict[str, Any]:
    """The two curves of a DRAM as JSON."""
    return {
        **_heading(point),
        "dram": to_record(dram),
        "latency": _points(point, latencies),
        "bandwidth": _points(point, bandwidths),
    }


def _heading(point: DesignPoint) -> dict[str, Any]:
    return {"design": point.network, "design_digest": point.digest(), "clock_mhz": point.clock_mhz}


def _points(point: DesignPoint, points: Sequence[SweepPoint]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(p) | {"ms": point.cycles_to_ms(p.simulated_cycles)} for p in points]


def sweep_chart(point: DesignPoint, points: Sequence[SweepPoint]) -> Figure:
    """Time of an inference over the memory's read latency."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    _curve(axes, point, [p.read_latency for p in points], points)
    axes.axvline(point.memory.read_latency, color="0.6", linewidth=1, label="assumed by the design")
    axes.set_xlabel("cycles from read address to first data")
    axes.set_title(f"{point.network}: sensitivity to memory latency")
    axes.legend()
    return figure


def dram_sweep_chart(
    point: DesignPoint, dram: DramTiming, latencies: Sequence[SweepPoint], bandwidths: Sequence[SweepPoint]
) -> Figure:
    """Time of an inference over the DRAM's idle read latency, and over its bandwidth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _curve(left, point, [p.read_latency for p in latencies], latencies)
    left.axvline(dram.idle_read_ns * point.clock_mhz / 1000, color="0.6", linewidth=1, label=dram.name)
    left.set_xlabel("cycles from read address to first data, DRAM idle")
    _curve(right, point, [p.mb_per_s or 0 for p in bandwidths], bandwidths)
    right.axvline(dram.mb_per_s, color="0.6", linewidth=1, label=dram.name)
    right.set_xscale("log", base=2)
    right.set_xticks([p.mb_per_s or 0 for p in bandwidths], [f"{p.mb_per_s:,.0f}" for p in bandwidths])
    right.set_xlabel("MB/s at the DRAM's pins")
    right.set_ylabel("")
    figure.suptitle(f"{point.network}: sensitivity to the DRAM")
    left.legend()
    return figure


def _curve(axes: Axes, point: DesignPoint, xs: Sequence[float], points: Sequence[SweepPoint]) -> None:
    axes.plot(xs, [point.cycles_to_ms(p.simulated_cycles) for p in points], "o-", label="simulated")
    axes.plot(xs, [point.cycles_to_ms(p.predicted_cycles) for p in points], "x--", label="predicted")
    axes.plot(xs, [point.cycles_to_ms(p.stall_cycles) for p in points], ":", color="0.4", label="array waits")
    if point.latency_bound_ms is not None:
        axes.axhline(point.latency_bound_ms, color="tab:red", linewidth=1, label="bound")
    axes.set_ylabel("ms per image")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
