"""The true latency model: cycles of a layer on the accelerator, exact for a fixed-latency memory.

The accelerator is four processes that hand each other tokens. Every event below is a clock cycle of
the layer, counted from the one behind the end of the layer before; every constant is the depth of
a pipeline in ``templates/rtl`` and named after it. The recurrence is max-plus:

    first beat of an IFM tile     = max(half free + IFM_ADDRESS + L, last beat of the tile before + 1)
    first beat of a weight job    = max(slot free + WGT_ADDRESS + L, last beat of the job before + 1)
    a step starts                 = max(step before done, weights there, slice there, half free)
    a step ends                   = its start + entries x max(pixels, MIN_SWEEP)
    last beat of an output tile   = max(last sweep began + drain, tile before stored) + ... + words x beats

A layer ends when its last write is answered and what comes ahead is there: the descriptor and the first
weight job of the layer after it, read as soon as its own weights are, and that one's first tile where it lies
on chip. So every layer but an image's first begins in one and the same state, and what it takes depends on no
layer but these two.

Where all reads share one port (``shared_bus``), a beat also waits for the last beat of whatever is
before it in the fixed order of ``read_order.sv``; the loops below follow that order, which changes
nothing where every process has a port of its own. That order is one layer's: nothing comes ahead.

The function is compiled by numba, so that a search evaluates it millions of times; it is the same
function the certificate quotes and simulation confirms.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import (
    MIN_SWEEP,
    PATTERN_BITS,
    LayerPlan,
    Tile,
    ceil_div,
    job_beats,
    layer_beats,
    plan_layer,
    word_cycles,
)
from hotnas_hls.accel.timing.first_tile import FirstTile, first_tiles
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.compiled_code import compiled

TOKEN = 2  # beat taken -> token counted by compute (one register each side)
IFM_ADDRESS = 5  # ifm_loader: WaitHalf -> Clip, Size, Request, run, address on AXI
SECOND_REQUEST = 4  # between a loader's first two requests: both buffers are free
WGT_ADDRESS = 4  # wgt_loader: WaitSlot -> Planes, Size, Request, address on AXI
STORE_DRAIN = 4  # ofm_store: Wait -> Count, Size, walkers start, first accumulator read
RESIDUAL_DRAIN = 5  # ofm_store: Wait -> first residual address on AXI
DRAIN_BEAT = 6  # accumulator read -> word on AXI: bank, block, sum, shift, clamp, FIFO
LINE_STAGES = 3  # of a design with activations of lines, behind the clamp: line, rise, sum
PRODUCT_STAGES = 3  # of a design with products of maps, behind those: product, shift, clamp
ARRAY_STAGES = 6  # compute_ctrl.ToStore without the adder tree
FILL_ADDRESS = 2  # weight_memory: start_i -> its run, address on AXI
AHEAD = 2  # layer_sequencer: the layer's last weight beat -> the next descriptor is asked for
TILE_TAKE = 3  # tile_ahead: descriptor and tiles there -> Take, Start, load_ifm waits for a half
CHIP_READ = 2  # chip_reader: address -> word, of memory on chip: RAM, output register
CHIP_WRITTEN = 1  # word written on chip -> it is read
KNOWN = 1 << 15  # latencies and tiles that are kept: exploring asks for the same ones again and again
MAX_HIDDEN_LATENCY = 60  # read latency that Outstanding bursts of one beat still cover


class Bottleneck(StrEnum):
    """What a layer's time is spent on (HotNAS's labels)."""

    IFM = "I"
    WEIGHTS = "W"
    COMPUTE = "C"
    OFM = "O"


@dataclass(frozen=True)
class LayerLatency:
    """Cycles of a layer, and in how many of them each process was busy.

    ``stall`` counts cycles in which the MAC array waited for data or a free accumulator half.
    The processes overlap: the terms do not add up to ``cycles``.
    """

    cycles: int
    load_ifm: int
    load_wgt: int
    compute: int
    store_ofm: int
    stall: int

    @property
    def bottleneck(self) -> Bottleneck:
        """The process that is busy longest; compute wins a tie, then OFM, IFM, weights."""
        terms = {
            Bottleneck.COMPUTE: self.compute,
            Bottleneck.OFM: self.store_ofm,
            Bottleneck.IFM: self.load_ifm,
            Bottleneck.WEIGHTS: self.load_wgt,
        }
        return max(terms, key=lambda label: terms[label])

    def terms(self) -> dict[str, int]:
        """Every count by its name in registers and reports."""
        return dict(vars(self))


@dataclass(frozen=True)
class NetworkLatency:
    """Layers in order; the network takes the sum of their cycles."""

    layers: dict[str, LayerLatency]

    @property
    def cycles(self) -> int:
        """Cycles from the start to the interrupt."""
        return sum(layer.cycles for layer in self.layers.values())

    def ms(self, clock_mhz: float) -> float:
        """Milliseconds at a clock."""
        return self.cycles / (clock_mhz * 1e3)


@compiled
def _recurrence(
    tiles_r: int, tiles_c: int, tiles_m: int, tiles_n: int, chunks: int, channelwise: bool, tr: int,
    tr_last: int, tc: int, tc_last: int, th: int, th_last: int, tw: int, tw_last: int,
    stride_rows: int, stride_columns: int, pad_top: int, pad_left: int, in_rows: int, in_columns: int,
    slices: int, slice_blocks: int, slice_blocks_last: int, m_blocks: int, m_blocks_last: int, entries: int,
    entries_last: int, groups: int, groups_last: int, bias_beats: int, weight_bits: int, pattern_bits: int,
    plane_beats: int, wgt_latency: int, ifm_beats: int, residual_beats: int, ofm_beats: int,
    has_residual: bool, vector: bool, to_store: int, drain_beat: int, ifm_latency: int, residual_latency: int,
    write_latency: int, shared_bus: bool, begin_ahead: bool, fetched: int, next_fetched: int, next_job: int,
    tile_ahead: bool, next_described: int, next_words: int, next_after: int,
) -> tuple[int, int, int, int, int, int]:  # fmt: skip
    start = 0 if begin_ahead else fetched  # cycle of layer_start
    load_ifm = load_wgt = compute = store_ofm = stall = 0
    ifm_last = wgt_last = -1  # last beat taken, per process
    ifm_bus = wgt_bus = residual_bus = -1  # last beat on the port that serves it: one port when shared
    tiles = tiles_r * tiles_c
    tile_jobs = tiles_m * tiles_n * chunks
    there = np.empty((2, slices), np.int64)  # last beat of each slice of this tile and the next
    tile_end_1 = tile_end_2 = -1  # last steps of the tiles before
    step_end_1 = step_end_2 = -1
    stored = np.full(2, start)  # last beat of the output tile one and two before, by parity
    step = output = 0
    asked_tile = asked_slice = 0  # the slice to be asked for next
    asked = block_beats = 0
    blocks_due = pixels_due = complete = 0  # of an output tile not yet stored; when its first word is
    written = 0  # words of output tiles that are stored
    # Cycles between two of them: a vector has a word for each channel block, a map one for each pixel.
    pace = max(residual_beats, ofm_beats) if has_residual and not vector else ofm_beats
    next_read = -1  # last word of the next layer's first tile, as far as it waits for these words
    if tile_ahead:  # came before this layer began
        rows = _inside(0, tiles_r, tr, th, th_last, stride_rows, pad_top, in_rows)
        cols = _inside(0, tiles_c, tc, tw, tw_last, stride_columns, pad_left, in_columns)
        words = rows * cols * ((slices - 1) * slice_blocks + slice_blocks_last)
        load_ifm = IFM_ADDRESS + ifm_latency + words * ifm_beats - 1
        there[0] = start - 1
        asked_tile = 1
    wait = start + 1  # compute is ready for its next step
    for tile in range(tiles):
        last_r, last_c = tile // tiles_c == tiles_r - 1, tile % tiles_c == tiles_c - 1
        pixels = (tr_last if last_r else tr) * (tc_last if last_c else tc)
        sweep = max(pixels, MIN_SWEEP)
        job = 0
        for m in range(tiles_m):
            last_m = m == tiles_m - 1
            job_groups = groups_last if last_m else groups
            for n in range(tiles_n):
                for k in range(chunks):
                    positions = entries_last if k == chunks - 1 else entries

                    # load_wgt: the step's job, as soon as the slot of the job two before is free
                    beats = job_groups * (positions * weight_bits + pattern_bits)
                    if n == 0 and k == 0:
                        beats += bias_beats
                    if begin_ahead and step == 0:  # came before this layer began
                        load_wgt += WGT_ADDRESS + wgt_latency + beats * plane_beats - 1
                    else:
                        if step >= 2:
                            asked = step_end_2 + to_store + 1
                        else:
                            asked = start + 1 + (0 if begin_ahead else SECOND_REQUEST * step)
                        first = max(asked + WGT_ADDRESS + wgt_latency, wgt_bus + 1)
                        wgt_bus = first + beats * plane_beats - 1
                        load_wgt += wgt_bus - max(asked, wgt_last)
                        wgt_last = wgt_bus
                    if shared_bus:
                        ifm_bus = residual_bus = wgt_bus

                    # load_ifm: slices of this tile or the next, in the order of read_order.sv
                    room = (min(tile + 2, tiles) - asked_tile) * slices - asked_slice
                    due = room
                    if job < tile_jobs - 1:
                        due = min(room, 1) if tile == 0 or job > 0 else 0
                    for _ in range(due):
                        if asked_slice == 0:  # the tile, as soon as the half of the tile two before is free
                            r, c = asked_tile // tiles_c, asked_tile % tiles_c
                            rows = _inside(r, tiles_r, tr, th, th_last, stride_rows, pad_top, in_rows)
                            cols = _inside(c, tiles_c, tc, tw, tw_last, stride_columns, pad_left, in_columns)
                            block_beats = ifm_beats * rows * cols
                            if asked_tile < 2:
                                asked = start + 1 + (0 if tile_ahead else SECOND_REQUEST * asked_tile)
                            else:
                                asked = tile_end_1 + to_store + 1
                            load_ifm -= max(asked, ifm_last)
                            ifm_bus = max(asked + IFM_ADDRESS + ifm_latency - 1, ifm_bus)
                        last_slice = asked_slice == slices - 1
                        ifm_bus += block_beats * (slice_blocks_last if last_slice else slice_blocks)
                        there[asked_tile & 1, asked_slice] = ifm_bus
                        asked_slice += 1
                        if last_slice:
                            load_ifm += ifm_bus
                            ifm_last = ifm_bus
                            asked_slice = 0
                            asked_tile += 1
                        if shared_bus:
                            wgt_bus = residual_bus = ifm_bus

                    # store_ofm: an output tile whose residual was to wait for this job
                    if blocks_due > 0:
                        block_pace = max(pixels_due * pace, residual_beats if has_residual else 0)
                        taken, last, residual_bus = _store(
                            complete, stored[output & 1], blocks_due, pixels_due, ofm_beats, pace, block_pace,
                            has_residual, vector, residual_beats, residual_latency, residual_bus, drain_beat,
                        )  # fmt: skip
                        stored[(output + 1) & 1] = last
                        store_ofm += last - taken
                        chased = _chased(
                            last, pace, block_pace, written, blocks_due, pixels_due, next_words, next_after
                        )
                        next_read = max(next_read, chased)
                        written += blocks_due * pixels_due
                        blocks_due = 0
                        if shared_bus:
                            ifm_bus = wgt_bus = residual_bus

                    # compute
                    begin = max(wait, wgt_last + TOKEN, there[tile & 1, m if channelwise else n] + TOKEN)
                    if n == 0 and k == 0 and output >= 2:
                        begin = max(begin, stored[output & 1] + 1)
                    stall += begin - wait
                    busy = positions * sweep
                    compute += busy
                    step_end_2 = step_end_1
                    step_end_1 = begin + busy
                    wait = step_end_1 + 1
                    step += 1
                    job += 1

            # store_ofm: at once, unless it has to wait for the next job to read its residual
            blocks_due, pixels_due = m_blocks_last if last_m else m_blocks, pixels
            complete = step_end_1 - sweep + 1 + to_store
            output += 1
            if not has_residual or output == tiles * tiles_m:
                block_pace = max(pixels_due * pace, residual_beats if has_residual else 0)
                taken, last, residual_bus = _store(
                    complete, stored[output & 1], blocks_due, pixels_due, ofm_beats, pace, block_pace,
                    has_residual, vector, residual_beats, residual_latency, residual_bus, drain_beat,
                )  # fmt: skip
                stored[(output + 1) & 1] = last
                store_ofm += last - taken
                chased = _chased(
                    last, pace, block_pace, written, blocks_due, pixels_due, next_words, next_after
                )
                next_read = max(next_read, chased)
                written += blocks_due * pixels_due
                blocks_due = 0
        tile_end_2 = tile_end_1
        tile_end_1 = step_end_1
    end = stored[(output + 1) & 1] + write_latency
    if next_job > 0:  # behind the descriptor a slot must be free: that of the last job but one
        asked = max(wgt_last, 0) + AHEAD + next_fetched + 1
        if step > 1:
            asked = max(asked, step_end_2 + to_store + 1)
        end = max(end, asked + next_job)
    if next_words > 0:  # behind the descriptor and this layer's tiles, a half must be free
        asked = max(max(wgt_last, 0) + AHEAD + next_described, ifm_last) + 1 + TILE_TAKE
        if tiles > 1:
            asked = max(asked, tile_end_2 + to_store + 1)
        end = max(end, next_read, asked + IFM_ADDRESS + CHIP_READ + next_words - 1)
    return end + 3, load_ifm, load_wgt, compute, store_ofm, stall


@compiled
def _store(
    complete: int, before: int, blocks: int, pixels: int, ofm_beats: int, pace: int, block_pace: int,
    has_residual: bool, vector: bool, residual_beats: int, residual_latency: int, residual_bus: int,
    drain_beat: int,
) -> tuple[int, int, int]:  # fmt: skip
    """An output tile whose first pixel is ``complete``: when it is taken, its last beat, the residual's.

    pace: cycles between two words of a channel block; block_pace: between the first words of two blocks.
    """
    taken = max(complete, before) + 1
    drain = taken + STORE_DRAIN
    if has_residual:
        first = max(taken + RESIDUAL_DRAIN + residual_latency, residual_bus + 1)
        drain = first + residual_beats
        residual_bus = first + (blocks if vector else blocks * pixels) * residual_beats - 1
    last = drain + drain_beat + (blocks - 1) * block_pace + (pixels - 1) * pace + ofm_beats - 1
    return taken, last, residual_bus


@compiled
def _chased(
    last: int, pace: int, block_pace: int, before: int, blocks: int, pixels: int, next_words: int,
    next_after: int,
) -> int:  # fmt: skip
    """The last word of the next layer's first tile, as far as it waits for an output tile.

    last: when the last of its words is written, paced as in :func:`_store`; ``before``: words before them.
    """
    words = blocks * pixels
    read = min(before + words - next_after, next_words - 1)  # the last word that waits for one of these
    if next_after == 0 or read < 0 or next_after + read <= before:
        return -1
    left = before + words - next_after - read
    written = last - left // pixels * block_pace - left % pixels * pace
    return written + CHIP_WRITTEN + CHIP_READ + next_words - 1 - read


@compiled
def _inside(
    index: int, count: int, out: int, footprint: int, footprint_last: int, stride: int, pad: int, limit: int
) -> int:
    """Rows (or columns) of a tile's footprint that lie inside the input."""
    low = index * out * stride - pad
    high = low + (footprint_last if index == count - 1 else footprint)
    return min(high, limit) - max(low, 0)


@dataclass(frozen=True)
class Place:
    """Where a layer stands in its network, as far as its time depends on it."""

    ahead: bool = False  # what it begins with comes while the layer before is in work
    then: Layer | None = None  # unnamed: the one whose descriptor and first weight job come while this is
    then_tile: FirstTile | None = None  # its first tile; None: left out, or it does not come ahead


ALONE = Place()


def places(layers: Sequence[Layer], shared_bus: bool) -> list[Place]:
    """The place of every layer, whatever its tile; where all reads share a port each stands alone.

    The first tiles of the layers behind are left out: no layer takes fewer cycles with them.
    """
    if shared_bus:
        return [ALONE] * len(layers)
    after = [*(layer.unnamed() for layer in layers[1:]), None]
    return [Place(index > 0, then) for index, then in enumerate(after)]


def places_in_tiles(layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile]) -> list[Place]:
    """The place of every layer of a network whose tiles are known."""
    behind = [*first_tiles(layers, accel, tiles)[1:], None]
    found = zip(places(layers, accel.shared_bus), behind, strict=True)
    return [replace(place, then_tile=tile) for place, tile in found]


def plan_latency(
    layer: Layer,
    plan: LayerPlan,
    accel: Accelerator,
    memory: MemoryTiming,
    place: Place = ALONE,
    *,
    loaded: bool = True,
) -> LayerLatency:
    """Cycles of a planned layer; see :func:`layer_latency`."""
    word, latency, then = word_cycles(layer, accel), memory.read_latency, place.then
    return LayerLatency(
        *map(int, _recurrence(  # NumPy's integers, where Numba compiles nothing
            plan.tiles_r, plan.tiles_c, plan.tiles_m, plan.tiles_n, plan.chunks,
            layer.kind is not LayerKind.CONV,
            plan.tr, plan.tr_last, plan.tc, plan.tc_last, plan.th, plan.th_last, plan.tw, plan.tw_last,
            layer.stride_rows, layer.stride, layer.pad_top, layer.pad_left, layer.read_rows, layer.in_columns,
            plan.slices, plan.slice_blocks, plan.slice_blocks_last, plan.m_blocks, plan.m_blocks_last,
            plan.entries, plan.entries_last, plan.groups, plan.groups_last, plan.bias_beats,
            layer.weight_bits, PATTERN_BITS if layer.pattern_ones is not None else 0,
            word.wgt, _weights_latency(layer, memory),
            word.ifm, word.residual, word.ofm, layer.residual is not None, layer.residual_vector,
            ARRAY_STAGES + accel.tree_levels, drain_beat(accel),
            CHIP_READ if layer.ifm_on_chip else latency, CHIP_READ if layer.residual_on_chip else latency,
            0 if layer.ofm_on_chip else memory.write_latency, accel.shared_bus,
            place.ahead, fetch_cycles(layer, accel, memory, loaded=loaded),
            0 if then is None else fetch_cycles(then, accel, memory, loaded=loaded),
            0 if then is None else first_job_cycles(then, accel, memory),
            place.ahead and layer.ifm_on_chip, fetch_cycles(layer, accel, memory),
            *(place.then_tile or (0, 0)),
        ))
    )  # fmt: skip


def drain_beat(accel: Accelerator) -> int:
    """Cycles from an accumulator's read to its word on AXI."""
    lines = LINE_STAGES if accel.activation_lines else 0
    return DRAIN_BEAT + lines + (PRODUCT_STAGES if accel.products else 0)


def _weights_latency(layer: Layer, memory: MemoryTiming) -> int:
    return CHIP_READ if layer.weights_on_chip else memory.read_latency


def fetch_cycles(layer: Layer, accel: Accelerator, memory: MemoryTiming, *, loaded: bool = True) -> int:
    """Cycles from asking for a layer's descriptor until its weights can be asked for.

    loaded: the weights it keeps on chip are there; otherwise they are loaded between the two.
    """
    fetch = memory.read_latency + accel.descriptor_bytes * 8 // accel.wgt_stream_bits + 1
    if loaded or not layer.weights_on_chip:
        return fetch
    planes = layer_beats(plan_layer(layer, accel, Tile(1, 1)), layer)
    return fetch + FILL_ADDRESS + memory.read_latency + planes * accel.wgt_beats_per_plane


def first_job_cycles(layer: Layer, accel: Accelerator, memory: MemoryTiming) -> int:
    """Cycles from a free slot to the last beat of a layer's first weight job, whatever its tile."""
    planes = job_beats(plan_layer(layer, accel, Tile(1, 1)), layer, 0, 0, 0)
    return WGT_ADDRESS + _weights_latency(layer, memory) + planes * word_cycles(layer, accel).wgt - 1


def layer_latency(
    layer: Layer,
    accel: Accelerator,
    tile: Tile,
    memory: MemoryTiming,
    place: Place = ALONE,
    *,
    loaded: bool = True,
) -> LayerLatency:
    """Cycles of ``layer`` computed in tiles of ``tile``: exact when the memory answers in fixed time.

    loaded: the weights kept on chip are there already; otherwise every layer's are loaded before its own.
    The accelerator must be legal and the tile must fit (``plan_violations``); that is not checked here.
    """
    return _known_latency(layer.unnamed(), _without_buffers(accel), tile, memory, place, loaded)


@functools.lru_cache(maxsize=KNOWN)
def _known_latency(
    layer: Layer, accel: Accelerator, tile: Tile, memory: MemoryTiming, place: Place, loaded: bool
) -> LayerLatency:
    return plan_latency(layer, plan_layer(layer, accel, tile), accel, memory, place, loaded=loaded)


@functools.lru_cache(maxsize=KNOWN)
def _timed(accel: Accelerator) -> Accelerator:
    """The same for all accelerators whose layers take equal time: how much fits on chip changes none."""
    return replace(accel, map_words=int(accel.keeps), weight_planes=0, ultra_ram=False)


@functools.lru_cache(maxsize=KNOWN)
def _without_buffers(accel: Accelerator) -> Accelerator:
    """The same for all accelerators whose layers take equal time in the same tiles, whatever they hold."""
    return replace(_timed(accel), tr=1, tc=1, ifm_depth=1)


def network_latency(
    layers: Sequence[Layer],
    accel: Accelerator,
    tiles: Mapping[str, Tile],
    memory: MemoryTiming,
    *,
    loaded: bool = True,
) -> NetworkLatency:
    """Cycles of every layer and of the network; ``loaded`` as there."""
    return NetworkLatency(
        {
            layer.name: layer_latency(layer, accel, tiles[layer.name], memory, place, loaded=loaded)
            for layer, place in zip(layers, places_in_tiles(layers, accel, tiles), strict=True)
        }
    )


def candidate_tiles(layer: Layer, accel: Accelerator) -> list[Tile]:
    """Tiles worth trying: every even split of rows and columns that the buffers hold.

    For each split of the columns only the three tallest tiles that fit are kept: shorter ones reload
    more halo and weights.
    """
    found: list[Tile] = []
    for parts_c in range(1, layer.out_columns + 1):
        tc = ceil_div(layer.out_columns, parts_c)
        if ceil_div(layer.out_columns, tc) != parts_c:
            continue
        fitting = 0
        for parts_r in range(1, layer.out_rows + 1):
            tr = ceil_div(layer.out_rows, parts_r)
            if ceil_div(layer.out_rows, tr) != parts_r or tr * tc > accel.ofm_depth:
                continue
            plan = plan_layer(layer, accel, Tile(tr, tc))
            if plan.slices * plan.slice_px > accel.ifm_depth:
                continue
            found.append(Tile(tr, tc))
            fitting += 1
            if fitting == 3:
                break
        if len(found) >= 9:
            break
    return found


def best_tile(layer: Layer, accel: Accelerator, memory: MemoryTiming, place: Place = ALONE) -> Tile | None:
    """The candidate tile with the fewest cycles (the first of equals), or None when nothing fits."""
    return _known_best_tile(layer.unnamed(), _timed(accel), memory, place)


@functools.lru_cache(maxsize=KNOWN)
def _known_best_tile(layer: Layer, accel: Accelerator, memory: MemoryTiming, place: Place) -> Tile | None:
    tiles = candidate_tiles(layer, accel)
    return min(tiles, key=lambda tile: layer_latency(layer, accel, tile, memory, place).cycles, default=None)


def best_tiles(layers: Sequence[Layer], accel: Accelerator, memory: MemoryTiming) -> dict[str, Tile | None]:
    """The fastest tile of every layer of a network, None where nothing fits."""
    found = zip(layers, places(layers, accel.shared_bus), strict=True)
    return {layer.name: best_tile(layer, accel, memory, place) for layer, place in found}
