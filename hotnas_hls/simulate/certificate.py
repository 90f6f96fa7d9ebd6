"""The latency certificate: what was predicted, what simulation counted, and whether the bound holds.

The simulated hardware is the SystemVerilog twin of the design (unless RTL that Vitis exported is named).
With an ideal memory, which answers in fixed time, its cycles are compared with the latency model term by
term. Behind the DRAM of the design's board, at the phase of the refresh that takes longest, they are what is
certified: the bound must hold there. Outputs of every layer are compared with the integer reference bit for
bit in all runs, also under random stalls of the memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.latency import LayerLatency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.records import load_versioned, read_record, to_record
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.simulate.behind_dram import BehindDram, at_phase
from hotnas_hls.simulate.verilated import sources_digest

FORMAT = "hotnas-certificate"
FORMAT_VERSION = 2  # 1 was of the ideal memory alone
TWIN = "SystemVerilog twin"
HOLDS = "holds"  # the verdict of a certificate that vouches for all of its package


@dataclass(frozen=True)
class LayerCheck:
    """One layer with the ideal memory: prediction, simulation."""

    name: str
    predicted: LayerLatency
    simulated: dict[str, int]  # by term; the slowest of the runs without stalls
    exact: bool  # every term of every run without stalls as predicted
    outputs_match: bool  # bit for bit, in every run

    @property
    def bottleneck(self) -> str:
        """HotNAS's label of the layer."""
        return str(self.predicted.bottleneck)

    def differences(self) -> dict[str, int]:
        """Terms that were not as predicted: simulated - predicted."""
        predicted = self.predicted.terms()
        return {t: v - predicted[t] for t, v in self.simulated.items() if v != predicted[t]}


@dataclass(frozen=True)
class Certificate:
    """What was found for one design. The field order is that of the file; nothing in it is a time of day."""

    design: str
    design_digest: str
    board: str
    clock_mhz: float
    memory: MemoryTiming
    simulated_rtl: str  # what was simulated, in words
    sources_digest: str  # of that RTL, comments left out
    tool_versions: dict[str, str]
    layers: tuple[LayerCheck, ...]
    predicted_cycles: int  # with the ideal memory
    simulated_cycles: int  # slowest run without stalls, from start to interrupt
    behind: BehindDram | None  # one image behind the DRAM; null where it was left out
    bound_cycles: int | None
    images: int  # runs without stalls, one image each
    stalled_runs: int
    outputs_compared: int  # feature maps, over all runs and layers
    holds: bool
    reasons: tuple[str, ...]  # why it does not hold
    hls_schedule: tuple[int, ...] | None = None  # of the C++, a layer; None: not reckoned
    hls_synthesis: str | None = None  # by an open HLS compiler, in words; None: not tried
    clock_estimate: str | None = None  # by static timing before placement, in words; None: not estimated
    unchecked: tuple[str, ...] = ()  # parts of the package that were left out, in words
    ports: dict[str, int] | None = None  # beats and stalls of the run that is certified; None: not counted
    first_cycles: int | None = None  # simulated, of a run that also loads what stays on chip; None: nothing
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def exact(self) -> bool:
        """Every layer as predicted, difference 0 in every term, and their sum too."""
        return all(layer.exact for layer in self.layers) and self.simulated_cycles == self.predicted_cycles

    @property
    def outputs_match(self) -> bool:
        """Every layer's output equal to the reference, in every run."""
        behind = self.behind is None or self.behind.outputs_match
        return behind and all(layer.outputs_match for layer in self.layers)

    @property
    def certified_cycles(self) -> int:
        """What simulation counted behind the DRAM, or with the ideal memory where that is all there is."""
        return self.simulated_cycles if self.behind is None else self.behind.simulated_cycles

    @property
    def margin(self) -> int | None:
        """Cycles left below the bound."""
        return None if self.bound_cycles is None else self.bound_cycles - self.certified_cycles

    @property
    def range_ms(self) -> tuple[float, float] | None:
        """Latency at the best and at the worst of what is assumed of the DRAM; None where nothing is."""
        behind = self.behind
        if behind is None or behind.fast_cycles is None or behind.slow_cycles is None:
            return None
        return self.ms(behind.fast_cycles), self.ms(behind.slow_cycles)

    def layer_bounds(self) -> tuple[int | None, ...]:
        """Every layer's share of the bound, in proportion to its predicted cycles."""
        if self.bound_cycles is None:
            return (None,) * len(self.layers)
        found = [check.predicted.cycles for check in self.layers]
        if self.behind is not None:
            found = [layer.predicted for layer in self.behind.layers]
        return tuple(self.bound_cycles * cycles // sum(found) for cycles in found)

    def layer_cycles(self) -> tuple[int, ...]:
        """What is certified of every layer, in cycles."""
        if self.behind is not None:
            return tuple(layer.simulated for layer in self.behind.layers)
        return tuple(check.simulated["cycles"] for check in self.layers)

    def violations(self) -> list[str]:
        """What cannot be true of a certificate, each with its place."""
        found = [f"memory.{problem}" for problem in self.memory.violations()]
        for name in ("clock_mhz", "predicted_cycles", "simulated_cycles", "images", "outputs_compared"):
            if getattr(self, name) <= 0:
                found.append(f"{name}: must be more than 0, not {getattr(self, name):g}")
        if self.behind is not None:
            found += [f"behind.{problem}" for problem in self.behind.violations()]
            if [layer.name for layer in self.behind.layers] != [check.name for check in self.layers]:
                found.append("behind.layers: must be those of layers")
        if self.hls_schedule is not None and len(self.hls_schedule) != len(self.layers):
            found.append(f"hls_schedule: must have a count for each of {len(self.layers)} layers")
        if self.stalled_runs < 0:
            found.append(f"stalled_runs: must be 0 or more, not {self.stalled_runs}")
        if self.bound_cycles is not None and self.bound_cycles < 1:
            found.append(f"bound_cycles: must be at least 1, not {self.bound_cycles}; null is no bound")
        for layer in self.layers:
            predicted = layer.predicted.terms()
            if layer.simulated.keys() != predicted.keys():
                found.append(f"{layer.name}: simulated must hold {', '.join(predicted)}")
            if min(*predicted.values(), *layer.simulated.values()) < 0:
                found.append(f"{layer.name}: a count of cycles is negative")
        return found

    def ms(self, cycles: int) -> float:
        """Cycles at this design's clock, in milliseconds."""
        return cycles / (self.clock_mhz * 1000)

    @property
    def verdict(self) -> str:
        """Whether it holds; of what was not checked nothing is said to hold."""
        if not self.holds:
            return "DOES NOT HOLD"
        if self.unchecked:
            return f"NOT CHECKED: {', '.join(self.unchecked)}; the RTL is as predicted"
        return HOLDS

    def line(self) -> str:
        """The certificate in one sentence."""
        bound = "no bound"
        if self.bound_cycles is not None and self.margin is not None:
            bound = f"bound {self.ms(self.bound_cycles):.4g} ms, margin {self.margin / self.bound_cycles:.1%}"
        ideal = (
            f"an ideal memory ({self.memory.read_latency} cycles to the first beat of a read, "
            f"{self.memory.write_latency} to the answer of a write)"
        )
        holds = f"{self.design}: {self.verdict}:"
        at = f"at {self.clock_mhz:g} MHz, {bound}"
        exact = f"predicted {self.predicted_cycles} cycles, simulated {self.simulated_cycles}"
        if self.behind is None:
            return (
                f"{holds} {exact} ({self.simulated_rtl}), {self.ms(self.simulated_cycles):.4g} ms {at}; of "
                f"{ideal} alone: no board has it, behind a DRAM it takes longer"
            )
        behind = self.behind
        first = ""
        if self.first_cycles is not None:
            first = f"; the first run after a reset, which loads weights to stay, {self.first_cycles}"
        reach = ""
        if self.range_ms is not None:
            fast, slow = self.range_ms
            reach = f"; {fast:.4g} to {slow:.4g} ms over what is assumed of the DRAM, certified is the usual"
        return (
            f"{holds} behind {behind.dram.name}, worst of {len(behind.phases)} phases of its refresh: "
            f"predicted {behind.predicted_cycles} cycles, simulated {behind.simulated_cycles} "
            f"({self.simulated_rtl}), {self.ms(behind.simulated_cycles):.4g} ms {at}{reach}. "
            f"With {ideal}: {exact}{first}. Assumed: {behind.dram.line()}"
        )

    def to_json(self) -> str:
        """The text of ``certificate.json``, with what follows from the fields for readers and programs."""
        record = to_record(self)
        layers = record.pop("layers")
        record |= {
            "predicted_ms": self.ms(self.predicted_cycles),
            "simulated_ms": self.ms(self.simulated_cycles),
            "certified_ms": self.ms(self.certified_cycles),
            "bound_ms": None if self.bound_cycles is None else self.ms(self.bound_cycles),
            "margin": self.margin,
            "exact": self.exact,
            "outputs_match": self.outputs_match,
            "layers": [
                layer | {"bottleneck": check.bottleneck, "bound": bound}
                for layer, check, bound in zip(layers, self.layers, self.layer_bounds(), strict=True)
            ],
        }
        heading = ("format", "format_version")
        return json.dumps({name: record.pop(name) for name in heading} | record, indent=2) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> Certificate:
        """The certificate in a file; ConfigError for anything that is not one."""
        foreign = f'not a certificate (it has no "format": "{FORMAT}")'
        record = load_versioned(path, FORMAT, FORMAT_VERSION, foreign, "run hotnas sim again")
        for derived in ("predicted_ms", "simulated_ms", "certified_ms", "bound_ms", "margin"):
            record.pop(derived, None)
        for derived in ("exact", "outputs_match"):
            record.pop(derived, None)
        layers = record.get("layers")
        for layer in layers if isinstance(layers, list) else ():
            if isinstance(layer, dict):
                layer.pop("bottleneck", None)
                layer.pop("bound", None)
        problems: list[str] = []
        certificate = read_record(cls, record, "", problems)
        if certificate is not None:
            problems += certificate.violations()
        raise_all(ConfigError, f"{path}: not a certificate:", problems)
        return certificate


def recheck(certificate: Certificate, point: DesignPoint, sources: Mapping[str, str]) -> list[str]:
    """What no longer holds of a certificate: it must speak of this design, these sources, this model.

    Nothing is simulated: the predictions are computed again and the judgement is drawn again from the
    counts in the certificate. Empty when all agrees.
    """
    layers = tuple(placed.layer for placed in point.layers)
    predicted = network_latency(layers, point.accelerator, point.tiles, point.memory)
    found = []
    if certificate.design_digest != point.digest():
        found.append("certificate: is of another design; run hotnas sim again")
    if certificate.sources_digest != sources_digest(sources):
        found.append("certificate: the RTL has changed since it was simulated; run hotnas sim again")
    if [check.name for check in certificate.layers] != [layer.name for layer in layers]:
        return [*found, "certificate: its layers are not the design's; run hotnas sim again"]
    for check in certificate.layers:
        if check.predicted != predicted.layers[check.name]:
            found.append(f"certificate: {check.name}: the model no longer predicts what it says")
    if (
        certificate.predicted_cycles != predicted.cycles
        or certificate.bound_cycles != point.latency_bound_cycles
    ):
        found.append("certificate: its total or its bound is not the design's")
    if certificate.behind is not None:
        found += _recheck_behind(certificate.behind, point)
    total = sum(check.simulated["cycles"] for check in certificate.layers)
    exact = all(not check.differences() and check.exact for check in certificate.layers)
    holds = exact and certificate.outputs_match and total == certificate.simulated_cycles == predicted.cycles
    if certificate.bound_cycles is not None:
        holds = holds and certificate.certified_cycles <= certificate.bound_cycles
    if certificate.behind is not None:
        holds = holds and certificate.behind.as_predicted
    if certificate.holds and not holds:
        found.append("certificate: says that it holds, but its own counts say that it does not")
    if not certificate.holds:
        found += [f"certificate: does not hold: {reason}" for reason in certificate.reasons]
    return found


def _recheck_behind(behind: BehindDram, point: DesignPoint) -> list[str]:
    """What no longer holds of the figures behind the DRAM."""
    if behind.dram != point.dram:
        return ["certificate: is of another DRAM than the design's; run hotnas sim again"]
    worst = at_phase(point, point.integer_network(), behind.dram, behind.phases.index(max(behind.phases)))
    if worst.layers != {layer.name: layer.predicted for layer in behind.layers} or (
        worst.cycles != behind.predicted_cycles
    ):
        return ["certificate: the model no longer predicts what it says behind the DRAM"]
    if sum(layer.simulated for layer in behind.layers) != behind.simulated_cycles:
        return ["certificate: its layers behind the DRAM do not add up to its total"]
    return []
