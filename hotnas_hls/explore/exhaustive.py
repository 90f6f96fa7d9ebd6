"""Exhaustive exploration of a real design space under the true latency model, exactly and in seconds.

What a layer costs in a given tile depends on the array and the ports alone; how deep the buffers are
only decides which tiles fit. So every (array, ports) is a *base*: each of its layers is priced once a tile,
and all combinations of buffer depths share those prices. Layers of equal shape are priced once. Nothing is
approximated: a design's cycles are those of ``timing.latency`` with ``best_tiles``, which the tests compare.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import Tile, decided_by
from hotnas_hls.accel.port_plan import has_residual
from hotnas_hls.accel.resources import RESOURCES, Resources, by_buffer_depths, limits_of
from hotnas_hls.accel.timing.latency import NetworkLatency, Place, network_latency, places
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import InfeasibleDesign, raise_all
from hotnas_hls.explore import compiled_pricing as compiled
from hotnas_hls.explore.compiled_pricing import PRUNED, UNFIT
from hotnas_hls.explore.space import WHOLE_SPACE, Bases, Space, bases_for, usable, why_no_ports

DECIDED_TOGETHER = 256  # bases
Buffers = Sequence[tuple[int, tuple[int, int]]]  # product and sides of the largest output tiles
FIXED_LATENCY = MemoryTiming()


@dataclass(frozen=True)
class Explored:
    """One design of the space."""

    accel: Accelerator
    cycles: int
    resources: Resources
    board_share: float  # of the resource it takes most of

    def tiles(self, layers: Sequence[Layer], memory: MemoryTiming) -> dict[str, Tile]:
        """Fastest tile of every layer."""
        found = best_tiles(layers, self.accel, memory)
        return {name: tile for name, tile in found.items() if tile is not None}

    def latency(self, layers: Sequence[Layer], memory: MemoryTiming) -> NetworkLatency:
        """Cycles of every layer."""
        return network_latency(layers, self.accel, self.tiles(layers, memory), memory)


@dataclass(frozen=True)
class Exploration:
    """What was found, and how fast."""

    best: tuple[Explored, ...]  # fewest cycles first; of equals the one that takes least
    front: tuple[Explored, ...]  # latency against board share, fastest first
    designs: int  # legal designs that fit the ports of the board, each decided exactly
    priced: int  # of them, designs whose every layer was priced
    pruned: int  # shown by lower bounds to be neither on the front nor among the best; the others do not fit
    evaluations: int  # layers priced: (base, layer, tile)
    shared: int  # layer prices asked for: designs x layers x candidate tiles, as far as not pruned
    seconds: float

    @property
    def designs_per_second(self) -> float:
        return self.designs / self.seconds

    @property
    def evaluations_per_second(self) -> float:
        return self.evaluations / self.seconds


def explore(
    layers: Sequence[Layer],
    board: Board,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    top: int = 10,
    blocks: Sequence[int] | None = None,
    clock_mhz: float | None = None,
) -> Exploration:
    """The ``top`` designs of ``space`` for ``layers`` on ``board`` and the Pareto front.

    blocks: channel blocks the network allows (concatenation), None for all. clock_mhz: None for the board's.
    Raises InfeasibleDesign when nothing fits.
    """
    started = time.perf_counter()
    bases = _bases_for(layers, board, clock_mhz or board.clock_mhz, space, blocks)
    found = _decided(layers, board, memory, space, top, [bases[at] for at in range(len(bases))])
    return dataclasses.replace(found, seconds=time.perf_counter() - started)


def fastest(
    layers: Sequence[Layer],
    board: Board,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    blocks: Sequence[int] | None = None,
    clock_mhz: float | None = None,
) -> Explored:
    """The fastest design of ``explore``; see :func:`leading`."""
    return leading(layers, board, memory, space, 1, blocks, clock_mhz)[0]


def leading(
    layers: Sequence[Layer],
    board: Board,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    top: int = 1,
    blocks: Sequence[int] | None = None,
    clock_mhz: float | None = None,
) -> tuple[Explored, ...]:
    """The ``best`` of ``explore``, of equals one that takes least, in a fraction of the time.

    Bases are decided in the order of lower bounds on their cycles, until these exceed the worst of the best.
    """
    bases = _bases_for(layers, board, clock_mhz or board.clock_mhz, space, blocks)
    floors = _floors_of(layers, bases, memory).sum(axis=1)
    order = np.argsort(floors, kind="stable")
    best: dict[int, Explored] = {}  # by cycles
    for begin in range(0, len(order), DECIDED_TOGETHER):
        some = order[begin : begin + DECIDED_TOGETHER]
        if len(best) == top and floors[some[0]] > max(best):
            break
        with contextlib.suppress(InfeasibleDesign):
            together = [bases[at] for at in some]
            found = _decided(layers, board, memory, space, top, together, front=False).best
            for design in found:
                best[design.cycles] = min(best.get(design.cycles, design), design, key=_rank)
            best = {cycles: best[cycles] for cycles in sorted(best)[:top]}
    if not best:
        raise InfeasibleDesign(_nothing_fits(board))
    return tuple(best.values())


def within(
    layers: Sequence[Layer],
    board: Board,
    limit: int,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    blocks: Sequence[int] | None = None,
    clock_mhz: float | None = None,
) -> list[Explored]:
    """The designs of ``space`` that take at most ``limit`` cycles, the fastest first.

    Of those that differ in buffers alone and take equal cycles the one that takes least of the board.
    """
    bases = _bases_for(layers, board, clock_mhz or board.clock_mhz, space, blocks)
    floors = _floors_of(layers, bases, memory).sum(axis=1)
    near = [bases[int(at)] for at in np.flatnonzero(floors <= limit)]
    if not near:
        return []
    tiles, depths = buffers(space)
    used, share, cycles = _unpriced(near, board, tiles, depths)
    _price(layers, near, _products(tiles), depths, memory, share, 0, cycles, limit)
    found: dict[tuple[int, int], Explored] = {}
    for at in map(tuple, np.argwhere((cycles > 0) & (cycles <= limit))):
        design = _design(near, tiles, depths, used, share, cycles, at)
        same = (at[0], design.cycles)
        found[same] = min(found.get(same, design), design, key=_rank)
    return sorted(found.values(), key=_rank)


def by_layer(
    layers: Sequence[Layer], accel: Accelerator, memory: MemoryTiming, tiles: Buffers, depths: np.ndarray
) -> np.ndarray:
    """Cycles of every layer in its fastest tile with each pair of buffer depths, (layers, OFM, IFM depths).

    UNFIT where no tile fits. tiles, depths: as :func:`buffers` has them, in place of those of ``accel``.
    """
    (counted, rows), table = _counted(layers), _table([accel])
    timing = (memory.read_latency, memory.write_latency)
    found = compiled.by_layer(rows, table[0], *_sides(counted), _products(tiles), depths, *timing)
    at = {placed: row for row, placed in enumerate(counted)}
    return np.asarray(found[[at[placed] for placed in _placed(layers)]])


def _rank(design: Explored) -> tuple[int, float, int]:
    return design.cycles, design.board_share, design.resources.bram18


def _nothing_fits(board: Board) -> str:
    return (
        f"no design of the space fits {board.name} and holds a tile of every layer; "
        "allow deeper buffers or smaller arrays"
    )


def _bases_for(
    layers: Sequence[Layer], board: Board, clock_mhz: float, space: Space, blocks: Sequence[int] | None
) -> Bases:
    """The bases that these layers can use; InfeasibleDesign where there are none."""
    space = usable(space, layers)
    decided = tuple(decided_by(layers, taps) for taps in space.taps)
    found = bases_for(space, board, clock_mhz, has_residual(layers), decided)
    if blocks is not None:
        found = found.of(blocks)
    if not found:
        headline = f"no ports of the space can be wired to {board.name}; the least:"
        raise_all(InfeasibleDesign, headline, why_no_ports(space, board, clock_mhz, has_residual(layers)))
        faster = f" and is estimated at {clock_mhz:g} MHz" if clock_mhz > board.clock_mhz else ""
        cure = "allow smaller ones, or a lower clock" if faster else "allow smaller ones"
        raise InfeasibleDesign(f"no array of the space fits {board.name}{faster}; {cure}")
    return found


def _decided(
    layers: Sequence[Layer],
    board: Board,
    memory: MemoryTiming,
    space: Space,
    top: int,
    bases: list[Accelerator],
    front: bool = True,
) -> Exploration:
    """``explore`` over some bases; without the front, designs are left that are not among the best."""
    started = time.perf_counter()
    tiles, depths = buffers(space)
    used, share, cycles = _unpriced(bases, board, tiles, depths)
    compared = share if front else np.zeros_like(share)
    evaluations, shared = _price(layers, bases, _products(tiles), depths, memory, compared, top, cycles)
    flat, shares = cycles.ravel(), share.ravel()
    feasible = np.flatnonzero(flat > 0)
    if not len(feasible):
        raise InfeasibleDesign(_nothing_fits(board))
    brams = used[..., RESOURCES.index("bram18")].ravel()
    order = feasible[np.lexsort((feasible, brams[feasible], shares[feasible], flat[feasible]))]
    first = order[np.flatnonzero(np.diff(flat[order], prepend=-1))]  # of designs of equal cycles

    def design(index: int) -> Explored:
        return _design(bases, tiles, depths, used, share, cycles, np.unravel_index(index, cycles.shape))

    least = np.minimum.accumulate(shares[order])
    on_front = order[np.concatenate([[True], shares[order][1:] < least[:-1]])]
    return Exploration(
        best=tuple(design(index) for index in first[:top]),
        front=tuple(design(index) for index in on_front),
        designs=cycles.size,
        priced=len(feasible),
        pruned=int((flat == PRUNED).sum()),
        evaluations=evaluations,
        shared=shared,
        seconds=time.perf_counter() - started,
    )


def buffers(space: Space) -> tuple[Buffers, np.ndarray]:
    """Output tiles by their products, and IFM depths, the smallest first."""
    tiles = sorted({tr * tc: (tr, tc) for tr, tc in space.tiles}.items())
    return tiles, np.array(sorted(space.ifm_depths), dtype=np.int64)


def _products(tiles: Buffers) -> np.ndarray:
    return np.array([depth for depth, _ in tiles], dtype=np.int64)


def _unpriced(
    bases: Sequence[Accelerator], board: Board, tiles: Buffers, depths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resources, share of the board, cycles (0 or UNFIT) of every design, (bases, OFM, IFM depths)."""
    counted = [(by_buffer_depths(base, _products(tiles), depths), limits_of(board, base)) for base in bases]
    used, limits = (np.stack(each) for each in zip(*counted, strict=True))
    limits = limits[:, None, None]
    share = (used / np.maximum(limits, 1)).max(axis=3)
    return used, share, np.where((used <= limits).all(axis=3), 0, UNFIT).astype(np.int64)


def _design(
    bases: Sequence[Accelerator], tiles: Buffers, depths: np.ndarray, used: np.ndarray, share: np.ndarray,
    cycles: np.ndarray, at: tuple[Any, ...],
) -> Explored:  # fmt: skip
    base, ofm, ifm = at
    tr, tc = tiles[ofm][1]
    accel = dataclasses.replace(bases[base], tr=tr, tc=tc, ifm_depth=int(depths[ifm]))
    resources = Resources(**dict(zip(RESOURCES, map(int, used[at]), strict=True)))
    return Explored(accel, int(cycles[at]), resources, float(share[at]))


def _price(
    layers: Sequence[Layer],
    bases: Sequence[Accelerator],
    ofm_depths: np.ndarray,
    ifm_depths: np.ndarray,
    memory: MemoryTiming,
    shares: np.ndarray,
    top: int,
    cycles: np.ndarray,
    limit: int = 0,
) -> tuple[int, int]:
    """Fill ``cycles`` (0 where a price is wanted); returns layers priced and prices asked for."""
    (counted, rows), table = _counted(layers), _table(bases)
    heights, widths = _sides(counted)
    timing = (memory.read_latency, memory.write_latency)
    floors = compiled.floors_of(rows, table, *timing)
    order = np.argsort(floors.sum(axis=1), kind="stable")
    best_cycles = np.full(top, np.iinfo(np.int64).max)
    counts = compiled.price(
        rows, table, order, floors, heights, widths, ofm_depths, ifm_depths, *timing,
        shares, best_cycles, limit, cycles,
    )  # fmt: skip
    return int(counts[0]), int(counts[1])


def _floors_of(layers: Sequence[Layer], bases: Bases, memory: MemoryTiming) -> np.ndarray:
    """Least cycles of every base and different layer, (bases, layers)."""
    _, rows = _counted(layers)
    return np.asarray(compiled.floors_of(rows, bases.rows, memory.read_latency, memory.write_latency))


def _counted(layers: Sequence[Layer]) -> tuple[Counter[tuple[Layer, Place]], np.ndarray]:
    """Different layers and how often each occurs, and the same as numbers."""
    counted = Counter(_placed(layers))  # where a base shares its bus, its price leaves the places out
    rows = [[*compiled.layer_row(*placed), count] for placed, count in counted.items()]
    return counted, np.array(rows, dtype=np.int64)


def _table(bases: Sequence[Accelerator]) -> np.ndarray:
    """Bases as numbers."""
    return np.array([compiled.base_row(base) for base in bases], dtype=np.int64)


def _placed(layers: Sequence[Layer]) -> list[tuple[Layer, Place]]:
    """Layers without their names, and where they stand."""
    return list(zip((layer.unnamed() for layer in layers), places(layers, shared_bus=False), strict=True))


def _sides(placed: Iterable[tuple[Layer, Place]]) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths of the tiles of each layer."""
    shapes = [(layer.out_rows, layer.out_columns) for layer, _ in placed]
    return compiled.splits([rows for rows, _ in shapes]), compiled.splits([columns for _, columns in shapes])
