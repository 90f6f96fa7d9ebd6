"""Engines that share a board, simulated together: their RTL in one bench, behind one DRAM.

First each loads what it keeps on chip. Then all start in the same cycle and run their images, at every phase
of the refresh at which one of them is predicted to take longest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hotnas_hls.accel.engine_set import EngineSet
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.joint_latency import SharedLatency
from hotnas_hls.codegen.engine_sources import engine_sources
from hotnas_hls.simulate.certify import FEW_CYCLES, TIMEOUT_CYCLES, TIMEOUT_FACTOR, Rtl
from hotnas_hls.simulate.engine_check import EngineCheck
from hotnas_hls.simulate.rtl_simulation import Program, Run, RunResult, run_together
from hotnas_hls.simulate.verilated import build_once


def simulate_together(
    engines: EngineSet,
    latencies: Mapping[str, SharedLatency],
    dram: DramTiming,
    folder: Path,
    rtl: Rtl | None = None,
) -> tuple[EngineCheck, ...]:
    """Run all engines at the same time behind ``dram``; a check of every engine at every phase that is run.

    latencies: what was predicted of each. folder: for the build and the job. rtl: of all engines,
    with its bench; None: made of the designs anew. Raises SimulationFailed when the RTL does not build,
    hangs, or breaks a rule of AXI.
    """
    points = engines.engines
    if rtl is None:
        sources = engine_sources(engines)
        rtl = Rtl(sources.all_rtl, bench=sources.bench)
    phases = sorted({found.worst_phase for found in latencies.values()})
    slowest = max(found.images * found.cycles for found in latencies.values())
    optimise = len(points) * slowest > FEW_CYCLES
    model = build_once(rtl.files, folder / "rtl", optimise=optimise, bench=rtl.bench)
    works = {}
    for name, point in points.items():
        images = point.golden_images(latencies[name].images)
        together = [Run(images, dram=dram.numbers(engines.clock_mhz, phase)) for phase in phases]
        runs = [Run(images[0], memory=point.memory), *together]
        timeout = TIMEOUT_FACTOR * slowest + TIMEOUT_CYCLES
        works[name] = point.accelerator, Program(point.integer_network(), point.tiles, runs, timeout)
    results = run_together(model, works, folder / "job")
    checks = []
    for name, (_, program) in works.items():
        _, *done = results[name]
        for phase, run, result in zip(phases, program.runs[1:], done, strict=True):
            checks.append(_check(name, phase, program, run, result, latencies[name]))
    return tuple(checks)


def _check(
    name: str, phase: int, program: Program, run: Run, result: RunResult, predicted: SharedLatency
) -> EngineCheck:
    assert run.image is not None
    expected = [reference(program.net, image) for image in run.image]
    return EngineCheck(
        engine=name,
        phase=phase,
        images=len(expected),
        predicted=sum(predicted.phases[phase]),
        simulated=result.cycles,
        outputs_match=result.status == 0
        and all(
            np.array_equal(result.feature_maps[layer.target][at], maps[layer.target])
            for at, maps in enumerate(expected)
            for layer in program.net.layers
        ),
    )
