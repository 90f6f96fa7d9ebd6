"""The fastest designs behind the board's DRAM: a bound prunes, the stepper decides among what is left.

``accel.memory.pricing`` says why the bound is one. A layer's tile is the fastest by the bound, so that a
design's bound and its price speak of the same tiles. Of designs with the same array and ports and an equal
bound, which differ in buffers that change nothing, the one that takes least of the board stands for all.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hotnas_hls.accel.layer import FeatureMap, Layer
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.pricing import latency_behind, least_memory, without_numbers
from hotnas_hls.boards.board import Board
from hotnas_hls.explore.exhaustive import Explored, explore, fastest, within
from hotnas_hls.explore.space import WHOLE_SPACE, Space

Candidate = TypeVar("Candidate")


@dataclass(frozen=True)
class Priced(Generic[Candidate]):
    """A candidate with its bound and its price, in cycles."""

    candidate: Candidate
    bound: int
    price: int


@dataclass(frozen=True)
class Decision(Generic[Candidate]):
    """The cheapest candidates, and how many had to be priced for it."""

    best: tuple[Priced[Candidate], ...]
    priced: int


def decide(
    candidates: Iterable[tuple[int, Candidate]], price: Callable[[Candidate], int], top: int = 1
) -> Decision[Candidate]:
    """The ``top`` candidates of least price; of equal prices the first.

    candidates: each with a bound that its price is never below, the least bound first. One whose bound is
    above the worst of the best prices so far cannot be among them, nor can any behind it: none is priced.
    """
    best: list[Priced[Candidate]] = []
    priced = 0
    for bound, candidate in candidates:
        if len(best) == top and bound > best[-1].price:
            break
        priced += 1
        bisect.insort(best, Priced(candidate, bound, price(candidate)), key=lambda one: one.price)
        del best[top:]
    return Decision(tuple(best), priced)


def fastest_behind(
    layers: Sequence[Layer],
    board: Board,
    dram: DramTiming,
    clock_mhz: float,
    space: Space = WHOLE_SPACE,
    top: int = 1,
    blocks: Sequence[int] | None = None,
    maps: Iterable[FeatureMap] = (),
) -> Decision[Explored]:
    """The ``top`` designs of ``space`` that take least time behind ``dram``, of those that differ in time.

    maps: feature maps of the network as they lie in memory (see ``without_numbers``). Raises InfeasibleDesign
    where nothing fits.
    """
    memory = least_memory(dram, clock_mhz)
    net = without_numbers(layers, space.act_bits, maps)

    @functools.cache
    def price(design: Explored) -> int:
        tiles = design.tiles(layers, memory)
        return latency_behind(net, design.accel, tiles, dram, clock_mhz).cycles

    if top == 1:
        first: Sequence[Explored] = (fastest(layers, board, memory, space, blocks, clock_mhz),)
    else:
        first = explore(layers, board, memory, space, top, blocks, clock_mhz).best
    limit = max(price(design) for design in first)
    near = within(layers, board, limit, memory, space, blocks, clock_mhz)
    return decide(((design.cycles, design) for design in near), price, top)
