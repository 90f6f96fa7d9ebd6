"""One bus for all reads: its master takes runs, and hands out beats, in the order of ``read_order.sv``."""

from __future__ import annotations

from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import OUTSTANDING_READS
from hotnas_hls.accel.memory.dram import Dram, record_of
from hotnas_hls.accel.memory.masters import BLOCK_LAST, BOX_LAST, IFM, RESIDUAL, WGT, receive, take_run
from hotnas_hls.base.compiled_code import compiled

NOBODY = -1

# Whose turn it is on a shared bus, and whose beats are to come.
TURN = record_of("whose", "job", "slices", "residuals", "ahead", "block", "taken", "done", "beat")


@compiled
def take_turns(cfg: Any, turn: Any, boxes: np.ndarray, master: Any, owners: np.ndarray) -> None:
    """One cycle of read_order.sv: a run of the process whose turn it is goes to the one master."""
    if turn.whose == NOBODY or turn.taken - turn.done == OUTSTANDING_READS:
        return
    beats = boxes[turn.whose].beats
    taken = take_run(boxes[turn.whose], master)
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


@compiled
def receive_shared(
    dram: Dram, turn: Any, master: Any, owners: np.ndarray, residual_ready: bool, now: int
) -> int:
    """Whose beat came through the one master, -1 for none."""
    if turn.done == turn.taken:
        return NOBODY
    owner = owners[turn.done % OUTSTANDING_READS, 0]
    if (owner == RESIDUAL and not residual_ready) or not receive(dram, master, now):
        return NOBODY
    turn.beat += 1
    if turn.beat == owners[turn.done % OUTSTANDING_READS, 1]:
        turn.beat = 0
        turn.done += 1
    return int(owner)
