"""The design space: values of the hardware axes, and the arrays and ports that a board can wire."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import ge
from typing import Any, NamedTuple

import numpy as np

from hotnas_hls.accel.accelerator import (
    LEGAL_MASTERS,
    LEGAL_PORT_BITS,
    LEGAL_TAPS,
    PACKED_BITS,
    Accelerator,
)
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import DecidedByLayers, ceil_div
from hotnas_hls.accel.port_plan import demanded_bits, port_violations
from hotnas_hls.accel.resources import accelerator_resources, least_fabric_rows, routable
from hotnas_hls.boards.board import Board
from hotnas_hls.explore.compiled_pricing import base_row
from hotnas_hls.implementation.array_clocks import array_mhz

WIDEST_PORT = 256
# What all others take more than.
LEAST = Accelerator(1, 1, 1, 1, 32, 32, 32, 1, 1, 1, weight_bits=2, patterns=False)
OTHER_SLICES = 20  # at most, of addresses; and two a channel of a word, of lines and products of maps
CLOCK_STEP_MHZ = 25  # between clocks that are tried
SQUARES, OBLONGS = (2, 4, 7, 8, 14, 16, 28, 32, 56), ((7, 14), (14, 28), (16, 32), (28, 56))
TILES = (*((side, side) for side in SQUARES), *OBLONGS)


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
    word_bits: tuple[int | None, ...] = (None,)  # of maps; None: as wide as the wider feature-map port
    plane_bits: tuple[int | None, ...] = (None,)  # of weights; None: as wide as the weight port
    wgt_masters: tuple[int, ...] = LEGAL_MASTERS  # of weights, several where no one port is as wide

    def packing(self, weight_bits: int) -> tuple[bool, ...]:
        """Values of ``dsp_packing`` that weights of so many bits allow."""
        narrow = max(self.act_bits, weight_bits) <= PACKED_BITS
        return tuple(packed for packed in self.dsp_packing if narrow or not packed)


WHOLE_SPACE = Space()


def usable(space: Space, layers: Sequence[Layer]) -> Space:
    """``space`` without what these layers cannot use."""
    if all(layer.kind is LayerKind.CONV for layer in layers):
        space = dataclasses.replace(space, taps=(1,))
    packing = space.packing(max(layer.weight_bits for layer in layers))
    if not all(layer.pairs_channels for layer in layers):
        packing = tuple(packed for packed in packing if not packed)
    return dataclasses.replace(space, dsp_packing=packing)


@dataclass(frozen=True, eq=False)
class Bases:
    """Arrays and ports with what layers decide of them: as numbers, and one by one as accelerators."""

    undecided: tuple[Accelerator, ...]
    decided: Mapping[int, DecidedByLayers]  # by taps
    rows: np.ndarray  # (bases, ...), as ``compiled_pricing.base_row`` has them

    def __len__(self) -> int:
        return len(self.undecided)

    def __getitem__(self, at: int) -> Accelerator:
        base = self.undecided[at]
        return dataclasses.replace(base, **self.decided[base.taps]._asdict())

    def of(self, blocks: Sequence[int]) -> Bases:
        """Those of these channel blocks."""
        kept = [at for at, base in enumerate(self.undecided) if base.channel_block in blocks]
        return Bases(tuple(self.undecided[at] for at in kept), self.decided, self.rows[kept])


@functools.lru_cache(maxsize=8)
def bases_for(
    space: Space, board: Board, clock_mhz: float, residual: bool, decided: tuple[DecidedByLayers, ...]
) -> Bases:
    """:func:`bases_of` with what layers decide, for each of ``space.taps`` in their order.

    Kept: a search asks for few different ones, again and again. Layers decide the same numbers of all bases
    of equal taps, which one of them tells.
    """
    undecided = bases_of(space, board, clock_mhz, residual)
    rows = _rows_of(space, board, clock_mhz, residual).copy()
    bases = Bases(undecided, dict(zip(space.taps, decided, strict=True)), rows)
    taps = np.array([base.taps for base in undecided])
    for at in np.unique(taps, return_index=True)[1]:
        told = np.array(base_row(bases[at]))
        moved = told != bases.rows[at]
        bases.rows[np.ix_(taps == taps[at], moved)] = told[moved]
    return _with_rows_in_fabric(bases, space, board)


def _with_rows_in_fabric(bases: Bases, space: Space, board: Board) -> Bases:
    """``bases`` with as many rows in the fabric as slices are missing with the deepest buffers.

    Of those that have some: they are left out where none is missing, or they are not routable.
    """
    pixels, words = max(math.prod(tile) for tile in space.tiles), max(space.ifm_depths)
    found = {}
    for at, base in enumerate(bases.undecided):
        if base.fabric_rows:
            decided = bases.decided[base.taps]._asdict()
            deepest = dataclasses.replace(base, **decided, tr=pixels, ifm_depth=words)
            rows = least_fabric_rows(deepest, board)
            if not rows:
                continue
            least = dataclasses.replace(base, **decided, fabric_rows=rows)
            if not routable(accelerator_resources(least), board, least):
                continue
            base = dataclasses.replace(base, fabric_rows=rows)
        found[at] = base
    return Bases(tuple(found.values()), bases.decided, bases.rows[list(found)])


@functools.lru_cache(maxsize=8)
def _rows_of(space: Space, board: Board, clock_mhz: float, residual: bool) -> np.ndarray:
    return np.array([base_row(base) for base in bases_of(space, board, clock_mhz, residual)], dtype=np.int64)


@functools.lru_cache(maxsize=8)
def bases_of(space: Space, board: Board, clock_mhz: float, residual: bool) -> tuple[Accelerator, ...]:
    """Legal arrays, within the board's DSP slices or with rows in the fabric, and ports that can be wired.

    Buffers are as small as can be.

    A clock above the board's own must be within what is estimated of the array (:func:`clocked`).

    residual: whether a layer reads one. Kept, as by :func:`bases_for`.
    """
    return tuple(_bases(space, board, clock_mhz, residual))


def _bases(space: Space, board: Board, clock_mhz: float, residual: bool) -> Iterator[Accelerator]:
    arrays = list(_arrays(space, board, clock_mhz))
    for wired in _wirings(space):
        if not worth_wiring(wired, board, clock_mhz, residual):
            continue
        for word, plane in product(space.word_bits, space.plane_bits):
            wide = dataclasses.replace(wired, act_bits=space.act_bits, word_bits=word, plane_bits=plane)
            block = wide.channel_block
            for array in arrays:
                if array["tm"] % block or array["tn"] % block:
                    continue  # as violations() says, but most are, and each would be built to be asked
                base = dataclasses.replace(wide, **array)
                if not base.violations():
                    yield base


def _arrays(space: Space, board: Board, clock_mhz: float) -> Iterator[dict[str, Any]]:
    """Arrays within the board's DSP slices, and those with rows in the fabric, where slices may be missing.

    How many is decided with the layers (:func:`bases_for`). They are of the board's own clock alone: what is
    estimated is of arrays with slices.
    """
    packing = space.act_bits <= PACKED_BITS  # of arrays with rows in the fabric: slices are packed first
    for dsp_packing in space.dsp_packing:
        rows = space.packed_tm if dsp_packing else space.tm
        for tm, tn, taps in product(rows, space.tn, space.taps):
            array: dict[str, Any] = {
                "tm": tm,
                "tn": tn,
                "act_bits": space.act_bits,
                "weight_bits": PACKED_BITS,  # legal whatever else; for_layers puts the layers' own
                "taps": taps,
                "dsp_packing": dsp_packing,
            }
            slices = ceil_div(tm, 2 if dsp_packing else 1) * tn + min(tm, tn) * taps
            if slices <= board.dsp and clocked(tm * tn, board, clock_mhz):
                yield array
            beside = OTHER_SLICES + 2 * LEGAL_PORT_BITS[-1] // space.act_bits
            if slices + beside <= board.dsp or dsp_packing != packing or clock_mhz > board.clock_mhz:
                continue
            least = dataclasses.replace(LEAST, **array | {"weight_bits": LEAST.weight_bits})
            fabric = max(least_fabric_rows(least, board), least.rows_per_dsp)
            least = dataclasses.replace(least, fabric_rows=fabric)
            if routable(accelerator_resources(least), board, least):
                yield array | {"fabric_rows": fabric}


def clocked(multipliers: int, board: Board, clock_mhz: float) -> bool:
    """Whether an array of so many multipliers can have this clock, as far as that is estimated."""
    estimate = array_mhz(board.part, multipliers)
    return estimate is None or clock_mhz <= max(board.clock_mhz, estimate)


def clocks_of(space: Space, board: Board) -> tuple[float, ...]:
    """Clocks worth trying, in MHz: the board's own, and above it multiples of 25 that ports and arrays allow.

    Of arrays that is the estimate of the smallest one of the space.
    """
    smallest = array_mhz(board.part, min((*space.tm, *space.packed_tm)) * min(space.tn))
    limits = [kind.clock_mhz for kind in board.ports if kind.clock_mhz is not None]
    highest = min([*limits, smallest or board.clock_mhz])
    first = int(board.clock_mhz // CLOCK_STEP_MHZ + 1) * CLOCK_STEP_MHZ
    return (board.clock_mhz, *map(float, range(first, int(highest) + 1, CLOCK_STEP_MHZ)))


def worth_wiring(accel: Accelerator, board: Board, clock_mhz: float, residual: bool) -> bool:
    """Whether the board has ports for an accelerator, whose weights have several only where fewer cannot.

    residual: whether a layer reads one through a port.
    """
    fewer = [accel.wgt_stream_bits // count for count in LEGAL_MASTERS if count < accel.wgt_masters]
    in_vain = any(bits in kind.bits for kind in board.ports for bits in fewer)
    return not in_vain and not port_violations(accel, board, clock_mhz, residual)


def _wirings(space: Space) -> list[Accelerator]:
    """The least accelerator behind each choice of ports."""
    widths = list(product(space.port_bits, repeat=3))
    split = [(bits, False, count) for count in space.wgt_masters for bits in widths]
    shared = [((bits, bits, bits), True, 1) for bits in space.bus_bits]
    return [
        Accelerator(1, 1, 1, 1, ifm, wgt, ofm, 1, 1, 1, shared_bus=shared_bus, wgt_masters=count)
        for (ifm, wgt, ofm), shared_bus, count in split + shared
    ]


class Ports(NamedTuple):
    """Fields of an accelerator that its ports are."""

    ifm_bits: int
    wgt_bits: int
    ofm_bits: int
    wgt_masters: int


def ports_of(accel: Accelerator) -> Ports:
    """The ports of an accelerator."""
    return Ports(accel.ifm_bits, accel.wgt_bits, accel.ofm_bits, accel.wgt_masters)


def widest_wirings(space: Space, board: Board, clock_mhz: float, residual: bool) -> tuple[Ports, ...]:
    """Choices of ports, none shared, that are widened on one stream by narrowing another only.

    residual: whether a layer reads one through a port.
    """
    able = [
        ports_of(wired)
        for wired in _wirings(space)
        if not wired.shared_bus and worth_wiring(wired, board, clock_mhz, residual)
    ]
    streams = [(one.ifm_bits, one.wgt_bits * one.wgt_masters, one.ofm_bits) for one in able]
    return tuple(
        one
        for one, own in zip(able, streams, strict=True)
        if not any(other != own and all(map(ge, other, own)) for other in streams)
    )


def why_no_ports(space: Space, board: Board, clock_mhz: float, residual: bool) -> list[str]:
    """What keeps the least of ports from being wired: least is wrong with them, then they ask for least.

    Empty where some can be wired.
    """
    found = []
    for wired in _wirings(space):
        problems = port_violations(wired, board, clock_mhz, residual)
        if not problems:
            return []
        found.append((len(problems), demanded_bits(wired, residual), problems))
    return min(found)[2]
