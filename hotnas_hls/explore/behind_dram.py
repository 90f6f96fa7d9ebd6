"""The fastest designs behind the board's DRAM: a bound prunes, the stepper decides among what is left.

``accel.memory.pricing`` says why the bound is one. A layer's tile is the fastest by the bound, so that a
design's bound and its price speak of the same tiles; designs that differ in buffers alone and have equal
tiles take equal time and are stepped once.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hotnas_hls.accel.layer import FeatureMap, Layer
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.pricing import latency_behind, least_memory, without_numbers
from hotnas_hls.boards.board import Board
from hotnas_hls.explore.exhaustive import WHOLE_SPACE, Explored, Space, explore, within

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
    bounded: int  # candidates whose bound was not above the worst price among the best
    priced: int


def decide(
    candidates: Iterable[tuple[int, Candidate]], price: Callable[[Candidate], int], top: int = 1
) -> Decision[Candidate]:
    """The ``top`` candidates of least price; of equal prices the first.

    candidates: each with a bound that its price is never below, the least bound first. One whose bound is
    above the worst of the best prices so far cannot be among them, nor can any behind it: none is priced.
    """
    best: list[Priced[Candidate]] = []
    bounded = 0
    for bound, candidate in candidates:
        if len(best) == top and bound > best[-1].price:
            break
        bounded += 1
        bisect.insort(best, Priced(candidate, bound, price(candidate)), key=lambda one: one.price)
        del best[top:]
    return Decision(tuple(best), bounded, bounded)


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
    known: dict[object, int] = {}

    def price(design: Explored) -> int:
        key = design.key(layers, memory)
        if key not in known:
            tiles = design.tiles(layers, memory)
            known[key] = latency_behind(net, design.accel, tiles, dram, clock_mhz).cycles
        return known[key]

    first = explore(layers, board, memory, space, top, blocks, clock_mhz).best
    limit = max(price(design) for design in first)
    near = within(layers, board, limit, memory, space, blocks, clock_mhz)
    found = decide(((design.cycles, design) for design in near), price, top)
    return Decision(found.best, found.bounded, len(known))
