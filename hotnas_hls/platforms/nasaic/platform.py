"""A chip of sub-accelerators as a platform of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hotnas_hls.errors import ConfigError, InfeasibleDesign, raise_all
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.nasaic.constants import ChipConstants, load_constants
from hotnas_hls.platforms.nasaic.dataflow import DATAFLOWS
from hotnas_hls.platforms.nasaic.explore import best_chip
from hotnas_hls.platforms.nasaic.model import (
    LayerRun,
    SubAccelerator,
    layer_run,
    layer_violations,
    square_millimetres,
)
from hotnas_hls.platforms.nasaic.schedule import Schedule, groups, schedule, weighted
from hotnas_hls.platforms.operators import OperatorPlatform
from hotnas_hls.platforms.platform import Choices, Cost, LayerCost, Relief, Remedy
from hotnas_hls.platforms.space import Axis, AxisKind, steps_from

ENERGY = Metric("energy_uj", "uJ", "one image: products, registers, buffers with the networks on chip")
AREA = Metric("area_mm2", "mm2", "PEs, networks on chip and buffers, without control")
LEAST = Metric("least_latency_ms", "ms", "that no schedule of the networks on the chip stays below")

Chip = tuple[SubAccelerator, ...]


class SubAcceleratorPlatform(OperatorPlatform[ChipConstants]):
    """At most one sub-accelerator of each dataflow; layers that need not wait run side by side.

    Networks beside the one that is searched run at the same time, as they are.
    """

    registered: ClassVar[str] = "nasaic"
    titled: ClassVar[str] = "chip of sub-accelerators with {}'s constants"
    about: ClassVar[str] = "a chip of sub-accelerators of different dataflows, layers mapped to them"
    metrics: ClassVar[tuple[Metric, ...]] = (LATENCY, ENERGY, AREA, LEAST)
    takes_several: ClassVar[bool] = True
    multiple = 8
    remedies_of: ClassVar[Mapping[str, tuple[Remedy, ...]]] = {
        "C": (Remedy.CHANNEL_CUT, Remedy.HARDWARE),
        "U": (Remedy.HARDWARE, Remedy.CHANNEL_CUT),  # another dataflow fills its PEs
        "N": (Remedy.HARDWARE, Remedy.WEIGHT_BITS, Remedy.ACT_BITS, Remedy.CHANNEL_CUT),
        "M": (Remedy.WEIGHT_BITS, Remedy.ACT_BITS, Remedy.CHANNEL_CUT),
        "R": (Remedy.WEIGHT_BITS, Remedy.ACT_BITS, Remedy.CHANNEL_CUT, Remedy.HARDWARE),
    }
    load_constants = staticmethod(load_constants)

    def __init__(self, constants: ChipConstants | None = None, objective: str | None = None) -> None:
        super().__init__(constants, objective)
        if self.objective in (AREA, LEAST):
            raise ConfigError(
                f"objective: {self.objective.name} belongs to the chip, and no layer has a share of it; "
                f"bound it by bound.metrics.{self.objective.name} instead"
            )

    # --- design space ---------------------------------------------------------------------------------

    def axes(self, near: Choices | None = None) -> tuple[Axis, ...]:
        """PEs (0: not there) and bytes a cycle of each dataflow: all, or one step from ``near``."""
        found = []
        for dataflow in DATAFLOWS:
            for part, values in (("pes", self._pes), ("noc", self._noc)):
                name = f"{dataflow}_{part}"
                options = values if near is None else steps_from(near[name], values)
                found.append(Axis(name, AxisKind.HARDWARE, options))
        return tuple(found)

    @property
    def _pes(self) -> tuple[int, ...]:
        return (0, *_doubled(self.constants.cluster, self.constants.pes))

    @property
    def _noc(self) -> tuple[int, ...]:
        return _doubled(-(-self.constants.noc_bytes // 8), self.constants.noc_bytes)

    def explore(self, layers: Sequence[Operation]) -> Choices:
        """The best chip for the objective, exactly (see :func:`best_chip`)."""
        raise_all(InfeasibleDesign, f"{self.name}: outside what the model is made for:", self.broken(layers))
        chip = best_chip(tuple(layers), self.constants, self._pes, self._noc, self.objective is LATENCY)
        found = {f"{dataflow}_pes": 0 for dataflow in DATAFLOWS}
        found |= {f"{dataflow}_noc": self._noc[0] for dataflow in DATAFLOWS}
        for engine in chip:
            found |= {f"{engine.dataflow}_pes": engine.pes, f"{engine.dataflow}_noc": engine.noc_bytes}
        return found

    def design(self, layers: Sequence[Operation], choices: Choices) -> Chip:  # type: ignore[override]
        """The sub-accelerators that have PEs."""
        return tuple(
            SubAccelerator(dataflow, choices[f"{dataflow}_pes"], choices[f"{dataflow}_noc"])
            for dataflow in DATAFLOWS
            if choices[f"{dataflow}_pes"]
        )

    def reliefs(self, label: str, choices: Choices) -> tuple[Relief, ...]:
        """A wider network where that bounds, else more PEs, also of a dataflow that is not there yet."""
        part, values = ("noc", self._noc) if label == "N" else ("pes", self._pes)
        found = []
        for name in (f"{dataflow}_{part}" for dataflow in DATAFLOWS):
            more = min((value for value in values if value > choices[name]), default=None)
            if more is not None:
                found.append(Relief(f"{name} {choices[name]} -> {more}", {**choices, name: more}))
        return tuple(found)

    # --- cost -----------------------------------------------------------------------------------------

    def broken(self, layers: Sequence[Operation]) -> list[str]:
        """Widths and kernels beyond the model."""
        return [problem for one in layers for problem in layer_violations(one, self.constants)]

    def violations(self, layers: Sequence[Operation], design: Any) -> list[str]:
        """What lies outside the model, and a chip of no PEs or of more than there may be."""
        found = self.broken(layers)
        if not design:
            found.append("no sub-accelerator has PEs; give one of them some")
        for what, used, limit in self._limited(design):
            if used > limit:
                found.append(f"{used} {what} of all sub-accelerators, the chip has {limit}; use fewer")
        return found

    def _limited(self, chip: Chip) -> tuple[tuple[str, int, int], ...]:
        return (
            ("PEs", sum(engine.pes for engine in chip), self.constants.pes),
            ("NoC bytes a cycle", sum(engine.noc_bytes for engine in chip), self.constants.noc_bytes),
        )

    def mapping(self, layers: Sequence[Operation], chip: Chip) -> tuple[list[list[LayerRun]], Schedule]:
        """Every layer with weights on every sub-accelerator, and which of them runs it."""
        runs = [[layer_run(layer, engine, self.constants) for engine in chip] for layer in weighted(layers)]
        cycles = [tuple(run.cycles for run in row) for row in runs]
        energy = [tuple(run.energy for run in row) for row in runs]
        return runs, schedule(groups(tuple(layers)), cycles, energy, self.objective is LATENCY)

    def cost(self, layers: Sequence[Operation], design: Any) -> Cost:
        """By the model, on the best mapping. Labels: C, U, N of the latency; M, R, N of the energy."""
        runs, mapped = self.mapping(layers, design)
        placed = list(zip(weighted(layers), runs, mapped.on, strict=True))
        costs = [self._layer(layer.name, row[on]) for layer, row, on in placed]
        area = 0.0
        for index, engine in enumerate(design):
            its = [layer for layer, _, on in placed if on == index]
            area += square_millimetres(engine, its, self.constants)
        metrics = {LATENCY.name: self._ms(mapped.cycles), ENERGY.name: mapped.energy, AREA.name: area}
        metrics[LEAST.name] = self._ms(mapped.least)
        used = {what: float(used) for what, used, _ in self._limited(design)}
        limits = {what: float(limit) for what, _, limit in self._limited(design)}
        return Cost(tuple(costs), metrics[self.objective.name], metrics, self.objective, used, limits)

    def _layer(self, name: str, run: LayerRun) -> LayerCost:
        if self.objective is ENERGY:
            terms = {"products": run.macs, "registers": run.registers, "buffer and network": run.moved}
            label = max(zip(terms.values(), "MRN", strict=True))[1]
            return LayerCost(name, run.energy, terms, label)
        terms = {"full array": run.filled, "idle PEs": run.idle, "network": run.noc}
        label = "N" if run.noc > run.filled + run.idle else "U" if run.idle > run.filled else "C"
        return LayerCost(name, self._ms(run.cycles), {k: self._ms(v) for k, v in terms.items()}, label)

    def _ms(self, cycles: float) -> float:
        return cycles / (self.constants.clock_mhz * 1000)


def _doubled(first: int, last: int) -> tuple[int, ...]:
    """First, twice it and so on, as far as ``last``."""
    return tuple(first << step for step in range((last // first).bit_length()))
