"""Cycles of a network behind a DRAM: the engine's processes, cycle by cycle, against :mod:`.dram`.

Behind a DRAM the moment a burst is answered depends on what all ports have asked before, so there is no
recurrence to follow layer by layer as in :mod:`.latency`. Here each process is a few counters: requesters
that cut runs into bursts, loaders that count beats, compute that waits for tokens, a store that drains,
with the same constants between them. With a DRAM that takes no time it gives the cycles of :mod:`.latency`.
What comes ahead of the next layer is read by the loop of the one in work, which ends when it is there: its
first tile, too, where that lies on chip.

Each process that reads offers boxes of runs. With three ports every one of them has a master of its own;
on a shared bus ``_take_turns`` gives the runs to one master in the order of ``read_order.sv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from hotnas_hls.accel.accelerator import MAX_BURST_BEATS, OUTSTANDING_READS, Accelerator
from hotnas_hls.accel.encoding.descriptor import CHIP_FIELDS, FIELDS, field_values
from hotnas_hls.accel.encoding.images import addresses_of, map_memory
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory.dram import (
    NEVER,
    REQUESTERS,
    Dram,
    ask,
    grant_until,
    new_dram,
    record_of,
    take_answer,
    take_beat,
)
from hotnas_hls.accel.memory.dram_timing import DramNumbers
from hotnas_hls.accel.plan import MIN_SWEEP, PATTERN_BITS, Tile, plan_layer, word_cycles
from hotnas_hls.accel.timing.latency import (
    AHEAD,
    ARRAY_STAGES,
    CHIP_READ,
    IFM_ADDRESS,
    STORE_DRAIN,
    TILE_TAKE,
    TOKEN,
    WGT_ADDRESS,
    drain_beat,
)

IFM, WGT, RESIDUAL, OFM = 0, 2, 4, 5  # requesters of the DRAM; RESIDUAL is every read on a shared bus
NOBODY = -1
TAKEN, BLOCK_LAST, BOX_LAST = 1, 2, 3  # a run of a box, the last one of a block, of the box
PAGE = 4096  # bytes no AXI burst crosses
FIFO_WORDS = 16  # ofm_store: FifoDepth, of residual words and of words in the drain pipeline
PATIENCE = 1 << 24  # cycles without a beat, an answer or a step: something waits for itself
LAST_ANSWER = 3  # last write answered, all ahead there -> the first cycle of the next layer

# ifm_loader: WaitHalf -> walker loaded; its first burst is on AXI two cycles later (taken, cut).
# wgt_loader has no walker: WaitSlot -> the cycle before its run is offered.
# ofm_store: Wait -> walkers loaded. What is offered in a cycle is taken in the next: AHEAD less that one.
IFM_LOAD, WGT_LOAD, STORE_LOAD = IFM_ADDRESS - 2, WGT_ADDRESS - 2, STORE_DRAIN - 1
AHEAD_OFFER = AHEAD - 1
DESCRIBED = 2  # descriptor_fetch: last beat of a descriptor -> Check, the layer is known

LAYER = record_of(
    *(field.name for field in FIELDS + CHIP_FIELDS),
    *("bias_beats", "descriptor", "fetch_beats", "to_store", "drain_beat", "fill_beats"),
    *("ifm_beats", "residual_beats", "ofm_beats", "plane_beats"),
    *("weights_base", "shared"),
)
# A box of runs that is offered: for each of its blocks, some runs of equal length.
BOX = record_of("valid", "block", "block_stride", "blocks", "beats", "run", "run_stride", "runs", "runs_left")
# A master, by its number at the DRAM, and the run that it cuts into bursts.
MASTER = record_of("requester", "address", "left", "in_flight", "beats_in_flight")
# Words on their way out of memory on chip, and from which cycle on each can be taken.
CHIP = record_of("words", "first", "second")
# Whose turn it is on a shared bus, and whose beats are to come.
TURN = record_of("whose", "job", "slices", "residuals", "ahead", "block", "taken", "done", "beat")


@dataclass(frozen=True)
class DramLatency:
    """What the model expects of a network behind a DRAM, in cycles; the network takes the sum."""

    layers: dict[str, int]
    stalls: dict[str, int]  # the MAC array waited

    @property
    def cycles(self) -> int:
        """Cycles from the start to the interrupt."""
        return sum(self.layers.values())


def dram_latency(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: Mapping[str, Tile],
    numbers: DramNumbers,
    *,
    loaded: bool = True,
) -> DramLatency:
    """Cycles of every layer of ``net``, its images placed by ``map_memory``, behind the DRAM of ``numbers``.

    loaded: the weights kept on chip are there already; otherwise each layer loads its own before it begins.
    The DRAM is idle and its refresh timer at rest when the first descriptor is asked for. Raises ValueError
    for a network whose processes wait for each other, which no legal plan does.
    """
    beat_bytes = (accel.ifm_bits // 8, accel.wgt_bits // 8, accel.ofm_bits // 8)
    dram = new_dram(numbers, beat_bytes)
    # Owned here: numba does not keep an array alive for the records taken from it.
    boxes, masters, turns = np.zeros(REQUESTERS, BOX), np.zeros(REQUESTERS, MASTER), np.zeros(1, TURN)
    masters["requester"] = np.arange(REQUESTERS)
    layers = _layers(net, accel, tiles, numbers)
    if loaded:
        layers["fill_beats"] = 0
    cycles, stalls = _run(layers, dram, boxes, masters, np.zeros(REQUESTERS, CHIP), turns)
    names = [layer.name for layer in net.layers]
    return DramLatency(
        dict(zip(names, map(int, cycles), strict=True)), dict(zip(names, map(int, stalls), strict=True))
    )


def _layers(
    net: IntegerNetwork, accel: Accelerator, tiles: Mapping[str, Tile], numbers: DramNumbers
) -> np.ndarray:
    """A record a layer: its descriptor, and what the hardware knows beside it."""
    memory = map_memory(net, accel, dict(tiles))
    records = np.zeros(len(net.layers), LAYER)
    for index, layer in enumerate(net.layers):
        plan = plan_layer(layer, accel, tiles[layer.name])
        addresses = addresses_of(layer, memory)
        word = word_cycles(layer, accel)
        values: dict[str, Any] = field_values(layer, plan, accel, net.numbers[layer.name], addresses) | {
            "bias_beats": plan.bias_beats,
            "descriptor": index * accel.descriptor_bytes,
            "fetch_beats": accel.descriptor_bytes * 8 // accel.wgt_bits,
            "to_store": ARRAY_STAGES + accel.tree_levels,
            "drain_beat": drain_beat(accel),
            "ifm_beats": word.ifm,
            "residual_beats": word.residual,
            "ofm_beats": word.ofm,
            "plane_beats": word.wgt,
            "weights_base": numbers.weights_base,
            "shared": accel.shared_bus,
        }
        values["fill_beats"] = values["wgt_on_chip"] * values["wgt_planes"] * accel.wgt_beats_per_plane
        records[index] = tuple(values[name] for name in LAYER.names or ())
    return records


@numba.njit(cache=True, error_model="numpy")
def _offer(
    box: Any, address: int, blocks: int, block_stride: int, runs: int, run_stride: int, beats: int
) -> None:
    """Offer a box from the next cycle on: for each of ``blocks``, ``runs`` runs of ``beats`` beats."""
    box.valid = 1
    box.block = box.run = address
    box.blocks = blocks
    box.block_stride = block_stride
    box.runs = box.runs_left = runs
    box.run_stride = run_stride
    box.beats = beats


@numba.njit(cache=True, error_model="numpy")
def _take_run(box: Any, master: Any) -> int:
    """A master takes a run once it has cut the one before: 0 none, TAKEN, BLOCK or BOX_LAST."""
    if master.left > 0 or not box.valid:
        return 0
    master.address = box.run
    master.left = box.beats
    box.runs_left -= 1
    box.run += box.run_stride
    if box.runs_left > 0:
        return TAKEN
    box.blocks -= 1
    box.runs_left = box.runs
    box.block += box.block_stride
    box.run = box.block
    box.valid = 1 if box.blocks > 0 else 0
    return BLOCK_LAST if box.valid else BOX_LAST


@numba.njit(cache=True, error_model="numpy")
def _send(dram: Dram, master: Any, limit: int) -> int:
    """One cycle of a master: the beats of the burst that leaves, 0 if none; it ends at ``address``."""
    if master.left == 0 or master.in_flight == limit:
        return 0
    beat_bytes = dram.queues[master.requester].beat_bytes
    burst = min(master.left, (PAGE - master.address % PAGE) // beat_bytes, MAX_BURST_BEATS)
    if master.beats_in_flight + burst > dram.numbers[0].fifo_beats:
        return 0
    master.left -= burst
    master.address += burst * beat_bytes
    master.in_flight += 1
    master.beats_in_flight += burst
    return int(burst)


@numba.njit(cache=True, error_model="numpy")
def _read(dram: Dram, master: Any, limit: int, now: int) -> None:
    """One cycle of a master that reads: at most one burst to the DRAM."""
    beat_bytes = dram.queues[master.requester].beat_bytes
    burst = _send(dram, master, limit)
    if burst > 0:
        ask(dram, master.requester, master.address - burst * beat_bytes, burst, now)


@numba.njit(cache=True, error_model="numpy")
def _read_chip(master: Any, chip: Any, takes: bool, readable: bool, now: int) -> bool:
    """One cycle of a chip_reader: whether a word is taken. Two are on their way at most.

    takes: the reader takes it. readable: the next one may be read.
    """
    taken = takes and chip.words > 0 and chip.first <= now
    if taken:
        chip.words -= 1
        chip.first = chip.second
    if master.left > 0 and chip.words < 2 and readable:
        master.left -= 1
        if chip.words == 0:
            chip.first = now + CHIP_READ
        else:
            chip.second = now + CHIP_READ
        chip.words += 1
    return taken


@numba.njit(cache=True, error_model="numpy")
def _receive(dram: Dram, master: Any, now: int) -> bool:
    """Take a beat if it is there."""
    taken = take_beat(dram, master.requester, now)
    if taken == 0:
        return False
    master.beats_in_flight -= 1
    if taken == 2:
        master.in_flight -= 1
    return True


@numba.njit(cache=True, error_model="numpy")
def _offer_tile(cfg: Any, box: Any, tile: int) -> int:
    """Offer the part of a tile's footprint inside the map; the beats of one channel block."""
    r, c = tile // cfg.tiles_c, tile % cfg.tiles_c
    top = r * cfg.tr * cfg.stride_rows - cfg.pad_top
    left = c * cfg.tc * cfg.stride_columns - cfg.pad_left
    bottom = min(top + (cfg.th_last if r == cfg.tiles_r - 1 else cfg.th), cfg.in_rows)
    right = min(left + (cfg.tw_last if c == cfg.tiles_c - 1 else cfg.tw), cfg.in_columns)
    address = cfg.ifm_addr
    address += max(r * cfg.ifm_tile_row_step - cfg.ifm_pad_top_bytes, 0)
    address += max(c * cfg.ifm_tile_column_step - cfg.ifm_pad_left_bytes, 0)
    runs, beats = bottom - max(top, 0), (right - max(left, 0)) * cfg.ifm_beats
    if cfg.ifm_merged:
        runs, beats = 1, runs * beats
    _offer(box, address, cfg.ifm_blocks, cfg.ifm_block_stride, runs, cfg.ifm_row_stride, beats)
    return runs * beats


@numba.njit(cache=True, error_model="numpy")
def _job_beats(cfg: Any, job: int) -> int:
    """Beats of a weight job, counted from its tile's first."""
    m, k = job // (cfg.tiles_n * cfg.chunks), job % cfg.chunks
    planes = (cfg.entries_last if k == cfg.chunks - 1 else cfg.entries) * cfg.weight_bits
    if cfg.pruned:
        planes += PATTERN_BITS
    beats = (cfg.groups_last if m == cfg.tiles_m - 1 else cfg.groups) * planes
    beats += cfg.bias_beats if job % (cfg.tiles_n * cfg.chunks) == 0 else 0
    return beats * cfg.plane_beats


@numba.njit(cache=True, error_model="numpy")
def _pixels(cfg: Any, tile: int) -> int:
    """Output pixels of a tile."""
    rows = cfg.tr_last if tile // cfg.tiles_c == cfg.tiles_r - 1 else cfg.tr
    return rows * (cfg.tc_last if (tile + 1) % cfg.tiles_c == 0 else cfg.tc)


@numba.njit(cache=True, error_model="numpy")
def _offer_output(cfg: Any, box: Any, residual: Any, output: int) -> int:
    """Offer an output tile to write, and its residual to read; its words."""
    tile, m = output // cfg.tiles_m, output % cfg.tiles_m
    r, c = tile // cfg.tiles_c, tile % cfg.tiles_c
    runs = cfg.tr_last if r == cfg.tiles_r - 1 else cfg.tr
    words = cfg.tc_last if c == cfg.tiles_c - 1 else cfg.tc
    blocks = cfg.m_blocks_last if m == cfg.tiles_m - 1 else cfg.m_blocks
    offset = r * cfg.ofm_tile_row_step + c * cfg.ofm_tile_column_step
    offset += m * cfg.m_blocks * cfg.ofm_block_stride
    if cfg.ofm_merged:
        runs, words = 1, runs * words
    strides = (cfg.ofm_block_stride, cfg.ofm_row_stride)
    if not cfg.ofm_on_chip:
        _offer(box, cfg.ofm_addr + offset, blocks, strides[0], runs, strides[1], words * cfg.ofm_beats)
    if cfg.has_residual:
        beats = words * cfg.residual_beats
        _offer(residual, cfg.res_addr + offset, blocks, strides[0], runs, strides[1], beats)
    return _pixels(cfg, tile) * blocks


@numba.njit(cache=True, error_model="numpy")
def _take_turns(cfg: Any, turn: Any, boxes: np.ndarray, master: Any, owners: np.ndarray) -> None:
    """One cycle of read_order.sv: a run of the process whose turn it is goes to the one master."""
    if turn.whose == NOBODY or turn.taken - turn.done == OUTSTANDING_READS:
        return
    beats = boxes[turn.whose].beats
    taken = _take_run(boxes[turn.whose], master)
    if not taken:
        return
    owners[turn.taken % OUTSTANDING_READS] = (turn.whose, beats)
    turn.taken += 1
    jobs_of_output = cfg.tiles_n * cfg.chunks
    jobs_of_tile = cfg.tiles_m * jobs_of_output
    jobs = cfg.tiles_r * cfg.tiles_c * jobs_of_tile
    if turn.whose == WGT:  # what follows this job
        tile, in_tile = turn.job // jobs_of_tile, turn.job % jobs_of_tile
        last_of_tile = in_tile == jobs_of_tile - 1
        last_tile = tile == cfg.tiles_r * cfg.tiles_c - 1
        room = cfg.slices * (1 if last_tile else 2) - turn.ahead
        turn.slices = 0
        if last_of_tile:
            turn.slices = room
        elif tile == 0 or in_tile > 0:
            turn.slices = min(room, 1)
        turn.ahead += turn.slices - (cfg.slices if last_of_tile else 0)
        turn.residuals = 0
        if cfg.has_residual:  # of the output tile that was complete one job ago; behind the last job all
            turn.residuals = 1 if turn.job > 0 and turn.job % jobs_of_output == 0 else 0
            turn.residuals += 1 if turn.job == jobs - 1 else 0
        turn.job += 1
    elif turn.whose == IFM:
        if taken >= BLOCK_LAST:
            turn.block += 1
            if turn.block == cfg.slice_blocks or taken == BOX_LAST:
                turn.block = 0
                turn.slices -= 1
    elif taken == BOX_LAST:
        turn.residuals -= 1
    if turn.slices > 0:
        turn.whose = IFM
    elif turn.residuals > 0:
        turn.whose = RESIDUAL
    else:
        turn.whose = WGT if turn.job < jobs else NOBODY


@numba.njit(cache=True, error_model="numpy")
def _receive_shared(
    dram: Dram, turn: Any, master: Any, owners: np.ndarray, residual_ready: bool, now: int
) -> int:
    """Whose beat came through the one master, -1 for none."""
    if turn.done == turn.taken:
        return NOBODY
    owner = owners[turn.done % OUTSTANDING_READS, 0]
    if (owner == RESIDUAL and not residual_ready) or not _receive(dram, master, now):
        return NOBODY
    turn.beat += 1
    if turn.beat == owners[turn.done % OUTSTANDING_READS, 1]:
        turn.beat = 0
        turn.done += 1
    return int(owner)


@numba.njit(cache=True, error_model="numpy")
def _run(
    layers: np.ndarray,
    dram: Dram,
    boxes: np.ndarray,
    masters: np.ndarray,
    chips: np.ndarray,
    turns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Cycles and stalls of the layers, one after another."""
    cycles = np.zeros(len(layers), np.int64)
    stalls = np.zeros(len(layers), np.int64)
    now: Any = np.int64(0)  # a plain 0 is a type of its own to numba, and compiles everything twice
    for index in range(len(layers)):
        ahead = index > 0 and not layers[index].shared
        tile_came = ahead and layers[index].ifm_on_chip
        goes_ahead = index + 1 < len(layers) and not layers[index].shared
        after = layers[index + 1 if goes_ahead else index]
        end, stalls[index] = _run_layer(
            layers[index], after, ahead, tile_came, goes_ahead, dram, boxes, masters, chips, turns[0], now
        )
        cycles[index] = end - now
        now = end
    return cycles, stalls


@numba.njit(cache=True, error_model="numpy")
def _run_layer(
    cfg: Any, after: Any, ahead: bool, tile_came: bool, goes_ahead: bool, dram: Dram, boxes: np.ndarray,
    masters: np.ndarray, chips: np.ndarray, turn: Any, now: int,
) -> tuple[int, int]:  # fmt: skip
    """The first cycle of the next layer, and the cycles the array waited.

    ahead: descriptor and first weight job came with the layer before. goes_ahead: ``after``'s come now.
    tile_came: the first tile came with it, too.
    """
    ifm, wgt, residual, ofm = boxes[IFM], boxes[WGT], boxes[RESIDUAL], boxes[OFM]
    shared, writer = masters[RESIDUAL], masters[OFM]
    owners = np.zeros((OUTSTANDING_READS, 2), np.int64)
    ofm_bytes = dram.queues[OFM].beat_bytes
    wgt_bytes = dram.queues[WGT].beat_bytes
    limit = min(OUTSTANDING_READS, dram.numbers[0].outstanding)

    fetcher = RESIDUAL if cfg.shared else WGT
    for address, beats in ((cfg.descriptor, cfg.fetch_beats), (cfg.wgt_addr, cfg.fill_beats)):
        if beats > 0 and not ahead:
            _offer(wgt, cfg.weights_base + address, 1, 0, 1, 0, beats)
            while beats > 0:
                grant_until(dram, now)
                _read(dram, masters[fetcher], limit, now)
                _take_run(wgt, masters[fetcher])
                if _receive(dram, masters[fetcher], now):
                    beats -= 1
                now += 1
            now += 1  # the cycle of layer_start is over
    if ahead:
        now += 1
    turn.whose, turn.job = WGT, 0

    moved = now  # when something last happened
    tiles = cfg.tiles_r * cfg.tiles_c
    outputs = tiles * cfg.tiles_m
    jobs_of_tile = cfg.tiles_m * cfg.tiles_n * cfg.chunks
    steps = tiles * jobs_of_tile
    stall = 0
    # load_ifm: tiles asked for, from when it waits for a half, when its walker is loaded; reception
    tile = tile_got = 1 if tile_came else 0
    slice_got = 0
    ifm_waits, ifm_loads = now, NEVER
    ifm_on_chip = cfg.ifm_on_chip
    half_free = np.zeros(2, np.int64)  # from which cycle on
    block_beats = np.zeros(2, np.int64)  # of the tile in each half
    slice_there = np.full((2, cfg.slices), NEVER)  # when compute knows
    slice_left = 0
    if tile_came:
        half_free[0], slice_there[0, :] = NEVER, now
    # the next layer's first tile: when its descriptor is there, and all tiles of this one; words to come
    tile_goes, tile_asked = goes_ahead and after.ifm_on_chip, False
    described, tiles_in = NEVER, now if tile_got == tiles else NEVER
    words_read = words_left = 0
    # load_wgt: the same for jobs and slots, last of them the first job of the next layer
    jobs = steps  # that may be asked for
    job = job_got = 1 if ahead else 0
    job_left = 0
    wgt_waits, wgt_loads = now, NEVER
    wgt_offered = False
    slot_free = np.zeros(2, np.int64)
    slot_beats = np.zeros(2, np.int64)
    job_there = np.full(2, NEVER)
    wgt_address = cfg.weights_base + cfg.wgt_addr
    wgt_on_chip = cfg.wgt_on_chip
    if ahead:
        job_there[0], slot_free[0] = now, NEVER
        wgt_address += _job_beats(cfg, 0) * wgt_bytes
    # before that job the descriptor, and weights that are to stay: when they are offered, beats still to come
    filling = False
    ahead_offered = now - 1 + AHEAD_OFFER if goes_ahead and job_got == steps else NEVER
    ahead_left = 0
    # compute
    step = output = 0
    compute_waits = now
    half_stored = np.zeros(2, np.int64)
    output_there = np.full(2, NEVER)
    # store_ofm
    stored = 0
    storing = False
    store_waits, store_loads = now, NEVER
    to_drain = to_write = pending = residual_words = residual_beat = 0
    drained = np.zeros(FIFO_WORDS, np.int64)  # when each word in the pipeline reaches the FIFO's end
    drains = writes = word_beat = 0
    bursts = np.zeros((OUTSTANDING_READS, 3), np.int64)  # cycle, address, beats
    sent = finished = burst_beat = 0

    while True:
        grant_until(dram, now)
        residual_ready = residual_words < FIFO_WORDS
        ifm_beat = wgt_beat = residual_arrives = False
        if cfg.shared:
            _read(dram, shared, limit, now)
            _take_turns(cfg, turn, boxes, shared, owners)
        else:
            if cfg.res_on_chip:
                residual_arrives = _read_chip(shared, chips[RESIDUAL], residual_ready, True, now)
            else:
                _read(dram, shared, limit, now)
            if ifm_on_chip:
                readable = not tile_asked or after.ifm_after == 0 or stored == outputs
                readable = readable or writes >= after.ifm_after + words_read
                before = masters[IFM].left
                ifm_beat = _read_chip(masters[IFM], chips[IFM], True, readable, now)
                words_read += (before - masters[IFM].left) * tile_asked
            else:
                _read(dram, masters[IFM], limit, now)
            if wgt_on_chip:
                wgt_beat = _read_chip(masters[WGT], chips[WGT], True, True, now)
            else:
                _read(dram, masters[WGT], limit, now)
            for requester in (RESIDUAL, IFM, WGT):
                _take_run(boxes[requester], masters[requester])
        burst = _send(dram, writer, limit)
        if burst > 0:
            bursts[sent % OUTSTANDING_READS] = (now, writer.address - burst * ofm_bytes, burst)
            sent += 1
        _take_run(ofm, writer)

        # ------------------------------------------------------------ load_ifm asks for its next tile
        if tile_goes and not tile_asked and now >= described and now >= tiles_in:
            tile_asked, ifm_on_chip = True, after.ifm_on_chip
            ifm_waits = now + TILE_TAKE
        if tile < tiles + tile_asked:
            if ifm_loads == NEVER and now >= ifm_waits and now >= half_free[tile % 2]:
                ifm_loads = now + IFM_LOAD
            if now >= ifm_loads and not ifm.valid:
                if tile < tiles:
                    block_beats[tile % 2] = _offer_tile(cfg, ifm, tile)
                    slice_there[tile % 2] = NEVER
                else:
                    words_left = after.ifm_blocks * _offer_tile(after, ifm, 0)
                half_free[tile % 2] = NEVER
                tile += 1
                ifm_waits, ifm_loads = now + 1, NEVER

        # ------------------------------------------------------------ load_wgt asks for its next job
        if wgt_offered and not wgt.valid:  # its run was taken
            wgt_offered = False
            wgt_waits = now + 1
        elif job < jobs and not wgt_offered:
            if wgt_loads == NEVER and now >= wgt_waits and now >= slot_free[job % 2]:
                wgt_loads = now + WGT_LOAD
            if now >= wgt_loads:
                beats = _job_beats(cfg, job % jobs_of_tile) if job < steps else _job_beats(after, 0)
                if job % jobs_of_tile == 0:
                    wgt_address = cfg.weights_base + (cfg.wgt_addr if job < steps else after.wgt_addr)
                _offer(wgt, wgt_address, 1, 0, 1, 0, beats)
                wgt_address += beats * wgt_bytes
                slot_beats[job % 2] = beats
                slot_free[job % 2] = NEVER
                job += 1
                wgt_offered, wgt_loads = True, NEVER

        if now == ahead_offered:
            ahead_left = after.fill_beats if filling else after.fetch_beats
            address = after.weights_base + (after.wgt_addr if filling else after.descriptor)
            _offer(wgt, address, 1, 0, 1, 0, ahead_left)
            wgt_on_chip = 0

        # ------------------------------------------------------------ beats arrive
        if cfg.shared:
            owner = _receive_shared(dram, turn, shared, owners, residual_ready, now)
            ifm_beat, wgt_beat, residual_arrives = owner == IFM, owner == WGT, owner == RESIDUAL
        else:
            if not ifm_on_chip:
                ifm_beat = _receive(dram, masters[IFM], now)
            if not wgt_on_chip:
                wgt_beat = _receive(dram, masters[WGT], now)
            if not cfg.res_on_chip:
                residual_arrives = residual_ready and _receive(dram, shared, now)
        if ifm_beat or wgt_beat or residual_arrives:
            moved = now
        if ifm_beat and words_left > 0:
            words_left -= 1
            if words_left == 0:
                tile_goes = False
        elif ifm_beat:
            if slice_left == 0:
                last = slice_got == cfg.slices - 1
                blocks = cfg.slice_blocks_last if last else cfg.slice_blocks
                slice_left = int(blocks * block_beats[tile_got % 2])
            slice_left -= 1
            if slice_left == 0:
                slice_there[tile_got % 2, slice_got] = now + TOKEN
                slice_got += 1
                if slice_got == cfg.slices:
                    slice_got = 0
                    tile_got += 1
                    if tile_got == tiles:
                        tiles_in = now + 1
        if wgt_beat and ahead_left > 0:
            ahead_left -= 1
            if ahead_left == 0 and described == NEVER:
                described = now + DESCRIBED
            if ahead_left == 0 and not filling and after.fill_beats > 0:
                filling, ahead_offered = True, now + 1
            elif ahead_left == 0:
                jobs, wgt_waits, wgt_on_chip = steps + 1, now + 2, after.wgt_on_chip
        elif wgt_beat:
            if job_left == 0:
                job_left = int(slot_beats[job_got % 2])
            job_left -= 1
            if job_left == 0:
                job_there[job_got % 2] = now + TOKEN
                job_got += 1
                if job_got == steps and goes_ahead:
                    ahead_offered = now + AHEAD_OFFER

        # ------------------------------------------------------------ compute
        if step < steps and now >= compute_waits:
            at_tile, in_tile = step // jobs_of_tile, step % jobs_of_tile
            k = in_tile % cfg.chunks
            m = in_tile // (cfg.tiles_n * cfg.chunks)
            n = in_tile // cfg.chunks % cfg.tiles_n
            opens = n == 0 and k == 0
            ready = now >= job_there[step % 2]
            ready = ready and now >= slice_there[at_tile % 2, m if cfg.channelwise else n]
            if ready and (not opens or now >= half_stored[output % 2]):
                positions = cfg.entries_last if k == cfg.chunks - 1 else cfg.entries
                sweep = max(_pixels(cfg, at_tile), MIN_SWEEP)
                end = now + positions * sweep
                free = end + cfg.to_store + 1
                job_there[step % 2] = NEVER
                slot_free[step % 2] = free
                if in_tile == jobs_of_tile - 1:
                    half_free[at_tile % 2] = free
                if n == cfg.tiles_n - 1 and k == cfg.chunks - 1:
                    half_stored[output % 2] = NEVER
                    output_there[output % 2] = free - sweep + 1
                    output += 1
                step += 1
                compute_waits = moved = end + 1
            else:
                stall += 1

        # ------------------------------------------------------------ store_ofm
        if to_drain > 0 and pending < FIFO_WORDS and (not cfg.has_residual or residual_words > 0):
            to_drain -= 1
            pending += 1
            residual_words -= cfg.has_residual
            drained[drains % FIFO_WORDS] = now + cfg.drain_beat
            drains += 1
        if residual_arrives:
            residual_beat += 1
            if residual_beat == cfg.residual_beats:
                residual_beat = 0
                residual_words += 1
        if writes < drains and drained[writes % FIFO_WORDS] <= now and (cfg.ofm_on_chip or finished < sent):
            writing = bursts[finished % OUTSTANDING_READS]
            if cfg.ofm_on_chip or writing[0] < now:
                if not cfg.ofm_on_chip:
                    burst_beat += 1
                    if burst_beat == writing[2]:
                        ask(dram, writer.requester, writing[1], writing[2], now)
                        burst_beat = 0
                        finished += 1
                word_beat += 1
                if word_beat == cfg.ofm_beats:
                    word_beat = 0
                    writes += 1
                    pending -= 1
                    to_write -= 1
                    if to_write == 0:
                        half_stored[stored % 2] = now + 1
                        stored += 1
                        storing = False
                        store_waits = now + 1
        if not storing and stored < outputs and now >= store_waits and now >= output_there[stored % 2]:
            storing = True
            output_there[stored % 2] = NEVER
            store_loads = now + STORE_LOAD
        if now == store_loads:
            to_drain = to_write = _offer_output(cfg, ofm, residual, stored)

        # ------------------------------------------------------------ writes are answered
        if take_answer(dram, writer.requester, now):
            writer.beats_in_flight -= bursts[(sent - writer.in_flight) % OUTSTANDING_READS, 2]
            writer.in_flight -= 1
            moved = now
        if now - moved > PATIENCE:
            raise ValueError("the processes of a layer wait for each other")
        ahead_there = job_got == steps + goes_ahead and not tile_goes
        if stored == outputs and writer.in_flight == 0 and ahead_there:
            return now + LAST_ANSWER, stall
        now += 1
