"""Layers behind a DRAM, stepped: the engine's processes, cycle by cycle, against :mod:`.dram`.

Behind a DRAM the moment a burst is answered depends on what all ports have asked before, so there is no
recurrence to follow layer by layer as in :mod:`.latency`. Here each process is a few counters: requesters
that cut runs into bursts, loaders that count beats, compute that waits for tokens, a store that drains,
with the same constants between them. With a DRAM that takes no time it gives the cycles of :mod:`.latency`.
What comes ahead of the next layer is read by the loop of the one in work, which ends when it is there: its
first tile, too, where that lies on chip.

With three ports every process that reads has a master of its own (:mod:`.masters`); on a shared bus one
serves them in turn (:mod:`.shared_bus`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import OUTSTANDING_READS
from hotnas_hls.accel.memory.dram import NEVER, Dram, ask, grant_until, take_answer
from hotnas_hls.accel.memory.layer_runs import job_beats, offer_output, offer_tile, pixels
from hotnas_hls.accel.memory.masters import (
    IFM,
    OFM,
    RESIDUAL,
    WGT,
    offer,
    read,
    read_chip,
    read_stripes,
    receive,
    receive_striped,
    send,
    take_run,
    take_striped_run,
)
from hotnas_hls.accel.memory.shared_bus import receive_shared, take_turns
from hotnas_hls.accel.plan import MIN_SWEEP
from hotnas_hls.accel.timing.pipeline import (
    AHEAD,
    IFM_ADDRESS,
    JOBS_AHEAD,
    STORE_DRAIN,
    TILE_TAKE,
    TOKEN,
    WGT_ADDRESS,
)
from hotnas_hls.base.compiled_code import compiled

FIFO_WORDS = 16  # ofm_store: FifoDepth, of words in the drain pipeline, and of residual words at least
JOBS_KNOWN = 8  # weight jobs that are in work at most, and those before them whose slots they take
PATIENCE = 1 << 24  # cycles without a beat, an answer or a step: something waits for itself
LAST_ANSWER = 3  # last write answered, all ahead there -> the first cycle of the next layer

# ifm_loader: WaitHalf -> walker loaded; its first burst is on AXI two cycles later (taken, cut).
# wgt_loader has no walker: WaitSlot -> the cycle before its run is offered.
# ofm_store: Wait -> walkers loaded. What is offered in a cycle is taken in the next: AHEAD less that one.
IFM_LOAD, WGT_LOAD, STORE_LOAD = IFM_ADDRESS - 2, WGT_ADDRESS - 2, STORE_DRAIN - 1
AHEAD_OFFER = AHEAD - 1
DESCRIBED = 2  # descriptor_fetch: last beat of a descriptor -> Check, the layer is known


@compiled
def stepped(
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
        ahead = not layers[index].begins and not layers[index].shared
        tile_came = ahead and layers[index].ifm_on_chip
        following = (index + 1) % len(layers)
        goes_ahead = not layers[following].begins and not layers[index].shared
        after = layers[following if goes_ahead else index]
        end, stalls[index] = _run_layer(
            layers[index], after, ahead, tile_came, goes_ahead, dram, boxes, masters, chips, turns[0], now
        )
        cycles[index] = end - now
        now = end
    return cycles, stalls


@compiled
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
    first = masters[WGT]
    striped = first.stripes > 1
    owners = np.zeros((OUTSTANDING_READS, 2), np.int64)
    ofm_bytes = dram.queues[writer.requester].beat_bytes
    wgt_bytes = dram.queues[first.requester].beat_bytes
    limit = min(OUTSTANDING_READS, dram.numbers[0].outstanding)

    fetcher = RESIDUAL if cfg.shared else WGT
    for address, beats in ((cfg.descriptor, cfg.fetch_beats), (cfg.wgt_addr, cfg.fill_beats)):
        if beats > 0 and not ahead:
            offer(wgt, cfg.weights_base + address, 1, 0, 1, 0, beats)
            while beats > 0:
                grant_until(dram, now)
                if striped:
                    read_stripes(dram, masters, limit, now)
                    take_striped_run(wgt, masters)
                    beats -= receive_striped(dram, masters, True, now)
                else:
                    read(dram, masters[fetcher], limit, now)
                    take_run(wgt, masters[fetcher])
                    beats -= receive(dram, masters[fetcher], now)
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
    slot_free = np.zeros(JOBS_KNOWN, np.int64)  # by job: from when on the slot it has is free again
    job_beats_of = np.zeros(JOBS_KNOWN, np.int64)
    jobs_ahead = 0 if cfg.shared or cfg.wgt_on_chip else JOBS_AHEAD
    job_there = np.full(2, NEVER)
    wgt_address = cfg.weights_base + cfg.wgt_addr
    wgt_on_chip = cfg.wgt_on_chip
    if ahead:
        job_there[0], slot_free[0] = now, NEVER
        wgt_address += job_beats(cfg, 0) * wgt_bytes
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
    to_drain = to_write = pending = residual_words = residual_beat = block_pixels = 0
    drained = np.zeros(FIFO_WORDS, np.int64)  # when each word in the pipeline reaches the FIFO's end
    drains = writes = word_beat = 0
    bursts = np.zeros((OUTSTANDING_READS, 3), np.int64)  # cycle, address, beats
    sent = finished = burst_beat = 0

    while True:
        grant_until(dram, now)
        residual_ready = residual_words < cfg.residual_room
        ifm_beat = wgt_beat = residual_arrives = False
        if cfg.shared:
            read(dram, shared, limit, now)
            take_turns(cfg, turn, boxes, shared, owners)
        else:
            if cfg.res_on_chip:
                residual_arrives = read_chip(shared, chips[RESIDUAL], residual_ready, True, now)
            else:
                read(dram, shared, limit, now)
            if ifm_on_chip:
                readable = not tile_asked or after.ifm_after == 0 or stored == outputs
                readable = readable or writes >= after.ifm_after + words_read
                before = masters[IFM].left
                ifm_beat = read_chip(masters[IFM], chips[IFM], True, readable, now)
                words_read += (before - masters[IFM].left) * tile_asked
            else:
                read(dram, masters[IFM], limit, now)
            if wgt_on_chip:
                wgt_beat = read_chip(first, chips[WGT], True, True, now)
            elif striped:
                read_stripes(dram, masters, limit, now)
            else:
                read(dram, first, limit, now)
            for requester in (RESIDUAL, IFM):
                take_run(boxes[requester], masters[requester])
            if striped and not wgt_on_chip:
                take_striped_run(wgt, masters)
            else:
                take_run(wgt, first)
        burst = send(dram, writer, limit)
        if burst > 0:
            bursts[sent % OUTSTANDING_READS] = (now, writer.address - burst * ofm_bytes, burst)
            sent += 1
        take_run(ofm, writer)

        # ------------------------------------------------------------ load_ifm asks for its next tile
        if tile_goes and not tile_asked and now >= described and now >= tiles_in:
            tile_asked, ifm_on_chip = True, after.ifm_on_chip
            ifm_waits = now + TILE_TAKE
        if tile < tiles + tile_asked:
            if ifm_loads == NEVER and now >= ifm_waits and now >= half_free[tile % 2]:
                ifm_loads = now + IFM_LOAD
            if now >= ifm_loads and not ifm.valid:
                if tile < tiles:
                    block_beats[tile % 2] = offer_tile(cfg, ifm, tile)
                    slice_there[tile % 2] = NEVER
                else:
                    words_left = after.ifm_blocks * offer_tile(after, ifm, 0)
                half_free[tile % 2] = NEVER
                tile += 1
                ifm_waits, ifm_loads = now + 1, NEVER

        # ------------------------------------------------------------ load_wgt asks for its next job
        if wgt_offered and not wgt.valid:  # its run was taken
            wgt_offered = False
            wgt_waits = now + 1
        elif job < jobs and not wgt_offered:
            before = 2 + (jobs_ahead if job < steps else 0)
            if wgt_loads == NEVER and now >= wgt_waits and now >= slot_free[(job - before) % JOBS_KNOWN]:
                wgt_loads = now + WGT_LOAD
            if now >= wgt_loads:
                beats = job_beats(cfg, job % jobs_of_tile) if job < steps else job_beats(after, 0)
                if job % jobs_of_tile == 0:
                    wgt_address = cfg.weights_base + (cfg.wgt_addr if job < steps else after.wgt_addr)
                offer(wgt, wgt_address, 1, 0, 1, 0, beats)
                wgt_address += beats * wgt_bytes
                job_beats_of[job % JOBS_KNOWN] = beats
                slot_free[job % JOBS_KNOWN] = NEVER
                job += 1
                wgt_offered, wgt_loads = True, NEVER

        if now == ahead_offered:
            ahead_left = after.fill_beats if filling else after.fetch_beats
            address = after.weights_base + (after.wgt_addr if filling else after.descriptor)
            offer(wgt, address, 1, 0, 1, 0, ahead_left)
            wgt_on_chip = 0

        # ------------------------------------------------------------ beats arrive
        if cfg.shared:
            owner = receive_shared(dram, turn, shared, owners, residual_ready, now)
            ifm_beat, wgt_beat, residual_arrives = owner == IFM, owner == WGT, owner == RESIDUAL
        else:
            if not ifm_on_chip:
                ifm_beat = receive(dram, masters[IFM], now)
            has_slot = ahead_left > 0 or job_got < 2 or now >= slot_free[(job_got - 2) % JOBS_KNOWN]
            if not wgt_on_chip and striped:
                wgt_beat = receive_striped(dram, masters, has_slot, now)
            elif not wgt_on_chip:
                wgt_beat = has_slot and receive(dram, first, now)
            if not cfg.res_on_chip:
                residual_arrives = residual_ready and receive(dram, shared, now)
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
                job_left = int(job_beats_of[job_got % JOBS_KNOWN])
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
                sweep = max(pixels(cfg, at_tile), MIN_SWEEP)
                end = now + positions * sweep
                free = end + cfg.to_store + 1
                job_there[step % 2] = NEVER
                slot_free[step % JOBS_KNOWN] = free
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
            if not cfg.res_vector or to_drain % block_pixels == 0:  # a vector's word is one of all pixels
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
            to_drain = to_write = offer_output(cfg, ofm, residual, stored)
            block_pixels = pixels(cfg, stored // cfg.tiles_m)

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
