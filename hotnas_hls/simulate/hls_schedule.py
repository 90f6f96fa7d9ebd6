"""The cycles of the HLS C++ if every loop keeps its II of 1: the schedule build of a package's sources.

``tb/schedule.h`` swaps FIFOs, ports and the heads of pipelined loops for ones that tell what happens, and
plays it again with a clock for each stage. It is a reckoning by stated rules, not a vendor tool's count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.simulate.csim import CsimResult, run_csim

PROMISED = 1.03  # cycles at most for one of the RTL twin, where each stream has a port of its own
TOLD = re.compile(r"^SCHEDULE (?:layer (\d+)|(\w+)((?: \d+){6}))$", re.MULTILINE)
DEPTH = re.compile(r"^DEPTH (\w+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class StageCycles:
    """Where a stage spent its cycles with a layer; they add up to ``end`` less that of the layer before."""

    end: int  # from the run's start
    looping: int  # iterations
    filling: int  # pipelines that fill or run empty, at the entry of a loop
    memory: int  # waits for a first beat or for an answer to writes
    empty: int  # waits for words of another stage
    full: int  # waits for room, or for stages behind it that are layers behind


@dataclass(frozen=True)
class LayerSchedule:
    """Cycles of a layer, and of its stages by name."""

    cycles: int
    stages: dict[str, StageCycles]


@dataclass(frozen=True)
class FifoDepth:
    """Words a FIFO holds, or each of an array of them, and the fewest with which the stages still end."""

    stated: int
    smallest: int


def fifo_depths(directory: Path, build: Path) -> dict[str, FifoDepth]:
    """How small the FIFOs of the package in ``directory`` may be, by name, over all its layers.

    All may be as small at once, in whatever time memory answers; they may then cost cycles. build: folder
    for program and log. Raises as :func:`hls_schedule`.
    """
    found: dict[str, FifoDepth] = {}
    log = _run(directory, MemoryTiming(), build, ("-DHOTNAS_DEPTHS",)).log
    for name, stated, smallest in DEPTH.findall(log.read_text(encoding="utf-8")):
        least = max(int(smallest), found[name].smallest if name in found else 1)
        found[name] = FifoDepth(int(stated), least)
    return found


def hls_schedule(directory: Path, memory: MemoryTiming, build: Path) -> tuple[LayerSchedule, ...]:
    """Schedule of every layer of the package in ``directory``, in order; its outputs are compared, too.

    memory: latencies of the masters, in cycles. build: folder for program and log. Raises SimulationFailed
    where an output differs, the stages wait for each other, or the sources do not compile, ToolNotFound
    without a compiler or the ap_int headers.
    """
    result = _run(directory, memory, build)
    layers: list[LayerSchedule] = []
    stages: dict[str, StageCycles] = {}
    for cycles, stage, spent in TOLD.findall(result.log.read_text(encoding="utf-8")):
        if stage:
            stages[stage] = StageCycles(*map(int, spent.split()))
        else:
            layers.append(LayerSchedule(int(cycles), stages))
            stages = {}
    return tuple(layers[-result.layers :])  # the testbench runs the image once more


def _run(directory: Path, memory: MemoryTiming, build: Path, more: tuple[str, ...] = ()) -> CsimResult:
    flags = (
        "-DHOTNAS_SCHEDULE",
        f"-DHOTNAS_READ_LATENCY={memory.read_latency}",
        f"-DHOTNAS_WRITE_LATENCY={memory.write_latency}",
    )
    return run_csim(directory, build=build, images=1, extra_flags=(*flags, *more))
