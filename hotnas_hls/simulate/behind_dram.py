"""One image behind a DRAM: forecast over every phase of its refresh, the worst phase simulated.

A board's refresh timer runs freely, so a start may meet it at any time. The model is stepped through
``PHASES`` of them; the phase that takes longest is the one to be simulated and certified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory.dram_latency import DramLatency
from hotnas_hls.accel.memory.dram_timing import PHASES, Assumed, DramNumbers, DramTiming
from hotnas_hls.accel.memory.pricing import latency_behind
from hotnas_hls.simulate.rtl_simulation import RunResult

TOLERANCE = 0.02  # of the total, that the model may be wrong by


@dataclass(frozen=True)
class DramLayer:
    """One layer behind the DRAM, in cycles."""

    name: str
    predicted: int
    simulated: int
    stall: int  # simulated: the MAC array waited


@dataclass(frozen=True)
class BehindDram:
    """One image behind one DRAM at the phase of its refresh that takes longest."""

    dram: DramTiming
    layers: tuple[DramLayer, ...]
    phases: tuple[int, ...]  # predicted cycles by phase of the refresh
    predicted_cycles: int  # the worst of them
    simulated_cycles: int  # at that phase
    fast_cycles: int | None  # predicted at that phase, at the best of what is assumed of the DRAM
    slow_cycles: int | None  # and at the worst; None: nothing is known of either
    outputs_match: bool

    def violations(self) -> list[str]:
        """What cannot be true of it, each with its place."""
        found = [f"dram.{problem}" for problem in self.dram.violations()]
        for name in ("predicted_cycles", "simulated_cycles"):
            if getattr(self, name) <= 0:
                found.append(f"{name}: must be more than 0, not {getattr(self, name):g}")
        if not self.phases or max(self.phases) != self.predicted_cycles:
            found.append("phases: their largest must be predicted_cycles")
        return found

    @property
    def difference(self) -> float:
        """Predicted - simulated, as a share of simulated."""
        return self.predicted_cycles / self.simulated_cycles - 1

    @property
    def as_predicted(self) -> bool:
        """The model is within its tolerance."""
        return abs(self.difference) <= TOLERANCE


@dataclass(frozen=True)
class Forecast:
    """What the model expects behind a DRAM."""

    dram: DramTiming
    phases: tuple[int, ...]
    worst: DramLatency
    numbers: DramNumbers  # at the worst phase
    fast_cycles: int | None
    slow_cycles: int | None

    def judged(
        self, net: IntegerNetwork, result: RunResult, expected: Mapping[str, np.ndarray]
    ) -> BehindDram:
        """The forecast beside what its run counted; ``expected``: every feature map of the reference."""
        pairs = zip(self.worst.layers.items(), result.layers, strict=True)
        return BehindDram(
            dram=self.dram,
            layers=tuple(DramLayer(name, cycles, c["cycles"], c["stall"]) for (name, cycles), c in pairs),
            phases=self.phases,
            predicted_cycles=self.worst.cycles,
            simulated_cycles=result.cycles,
            fast_cycles=self.fast_cycles,
            slow_cycles=self.slow_cycles,
            outputs_match=result.status == 0
            and all(
                np.array_equal(result.feature_maps[layer.target], expected[layer.target])
                for layer in net.layers
            ),
        )


def at_phase(point: DesignPoint, net: IntegerNetwork, dram: DramTiming, phase: int) -> DramLatency:
    """Cycles of an image behind ``dram`` at one of ``PHASES``; what stays on chip is there."""
    return latency_behind(net, point.accelerator, point.tiles, dram, point.clock_mhz, phase)


def forecast(point: DesignPoint, net: IntegerNetwork, dram: DramTiming) -> Forecast:
    """The cycles of one image of ``net`` behind ``dram`` in every phase of its refresh, and the worst."""

    def cycles(case: Assumed | None, phase: int) -> int | None:
        return None if case is None else at_phase(point, net, dram.assuming(case), phase).cycles

    found = [at_phase(point, net, dram, phase) for phase in range(PHASES)]
    worst = max(range(PHASES), key=lambda phase: found[phase].cycles)
    return Forecast(
        dram=dram,
        phases=tuple(each.cycles for each in found),
        worst=found[worst],
        numbers=dram.numbers(point.clock_mhz, worst),
        fast_cycles=cycles(dram.fast, worst),
        slow_cycles=cycles(dram.slow, worst),
    )
