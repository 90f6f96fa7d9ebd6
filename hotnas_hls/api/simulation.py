"""What simulation finds of a package: its certificate, another DRAM, what the memory costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.base.notebook import Shown
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.dram_check import DramCheck
from hotnas_hls.simulate.sweep import SweepPoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Shown):
    """A package simulated: its certificate, and what was changed in it before."""

    certificate: Certificate
    changed: tuple[str, ...]
    path: Path | None  # of the certificate; None of other RTL, which gets none

    @property
    def holds(self) -> bool:
        """Whether every output and every cycle is as predicted, and the whole within its bound."""
        return self.certificate.holds

    def tables(self) -> Sequence[Table]:
        """A line a layer."""
        from hotnas_hls.simulate.tables import certificate_table

        return (certificate_table(self.certificate),)

    def notes(self) -> list[str]:
        """What was changed, why it does not hold, the verdict."""
        changed = [f"not as it was generated: {path}" for path in self.changed]
        return [*changed, *self.certificate.reasons, self.certificate.line()]


@dataclass(frozen=True, eq=False, repr=False)
class DramSimulation(Shown):
    """A package simulated behind a DRAM that need not be its board's; it says nothing of the certificate."""

    check: DramCheck
    of_twin: bool  # False: of other RTL, whose cycles are only compared
    path: Path

    @property
    def holds(self) -> bool:
        """Whether every output is right, and the cycles of the twin within 2 % of the prediction."""
        return self.check.holds if self.of_twin else self.check.behind.outputs_match

    def tables(self) -> Sequence[Table]:
        """A line a layer."""
        from hotnas_hls.simulate.tables import dram_table

        return (dram_table(self.check),)

    def notes(self) -> list[str]:
        """The finding in words, with what is assumed of the DRAM."""
        return [self.check.line()]


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Shown):
    """What the memory's latency costs, one image each; of a DRAM its bandwidth too."""

    point: DesignPoint
    dram: DramTiming | None  # None: the ideal memory
    latencies: tuple[SweepPoint, ...]  # one for every read latency
    bandwidths: tuple[SweepPoint, ...]  # none without a DRAM
    paths: tuple[Path, ...]  # record and pictures

    def tables(self) -> Sequence[Table]:
        """A line an image."""
        from hotnas_hls.simulate.tables import sweep_table

        if self.dram is None:
            return (sweep_table(self.point, self.latencies, "read latency of the memory, and what it costs"),)
        name = self.dram.name
        return (
            sweep_table(self.point, self.latencies, f"idle read latency of {name}, and what it costs"),
            sweep_table(self.point, self.bandwidths, f"bandwidth of {name}, and what it costs"),
        )

    def figure(self) -> Figure:
        """Time of an image over the latency, and over the bandwidth."""
        from hotnas_hls.simulate.sweep import dram_sweep_chart, sweep_chart

        if self.dram is None:
            return sweep_chart(self.point, self.latencies)
        return dram_sweep_chart(self.point, self.dram, self.latencies, self.bandwidths)

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        from hotnas_hls.simulate.sweep import dram_sweep_record, sweep_record

        if self.dram is None:
            return sweep_record(self.point, self.latencies)
        return dram_sweep_record(self.point, self.dram, self.latencies, self.bandwidths)
