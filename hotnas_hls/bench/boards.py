"""What networks take on boards: the fastest uncompressed designs of 8 bits, as ``hotnas dse`` finds them.

All of them are predicted first, then simulated one by one; a file keeps what is there, so that an interrupted
run goes on.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.memory.dram_latency import DramLatency
from hotnas_hls.accel.memory.dram_timing import load_dram
from hotnas_hls.accel.plan import ceil_div
from hotnas_hls.accel.timing.efficiency import efficiency, multipliers
from hotnas_hls.accel.timing.latency import LayerLatency, network_latency
from hotnas_hls.bench.kept_results import Figures, KeptResults
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.fastest_design import explore_arrangements, fastest_point
from hotnas_hls.explore.space import Space
from hotnas_hls.network.graph import Graph
from hotnas_hls.simulate.behind_dram import forecast
from hotnas_hls.version import __version__

BOARDS = ("ZCU102", "KV260", "PYNQ-Z2")
NETWORKS = ("resnet20", "resnet56", "resnet18", "mobilenet_v2")
SPACE = Space(act_bits=8)
WEIGHT_BITS = 8


def fastest_on(network: str, board_name: str) -> DesignPoint:
    """The fastest design of a network of the zoo on a board, with random weights (seed 0)."""
    from hotnas_hls.frontends.source import load_model

    return fastest_of(load_model(network, proven=False).graph, board_name)


def fastest_of(graph: Graph, board_name: str) -> DesignPoint:
    """The fastest design of a network on a board, with random numbers (seed 0)."""
    board = load_board(board_name)
    assert board.dram is not None
    dram = load_dram(board.dram)
    explored = explore_arrangements(
        graph, board, dram, SPACE, weight_bits=WEIGHT_BITS, on_chip=True, clock_mhz=board.clock_mhz,
        only_fastest=True,
    )  # fmt: skip
    return fastest_point(explored, board, dram, board.clock_mhz)


def predicted(point: DesignPoint) -> Figures:
    """The figures of a simulation, by the model: ``simulated_cycles`` is None."""
    net, accel, dram = point.integer_network(), point.accelerator, point.dram
    assert dram is not None
    ideal = network_latency(net.layers, accel, point.tiles, point.memory)
    behind = forecast(point, net, dram)
    macs = sum(point.needed_macs().values())
    cycles, ends = behind.worst.cycles, (behind.fast_cycles, behind.slow_cycles)
    return {
        "design_digest": point.digest(),
        "tool_version": __version__,
        "board": point.board.name,
        "clock_mhz": point.clock_mhz,
        "accelerator": dataclasses.asdict(accel),
        "layers": len(net.layers),
        "predicted_cycles": ideal.cycles,
        "simulated_cycles": None,
        "certified_cycles": cycles,
        "ms": point.cycles_to_ms(cycles),
        "range_ms": None if None in ends else [point.cycles_to_ms(end or 0) for end in ends],
        "dsp_efficiency": efficiency(macs, cycles, multipliers(accel)),
        "terms": {"needed": ceil_div(macs, accel.tm * accel.tn), **terms(ideal.layers, behind.worst)},
    }


def terms(ideal: Mapping[str, LayerLatency], behind: DramLatency) -> Figures:
    """What the cycles behind a DRAM are spent on; all but ``longest`` add up to them.

    ``array``: it computes. ``image``: the first layer, but for that. Of the layers behind it, ``waits``: the
    array waits for data in the middle of a layer; ``between``: its first words, its last drain, and what
    the next layer begins with. ``longest``: the layer that waits most, its cycles, and its busiest process.
    """
    first, *others = behind.layers
    array = {name: layer.compute for name, layer in ideal.items()}
    waits = {name: behind.stalls[name] for name in others}
    idle = {name: behind.layers[name] - array[name] for name in behind.layers}
    most = max(others, key=lambda name: idle[name], default=first)
    return {
        "array": sum(array.values()),
        "image": idle[first],
        "waits": sum(waits.values()),
        "between": sum(idle[name] - waits[name] for name in others),
        "longest": [most, idle[most], str(ideal[most].bottleneck)],
    }


def measure(
    results: Path,
    networks: Sequence[str] = NETWORKS,
    boards: Sequence[str] = BOARDS,
    report: Callable[[str, Figures], None] = lambda name, figures: None,
    simulate: bool = True,
) -> dict[str, Figures]:
    """Figures of every network on every board in the file ``results``, by "network board"."""
    points = {}
    with tempfile.TemporaryDirectory() as builds:
        kept = KeptResults(results, Path(builds))
        for network in networks:
            for board in boards:
                name = f"{network} {board}"
                points[name] = point = fastest_on(network, board)
                found = kept.figures.get(name, {})
                if found.get("design_digest") != point.digest() or "terms" not in found:
                    kept.keep(name, predicted(point))
                report(name, kept.figures[name])
        for name, point in points.items() if simulate else ():
            about = {"weights": f"random, seed {point.seed}", "terms": kept.figures[name]["terms"]}
            report(name, kept.simulate(name, point, about))
        return {name: kept.figures[name] for name in points}
