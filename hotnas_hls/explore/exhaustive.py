"""Exhaustive exploration of a real design space under the true latency model, exactly and in seconds.

What a layer costs in a given tile depends on the array and the ports alone; how deep the buffers are
only decides which tiles fit. So every (array, ports) is a *base*: each of its layers is priced once a tile,
and all combinations of buffer depths share those prices. Layers of equal shape are priced once. Nothing is
approximated: a design's cycles are those of ``timing.latency`` with ``best_tile``, which the tests compare.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numba
import numpy as np

from hotnas_hls.accel import plan
from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS, LEGAL_TAPS, PACKED_BITS, Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import BIAS_BITS, PATTERN_BITS, Tile, ceil_div, for_layers
from hotnas_hls.accel.port_plan import has_residual, port_violations
from hotnas_hls.accel.resources import Resources, accelerator_resources
from hotnas_hls.accel.timing import latency
from hotnas_hls.accel.timing.latency import (
    ARRAY_STAGES,
    NetworkLatency,
    _recurrence,
    best_tile,
    network_latency,
)
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import InfeasibleDesign

KINDS = (LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.MAXPOOL)
WIDEST_PORT = 256
CANDIDATES_PER_SPLIT, CANDIDATES = 3, 9  # as latency.candidate_tiles
RESOURCES = ("dsp", "bram18", "uram", "lut", "ff", "port_bits", "lutram")
SQUARES, OBLONGS = (2, 4, 7, 8, 14, 16, 28, 32, 56), ((7, 14), (14, 28), (16, 32), (28, 56))
TILES = (*((side, side) for side in SQUARES), *OBLONGS)
DECIDED_TOGETHER = 256  # bases
Buffers = Sequence[tuple[int, tuple[int, int]]]  # product and sides of the largest output tiles
UNFIT, PRUNED = -1, -2  # in place of cycles: a layer fits no tile; cannot be among the results


@dataclass(frozen=True)
class Space:
    """Values of the hardware axes; their product, as far as it is legal and fits the board, is explored."""

    tm: tuple[int, ...] = tuple(range(4, 132, 4))
    tn: tuple[int, ...] = tuple(range(4, 132, 4))
    port_bits: tuple[int, ...] = tuple(bits for bits in LEGAL_PORT_BITS if bits <= WIDEST_PORT)
    tiles: tuple[tuple[int, int], ...] = TILES  # only their products matter: each layer has its own tile
    ifm_depths: tuple[int, ...] = tuple(2**power for power in range(5, 15))
    taps: tuple[int, ...] = LEGAL_TAPS  # only 1 for a network without channelwise layers
    act_bits: int = 16
    bus_bits: tuple[int, ...] = LEGAL_PORT_BITS  # of one port that all reads share
    dsp_packing: tuple[bool, ...] = (False, True)  # True only for factors of 8 bits or fewer
    packed_tm: tuple[int, ...] = tuple(range(4, 260, 4))  # Tm of the designs with dsp_packing

    def packing(self, weight_bits: int) -> tuple[bool, ...]:
        """Values of ``dsp_packing`` that weights of so many bits allow."""
        narrow = max(self.act_bits, weight_bits) <= PACKED_BITS
        return tuple(packed for packed in self.dsp_packing if narrow or not packed)


FIXED_LATENCY, WHOLE_SPACE = MemoryTiming(), Space()


@dataclass(frozen=True)
class Explored:
    """One design of the space."""

    accel: Accelerator
    cycles: int
    resources: Resources
    board_share: float  # of the resource it takes most of

    def tiles(self, layers: Sequence[Layer], memory: MemoryTiming) -> dict[str, Tile]:
        """Fastest tile of every layer."""
        found = {layer.name: best_tile(layer, self.accel, memory) for layer in layers}
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
    found = _decided(layers, board, memory, space, top, bases)
    return dataclasses.replace(found, seconds=time.perf_counter() - started)


def fastest(
    layers: Sequence[Layer],
    board: Board,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    blocks: Sequence[int] | None = None,
    clock_mhz: float | None = None,
) -> Explored:
    """The fastest design of ``explore``, of equals one that takes least, in a fraction of the time.

    Bases are decided in the order of lower bounds on their cycles, until these exceed the best found.
    """
    bases = _bases_for(layers, board, clock_mhz or board.clock_mhz, space, blocks)
    floors = _floors_of(layers, bases, memory).sum(axis=1)
    order = np.argsort(floors, kind="stable")
    best: Explored | None = None
    for begin in range(0, len(order), DECIDED_TOGETHER):
        some = order[begin : begin + DECIDED_TOGETHER]
        if best is not None and floors[some[0]] > best.cycles:
            break
        with contextlib.suppress(InfeasibleDesign):
            found = _decided(layers, board, memory, space, 1, [bases[at] for at in some]).best[0]
            best = found if best is None else min(best, found, key=_rank)
    if best is None:
        raise InfeasibleDesign(_nothing_fits(board))
    return best


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
    near = [base for base, floor in zip(bases, floors, strict=True) if floor <= limit]
    if not near:
        return []
    tiles, depths = _buffers(space)
    used, share, cycles = _unpriced(near, board, tiles, depths)
    _price(layers, near, _products(tiles), depths, memory, share, 0, cycles, limit)
    found: dict[tuple[int, int], Explored] = {}
    for at in map(tuple, np.argwhere((cycles > 0) & (cycles <= limit))):
        design = _design(near, tiles, depths, used, share, cycles, at)
        same = (at[0], design.cycles)
        found[same] = min(found.get(same, design), design, key=_rank)
    return sorted(found.values(), key=_rank)


def _rank(design: Explored) -> tuple[int, float, int]:
    return design.cycles, design.board_share, design.resources.bram18


def _nothing_fits(board: Board) -> str:
    return (
        f"no design of the space fits {board.name} and holds a tile of every layer; "
        "allow deeper buffers or smaller arrays"
    )


def _bases_for(
    layers: Sequence[Layer], board: Board, clock_mhz: float, space: Space, blocks: Sequence[int] | None
) -> list[Accelerator]:
    """The bases that these layers can use; InfeasibleDesign where there are none."""
    bases = _bases(_usable(space, layers), board, clock_mhz, has_residual(layers))
    found = [base for base in bases if blocks is None or base.channel_block in blocks]
    if not found:
        raise InfeasibleDesign(f"no array and ports of the space fit {board.name}; allow smaller ones")
    return [for_layers(base, layers) for base in found]


def _decided(
    layers: Sequence[Layer],
    board: Board,
    memory: MemoryTiming,
    space: Space,
    top: int,
    bases: list[Accelerator],
) -> Exploration:
    """``explore`` over some bases."""
    started = time.perf_counter()
    tiles, depths = _buffers(space)
    used, share, cycles = _unpriced(bases, board, tiles, depths)
    evaluations, shared = _price(layers, bases, _products(tiles), depths, memory, share, top, cycles)
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


def _buffers(space: Space) -> tuple[Buffers, np.ndarray]:
    """Output tiles by their products, and IFM depths, the smallest first."""
    tiles = sorted({tr * tc: (tr, tc) for tr, tc in space.tiles}.items())
    return tiles, np.array(sorted(space.ifm_depths), dtype=np.int64)


def _products(tiles: Buffers) -> np.ndarray:
    return np.array([depth for depth, _ in tiles], dtype=np.int64)


def _unpriced(
    bases: Sequence[Accelerator], board: Board, tiles: Buffers, depths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every design resources, share of the board, and cycles: 0, yet to be found, or UNFIT."""
    used = _resources(bases, tiles, depths)  # (bases, ofm, ifm, resource)
    limits = np.array([getattr(board, name) for name in RESOURCES])
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


def _usable(space: Space, layers: Sequence[Layer]) -> Space:
    """``space`` without what these layers cannot use."""
    if all(layer.kind is LayerKind.CONV for layer in layers):
        space = dataclasses.replace(space, taps=(1,))
    packing = space.packing(max(layer.weight_bits for layer in layers))
    if not all(layer.pairs_channels for layer in layers):
        packing = tuple(packed for packed in packing if not packed)
    return dataclasses.replace(space, dsp_packing=packing)


def _bases(space: Space, board: Board, clock_mhz: float, residual: bool) -> Iterator[Accelerator]:
    """Legal arrays within the board's DSP slices, and ports that can be wired; buffers as small as can be.

    residual: whether a layer reads one.
    """
    split = [(bits, False) for bits in product(space.port_bits, repeat=3)]
    shared = [((bits, bits, bits), True) for bits in space.bus_bits]
    for (ifm, wgt, ofm), shared_bus in split + shared:
        wired = Accelerator(1, 1, 1, 1, ifm, wgt, ofm, 1, 1, 1, shared_bus=shared_bus)
        if port_violations(wired, board, clock_mhz, residual):
            continue
        for dsp_packing in space.dsp_packing:
            rows = space.packed_tm if dsp_packing else space.tm
            for tm, tn, taps in product(rows, space.tn, space.taps):
                if ceil_div(tm, 2 if dsp_packing else 1) * tn + min(tm, tn) * taps > board.dsp:
                    continue
                base = Accelerator(
                    *(tm, tn, 1, 1, ifm, wgt, ofm, 1, 1, 1),
                    act_bits=space.act_bits,
                    weight_bits=PACKED_BITS,  # legal whatever else; for_layers puts the layers' own
                    shared_bus=shared_bus,
                    taps=taps,
                    dsp_packing=dsp_packing,
                )
                if not base.violations():
                    yield base


def _resources(
    bases: Sequence[Accelerator], tiles: Buffers, ifm_depths: np.ndarray
) -> np.ndarray:
    """Resources of every design, (bases, ofm depths, ifm depths, resource).

    The two buffers are different blocks of the design, so that their resources add up: each depth is
    counted once with the other at its least.
    """

    def row(accel: Accelerator) -> list[int]:
        resources = accelerator_resources(accel)
        return [getattr(resources, name) for name in RESOURCES]

    used = np.empty((len(bases), len(tiles), len(ifm_depths), len(RESOURCES)), dtype=np.int64)
    for at, base in enumerate(bases):
        least = dataclasses.replace(base, tr=tiles[0][1][0], tc=tiles[0][1][1], ifm_depth=int(ifm_depths[0]))
        by_ofm = [row(dataclasses.replace(least, tr=tr, tc=tc)) for _, (tr, tc) in tiles]
        by_ifm = [row(dataclasses.replace(least, ifm_depth=int(depth))) for depth in ifm_depths]
        ofm, ifm = np.array(by_ofm), np.array(by_ifm)
        used[at] = ofm[:, None, :] + ifm[None, :, :] - ofm[0]
    return used


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
    counted, rows, table = _tables(layers, bases)
    heights = _splits([layer.out_rows for layer in counted])
    widths = _splits([layer.out_columns for layer in counted])
    timing = (memory.read_latency, memory.write_latency)
    floors = _floors(rows, table, *timing)
    order = np.argsort(floors.sum(axis=1), kind="stable")
    best_cycles = np.full(top, np.iinfo(np.int64).max)
    counts = _explore(
        rows, table, order, floors, heights, widths, ofm_depths, ifm_depths, *timing,
        shares, best_cycles, limit, cycles,
    )  # fmt: skip
    return int(counts[0]), int(counts[1])


def _floors_of(layers: Sequence[Layer], bases: Sequence[Accelerator], memory: MemoryTiming) -> np.ndarray:
    """Least cycles of every base and different layer, (bases, layers)."""
    _, rows, table = _tables(layers, bases)
    return np.asarray(_floors(rows, table, memory.read_latency, memory.write_latency))


def _tables(
    layers: Sequence[Layer], bases: Sequence[Accelerator]
) -> tuple[Counter[Layer], np.ndarray, np.ndarray]:
    """Different layers and how often each occurs, the same as numbers, and the bases as numbers."""
    counted = Counter(_shape(layer) for layer in layers)
    rows = np.array([[*_layer_row(layer), count] for layer, count in counted.items()], dtype=np.int64)
    return counted, rows, np.array([_base_row(base) for base in bases], dtype=np.int64)


def _shape(layer: Layer) -> Layer:
    """The layer without its names: equal for layers that cost the same."""
    return dataclasses.replace(layer, name="", source="", target="", residual="r" if layer.residual else None)


def _layer_row(layer: Layer) -> tuple[int, ...]:
    """A layer as numbers, in the order ``_layer_cycles`` takes them."""
    return (
        KINDS.index(layer.kind), layer.n, layer.m, layer.read_rows, layer.in_columns, layer.out_rows,
        layer.out_columns, layer.kernel_rows, layer.kernel_columns, layer.stride, layer.pad_top,
        layer.pad_left, layer.residual is not None, layer.weight_bits, layer.positions,
        layer.pattern_ones is not None, layer.stride_rows,
    )  # fmt: skip


def _base_row(base: Accelerator) -> tuple[int, ...]:
    """An accelerator as numbers, in the order ``_layer_cycles`` takes them."""
    return (
        base.tm, base.tn, base.ifm_bits, base.wgt_bits, base.ofm_bits, base.act_bits, base.wgt_entries,
        base.descriptor_bytes, base.shared_bus, base.taps,
    )  # fmt: skip


def _splits(extents: Sequence[int]) -> np.ndarray:
    """Tile sides of every even split of each extent, the largest first; rows filled up with 0."""
    lists = []
    for extent in extents:
        sides = [ceil_div(extent, parts) for parts in range(1, extent + 1)]
        lists.append([s for parts, s in enumerate(sides, 1) if ceil_div(extent, s) == parts])
    table = np.zeros((len(lists), max(map(len, lists))), dtype=np.int64)
    for row, sides in zip(table, lists, strict=True):
        row[: len(sides)] = sides
    return table


def _forget_stale_code() -> None:
    """numba keeps compiled code until *this* file changes; what it calls lies in latency.py and plan.py."""
    changed = max(Path(str(module.__file__)).stat().st_mtime for module in (latency, plan))
    for kept in (Path(__file__).parent / "__pycache__").glob("exhaustive.*.nb[ic]"):
        with contextlib.suppress(OSError):  # a read-only installation, or another process was faster
            if kept.stat().st_mtime < changed:
                kept.unlink()


_forget_stale_code()


@numba.njit(cache=True)
def _ceil(dividend: int, divisor: int) -> int:
    return (dividend + divisor - 1) // divisor


@numba.njit(cache=True)
def _groups(rows: int, tn: int, wgt_bits: int) -> int:
    """Accelerator.groups"""
    return _ceil(rows, max(1, wgt_bits // tn)) * _ceil(tn, wgt_bits)


@numba.njit(cache=True)
def _layer_cycles(
    layer: np.ndarray, base: np.ndarray, tr: int, tc: int, read_latency: int, write_latency: int
) -> int:
    """Cycles of a layer in tiles of tr x tc (within it): plan_layer and plan_latency on numbers."""
    kind, n, m, in_rows, in_columns = layer[0], layer[1], layer[2], layer[3], layer[4]
    out_rows, out_columns, kernel_rows, kernel_columns = layer[5], layer[6], layer[7], layer[8]
    stride, pad_top, pad_left, residual = layer[9], layer[10], layer[11], layer[12]
    weight_bits, positions, pruned, stride_rows = layer[13], layer[14], layer[15], layer[16]
    tm, tn, ifm_bits, wgt_bits, ofm_bits = base[0], base[1], base[2], base[3], base[4]
    act_bits, wgt_entries, descriptor_bytes, shared_bus, taps = base[5], base[6], base[7], base[8], base[9]
    conv = kind == 0
    block = max(ifm_bits, ofm_bits) // act_bits
    tiles_r, tiles_c = _ceil(out_rows, tr), _ceil(out_columns, tc)
    tr_last, tc_last = out_rows - (tiles_r - 1) * tr, out_columns - (tiles_c - 1) * tc
    slice_blocks = (tn if conv else min(tm, tn)) // block
    m_blocks = (tm if conv else min(tm, tn)) // block
    n_total, m_total = _ceil(n, block), _ceil(m, block)
    slices, tiles_m = _ceil(n_total, slice_blocks), _ceil(m_total, m_blocks)
    m_blocks_last = m_total - (tiles_m - 1) * m_blocks
    total_entries = positions if conv else _ceil(positions, taps)
    chunks = 1 if kind == 2 else _ceil(total_entries, wgt_entries)
    entries = _ceil(total_entries, chunks)
    groups = groups_last = 0
    if kind == 0:
        groups, groups_last = _groups(tm, tn, wgt_bits), _groups(m_blocks_last * block, tn, wgt_bits)
    elif kind == 1:
        groups = groups_last = _groups(taps, tn, wgt_bits)
    levels = 0
    while (1 << levels) < tn:
        levels += 1
    tiles_n = slices if conv else 1
    pattern_bits = PATTERN_BITS if pruned else 0
    return _recurrence(
        tiles_r, tiles_c, tiles_m, tiles_n, chunks, not conv,
        tr, tr_last, tc, tc_last,
        (tr - 1) * stride_rows + kernel_rows, (tr_last - 1) * stride_rows + kernel_rows,
        (tc - 1) * stride + kernel_columns, (tc_last - 1) * stride + kernel_columns,
        stride_rows, stride, pad_top, pad_left, in_rows, in_columns,
        slices, slice_blocks, n_total - (slices - 1) * slice_blocks, m_blocks, m_blocks_last,
        entries, total_entries - (chunks - 1) * entries, groups, groups_last, _ceil(tm * BIAS_BITS, wgt_bits),
        weight_bits, pattern_bits, 1, read_latency,
        block * act_bits // ifm_bits, block * act_bits // ofm_bits, block * act_bits // ofm_bits,
        residual != 0, ARRAY_STAGES + levels, descriptor_bytes * 8 // wgt_bits,
        read_latency, read_latency, read_latency, write_latency, shared_bus != 0,
    )[0]  # fmt: skip


@numba.njit(cache=True)
def _around(base: np.ndarray, read_latency: int, write_latency: int) -> int:
    """Cycles before the first and after the last transfer or multiplication of any layer."""
    return read_latency + base[7] * 8 // base[3] + 1 + write_latency + 3


@numba.njit(cache=True)
def _read(out: int, tile: int, kernel: int, stride: int, pad: int, extent: int) -> int:
    """Input rows (or columns) loaded for all tiles of one direction, halos included."""
    total = 0
    for start in range(0, out, tile):
        first = start * stride - pad
        last = (min(start + tile, out) - 1) * stride + kernel - pad
        total += max(0, min(last, extent) - max(first, 0))
    return total


@numba.njit(cache=True)
def _floor(
    layer: np.ndarray, base: np.ndarray, tr: int, tc: int, read_latency: int, write_latency: int
) -> int:
    """Cycles below which a layer cannot stay, in closed form: in tiles of tr x tc, or in any (tr = 0).

    Each process in turn is taken to work without a pause; compute begins after its first slice, and the
    last output tile is stored after it.
    """
    any_tile = tr == 0
    if any_tile:  # one tile reads no halo; a stride beyond the kernel skips most in tiles of one pixel
        tr = layer[5] if layer[16] <= layer[7] else 1
        tc = layer[6] if layer[9] <= layer[8] else 1
    tm, tn, ifm_bits, wgt_bits, ofm_bits, act_bits = base[0], base[1], base[2], base[3], base[4], base[5]
    out_rows, out_columns, stride, stride_rows = layer[5], layer[6], layer[9], layer[16]
    block = max(ifm_bits, ofm_bits) // act_bits
    lanes = tn if layer[0] == 0 else min(tm, tn)
    rows = tm if layer[0] == 0 else min(tm, tn)
    tiles_r, tiles_c = _ceil(out_rows, tr), _ceil(out_columns, tc)
    tiles = 1 if any_tile else tiles_r * tiles_c
    tiles_m, m_total, n_total = _ceil(layer[2], rows), _ceil(layer[2], block), _ceil(layer[1], block)
    tiles_n = _ceil(layer[1], lanes) if layer[0] == 0 else 1
    jobs = tiles_m * tiles_n
    entries = layer[14] if layer[0] == 0 else _ceil(layer[14], base[9])
    steps = jobs * (1 if layer[0] == 2 else _ceil(entries, base[6]))
    beats_in, beats_out = block * act_bits // ifm_bits, block * act_bits // ofm_bits
    compute = jobs * entries * out_rows * out_columns + tiles * steps
    last_blocks = m_total - (tiles_m - 1) * (rows // block)
    if not any_tile:
        first = min(tr * stride_rows - stride_rows + layer[7] - layer[10], layer[3])
        first *= min(tc * stride - stride + layer[8] - layer[11], layer[4])
        last = (out_rows - (tiles_r - 1) * tr) * (out_columns - (tiles_c - 1) * tc)
        compute += first * min(lanes // block, n_total) * beats_in + read_latency
        compute += last_blocks * last * beats_out
    loaded = _read(out_rows, tr, layer[7], stride_rows, layer[10], layer[3])
    loaded *= _read(out_columns, tc, layer[8], stride, layer[11], layer[4])
    loaded *= n_total * beats_in
    groups = 0
    if layer[0] == 0:
        groups = (tiles_m - 1) * _groups(tm, tn, wgt_bits) + _groups(last_blocks * block, tn, wgt_bits)
    elif layer[0] == 1:
        groups = tiles_m * _groups(base[9], tn, wgt_bits)
    weights = tiles * (groups * tiles_n * entries * layer[13] + tiles_m * _ceil(tm * BIAS_BITS, wgt_bits))
    stored = m_total * out_rows * out_columns * beats_out
    return max(compute, loaded, weights, stored) + _around(base, read_latency, write_latency)


@numba.njit(cache=True)
def _floors(layers: np.ndarray, bases: np.ndarray, read_latency: int, write_latency: int) -> np.ndarray:
    """Least cycles of every base and layer, all equal layers together, whatever the tile."""
    floors = np.empty((len(bases), len(layers)), dtype=np.int64)
    for b in range(len(bases)):
        for at in range(len(layers)):
            least = _floor(layers[at], bases[b], 0, 0, read_latency, write_latency)
            floors[b, at] = layers[at, 17] * least
    return floors


@numba.njit(cache=True)
def _beaten(
    cycles: int, share: float, front_cycles: np.ndarray, front_shares: np.ndarray, known: int
) -> bool:
    """True when a known design is at least as good in both."""
    for at in range(known):
        if front_cycles[at] <= cycles and front_shares[at] <= share:
            return True
    return False


@numba.njit(cache=True)
def _explore(
    layers: np.ndarray, bases: np.ndarray, order: np.ndarray, floors: np.ndarray, heights: np.ndarray,
    widths: np.ndarray, ofm_depths: np.ndarray, ifm_depths: np.ndarray, read_latency: int,
    write_latency: int, shares: np.ndarray, best_cycles: np.ndarray, limit: int, cycles: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Price designs into ``cycles`` (bases, ofm, ifm), the bases in ``order``, the layers in theirs.

    A design is left (PRUNED) as soon as what is known of it shows that it is neither on the front of cycles
    and ``shares`` nor among the best; UNFIT where a layer fits no tile. best_cycles: one place for each
    different number of cycles wanted, filled here; none: all designs of at most ``limit`` cycles are priced.
    """
    priced = asked = known = 0
    front_cycles, front_shares = np.empty(4096, dtype=np.int64), np.empty(4096)
    prices = np.empty((heights.shape[1], widths.shape[1]), dtype=np.int64)
    least = np.empty_like(prices)
    for b in order:
        base = bases[b]
        block = max(base[2], base[4]) // base[5]
        whole = floors[b].sum()
        for o in range(len(ofm_depths)):
            for i in range(len(ifm_depths)):
                if cycles[b, o, i] != UNFIT:
                    cycles[b, o, i] = whole
        for at in range(len(layers)):
            layer = layers[at]
            lanes = base[1] if layer[0] == 0 else min(base[0], base[1])
            slices = _ceil(_ceil(layer[1], block), lanes // block)
            stride = layer[9]
            prices[:] = UNFIT
            least[:] = UNFIT
            for o in range(len(ofm_depths)):
                for i in range(len(ifm_depths)):
                    so_far = cycles[b, o, i]
                    if so_far < 0:
                        continue
                    if len(best_cycles) == 0:
                        lost = so_far > limit
                    else:
                        lost = so_far > best_cycles[-1] and _beaten(
                            so_far, shares[b, o, i], front_cycles, front_shares, known
                        )
                    if lost:
                        cycles[b, o, i] = PRUNED
                        continue
                    best = found = 0
                    for c in range(widths.shape[1]):
                        tc = widths[at, c]
                        if tc == 0 or found >= CANDIDATES:
                            break
                        columns = (tc - 1) * stride + layer[8]
                        fitting = 0
                        for r in range(heights.shape[1]):
                            tr = heights[at, r]
                            if tr == 0 or fitting == CANDIDATES_PER_SPLIT:
                                break
                            if tr * tc > ofm_depths[o]:
                                continue
                            if slices * ((tr - 1) * layer[16] + layer[7]) * columns > ifm_depths[i]:
                                continue
                            found += 1
                            fitting += 1
                            asked += 1
                            if least[r, c] == UNFIT:
                                least[r, c] = _floor(layer, base, tr, tc, read_latency, write_latency)
                            if best and least[r, c] >= best:
                                continue
                            if prices[r, c] == UNFIT:
                                prices[r, c] = _layer_cycles(layer, base, tr, tc, read_latency, write_latency)
                                priced += 1
                            if best == 0 or prices[r, c] < best:
                                best = prices[r, c]
                    if found:
                        cycles[b, o, i] += layer[17] * best - floors[b, at]
                    else:
                        cycles[b, o, i] = UNFIT
        for o in range(len(ofm_depths)):
            for i in range(len(ifm_depths)):
                total, share = cycles[b, o, i], shares[b, o, i]
                if total < 0 or len(best_cycles) == 0:
                    continue
                if total < best_cycles[-1] and not (best_cycles == total).any():
                    best_cycles[-1] = total
                    best_cycles.sort()
                if not _beaten(total, share, front_cycles, front_shares, known):
                    kept = 0
                    for at in range(known):
                        if front_cycles[at] < total or front_shares[at] < share:
                            front_cycles[kept], front_shares[kept] = front_cycles[at], front_shares[at]
                            kept += 1
                    known = kept
                    if known < len(front_cycles):
                        front_cycles[known], front_shares[known] = total, share
                        known += 1
    return np.array([priced, asked])
