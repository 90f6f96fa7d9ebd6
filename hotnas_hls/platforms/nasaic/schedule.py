"""Which sub-accelerator runs each layer, and in which order: exactly.

Layers that all others wait for, or that wait for all others, split a network into groups that run one after
the other: the connected components of the graph of layers that do not wait for each other. Most groups are
one layer. In a larger one layers are placed in the order of their starts, by branch and bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import networkx as nx

from hotnas_hls.network.operations import WEIGHTED, Operation

Row = tuple[float, ...]  # of a layer, by sub-accelerator


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


def schedule(found: Sequence[Group], cycles: Sequence[Row], energy: Sequence[Row], fast: bool) -> Schedule:
    """The quickest, of these the one of least energy (``fast``); or of least energy, of these the quickest.

    cycles, energy: of each layer on each sub-accelerator.
    """
    on = [0] * len(cycles)
    total_cycles = total_energy = 0.0
    for group in found:
        rows = tuple(cycles[layer] for layer in group.layers)
        best = group_schedule(group, rows, tuple(energy[layer] for layer in group.layers), fast)
        for layer, engine in zip(group.layers, best.on, strict=True):
            on[layer] = engine
        total_cycles += best.cycles
        total_energy += best.energy
    return Schedule(tuple(on), total_cycles, total_energy)


@lru_cache(maxsize=4096)
def group_schedule(group: Group, cycles: tuple[Row, ...], energy: tuple[Row, ...], fast: bool) -> Schedule:
    """The best of one group; rows in the order of its layers."""
    count, engines = len(cycles), range(len(cycles[0]))
    tails = _tails(group, cycles)
    spared = [min(row) for row in energy]  # the least energy of a layer

    def ranked(time: float, joules: float) -> tuple[float, float]:
        return (time, joules) if fast else (joules, time)

    best = Schedule((), float("inf"), float("inf"))
    on, done = [-1] * count, [0.0] * count

    def place(free: Row, last: tuple[float, int], joules: float) -> None:
        """Every layer that is left, next: not before the last one that was placed, on every engine."""
        nonlocal best
        left = [layer for layer in range(count) if on[layer] < 0]
        if not left:
            best = Schedule(tuple(on), max(done), joules)
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


def _tails(group: Group, cycles: tuple[Row, ...]) -> list[float]:
    """From the start of each layer to the end of all that wait for it, each on its fastest engine."""
    tails = [0.0] * len(cycles)
    for layer in reversed(range(len(cycles))):  # layers are numbered in an order they can run in
        after = (tails[later] for later, before in enumerate(group.waits) if layer in before)
        tails[layer] = min(cycles[layer]) + max(after, default=0.0)
    return tails
