"""The latency certificate: what was predicted, what simulation counted, and whether the bound holds.

The simulated hardware is the SystemVerilog twin of the design (unless RTL that Vitis exported is named).
With an ideal memory, which answers in fixed time, its cycles are compared with the latency model term by
term. Behind the DRAM of the design's board, at the phase of the refresh that takes longest, they are what is
certified: the bound must hold there. Outputs of every layer are compared with the integer reference bit for
bit in all runs, also under random stalls of the memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls import __version__
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.timing.latency import LayerLatency, NetworkLatency, fill_cycles, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base import tools
from hotnas_hls.base.records import load_json, read_record, to_record
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.errors import ConfigError, SimulationFailed, raise_all
from hotnas_hls.simulate.behind_dram import BehindDram, at_phase, forecast
from hotnas_hls.simulate.rtl_simulation import Run, RunResult, run_network
from hotnas_hls.simulate.verilated import build_once, sources_digest

FORMAT = "hotnas-certificate"
FORMAT_VERSION = 2  # 1 was of the ideal memory alone
TWIN = "SystemVerilog twin"
DEFAULT_STALLS = (64,)  # chances in 256 that a channel of the memory pauses, one run each
LEAST_RUNS = 2  # back to back, so that state left behind by a run would show
TIMEOUT_FACTOR, TIMEOUT_CYCLES = 20, 100_000  # a run may take so much longer than predicted
FEW_CYCLES = 2_000_000  # up to here a quick compilation is worth more than a fast model


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

    def line(self) -> str:
        """The certificate in one sentence."""
        bound = "no bound"
        if self.bound_cycles is not None and self.margin is not None:
            bound = f"bound {self.ms(self.bound_cycles):.4g} ms, margin {self.margin / self.bound_cycles:.1%}"
        ideal = (
            f"an ideal memory ({self.memory.read_latency} cycles to the first beat of a read, "
            f"{self.memory.write_latency} to the answer of a write)"
        )
        holds = f"{self.design}: {'holds' if self.holds else 'DOES NOT HOLD'}:"
        at = f"at {self.clock_mhz:g} MHz, {bound}"
        exact = f"predicted {self.predicted_cycles} cycles, simulated {self.simulated_cycles}"
        if self.behind is None:
            return (
                f"{holds} {exact} ({self.simulated_rtl}), {self.ms(self.simulated_cycles):.4g} ms {at}; of "
                f"{ideal} alone: no board has it, behind a DRAM it takes longer"
            )
        behind = self.behind
        reach = ""
        if self.range_ms is not None:
            fast, slow = self.range_ms
            reach = f"; {fast:.4g} to {slow:.4g} ms over what is assumed of the DRAM, certified is the usual"
        return (
            f"{holds} behind {behind.dram.name}, worst of {len(behind.phases)} phases of its refresh: "
            f"predicted {behind.predicted_cycles} cycles, simulated {behind.simulated_cycles} "
            f"({self.simulated_rtl}), {self.ms(behind.simulated_cycles):.4g} ms {at}{reach}. "
            f"With {ideal}: {exact}. Assumed: {behind.dram.line()}"
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
        record = load_json(path)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise ConfigError(f'{path}: not a certificate (it has no "format": "{FORMAT}")')
        if record.get("format_version") != FORMAT_VERSION:
            raise ConfigError(f"{path}: format_version must be {FORMAT_VERSION}; run hotnas sim again")
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


@dataclass(frozen=True)
class Rtl:
    """SystemVerilog to simulate; by default the twin of the design."""

    files: Mapping[str, str]  # name to text, packages first
    description: str = TWIN
    data: Mapping[str, bytes] | None = None  # files it reads at run time

    @property
    def is_twin(self) -> bool:
        """True where the latency model is exact, False where it is only compared."""
        return self.description == TWIN


def twin(point: DesignPoint, layers: int = 0) -> Rtl:
    """The SystemVerilog twin of a design; its profile has room for ``layers`` if they are more than its own.

    Designs of one accelerator and one such number have the same RTL but for its banner.
    """
    banner = Banner(point.network, point.digest())
    return Rtl(rtl_files(point.accelerator, max(layers, len(point.layers)), banner))


def certify(
    point: DesignPoint,
    folder: Path,
    images: int = LEAST_RUNS,
    stalls: Sequence[int] = DEFAULT_STALLS,
    rtl: Rtl | None = None,
    behind: bool = True,
) -> Certificate:
    """Simulate ``images`` inferences back to back, one per entry of ``stalls``, one behind the DRAM.

    folder: for the build and the jobs. rtl: what to simulate, by default the twin generated anew. behind:
    False leaves the DRAM out; the bound is then of the ideal memory. Raises ConfigError for a board whose
    DRAM is not known, SimulationFailed when the RTL does not build, hangs, or breaks a rule of AXI; a latency
    or an output that is not as it should be gives a certificate that does not hold.
    """
    if behind and point.dram is None:
        raise ConfigError(
            f"{point.board.name}: no DRAM is known behind its ports; name one in the board's record (dram), "
            "or leave it out (--no-dram)"
        )
    rtl = rtl or twin(point)
    net = point.integer_network()
    predicted = network_latency(net.layers, point.accelerator, point.tiles, point.memory)
    inputs = point.golden_images(images)
    # What stays on chip is loaded in a run before those that count.
    fill = sum(fill_cycles(layer, point.accelerator, point.memory) for layer in net.layers)
    loading = [Run(inputs[0], memory=point.memory)] if fill else []
    planned = [Run(image, memory=point.memory) for image in inputs]
    planned += [Run(inputs[at % images], memory=point.memory, stall=s) for at, s in enumerate(stalls)]
    ahead = forecast(point, net, point.dram) if behind and point.dram is not None else None
    if ahead is not None:
        planned.append(Run(inputs[0], memory=point.memory, dram=ahead.numbers))
    slowest = max(predicted.cycles, 0 if ahead is None else ahead.worst.cycles)
    results = simulate_runs(point, net, loading + planned, folder, slowest + fill, rtl)
    first = results.pop(0) if loading else None
    expected = [reference(net, image) for image in inputs]
    seen = None if ahead is None else ahead.judged(net, results.pop(), expected[0])
    outputs = expected + [expected[at % images] for at in range(len(stalls))]
    certificate = _judge(point, rtl, net, predicted, results, outputs, images, seen)
    if first is None:
        return certificate
    reasons = certificate.reasons + tuple(
        _first_reasons(first, expected[0], net, predicted.cycles + fill, rtl)
    )
    return replace(certificate, first_cycles=first.cycles, holds=not reasons, reasons=reasons)


def _first_reasons(
    run: RunResult, expected: Mapping[str, np.ndarray], net: IntegerNetwork, predicted: int, rtl: Rtl
) -> Iterator[str]:
    """What is wrong with the run that loads what stays on chip."""
    if run.status:
        yield f"the first run ended with status {run.status}"
    for layer in net.layers:
        if not np.array_equal(run.feature_maps[layer.target], expected[layer.target]):
            yield f"{layer.name}: the output of the first run differs from the integer reference"
    if rtl.is_twin and run.cycles != predicted:
        yield f"the first run: {run.cycles} cycles simulated, {predicted} predicted"


def simulate_runs(
    point: DesignPoint,
    net: IntegerNetwork,
    runs: Sequence[Run],
    folder: Path,
    predicted: int,
    rtl: Rtl,
) -> list[RunResult]:
    """Run the design's RTL; a hang is a SimulationFailed that says where to look.

    predicted: cycles of a run, the slowest of them.
    """
    model = build_once(rtl.files, folder / "rtl", optimise=len(runs) * predicted > FEW_CYCLES)
    job = folder / "job"
    job.mkdir(parents=True, exist_ok=True)
    for name, contents in (rtl.data or {}).items():
        (job / name).write_bytes(contents)
    timeout = TIMEOUT_FACTOR * predicted + TIMEOUT_CYCLES
    try:
        return run_network(model, net, point.accelerator, point.tiles, runs, job, timeout_cycles=timeout)
    except SimulationFailed as failure:
        if "did not finish within" not in str(failure):
            raise
        done = job / "results.json"
        finished = len(json.loads(done.read_text(encoding="utf-8"))) if done.is_file() else 0
        raise SimulationFailed(
            f"{point.network}: run {finished + 1} of {len(runs)} hung: it did not finish within {timeout} "
            f"cycles, {predicted} were predicted; all that was printed is in {job / 'simulation.log'}"
        ) from None


def _judge(
    point: DesignPoint,
    rtl: Rtl,
    net: IntegerNetwork,
    predicted: NetworkLatency,
    results: Sequence[RunResult],
    expected: Sequence[Mapping[str, np.ndarray]],
    unstalled: int,
    behind: BehindDram | None,
) -> Certificate:
    bound = point.latency_bound_cycles
    checks = []
    for index, layer in enumerate(net.layers):
        foreseen = predicted.layers[layer.name]
        counted = [result.layers[index] for result in results[:unstalled]]
        slowest = max(counted, key=lambda terms: terms["cycles"])
        matches = [
            bool(np.array_equal(result.feature_maps[layer.target], maps[layer.target]))
            for result, maps in zip(results, expected, strict=True)
        ]
        checks.append(
            LayerCheck(
                name=layer.name,
                predicted=foreseen,
                simulated=slowest,
                exact=all(terms == foreseen.terms() for terms in counted),
                outputs_match=all(matches),
            )
        )
    simulated = max(result.cycles for result in results[:unstalled])
    reasons = _reasons(checks, predicted.cycles, simulated, bound, results, behind, rtl.is_twin)
    return Certificate(
        design=point.network,
        design_digest=point.digest(),
        board=point.board.name,
        clock_mhz=point.clock_mhz,
        memory=point.memory,
        simulated_rtl=rtl.description,
        sources_digest=sources_digest(rtl.files),
        tool_versions=tool_versions(),
        layers=tuple(checks),
        predicted_cycles=predicted.cycles,
        simulated_cycles=simulated,
        behind=behind,
        bound_cycles=bound,
        images=unstalled,
        stalled_runs=len(results) - unstalled,
        outputs_compared=(len(results) + (behind is not None)) * len(checks),
        holds=not reasons,
        reasons=tuple(reasons),
    )


def _reasons(
    checks: Sequence[LayerCheck],
    predicted: int,
    simulated: int,
    bound: int | None,
    results: Sequence[RunResult],
    behind: BehindDram | None,
    is_twin: bool,
) -> list[str]:
    """Why a certificate does not hold; of RTL that is not the twin only outputs and the bound count."""
    found = [f"run {at + 1} ended with status {r.status}" for at, r in enumerate(results) if r.status]
    for check in checks:
        if not check.outputs_match:
            found.append(f"{check.name}: the output differs from the integer reference")
        if is_twin and not check.exact:
            terms = ", ".join(f"{term} {gap:+d}" for term, gap in check.differences().items())
            found.append(f"{check.name}: simulated cycles differ from the prediction ({terms or 'in a run'})")
    if is_twin and simulated != predicted:
        found.append(f"total: {simulated} cycles simulated, {predicted} predicted")
    if behind is not None:
        if not behind.outputs_match:
            found.append(f"behind {behind.dram.name}: an output differs from the integer reference")
        if is_twin and not behind.as_predicted:
            found.append(
                f"behind {behind.dram.name}: {behind.simulated_cycles} cycles simulated, "
                f"{behind.predicted_cycles} predicted"
            )
        simulated = behind.simulated_cycles
    if bound is not None and simulated > bound:
        found.append(f"total: {simulated} cycles exceed the bound of {bound}")
    return found


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


def tool_versions() -> dict[str, str]:
    """Versions of everything a simulation's result could depend on."""
    found: dict[str, Any] = {"hotnas": __version__}
    for name in ("verilator", "cocotb"):
        tool = tools.find(name)
        found[name] = (tools.version(tool) if tool else None) or "unknown"
    return found
