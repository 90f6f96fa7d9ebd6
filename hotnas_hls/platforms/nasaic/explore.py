"""The best chip for its networks, in the order of a bound that gives every layer its best engine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.nasaic.constants import ChipConstants
from hotnas_hls.platforms.nasaic.dataflow import DATAFLOWS
from hotnas_hls.platforms.nasaic.model import SubAccelerator, layer_run
from hotnas_hls.platforms.nasaic.schedule import Group, groups, schedule, weighted


def best_chip(
    operations: tuple[Operation, ...],
    constants: ChipConstants,
    pes: Sequence[int],
    noc_bytes: Sequence[int],
    fast: bool,
) -> tuple[SubAccelerator, ...]:
    """The chip of least latency (``fast``) or energy: at most one sub-accelerator of each dataflow.

    By :func:`schedule`: exactly where that is exact. Of equals, the one that is better in the other, by the
    bound; then the one of fewest PEs and bytes.
    """
    sizes = [(0, 0), *product([size for size in pes if size], noc_bytes)]
    found, layers = groups(operations), weighted(operations)
    engines = [[SubAccelerator(dataflow, *size) for size in sizes] for dataflow in DATAFLOWS]
    costs = np.full((2, len(DATAFLOWS), len(sizes), len(layers)), np.inf)  # cycles, energy; inf: not there
    for kind, row in enumerate(engines):
        for place, engine in enumerate(row[1:], 1):
            runs = [layer_run(layer, engine, constants) for layer in layers]
            costs[:, kind, place] = [[run.cycles for run in runs], [run.energy for run in runs]]
    chips = np.array(list(product(range(len(sizes)), repeat=len(DATAFLOWS))))
    used = np.array(sizes)[chips].sum(axis=1)
    fits = (used <= (constants.pes, constants.noc_bytes)).all(axis=1) & (used[:, 0] > 0)
    chips, used = chips[fits], used[fits]
    least = np.min([costs[:, kind, chips[:, kind]] for kind in range(len(DATAFLOWS))], axis=0)
    count = (chips > 0).sum(axis=1)  # sub-accelerators
    bounds = [_least(found, least[0], count), least[1].sum(axis=1)]
    own, other = bounds if fast else reversed(bounds)
    best, best_value = chips[0], np.inf
    for row in np.lexsort((used[:, 1], used[:, 0], other, own)):
        if own[row] >= best_value:
            break
        there = np.flatnonzero(chips[row])
        tables = costs[:, there, chips[row][there]]
        cycles, energy = ([tuple(layer) for layer in table.T.tolist()] for table in tables)
        mapped = schedule(found, cycles, energy, fast)
        value = mapped.cycles if fast else mapped.energy
        if value < best_value:
            best, best_value = chips[row], value
    return tuple(engines[kind][place] for kind, place in enumerate(best) if place)


def _least(found: Sequence[Group], cycles: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Cycles that every chip (rows) of ``count`` sub-accelerators takes at least; columns are layers.

    As if no layer waited for a sub-accelerator, or as if they shared all work evenly.
    """
    total = np.zeros(len(cycles))
    for group in found:
        done: list[np.ndarray] = []
        for layer, before in zip(group.layers, group.waits, strict=True):
            ready = np.max([done[one] for one in before], axis=0) if before else 0.0
            done.append(ready + cycles[:, layer])
        total += np.maximum(np.max(done, axis=0), cycles[:, list(group.layers)].sum(axis=1) / count)
    return total
