"""The fastest design that keeps maps and weights on chip, in the memory its board leaves free.

What an array would take if everything stayed on chip, in words as wide as suit it, is a bound: what does not
fit is streamed and can only be slower. Arrays are tried in the order of that bound; each gets the widths, the
buffers and the room for maps that make it fastest, weights get what is left. Deep buffers load fewer weights
twice, shallow ones leave room to keep more of them: a price of each layer by itself, compiled for all depths
at once, says in which order they are tried.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from hotnas_hls.accel.accelerator import LEGAL_PLANE_BITS, LEGAL_PORT_BITS, Accelerator
from hotnas_hls.accel.fpga_memories import LUT_RAM_DEPTH, RAM_WORDS
from hotnas_hls.accel.layer import IntegerNetwork, Layer
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.pricing import latency_behind
from hotnas_hls.accel.port_plan import has_residual, port_violations
from hotnas_hls.accel.residency import (
    Resident,
    keep_maps,
    planes_of,
    reside,
    residual_words_of,
    words_of_all,
)
from hotnas_hls.accel.resources import RESOURCES, by_buffer_depths, limits_of
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.explore.behind_dram import Priced, decide
from hotnas_hls.explore.compiled_pricing import UNFIT
from hotnas_hls.explore.exhaustive import Buffers, buffers, by_layer, leading
from hotnas_hls.explore.space import Ports, Space, ports_of, widest_wirings

LEAST_WORDS = 256  # of maps on chip that are tried, but for all maps and none
DESIGNS_SEEN = 8  # those whose bounds are lowest; their arrays are tried
NEVER = 1 << 62
LEAST_PORT = LEGAL_PORT_BITS[0]
WIDEST_PLANES = LEGAL_PLANE_BITS[-2:]  # the widest take LUTs that a small device lacks
ANY = Accelerator(4, 4, 1, 1, 32, 32, 32, 1, 1, 1)  # which maps could stay is the same for every design


@dataclass(frozen=True)
class Kept:
    """A network on a design that keeps some of it on chip."""

    resident: Resident
    cycles: int  # with the memory that was asked for


def kept_on_chip(
    net: IntegerNetwork,
    accel: Accelerator,
    board: Board,
    memory: MemoryTiming,
    clock_mhz: float,
    maps: bool = True,
    space: Space | None = None,
    below: int = NEVER,
) -> Kept | None:
    """The fastest way to keep what ``board`` has room for on the array and ports of ``accel``.

    Widths of words and planes and the room for maps are tried, and the buffers of ``space`` (None: those of
    ``accel`` alone); weights get what is left. Of the ways that a fast price finds best, the exact one
    decides. maps: whether maps may stay. None on a shared bus, and where nothing fits that takes fewer
    cycles than ``below``.
    """
    if accel.shared_bus:
        return None
    own: tuple[Buffers, np.ndarray] = [(accel.ofm_depth, (accel.tr, accel.tc))], np.array([accel.ifm_depth])
    ways = _ways(net, accel, board, memory, maps, buffers(space) if space else own)
    best: Kept | None = None
    for way in sorted(ways, key=lambda way: way.cycles):
        if way.cycles >= below:
            break
        resident = reside(net, way.accel, memory)
        if not resident.runs or not resident.accel.keeps:
            continue
        if port_violations(resident.accel, board, clock_mhz, has_residual(resident.net.layers)):
            continue  # a residual that did not stay on chip asks more of the ports than there is
        cycles = network_latency(resident.net.layers, resident.accel, resident.tiles, memory).cycles
        if cycles < below:
            best, below = Kept(resident, cycles), cycles
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
) -> tuple[Kept, ...]:
    """The fastest designs that keep data on chip, one for each choice of ports that is worth a try.

    Of the arrays of ``space`` that promise most, and of ``streamed``, the fastest design that keeps nothing.
    What stays on chip needs no port, so that what streams may have more of them. The fastest design comes
    first; which one it is behind a DRAM, :func:`cheapest` says. memory, maps: as :func:`kept_on_chip`. Empty
    on a shared bus, and where nothing can be kept.
    """
    if streamed.shared_bus:
        return ()
    everything = _all_on_chip(net, maps)
    own = ports_of(streamed)
    words = tuple(bits for bits in LEGAL_PORT_BITS if bits >= max(own.ifm_bits, own.ofm_bits))
    wide = dataclasses.replace(
        space, port_bits=tuple(sorted({own.ifm_bits, own.wgt_bits, own.ofm_bits})), bus_bits=(),
        wgt_masters=(own.wgt_masters,), word_bits=words,
    )  # fmt: skip
    bounds = {_array_of(streamed): 0}  # of the arrays that are tried
    for plane_bits in WIDEST_PLANES:
        in_planes = dataclasses.replace(wide, plane_bits=(plane_bits,))
        for design in leading(everything, board, memory, in_planes, DESIGNS_SEEN, blocks, clock_mhz):
            array = _array_of(design.accel)
            bounds[array] = min(design.cycles, bounds.get(array, NEVER))
    best: Kept | None = None
    for array, bound in sorted(bounds.items(), key=lambda pair: pair[1]):
        for word_bits in words:
            below = NEVER if best is None else best.cycles
            if bound < below:
                wired = _wired(array, own, word_bits, blocks)
                kept = wired and kept_on_chip(net, wired, board, memory, clock_mhz, maps, space, below)
                best = kept or best
    if best is None:
        return ()
    found = [best]
    for ports in widest_wirings(space, board, clock_mhz, has_residual(everything)):
        wired = _wired(best.resident.accel, ports, best.resident.accel.word_width, blocks)
        if wired and ports != own:
            kept = kept_on_chip(net, wired, board, memory, clock_mhz, maps, space)
            found += [kept] if kept else []
    return tuple(sorted(found, key=lambda kept: kept.cycles))


def _wired(
    array: Accelerator, ports: Ports, word_bits: int, blocks: Sequence[int] | None
) -> Accelerator | None:
    """An array behind other ports, with words of so many bits and nothing on chip; None where not legal."""
    ifm_bits, wgt_bits, ofm_bits, masters = ports
    wired = dataclasses.replace(
        _array_of(array), ifm_bits=ifm_bits, wgt_bits=wgt_bits, ofm_bits=ofm_bits, wgt_masters=masters,
        word_bits=word_bits,
    )  # fmt: skip
    legal = not wired.violations() and (blocks is None or wired.channel_block in blocks)
    return wired if legal else None


def _array_of(accel: Accelerator) -> Accelerator:
    """``accel`` with nothing on chip, ports and buffers the least: what is left tells arrays apart."""
    return dataclasses.replace(
        accel, tr=1, tc=1, ifm_depth=1, map_words=0, residual_words=None, weight_planes=0,
        ifm_bits=LEAST_PORT, wgt_bits=LEAST_PORT, ofm_bits=LEAST_PORT, wgt_masters=1, word_bits=None,
        plane_bits=None,
    )  # fmt: skip


def cheapest(kept: Sequence[Kept], dram: DramTiming, clock_mhz: float) -> Priced[Kept]:
    """Of some designs, the fastest first, the one that takes least time behind ``dram``."""

    def price(one: Kept) -> int:
        there = one.resident
        return latency_behind(there.net, there.accel, there.tiles, dram, clock_mhz).cycles

    return decide(((one.cycles, one) for one in kept), price).best[0]


def _all_on_chip(net: IntegerNetwork, maps: bool) -> tuple[Layer, ...]:
    """Layers that have everything on chip that may ever be."""
    endless = dataclasses.replace(ANY, act_bits=net.act_bits, map_words=1 << 40)
    layers = net.layers
    if maps:
        layers = keep_maps(layers, tuple(net.feature_maps.values()), net.image, net.host.maps, endless)
    return tuple(dataclasses.replace(layer, weights_on_chip=True) for layer in layers)


class _Way(NamedTuple):
    """An accelerator with room on chip, and what a network takes on it by the fast price."""

    cycles: int
    accel: Accelerator


def _ways(
    net: IntegerNetwork, accel: Accelerator, board: Board, memory: MemoryTiming, maps: bool,
    depths: tuple[Buffers, np.ndarray],
) -> Iterator[_Way]:  # fmt: skip
    """Widths, room for maps and buffers, with room for the weights that fit beside them."""
    for wide in _widths(accel, board):
        planes = np.array([planes_of(layer, wide) for layer in net.layers])
        steps = _weight_rooms(wide, int(planes.sum()))
        for room in _rooms(net, wide) if maps else (0,):
            with_maps = _with_maps(net, wide, room)
            left, used = _left_for_weights(with_maps, steps, board, len(net.layers), depths)
            if left.max() < 0:
                continue
            cycles = _fast_prices(net, with_maps, memory, planes, left, depths)
            seen: set[tuple[int, int]] = set()
            for at in np.lexsort((used.ravel(), cycles.ravel())):
                ofm, ifm = np.unravel_index(at, cycles.shape)
                alike = int(cycles[ofm, ifm]), int(left[ofm, ifm])
                if alike in seen or alike[0] == NEVER:
                    continue
                seen.add(alike)
                (tr, tc), depth = depths[0][ofm][1], int(depths[1][ifm])
                yield _Way(
                    alike[0],
                    dataclasses.replace(with_maps, tr=tr, tc=tc, ifm_depth=depth, weight_planes=alike[1]),
                )
            if left.max() == steps[-1]:
                break  # less room for maps gains nothing


def _with_maps(net: IntegerNetwork, accel: Accelerator, room: int) -> Accelerator:
    """``accel`` with so many words for maps, and those of them twice that residuals then read."""
    accel, maps = dataclasses.replace(accel, map_words=room), tuple(net.feature_maps.values())
    layers = keep_maps(net.layers, maps, net.image, net.host.maps, accel)
    return dataclasses.replace(accel, residual_words=residual_words_of(layers, maps, accel))


def _widths(accel: Accelerator, board: Board) -> Iterator[Accelerator]:
    """``accel`` with words and planes of its own widths, or of any, in block RAM or UltraRAM."""
    least = max(accel.ifm_bits, accel.ofm_bits)
    words = (accel.word_bits,) if accel.word_bits else LEGAL_PORT_BITS
    every = [bits for bits in reversed(LEGAL_PLANE_BITS) if bits >= accel.wgt_stream_bits]
    planes = [accel.plane_bits] if accel.plane_bits else every
    for word_bits in (bits for bits in words if bits >= least):
        for plane_bits, ultra_ram in product(planes, (False, True) if board.uram else (False,)):
            wide = dataclasses.replace(accel, word_bits=word_bits, plane_bits=plane_bits, ultra_ram=ultra_ram)
            if not wide.violations():
                yield wide


def _fast_prices(
    net: IntegerNetwork, accel: Accelerator, memory: MemoryTiming, planes: np.ndarray, left: np.ndarray,
    depths: tuple[Buffers, np.ndarray],
) -> np.ndarray:  # fmt: skip
    """Cycles of ``net`` with each pair of buffer depths, (OFM, IFM depths); NEVER where it does not run.

    Each layer is priced by itself, with its weights in DRAM and on chip. Those that save most for their
    planes stay, as far as ``left`` (OFM, IFM depths) has room.
    """
    layers = keep_maps(net.layers, tuple(net.feature_maps.values()), net.image, net.host.maps, accel)
    there = tuple(dataclasses.replace(layer, weights_on_chip=True) for layer in layers)
    keeping = dataclasses.replace(accel, weight_planes=1)  # descriptors of a design that keeps something
    cycles, kept = (by_layer(each, keeping, memory, *depths) for each in (layers, there))
    saved, total, room = cycles - kept, cycles.sum(axis=0), left.copy()
    for layer in np.argsort(-saved / planes[:, None, None], axis=0, kind="stable"):
        gain = np.take_along_axis(saved, layer[None], axis=0)[0]
        stays = (gain > 0) & (planes[layer] <= room)
        total -= np.where(stays, gain, 0)
        room -= np.where(stays, planes[layer], 0)
    return np.where((cycles == UNFIT).any(axis=0) | (left < 0), NEVER, total)


def _rooms(net: IntegerNetwork, accel: Accelerator) -> Iterator[int]:
    """Words for maps: those of all, then half as many, and so on, at last none."""
    room = words_of_all(net.layers, tuple(net.feature_maps.values()), net.image, net.host.maps, accel)
    yield room
    while room >= 2 * LEAST_WORDS:
        room //= 2
        yield room
    if room:
        yield 0


def _weight_rooms(accel: Accelerator, wanted: int) -> list[int]:
    """Planes of weights that fill whole memories, at most ``wanted``, which is the last."""
    rooms = (0, LUT_RAM_DEPTH, *range(RAM_WORDS, wanted, RAM_WORDS))
    return [*(planes for planes in rooms if planes < wanted), wanted]


def _left_for_weights(
    accel: Accelerator, rooms: Sequence[int], board: Board, layers: int, depths: tuple[Buffers, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The most of ``rooms`` that fit beside the rest, -1 where not even none does, and block RAM without.

    Both (OFM, IFM depths). The memory of the weights is a block of its own, whatever the buffers.
    """
    pixels, words = np.array([depth for depth, _ in depths[0]]), depths[1]

    def used(planes: int, ofm: np.ndarray, ifm: np.ndarray) -> np.ndarray:
        return by_buffer_depths(dataclasses.replace(accel, weight_planes=planes), ofm, ifm, layers)

    rest = used(0, pixels, words)
    more = [used(planes, pixels[:1], words[:1])[0, 0] - rest[0, 0] for planes in rooms]
    fits = (rest[:, :, None] + np.array(more) <= limits_of(board, accel)).all(axis=3)
    most = np.array(rooms)[fits.shape[2] - 1 - fits[:, :, ::-1].argmax(axis=2)]
    return np.where(fits.any(axis=2), most, -1), rest[..., RESOURCES.index("bram18")]
