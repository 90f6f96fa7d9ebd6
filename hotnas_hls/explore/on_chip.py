"""The fastest design that keeps maps and weights on chip, in the memory its board leaves free.

What an array would take if everything stayed on chip, in words as wide as suit it, is a bound: what does not
fit is streamed and can only be slower. Arrays are tried in the order of that bound; each gets the widths and
the room for maps that make it fastest, weights get what is left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS, Accelerator
from hotnas_hls.accel.layer import IntegerNetwork, Layer
from hotnas_hls.accel.residency import Resident, keep_maps, planes_of, reside, words_of_all
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.explore.exhaustive import leading
from hotnas_hls.explore.space import Space

LEAST_WORDS = 256  # of maps on chip that are tried, but for all maps and none
ARRAYS_TRIED = 8  # those whose bounds are lowest
WIDEST = LEGAL_PORT_BITS[-1]
ANY = Accelerator(4, 4, 1, 1, 32, 32, 32, 1, 1, 1)  # which maps could stay is the same for every design


@dataclass(frozen=True)
class Kept:
    """A network on a design that keeps some of it on chip."""

    resident: Resident
    cycles: int  # with the memory that was asked for


def kept_on_chip(
    net: IntegerNetwork, accel: Accelerator, board: Board, memory: MemoryTiming, maps: bool = True
) -> Kept | None:
    """The fastest way to keep what ``board`` has room for on the array, buffers and ports of ``accel``.

    Widths of words and planes and the room for maps are tried; weights get what is left. maps: whether maps
    may stay. None on a shared bus, and where nothing fits.
    """
    best: Kept | None = None
    for tried in () if accel.shared_bus else _designs(net, accel, board, maps):
        resident = reside(net, tried, memory)
        if not resident.runs or not resident.accel.keeps:
            continue
        cycles = network_latency(resident.net.layers, resident.accel, resident.tiles, memory).cycles
        if best is None or cycles < best.cycles:
            best = Kept(resident, cycles)
    return best


def fastest_on_chip(
    net: IntegerNetwork,
    board: Board,
    memory: MemoryTiming,
    clock_mhz: float,
    space: Space,
    streamed: Accelerator,
    blocks: Sequence[int] | None = None,
    maps: bool = True,
) -> Kept | None:
    """The fastest design that keeps data on chip, of the arrays of ``space`` that promise most.

    streamed: the fastest design that keeps nothing, which is tried itself; others have ports of its widths,
    in any order. memory, maps, None: as :func:`kept_on_chip`.
    """
    if streamed.shared_bus:
        return None
    ports = tuple(sorted({streamed.ifm_bits, streamed.wgt_bits, streamed.ofm_bits}))
    wide = tuple(bits for bits in LEGAL_PORT_BITS if bits >= min(ports))
    space = dataclasses.replace(
        space, port_bits=ports, bus_bits=(), word_bits=wide, plane_bits=(WIDEST,)
    )
    found = kept_on_chip(net, streamed, board, memory, maps)
    for design in leading(_all_on_chip(net, maps), board, memory, space, ARRAYS_TRIED, blocks, clock_mhz):
        if found is not None and design.cycles >= found.cycles:
            break
        kept = kept_on_chip(net, design.accel, board, memory, maps)
        if kept is not None and (found is None or kept.cycles < found.cycles):
            found = kept
    return found


def _all_on_chip(net: IntegerNetwork, maps: bool) -> tuple[Layer, ...]:
    """Layers that have everything on chip that may ever be."""
    endless = dataclasses.replace(ANY, act_bits=net.act_bits, map_words=1 << 40)
    layers = net.layers
    if maps:
        layers = keep_maps(layers, tuple(net.feature_maps.values()), net.image, net.logits, endless)
    return tuple(dataclasses.replace(layer, weights_on_chip=True) for layer in layers)


def _designs(net: IntegerNetwork, accel: Accelerator, board: Board, maps: bool) -> Iterator[Accelerator]:
    """``accel`` with words and planes of its own widths, or of any, and room for maps and weights."""
    least = max(accel.ifm_bits, accel.ofm_bits)
    words = (accel.word_bits,) if accel.word_bits else LEGAL_PORT_BITS
    every = [bits for bits in reversed(LEGAL_PORT_BITS) if bits >= accel.wgt_bits]
    planes = [accel.plane_bits] if accel.plane_bits else every
    for word_bits in (bits for bits in words if bits >= least):
        for plane_bits, ultra_ram in product(planes, (False, True) if board.uram else (False,)):
            wide = dataclasses.replace(accel, word_bits=word_bits, plane_bits=plane_bits, ultra_ram=ultra_ram)
            if wide.violations():
                continue
            wanted = sum(planes_of(layer, wide) for layer in net.layers)
            for room in _rooms(net, wide) if maps else (0,):
                with_maps = dataclasses.replace(wide, map_words=room)
                left = _planes(with_maps, wanted, board, len(net.layers))
                if left is not None:
                    yield dataclasses.replace(with_maps, weight_planes=left)
                    if left == wanted:
                        break  # less room for maps gains nothing


def _rooms(net: IntegerNetwork, accel: Accelerator) -> Iterator[int]:
    """Words for maps: those of all, then half as many, and so on, at last none."""
    room = words_of_all(net.layers, tuple(net.feature_maps.values()), net.image, net.logits, accel)
    yield room
    while room >= 2 * LEAST_WORDS:
        room //= 2
        yield room
    if room:
        yield 0


def _planes(accel: Accelerator, wanted: int, board: Board, layers: int) -> int | None:
    """Planes of weights, at most ``wanted``, that fit beside the rest, or None where not even none does."""

    def fits(planes: int) -> bool:
        tried = dataclasses.replace(accel, weight_planes=planes)
        return not violations(accelerator_resources(tried, layers), board)

    if not fits(0):
        return None
    low, high = (wanted, wanted) if fits(wanted) else (0, wanted - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
