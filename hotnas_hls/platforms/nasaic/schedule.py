"""Which sub-accelerator runs each layer, and in which order.

Layers that all others wait for, or that wait for all others, split a network into groups that run one after
the other: the connected components of the graph of layers that do not wait for each other. Most groups are
one layer. In one of up to ``EXACT`` layers they are placed in the order of their starts, by branch and bound:
the best there is. In a larger one (several networks are one group) the layer that most depends on goes next,
to the sub-accelerator where it ends first; ``Schedule.least`` says how far from the best that is at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import networkx as nx
import numpy as np
from scipy.optimize import linprog

from hotnas_hls.network.operations import WEIGHTED, Operation

Row = tuple[float, ...]  # of a layer, by sub-accelerator
EXACT = 10  # layers of a group; beyond it the exact schedule takes long


@dataclass(frozen=True)
class Group:
    """Layers by number; for each the places in ``layers`` of those it waits for, also through others."""

    layers: tuple[int, ...]
    waits: tuple[frozenset[int], ...]


def weighted(operations: Sequence[Operation]) -> list[Operation]:
    """The layers: operations with weights."""
    return [one for one in operations if one.kind in WEIGHTED]


@lru_cache(maxsize=256)
def groups(operations: tuple[Operation, ...]) -> tuple[Group, ...]:
    """The groups in the order they run; layers are numbered in their order."""
    graph = nx.DiGraph((source, one.name) for one in operations for source in one.sources)
    number = {one.name: place for place, one in enumerate(weighted(operations))}
    order = nx.relabel_nodes(nx.transitive_closure_dag(graph).subgraph(number), number)
    apart = nx.complement(order.to_undirected())
    found = []
    for members in sorted(tuple(sorted(one)) for one in nx.connected_components(apart)):
        waits = (frozenset(order.predecessors(layer)) & set(members) for layer in members)
        found.append(Group(members, tuple(frozenset(map(members.index, before)) for before in waits)))
    return tuple(found)


@dataclass(frozen=True)
class Schedule:
    """Of a group, or a network: the sub-accelerator of each layer, and what all of it takes."""

    on: tuple[int, ...]
    cycles: float
    energy: float
    least: float  # cycles that no mapping and schedule stay below


def schedule(found: Sequence[Group], cycles: Sequence[Row], energy: Sequence[Row], fast: bool) -> Schedule:
    """The quickest, of these the one of least energy (``fast``); or of least energy, of these the quickest.

    cycles, energy: of each layer on each sub-accelerator.
    """
    on = [0] * len(cycles)
    total_cycles = total_energy = least = 0.0
    for group in found:
        rows = tuple(cycles[layer] for layer in group.layers)
        best = group_schedule(group, rows, tuple(energy[layer] for layer in group.layers), fast)
        for layer, engine in zip(group.layers, best.on, strict=True):
            on[layer] = engine
        total_cycles += best.cycles
        total_energy += best.energy
        least += best.least
    return Schedule(tuple(on), total_cycles, total_energy, least)


@lru_cache(maxsize=4096)
def group_schedule(group: Group, cycles: tuple[Row, ...], energy: tuple[Row, ...], fast: bool) -> Schedule:
    """Of one group, the best where it is of EXACT layers at most; rows in the order of its layers."""
    tails = _tails(group, cycles)
    if len(cycles) > EXACT:
        return _listed(group, cycles, energy, fast, tails)
    count, engines = len(cycles), range(len(cycles[0]))
    spared = [min(row) for row in energy]  # the least energy of a layer

    def ranked(time: float, joules: float) -> tuple[float, float]:
        return (time, joules) if fast else (joules, time)

    best = Schedule((), float("inf"), float("inf"), 0.0)
    on, done = [-1] * count, [0.0] * count

    def place(free: Row, last: tuple[float, int], joules: float) -> None:
        """Every layer that is left, next: not before the last one that was placed, on every engine."""
        nonlocal best
        left = [layer for layer in range(count) if on[layer] < 0]
        if not left:
            best = Schedule(tuple(on), max(done), joules, max(done) if fast else max(tails))
            return
        for layer in left:
            if any(on[before] < 0 for before in group.waits[layer]):
                continue
            ready = max((done[before] for before in group.waits[layer]), default=0.0)
            for engine in engines:
                start = max(ready, free[engine])
                if (start, layer) < last:
                    continue
                end = start + cycles[layer][engine]
                others = [one for one in left if one != layer]
                rest = (start + tails[one] for one in others)
                time = max((*free, end, start + tails[layer], *rest))
                total = joules + energy[layer][engine]
                bound = ranked(time, total + sum(spared[one] for one in others))
                if bound >= ranked(best.cycles, best.energy):
                    continue
                on[layer], done[layer] = engine, end
                place((*free[:engine], end, *free[engine + 1 :]), (start, layer), total)
                on[layer], done[layer] = -1, 0.0

    place(tuple(0.0 for _ in engines), (0.0, -1), 0.0)
    return best


def _listed(
    group: Group, cycles: tuple[Row, ...], energy: tuple[Row, ...], fast: bool, tails: list[float]
) -> Schedule:
    """Layer by layer, the one of the longest tail that can run next; each where it ends first (``fast``), or
    where it takes least energy.
    """
    free, on = [0.0] * len(cycles[0]), [-1] * len(cycles)
    done: dict[int, float] = {}
    while len(done) < len(cycles):
        ready = (n for n, before in enumerate(group.waits) if n not in done and before <= done.keys())
        layer = max(ready, key=lambda n: tails[n])
        start = max((done[before] for before in group.waits[layer]), default=0.0)
        ends = [max(start, at) + took for at, took in zip(free, cycles[layer], strict=True)]
        costs = list(zip(ends, energy[layer], strict=True) if fast else zip(energy[layer], ends, strict=True))
        engine = costs.index(min(costs))
        on[layer], done[layer], free[engine] = engine, ends[engine], ends[engine]
    joules = sum(row[engine] for row, engine in zip(energy, on, strict=True))
    return Schedule(tuple(on), max(free), joules, _least(tails, cycles))


def _least(tails: list[float], cycles: tuple[Row, ...]) -> float:
    """The longest chain of layers, each at its fastest; or what the busiest sub-accelerator works where
    layers can be cut and never wait (a linear programme), whichever is more.
    """
    count, engines = len(cycles), len(cycles[0])
    shares = np.kron(np.eye(count), np.ones(engines))  # of a layer: 1 in all; then how long all take
    work = np.hstack([np.tile(np.eye(engines), count) * np.ravel(cycles), -np.ones((engines, 1))])
    whole = np.hstack([shares, np.zeros((count, 1))])
    found = linprog([*[0] * (count * engines), 1], work, np.zeros(engines), whole, np.ones(count))
    return max(*tails, found.fun * (1 - 1e-9))


def _tails(group: Group, cycles: tuple[Row, ...]) -> list[float]:
    """From the start of each layer to the end of all that wait for it, each on its fastest engine."""
    tails = [0.0] * len(cycles)
    for layer in reversed(range(len(cycles))):  # layers are numbered in an order they can run in
        after = (tails[later] for later, before in enumerate(group.waits) if layer in before)
        tails[layer] = min(cycles[layer]) + max(after, default=0.0)
    return tails
