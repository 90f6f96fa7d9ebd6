"""What moves data behind a DRAM: masters that cut offered runs into bursts, and readers of memory on chip.

A process that reads or writes offers boxes of runs; a master takes one run after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import MAX_BURST_BEATS, STRIPE_QUEUE
from hotnas_hls.accel.memory.dram import Dram, ask, record_of, take_beat
from hotnas_hls.accel.timing.pipeline import CHIP_READ
from hotnas_hls.base.compiled_code import compiled

# Requesters of the DRAM. RESIDUAL is every read on a shared bus; from WGT_1 on, every second one,
# there are the others that weights are striped over.
IFM, WGT, RESIDUAL, OFM, WGT_1 = 0, 2, 4, 5, 6
TAKEN, BLOCK_LAST, BOX_LAST = 1, 2, 3  # a run of a box, the last one of a block, of the box
PAGE = 4096  # bytes no AXI burst crosses

# A box of runs that is offered: for each of its blocks, some runs of equal length.
BOX = record_of("valid", "block", "block_stride", "blocks", "beats", "run", "run_stride", "runs", "runs_left")
# A master, by its number at the DRAM, and the run that it cuts into bursts. Where its stream is striped, the
# address counts the bytes of one stripe; held: beats that came before those of the other stripes.
MASTER = record_of(
    "requester", "address", "left", "in_flight", "beats_in_flight", "stripe", "stripes", "held"
)
HELD = STRIPE_QUEUE + 1  # beats: striped_reads.Queue, and the one that is joined next
# Words on their way out of memory on chip, and from which cycle on each can be taken.
CHIP = record_of("words", "first", "second")


@compiled
def offer(
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


@compiled
def take_run(box: Any, master: Any) -> int:
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


@compiled
def send(dram: Dram, master: Any, limit: int) -> int:
    """One cycle of a master: the beats of the burst that leaves, 0 if none; it ends at ``address``."""
    if master.left == 0 or master.in_flight == limit:
        return 0
    beat_bytes = dram.queues[master.requester].beat_bytes
    longest = min(MAX_BURST_BEATS, PAGE // beat_bytes)  # a run is cut at each multiple of it
    burst = min(master.left, longest - master.address // beat_bytes % longest)
    if master.beats_in_flight + burst > dram.numbers[0].fifo_beats:
        return 0
    master.left -= burst
    master.address += burst * beat_bytes
    master.in_flight += 1
    master.beats_in_flight += burst
    return int(burst)


@compiled
def read(dram: Dram, master: Any, limit: int, now: int) -> None:
    """One cycle of a master that reads: at most one burst to the DRAM."""
    beat_bytes = dram.queues[master.requester].beat_bytes
    burst = send(dram, master, limit)
    if burst > 0:
        first = master.address - burst * beat_bytes
        first += (first // PAGE * (master.stripes - 1) + master.stripe) * PAGE
        ask(dram, master.requester, first, burst, now)


@compiled
def read_chip(master: Any, chip: Any, takes: bool, readable: bool, now: int) -> bool:
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


@compiled
def receive(dram: Dram, master: Any, now: int) -> bool:
    """Take a beat if it is there."""
    taken = take_beat(dram, master.requester, now)
    if taken == 0:
        return False
    master.beats_in_flight -= 1
    if taken == 2:
        master.in_flight -= 1
    return True


@compiled
def stripe(masters: np.ndarray, at: int) -> Any:
    """One of the masters that weights are striped over, the first being 0."""
    return masters[WGT_1 + 2 * (at - 1)] if at else masters[WGT]


@compiled
def read_stripes(dram: Dram, masters: np.ndarray, limit: int, now: int) -> None:
    """One cycle of the masters of striped weights."""
    for at in range(masters[WGT].stripes):
        read(dram, stripe(masters, at), limit, now)


@compiled
def take_striped_run(box: Any, masters: np.ndarray) -> None:
    """All masters of striped weights take a run once all have cut the one before."""
    first = masters[WGT]
    for at in range(1, first.stripes):
        if stripe(masters, at).left > 0:
            return
    if take_run(box, first):
        for at in range(1, first.stripes):
            stripe(masters, at).address = first.address
            stripe(masters, at).left = first.left


@compiled
def receive_striped(dram: Dram, masters: np.ndarray, takes: bool, now: int) -> bool:
    """Take a beat of each master if all are there since the cycle before; until then they are held."""
    there = takes
    for at in range(masters[WGT].stripes):
        there &= stripe(masters, at).held > 0
    for at in range(masters[WGT].stripes):
        master = stripe(masters, at)
        arrives = master.held < HELD and receive(dram, master, now)
        master.held += int(arrives) - int(there)
    return there
