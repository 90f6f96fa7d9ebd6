"""Fuzzing with whole networks: random networks on random designs, as the integer reference and the model say.

Cases are numbered; a seed and a number make a case. A number of cases in a row share a design, which is
Verilated once. Every case runs from image to logits in one start, without stalls, where each layer's output
must be bit-exact and each term of its cycles as predicted, and again with random stalls of the memory,
where the outputs must be the same.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.timing.floors import layer_floors
from hotnas_hls.accel.timing.latency import NetworkLatency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.codegen.hls import Target, hls_files
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import bench_files
from hotnas_hls.errors import HotnasError, SimulationFailed
from hotnas_hls.fuzzing.layer_fuzz import STALL, random_accelerator
from hotnas_hls.fuzzing.random_networks import RandomNetwork, random_network
from hotnas_hls.simulate.csim import run_csim
from hotnas_hls.simulate.hls_schedule import PROMISED, hls_schedule
from hotnas_hls.simulate.rtl_simulation import Program, Run, RunResult, SimulationModel, build, run_networks
from hotnas_hls.simulate.verilated import sources_digest

CASES_PER_DESIGN = 20
BUILT_LAYERS = 31  # rows of the profile, whatever the network: no network of a dozen operators has more
MOST_CYCLES = 30_000  # of a case, so that it is simulated in seconds
MOST_SEEDS = 2**31 - 1  # of Verilator's random numbers; cases are of any number
LARGEST_KERNELS = (5, 7, 11, 16)  # that a design has room for
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class NetworkCase:
    """A network on a design, behind a memory."""

    number: int
    network: RandomNetwork
    memory: MemoryTiming


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a case; nothing when it passed."""

    number: int
    problems: tuple[str, ...]


def fuzz_design(seed: int, design: int) -> Accelerator:
    """The design of ``CASES_PER_DESIGN`` cases in a row.

    Of three in a row the second keeps maps on chip, and the third has one port for all reads; every other
    one has activations of lines, of four the last where its reads have several ports striped weights, and of
    five the last products.
    """
    rng = np.random.default_rng([seed, design])
    shared_bus = design % 3 == 2
    drawn = random_accelerator(
        rng,
        shared_bus,
        design % 3 == 1,
        design % 2 == 0,
        striped=design % 4 == 3 and not shared_bus,
        products=design % 5 == 4,
    )
    kernel = int(rng.choice(LARGEST_KERNELS))
    return dataclasses.replace(drawn, ifm_depth=int(rng.integers(300, 1000)), max_entries=kernel * kernel)


def network_case(seed: int, number: int, accel: Accelerator) -> NetworkCase:
    """A case of a seed on ``accel``: the first network drawn that is not too long to simulate."""
    rng = np.random.default_rng([seed, number // CASES_PER_DESIGN, number % CASES_PER_DESIGN])
    memory = MemoryTiming(int(rng.integers(2, 56)), int(rng.integers(2, 40)))
    while True:
        network = random_network(rng, accel, f"fuzz{seed}_{number}")
        if len(network.net.layers) <= BUILT_LAYERS:
            case = NetworkCase(number, network, memory)
            if predicted(case, accel).cycles <= MOST_CYCLES:
                return case


def predicted(case: NetworkCase, accel: Accelerator, *, loaded: bool = True) -> NetworkLatency:
    """Cycles of the network without stalls; ``loaded``: what stays on chip is there already."""
    return network_latency(case.network.net.layers, accel, case.network.tiles, case.memory, loaded=loaded)


def check_networks(
    model: SimulationModel,
    accel: Accelerator,
    cases: Sequence[NetworkCase],
    folder: Path,
) -> list[Verdict]:
    """Run ``cases`` on a Verilated ``accel``, twice without stalls and once with them; a verdict each.

    A case that hangs or breaks an AXI rule ends its simulation: then each runs in one of its own.
    """
    if not cases:
        return []
    programs = []
    for case in cases:
        run = Run(case.network.image, memory=case.memory)
        timeout = 20 * predicted(case, accel, loaded=False).cycles + 100_000
        runs = (run, run, dataclasses.replace(run, stall=STALL, reset=True))
        programs.append(Program(case.network.net, case.network.tiles, runs, timeout))
    seed = 1 + cases[0].number % MOST_SEEDS
    try:
        results = run_networks(model, accel, programs, folder, seed=seed)
    except SimulationFailed as failure:
        if len(cases) == 1:
            return [Verdict(cases[0].number, (str(failure),))]
        alone = [check_networks(model, accel, [case], folder / str(case.number)) for case in cases]
        return [verdict for verdicts in alone for verdict in verdicts]
    return [
        Verdict(case.number, tuple(differences(case, accel, *runs)))
        for case, runs in zip(cases, results, strict=True)
    ]


def differences(
    case: NetworkCase, accel: Accelerator, first: RunResult, plain: RunResult, stalled: RunResult
) -> Iterator[str]:
    """How the runs differ from the reference, and those without stalls from the model.

    The first one also loads what stays on chip, which the second finds there.
    """
    net = case.network.net
    expected = run_network(net, case.network.image)
    for name, run in ((" that loads", first), ("", plain), (" with stalls", stalled)):
        if run.status != 0:
            yield f"the run{name} ended with status {run.status:#x}"
        for layer in net.layers:
            wrong = np.count_nonzero(run.feature_maps[layer.target] != expected[layer.target])
            if wrong:
                yield f"{layer.name}: {wrong} outputs{name} differ from the reference"
    kept, loading = (predicted(case, accel, loaded=loaded) for loaded in (True, False))
    for layer, counted in zip(net.layers, plain.layers, strict=True):
        for term, cycles in kept.layers[layer.name].terms().items():
            if counted[term] != cycles:
                yield f"{layer.name}: {term} = {cycles} predicted, {counted[term]} simulated"
    for name, run, cycles in ((" that loads", first, loading.cycles), ("", plain, kept.cycles)):
        if run.cycles != cycles:
            yield f"the run{name} takes {run.cycles} cycles, {cycles} predicted"


def check_hls(case: NetworkCase, accel: Accelerator, folder: Path) -> tuple[str, ...]:
    """What C simulation of a case finds wrong, and whether its HLS schedule keeps its bounds."""
    network = case.network
    banner = Banner(network.net.name, "fuzz")
    files = hls_files(
        network.net, accel, network.tiles, images=[network.image], target=Target(), banner=banner
    )
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    try:
        run_csim(folder)
        scheduled = sum(layer.cycles for layer in hls_schedule(folder, case.memory, folder / "schedule"))
    except SimulationFailed as failure:
        return (str(failure),)
    least, most = schedule_bounds(case, accel)
    if least <= scheduled <= most:
        return ()
    return (f"the HLS schedule takes {scheduled} cycles, at least {least} and at most {most} expected",)


def schedule_bounds(case: NetworkCase, accel: Accelerator) -> tuple[int, int]:
    """Cycles that the HLS schedule of a case takes at least and at most.

    At least what the array computes and what each port moves; on a shared bus all that is read. At most a
    little more than the twin; on a shared bus a layer may wait for the next one's descriptor, too, which the
    C++ asks for ahead.
    """
    layers = case.network.net.layers
    floors = [layer_floors(layer, accel) for layer in layers]
    compute, ifm, wgt, ofm = (sum(getattr(floor, process) for floor in floors) for process in vars(floors[0]))
    least = max(compute, ofm, ifm + wgt if accel.shared_bus else max(ifm, wgt))
    descriptor = accel.descriptor_bytes * 8 // accel.wgt_stream_bits if accel.shared_bus else 0
    return least, int(PROMISED * predicted(case, accel).cycles) + descriptor * len(layers)


# --- many cases ------------------------------------------------------------------------------------------


class Record:
    """Verdicts in a file, a line each, so that a run that was interrupted goes on where it stopped.

    A line counts while the code it speaks of stays the same.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.digest = code_digest()
        self.lock = threading.Lock()

    def passed(self) -> set[int]:
        """Numbers of the cases that passed with this code."""
        if not self.file.is_file():
            return set()
        text = self.file.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return {line["case"] for line in lines if line["code"] == self.digest and not line["problems"]}

    def add(self, verdict: Verdict) -> None:
        """Append a verdict."""
        line = {"case": verdict.number, "problems": verdict.problems, "code": self.digest}
        with self.lock:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as file:
                file.write(json.dumps(line) + "\n")


def code_digest() -> str:
    """Digest of everything a verdict depends on: this package, its templates and its bench."""
    folders = (PACKAGE, shipped_folder("templates"), shipped_folder("sim"))
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    texts = {
        str(path): path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in (".py", ".j2", ".sv", ".cpp", ".h")
    }
    return sources_digest(texts)


def fuzz(
    seed: int,
    numbers: Iterable[int],
    report: Callable[[Verdict], None],
    *,
    csim: bool = False,
    jobs: int = 1,
) -> None:
    """Check the cases ``numbers`` of a seed, ``jobs`` designs at a time; ``report`` gets each verdict.

    csim: C simulation and HLS schedule of each case too.
    """
    designs = groupby(sorted(numbers), lambda number: number // CASES_PER_DESIGN)
    tasks = [(design, list(group)) for design, group in designs]

    def run(task: tuple[int, list[int]]) -> None:
        design, group = task
        accel = fuzz_design(seed, design)
        cases = []
        for number in group:
            try:
                cases.append(network_case(seed, number, accel))
            except HotnasError as refused:  # by lowering or quantisation, which take all that is drawn
                report(Verdict(number, (str(refused),)))
        with tempfile.TemporaryDirectory(prefix="hotnas-fuzz-") as name:
            folder = Path(name)
            files = rtl_files(accel, BUILT_LAYERS, Banner(f"fuzz{seed}_{design}", "fuzz"))
            model = build(files, folder, optimise=False, bench=bench_files(masters(accel)))
            verdicts = check_networks(model, accel, cases, folder / "job")
            for case, verdict in zip(cases, verdicts, strict=True):
                if csim:
                    found = check_hls(case, accel, folder / f"hls{case.number}")
                    verdict = Verdict(case.number, verdict.problems + found)
                report(verdict)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for done in [pool.submit(run, task) for task in tasks]:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def operators(cases: Iterable[NetworkCase]) -> Mapping[str, int]:
    """How often each operator of a graph occurs."""
    counts: dict[str, int] = {}
    for case in cases:
        for node in case.network.graph:
            counts[node.kind] = counts.get(node.kind, 0) + 1
    return counts
