"""Simulate a design and judge what was counted: from runs of the RTL to a certificate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.timing.latency import NetworkLatency, network_latency
from hotnas_hls.base import tools
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import bench_files
from hotnas_hls.errors import ConfigError, SimulationFailed
from hotnas_hls.simulate.behind_dram import BehindDram, forecast
from hotnas_hls.simulate.certificate import TWIN, Certificate, LayerCheck
from hotnas_hls.simulate.rtl_simulation import Run, RunResult, run_network
from hotnas_hls.simulate.verilated import build_once, sources_digest
from hotnas_hls.version import __version__

DEFAULT_STALLS = (64,)  # chances in 256 that a channel of the memory pauses, one run each
LEAST_RUNS = 2  # back to back, so that state left behind by a run would show
TIMEOUT_FACTOR, TIMEOUT_CYCLES = 20, 100_000  # a run may take so much longer than predicted
FEW_CYCLES = 2_000_000  # up to here a quick compilation is worth more than a fast model


@dataclass(frozen=True)
class Rtl:
    """SystemVerilog to simulate; by default the twin of the design."""

    files: Mapping[str, str]  # name to text, packages first
    description: str = TWIN
    data: Mapping[str, bytes] | None = None  # files it reads at run time
    bench: Mapping[str, str] | None = None  # what it is simulated in; None: this one's
    weights: bytes | None = None  # what lies behind wgt; None: made of the design anew

    @property
    def is_twin(self) -> bool:
        """True where the latency model is exact, False where it is only compared."""
        return self.description == TWIN


def twin(point: DesignPoint, layers: int = 0) -> Rtl:
    """The SystemVerilog twin of a design; its profile has room for ``layers`` if they are more than its own.

    Designs of one accelerator and one such number have the same RTL but for its banner.
    """
    banner = Banner(point.network, point.digest())
    accel = point.accelerator
    files = rtl_files(accel, max(layers, len(point.layers)), banner, point.clock_mhz)
    return Rtl(files, bench=bench_files(masters(accel)))


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
    predicted, loads = (
        network_latency(net.layers, point.accelerator, point.tiles, point.memory, loaded=loaded)
        for loaded in (True, False)
    )
    inputs = point.golden_images(images)
    loading = loading_runs(point, net, inputs[0])
    planned = [Run(image, memory=point.memory) for image in inputs]
    planned += [Run(inputs[at % images], memory=point.memory, stall=s) for at, s in enumerate(stalls)]
    ahead = forecast(point, net, point.dram) if behind and point.dram is not None else None
    if ahead is not None:
        planned.append(Run(inputs[0], memory=point.memory, dram=ahead.numbers))
    slowest = max(loads.cycles, 0 if ahead is None else ahead.worst.cycles)
    results = simulate_runs(point, net, loading + planned, folder, slowest, rtl)
    first = results.pop(0) if loading else None
    certified = results[-1 if ahead is not None else images - 1]
    expected = [reference(net, image) for image in inputs]
    seen = None if ahead is None else ahead.judged(net, results.pop(), expected[0])
    outputs = expected + [expected[at % images] for at in range(len(stalls))]
    certificate = _judge(point, rtl, net, predicted, results, outputs, images, seen)
    if rtl.is_twin:
        certificate = replace(certificate, ports=certified.ports)
    if first is None:
        return certificate
    reasons = certificate.reasons + tuple(_first_reasons(first, expected[0], net, loads.cycles, rtl))
    return replace(certificate, first_cycles=first.cycles, holds=not reasons, reasons=reasons)


def loading_runs(point: DesignPoint, net: IntegerNetwork, image: np.ndarray) -> list[Run]:
    """The run that loads what stays on chip, before those that count; none where no weights do."""
    keeps = any(layer.weights_on_chip for layer in net.layers)
    return [Run(image, memory=point.memory)] if keeps else []


def loading_cycles(point: DesignPoint, net: IntegerNetwork) -> int:
    """Predicted of that run, with the ideal memory."""
    return network_latency(net.layers, point.accelerator, point.tiles, point.memory, loaded=False).cycles


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
    waves: str | None = None,
) -> list[RunResult]:
    """Run the design's RTL; a hang is a SimulationFailed that says where to look.

    predicted: cycles of a run, the slowest of them. waves: the format in which a
    model records them.
    """
    optimise = len(runs) * predicted > FEW_CYCLES
    model = build_once(rtl.files, folder / "rtl", optimise=optimise, waves=waves, bench=rtl.bench)
    runs = [replace(run, weights=rtl.weights) for run in runs]
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


def tool_versions() -> dict[str, str]:
    """Versions of everything a simulation's result could depend on."""
    found: dict[str, Any] = {"hotnas": __version__}
    for name in ("verilator", "cocotb"):
        tool = tools.find(name)
        found[name] = (tools.version(tool) if tool else None) or "unknown"
    return found
