"""The recurrence of the latency model: when each tile, weight job, step and output tile begins and ends.

The accelerator is four processes that hand each other tokens. Every event below is a clock cycle of
the layer, counted from the one behind the end of the layer before; every constant is the depth of
a pipeline in ``templates/rtl`` and named after it. The recurrence is max-plus:

    first beat of an IFM tile     = max(half free + IFM_ADDRESS + L, last beat of the tile before + 1)
    first beat of a weight job    = max(asked + WGT_ADDRESS + L, last beat of the job before + 1, slot free)
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

It is compiled by numba, so that a search evaluates it millions of times; it is the same function the
certificate quotes and simulation confirms.
"""

from __future__ import annotations

import numpy as np

from hotnas_hls.accel.plan import MIN_SWEEP
from hotnas_hls.accel.timing.pipeline import (
    AHEAD,
    CHIP_READ,
    CHIP_WRITTEN,
    IFM_ADDRESS,
    RESIDUAL_DRAIN,
    SECOND_REQUEST,
    STORE_DRAIN,
    TILE_TAKE,
    TOKEN,
    WGT_ADDRESS,
)
from hotnas_hls.base.compiled_code import compiled


@compiled
def recurrence(
    tiles_r: int, tiles_c: int, tiles_m: int, tiles_n: int, chunks: int, channelwise: bool, tr: int,
    tr_last: int, tc: int, tc_last: int, th: int, th_last: int, tw: int, tw_last: int,
    stride_rows: int, stride_columns: int, pad_top: int, pad_left: int, in_rows: int, in_columns: int,
    slices: int, slice_blocks: int, slice_blocks_last: int, m_blocks: int, m_blocks_last: int, entries: int,
    entries_last: int, groups: int, groups_last: int, bias_beats: int, weight_bits: int, pattern_bits: int,
    plane_beats: int, wgt_latency: int, jobs_ahead: int, ifm_beats: int, residual_beats: int, ofm_beats: int,
    has_residual: bool, vector: bool, to_store: int, drain_beat: int, ifm_latency: int, residual_latency: int,
    write_latency: int, shared_bus: bool, begin_ahead: bool, fetched: int, next_fetched: int, next_job: int,
    tile_ahead: bool, next_described: int, next_words: int, next_after: int, ifm_merged: bool,
    ofm_merged: bool,
) -> tuple[int, int, int, int, int, int]:  # fmt: skip
    start = 0 if begin_ahead else fetched  # cycle of layer_start
    load_ifm = load_wgt = compute = store_ofm = stall = 0
    ifm_last = wgt_last = -1  # last beat taken, per process
    ifm_bus = wgt_bus = residual_bus = -1  # last beat on the port that serves it: one port when shared
    # On a shared bus runs are taken in one order, a cycle each: when the last one was, and the last job's.
    ordered = job_taken = -1
    tiles = tiles_r * tiles_c
    tile_jobs = tiles_m * tiles_n * chunks
    there = np.empty((2, slices), np.int64)  # last beat of each slice of this tile and the next
    tile_end_1 = tile_end_2 = -1  # last steps of the tiles before
    step_end_1 = step_end_2 = step_end_3 = -1
    stored = np.full(2, start)  # last beat of the output tile one and two before, by parity
    step = output = 0
    asked_tile = asked_slice = 0  # the slice to be asked for next
    asked = block_beats = block_runs = 0
    blocks_due = pixels_due = runs_due = 0  # of an output tile not yet stored
    complete = 0  # when its first word is
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

                    # load_wgt: the step's job, as soon as the slot of the job two before is free, or that of
                    # the one before it, whose data then wait for theirs
                    beats = job_groups * (positions * weight_bits + pattern_bits)
                    if n == 0 and k == 0:
                        beats += bias_beats
                    if begin_ahead and step == 0:  # came before this layer began
                        load_wgt += WGT_ADDRESS + wgt_latency + beats * plane_beats - 1
                    else:
                        slot_free = step_end_2 + to_store + 1 if step >= 2 else 0
                        if step < 2 + jobs_ahead:
                            asked = start + 1 + SECOND_REQUEST * (step - begin_ahead)
                        else:
                            asked = (step_end_3 if jobs_ahead else step_end_2) + to_store + 1
                        if shared_bus:  # a job is asked for when the run of the one before was taken
                            asked = max(asked, job_taken + 1)
                            ordered = job_taken = max(asked + WGT_ADDRESS - 1, ordered + 1)
                        first = max(asked + WGT_ADDRESS + wgt_latency, wgt_bus + 1, slot_free)
                        wgt_bus = first + beats * plane_beats - 1
                        load_wgt += wgt_bus - max(asked, wgt_last, slot_free - 1)
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
                            block_runs = 0 if block_beats == 0 else 1 if ifm_merged else rows
                            if asked_tile < 2:
                                asked = start + 1 + (0 if tile_ahead else SECOND_REQUEST * asked_tile)
                            else:
                                asked = tile_end_1 + to_store + 1
                            load_ifm -= max(asked, ifm_last)
                            ordered = max(asked + IFM_ADDRESS - 2, ordered)
                            ifm_bus = max(asked + IFM_ADDRESS + ifm_latency - 1, ifm_bus)
                        last_slice = asked_slice == slices - 1
                        blocks = slice_blocks_last if last_slice else slice_blocks
                        ordered += blocks * block_runs
                        ifm_bus += blocks * block_beats
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
                            ordered = max(taken + RESIDUAL_DRAIN - 2, ordered) + runs_due

                    # compute
                    begin = max(wait, wgt_last + TOKEN, there[tile & 1, m if channelwise else n] + TOKEN)
                    if n == 0 and k == 0 and output >= 2:
                        begin = max(begin, stored[output & 1] + 1)
                    stall += begin - wait
                    busy = positions * sweep
                    compute += busy
                    step_end_3 = step_end_2
                    step_end_2 = step_end_1
                    step_end_1 = begin + busy
                    wait = step_end_1 + 1
                    step += 1
                    job += 1

            # store_ofm: at once, unless it has to wait for the next job to read its residual
            blocks_due, pixels_due = m_blocks_last if last_m else m_blocks, pixels
            runs_due = blocks_due * (1 if vector or ofm_merged else tr_last if last_r else tr)
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
