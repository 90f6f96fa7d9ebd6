"""Figures of this machine: how fast networks are priced, designs explored, sources made and simulated.

Every case is a function in ``CASES`` that returns figures by name; adding a case is adding a function.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotnas_hls.base.terminal import progress
from hotnas_hls.boards.board import load_board

Figures = dict[str, Any]
BOARD = "ZCU102"
EXPLORED_NETWORK = "resnet18"
GROWTH_LAYERS = (1, 4, 16)  # copies of the network, every layer with shapes of its own
SIMULATED_CONFIG = "digits"
PACKAGED_NETWORKS = ("digits_resnet", "resnet18")
NETWORK_RESULTS = "runs/whole_networks.json"
LEVER_RESULTS = "runs/levers.json"
BOARD_RESULTS = "runs/boards.json"
TINY_RESULTS = "runs/mlperf_tiny.json"
DENSE_RESULTS = "runs/dense_outputs.json"
SCHEDULE_RESULTS = "runs/schedules.json"
ABLATION_RESULTS = "runs/ablation.json"
PLAIN_DESIGNS = 200  # of the published grid, evaluated one by one for the comparison


@dataclass(frozen=True)
class Case:
    """A measurement."""

    name: str
    what: str
    measure: Callable[[], Figures]


def seconds_of(action: Callable[[], Any]) -> tuple[float, Any]:
    """How long ``action`` takes, and what it returns."""
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def published_exploration() -> Figures:
    """The vectorised exploration against a plain evaluation of the same formulas, in the same run."""
    from hotnas_hls.published.explore import explore
    from hotnas_hls.published.latency import Formula, network_cycles
    from hotnas_hls.published.networks import zoo_layers

    layers = zoo_layers(EXPLORED_NETWORK)
    fast, found = seconds_of(lambda: explore(layers))
    hardware = found.hardware

    def plain() -> None:
        for _ in range(PLAIN_DESIGNS):
            network_cycles(layers, hardware, Formula.A)

    slow, _ = seconds_of(plain)
    per_design = slow / PLAIN_DESIGNS
    return {
        "network": EXPLORED_NETWORK,
        "designs": found.feasible,
        "layers": len(layers),
        "seconds": fast,
        "evaluations_per_second": found.feasible * len(layers) / fast,
        "plain_evaluations_per_second": len(layers) / per_design,
        "speed_up": per_design * found.feasible / fast,
    }


def published_zoo() -> Figures:
    """The published exploration of every network of the zoo that the rule knows."""
    from hotnas_hls.errors import HotnasError
    from hotnas_hls.models.zoo import ZOO
    from hotnas_hls.published.explore import explore
    from hotnas_hls.published.networks import zoo_layers

    networks = {}
    for name in ZOO:
        try:
            networks[name] = zoo_layers(name)
        except HotnasError:
            continue
    seconds, _ = seconds_of(lambda: [explore(layers) for layers in networks.values()])
    return {"networks": len(networks), "seconds": seconds}


def true_exploration() -> Figures:
    """A million real designs with true tiles, after numba has compiled."""
    from hotnas_hls.explore.exhaustive import explore
    from hotnas_hls.explore.model_layers import load_layers
    from hotnas_hls.explore.space import Space

    model, board = load_layers(EXPLORED_NETWORK), load_board(BOARD)
    warm = Space((8,), (8,), (64,), ((7, 7),), (4096,))
    compiling, _ = seconds_of(lambda: explore(model.layers, board, space=warm))
    seconds, found = seconds_of(lambda: explore(model.layers, board, blocks=model.blocks))
    return {
        "network": EXPLORED_NETWORK,
        "designs": found.designs,
        "seconds": seconds,
        "compile_seconds": compiling,
        "designs_per_second": found.designs / seconds,
        "priced": found.priced,
        "pruned": found.pruned,
        "layer_evaluations": found.evaluations,
        "best_cycles": found.best[0].cycles,
    }


def layer_evaluations() -> Figures:
    """The true model one layer and tile at a time, compiled in bulk, and as called from Python."""
    import numpy as np

    from hotnas_hls.accel.plan import Tile, for_layers
    from hotnas_hls.accel.timing.latency import layer_latency
    from hotnas_hls.explore import compiled_pricing as bulk
    from hotnas_hls.explore.exhaustive import FIXED_LATENCY
    from hotnas_hls.explore.model_layers import load_layers
    from hotnas_hls.explore.space import Space, bases_of

    layers = load_layers(EXPLORED_NETWORK).layers
    space, board = Space(tm=(32, 64), tn=(16, 32)), load_board(BOARD)
    bases = [for_layers(base, layers) for base in bases_of(space, board, board.clock_mhz, True)]
    tile = Tile(7, 14)
    rows = np.array([[*bulk.layer_row(layer), 1] for layer in layers])
    table = np.array([bulk.base_row(base) for base in bases])

    def compiled() -> None:
        for base in table:
            for row, layer in zip(rows, layers, strict=True):
                tr, tc = min(tile.tr, layer.out_rows), min(tile.tc, layer.out_columns)
                bulk.layer_cycles(row, base, tr, tc, 40, 20)

    def plain() -> None:
        for base in bases:
            for layer in layers:
                layer_latency(layer, base, tile, FIXED_LATENCY)

    compiled()
    count = len(bases) * len(layers)
    return {
        "evaluations": count,
        "compiled_per_second": count / seconds_of(compiled)[0],
        "from_python_per_second": count / seconds_of(plain)[0],
    }


def growth() -> Figures:
    """How exploration grows with layers (of different shape) and with designs."""
    import dataclasses

    from hotnas_hls.explore.exhaustive import explore
    from hotnas_hls.explore.model_layers import load_layers
    from hotnas_hls.explore.space import Space

    layers, board = load_layers(EXPLORED_NETWORK).layers, load_board(BOARD)

    def copies(count: int) -> list[Any]:
        return [
            dataclasses.replace(layer, name=f"{layer.name}.{copy}", in_rows=layer.in_rows + copy)
            for copy in range(count)
            for layer in layers
        ]

    space = Space(tm=(32, 48, 64), tn=(16, 24, 32))
    explore(layers, board, space=space)
    by_layers, by_designs = {}, {}
    for count in GROWTH_LAYERS:
        found = explore(copies(count), board, space=space)
        by_layers[str(count * len(layers))] = found.seconds
    for step in (32, 16, 8, 4):
        sides = tuple(range(step, 132, step))
        found = explore(layers, board, space=Space(tm=sides, tn=sides))
        by_designs[str(found.designs)] = found.seconds
    return {"seconds_by_layers": by_layers, "seconds_by_designs": by_designs}


def flow() -> Figures:
    """Search, HLS and simulation of the default network, with its accuracies and latencies."""
    import numpy as np

    from hotnas_hls.search.config import load_config
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.problem import load_problem
    from hotnas_hls.search.search import search
    from hotnas_hls.simulate.certify import certify
    from hotnas_hls.simulate.csim import run_csim
    from hotnas_hls.simulate.flow import generate

    config = load_config(SIMULATED_CONFIG)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def searched() -> Any:
            problem = load_problem(config.network)
            platform = platform_of(config, problem.graph)
            return search(problem, platform, options_of(config), f"sqlite:///{folder / 's.db'}")

        search_seconds, result = seconds_of(searched)
        point = result.design
        assert point is not None
        hls_seconds, bundle = seconds_of(lambda: generate(point, folder / "out" / "bench"))
        csim_seconds, csim = seconds_of(lambda: run_csim(folder / "out" / "bench", build=folder / "csim"))
        sim_seconds, certificate = seconds_of(lambda: certify(point, folder / "sim"))
        again_seconds, _ = seconds_of(lambda: certify(point, folder / "sim"))
    cycles = certificate.simulated_cycles * (certificate.images + certificate.stalled_runs)
    cycles += certificate.certified_cycles
    differences = [abs(gap) for layer in certificate.layers for gap in layer.differences().values()]
    return {
        "search_seconds": search_seconds,
        "latency_ms_before": result.baseline.cost.latency_ms,
        "latency_ms_uncompressed": dict(result.uncompressed),
        "latency_ms_after": result.cost.latency_ms,
        "test_accuracy_before": result.test.baseline,
        "test_accuracy_after": result.test.final,
        "hls_seconds": hls_seconds,
        "files": len(bundle),
        "lines": bundle.lines,
        "csim_seconds": csim_seconds,
        "images_bit_exact": csim.images,
        "rtl_seconds": sim_seconds,
        "rtl_seconds_when_built": again_seconds,
        "simulated_cycles_per_second": cycles / again_seconds,
        "layers_compared": len(certificate.layers),
        "largest_difference_cycles": int(np.max(differences, initial=0)),
        "certificate_holds": certificate.holds,
    }


def packages() -> Figures:
    """Packages of the fastest uncompressed designs: time, lines, bytes; random weights included."""
    return {name: _package_of(name) for name in PACKAGED_NETWORKS}


def _package_of(network: str) -> Figures:
    """Generated by the commands a user types; the weights are random numbers."""
    from hotnas_hls.accel.design_point import DesignPoint
    from hotnas_hls.errors import HotnasError
    from hotnas_hls.simulate.flow import generate

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command = ["dse", "--model", network, "--board", BOARD, "--save", str(folder / "run")]
        hotnas = [sys.executable, "-m", "hotnas_hls"]
        if subprocess.run([*hotnas, *command], stdout=subprocess.DEVNULL).returncode:
            raise HotnasError(
                f"no design of {network} on {BOARD} to generate; try: hotnas dse --model {network}"
            )
        point = DesignPoint.load(folder / "run")
        seconds, bundle = seconds_of(lambda: generate(point, folder / network))
        files = [path for path in (folder / network).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    return {"seconds": seconds, "files": len(files), "lines": bundle.lines, "bytes": size}


def whole_networks() -> Figures:
    """Every network of :mod:`whole_networks`; what NETWORK_RESULTS already holds is not repeated."""
    from hotnas_hls.bench.whole_networks import measure

    return measure((), Path(NETWORK_RESULTS), _say)


def levers() -> Figures:
    """Every design of ``hotnas_hls.bench.levers``; what LEVER_RESULTS already holds is not repeated."""
    from hotnas_hls.bench.levers import measure

    return measure(Path(LEVER_RESULTS), report=_say)


def boards() -> Figures:
    """Networks on boards: predicted, then simulated; what BOARD_RESULTS already holds is not repeated."""
    from hotnas_hls.bench.boards import measure

    return measure(Path(BOARD_RESULTS), report=_say)


def mlperf_tiny() -> Figures:
    """MLPerf Tiny's networks: predicted, then simulated; what TINY_RESULTS already holds is not repeated."""
    from hotnas_hls.bench.mlperf_tiny import measure

    return measure(Path(TINY_RESULTS), report=_say)


def schedules() -> Figures:
    """Predicted, simulated, HLS schedule of networks; what SCHEDULE_RESULTS already holds is not repeated."""
    from hotnas_hls.bench.schedules import attribution, measure, measure_wholes

    def say(name: str, figures: Figures) -> None:
        for line in attribution(figures):
            progress(f"{name}, {line}")

    def say_whole(name: str, figures: Figures) -> None:
        twin, own = figures["predicted_cycles"], figures["hls_schedule"]
        progress(f"{name}: {twin:,} cycles, HLS schedule {own:,}")

    results = Path(SCHEDULE_RESULTS)
    return measure(results, say) | measure_wholes(results, say_whole)


def dense_outputs() -> Figures:
    """Networks whose outputs are maps, simulated; what DENSE_RESULTS already holds is not repeated."""
    from hotnas_hls.bench.dense_outputs import measure

    return measure(Path(DENSE_RESULTS), _say)


def _say(name: str, figures: Figures) -> None:
    """What a long case has just found."""
    found = figures.get("left_out") or f"{figures['certified_cycles']:,} cycles, {figures['ms']:.3f} ms"
    progress(f"{name}: {found}")


def prices() -> Figures:
    """Every network of :mod:`whole_networks` priced behind a board's DRAM, by the bound and stepped."""
    from hotnas_hls.bench.prices import measure

    return measure()


def coverage() -> Figures:
    """Networks that others made: imported and priced, or what keeps them out."""
    from hotnas_hls.bench.coverage import measure

    return measure()


def timm() -> Figures:
    """Convolutional classifiers of timm: imported, or what keeps them out."""
    from hotnas_hls.bench.timm_networks import measure

    return measure()


def ablation() -> Figures:
    """Every stage of the ablation; what ABLATION_RESULTS already holds is not repeated."""
    from hotnas_hls.errors import DataMissing
    from hotnas_hls.search.comparing.ablation import SUBJECT, measure
    from hotnas_hls.search.problem import load_problem

    try:
        problem = load_problem(SUBJECT)
    except DataMissing as reason:
        return {"left_out": str(reason)}
    return measure(problem, Path(ABLATION_RESULTS))


def pruning() -> Figures:
    """Patterns and channels chosen by their effect beside those of the largest weights."""
    from hotnas_hls.errors import DataMissing
    from hotnas_hls.search.comparing.ablation import SUBJECT
    from hotnas_hls.search.comparing.pruning_rules import measure
    from hotnas_hls.search.problem import load_problem

    try:
        return dict(measure(load_problem(SUBJECT)))
    except DataMissing as reason:
        return {"left_out": str(reason)}


CASES: tuple[Case, ...] = (
    Case("published-exploration", "published rule: whole grid, vectorised and plain", published_exploration),
    Case("published-zoo", "published rule: whole grid for all the zoo", published_zoo),
    Case("layer-evaluations", "true rule: layers priced per second", layer_evaluations),
    Case("true-exploration", "true rule: a million designs", true_exploration),
    Case("growth", "true rule: time over layers and designs", growth),
    Case("prices", "bound and stepped cycles behind a board's DRAM, whole networks", prices),
    Case("coverage", "networks others made: imported, proven and priced, or refused", coverage),
    Case("timm", "convolutional classifiers of timm: imported and proven, or refused", timm),
    Case("packages", "package generation: time, lines, bytes", packages),
    Case("flow", "search, HLS, C and RTL simulation of the default", flow),
    Case("networks", "whole networks on full-size designs, in RTL simulation", whole_networks),
    Case("boards", "fastest designs of networks on boards, predicted and in RTL simulation", boards),
    Case("mlperf-tiny", "MLPerf Tiny's networks on PYNQ-Z2, predicted and in RTL simulation", mlperf_tiny),
    Case("schedules", "the HLS C++ beside its twin, layer by layer, in cycles", schedules),
    Case("dense-outputs", "a U-Net and a detector on PYNQ-Z2, in RTL simulation", dense_outputs),
    Case("levers", "designs one lever apart, in RTL simulation", levers),
    Case("ablation", "steps from edited ResNet-20 to accurate integers, validation accuracy", ablation),
    Case("pruning", "ResNet-20 pruned by size and by effect of its weights, validation accuracy", pruning),
)


def run_cases(names: Sequence[str], report: Callable[[Case, Figures], None]) -> dict[str, Figures]:
    """Measure the cases called ``names``, in order."""
    chosen = {}
    for case in CASES:
        if case.name in names:
            seconds, figures = seconds_of(case.measure)
            chosen[case.name] = figures | {"case_seconds": seconds}
            report(case, chosen[case.name])
    return chosen
