"""The cycles of the HLS C++ if every loop keeps its II of 1: the schedule build of a package's sources.

``tb/schedule.h`` swaps FIFOs, ports and the heads of pipelined loops for ones that tell what happens, and
plays it again with a clock for each stage. It is a reckoning by stated rules, not a vendor tool's count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.simulate.csim import run_csim

TOLD = re.compile(r"^SCHEDULE (?:layer (\d+)|(\w+)((?: \d+){6}))$", re.MULTILINE)


@dataclass(frozen=True)
class StageCycles:
    """Where a stage of a layer spent its cycles; with those of its descriptor they add up to ``end``."""

    end: int  # from the layer's start
    looping: int  # iterations
    filling: int  # pipelines that fill or run empty, at the entry of a loop
    memory: int  # waits for a first beat or for an answer to writes
    empty: int  # waits for words of another stage
    full: int  # waits for room


@dataclass(frozen=True)
class LayerSchedule:
    """Cycles of a layer, and of its stages by name."""

    cycles: int
    stages: dict[str, StageCycles]


def hls_schedule(directory: Path, memory: MemoryTiming, build: Path) -> tuple[LayerSchedule, ...]:
    """Schedule of every layer of the package in ``directory``, in order; its outputs are compared, too.

    memory: latencies of the masters, in cycles. build: folder for program and log. Raises SimulationFailed
    where an output differs, the stages wait for each other, or the sources do not compile, ToolNotFound
    without a compiler or the ap_int headers.
    """
    flags = (
        "-O1",
        "-DHOTNAS_SCHEDULE",
        f"-DHOTNAS_READ_LATENCY={memory.read_latency}",
        f"-DHOTNAS_WRITE_LATENCY={memory.write_latency}",
    )
    result = run_csim(directory, build=build, images=1, extra_flags=flags)
    layers: list[LayerSchedule] = []
    stages: dict[str, StageCycles] = {}
    for cycles, stage, spent in TOLD.findall(result.log.read_text(encoding="utf-8")):
        if stage:
            stages[stage] = StageCycles(*map(int, spent.split()))
        else:
            layers.append(LayerSchedule(int(cycles), stages))
            stages = {}
    return tuple(layers[: result.layers])  # the testbench runs the image once more
