"""When a DRAM answers, for the latency model: the schedule of ``sim/dram_timing.cpp`` in numba.

The controller takes AXI bursts, cut where a DRAM row ends, and grants them one at a time: round robin over
the requesters, one direction for at most ``run_length`` grants while the other waits. A grant is made as
late as its row can still be opened before the data bus is free. Data pass in the order of the grants.

Requesters are numbered 2 x port + (1 for writes). Times are picoseconds; what is asked in a cycle reaches
the controller ``path`` later, so the order of calls within a cycle does not matter.

Of several engines behind one DRAM one is stepped, and what the others ask is given beforehand, by cycle.
What the stepped one asks is noted down, so that it can be given to the others (:mod:`.joint_latency`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hotnas_hls.accel.memory.dram_timing import DramNumbers
from hotnas_hls.base.compiled_code import compiled

REQUESTERS = 12  # of an engine: the reads and the writes of ifm, wgt, ofm, the other three of wgt
PIECES = 512  # of one requester between its request and its answer: 64 bursts, each in at most 5 rows
NO_ROW = -1
NEVER = 1 << 62


def record_of(*names: str) -> np.dtype[Any]:
    """Whole numbers by name, as attributes in numba and in plain Python alike."""
    return np.dtype((np.record, [(name, np.int64) for name in names]))


BUS = record_of("free", "refresh", "activated", "streak", "writes", "last", "waiting", "others", "own")
BANK = record_of("row", "ready", "opened")  # ready: next activation without a row, next precharge with one
PIECE = record_of("arrival", "address", "beats", "last", "start", "end")  # what of a burst lies in one row
QUEUE = record_of("asked", "granted", "taken", "beat", "beat_bytes")  # pieces so far; beat of the oldest
ASK = record_of("cycle", "requester", "address", "beats")
NO_ASKS = np.zeros(0, ASK)


class Dram(NamedTuple):
    """The numbers and the state of one DRAM, as arrays numba takes."""

    numbers: np.ndarray  # record of DramNumbers
    bus: np.ndarray
    banks: np.ndarray
    queues: np.ndarray
    pieces: np.ndarray  # (requesters, PIECES), a ring each
    others: np.ndarray  # ASK: what other engines ask, by cycle
    own: np.ndarray  # ASK: room for what the stepped engine asks; counted on where it is full


def new_dram(
    numbers: DramNumbers, beat_bytes: tuple[int, ...], others: np.ndarray = NO_ASKS, room: int = 0
) -> Dram:
    """An idle DRAM, all rows closed, behind ports of ``beat_bytes``.

    others: what requesters that are not stepped ask, by cycle. room: asks of the others to be noted down.
    """
    bus = np.zeros(1, BUS)
    bus["refresh"] = NEVER
    banks = np.zeros(numbers.banks, BANK)
    banks["row"] = NO_ROW
    queues = np.zeros(2 * len(beat_bytes), QUEUE)
    queues["beat_bytes"] = np.repeat(beat_bytes, 2)
    values = np.array([tuple(numbers)], record_of(*DramNumbers._fields))
    pieces = np.zeros((len(queues), PIECES), PIECE)
    return Dram(values, bus, banks, queues, pieces, others, np.zeros(room, ASK))


@compiled
def ask(dram: Dram, requester: int, address: int, beats: int, cycle: int) -> None:
    """A read burst's address is taken in ``cycle``, or a write burst's last beat."""
    bus = dram.bus[0]
    if bus.own < len(dram.own):
        note = dram.own[bus.own]
        note.cycle = cycle
        note.requester = requester
        note.address = address
        note.beats = beats
    bus.own += 1
    _queue(dram, requester, address, beats, cycle)


@compiled
def _queue(dram: Dram, requester: int, address: int, beats: int, cycle: int) -> None:
    numbers, bus, queue = dram.numbers[0], dram.bus[0], dram.queues[requester]
    arrival = cycle * numbers.cycle + numbers.path
    if bus.refresh == NEVER:
        bus.refresh = arrival + numbers.first_refresh
    while beats > 0:
        part = min(beats, (numbers.row_bytes - address % numbers.row_bytes) // queue.beat_bytes)
        piece = dram.pieces[requester, queue.asked % PIECES]
        piece.arrival = arrival
        piece.address = address
        piece.beats = part
        piece.last = part == beats
        queue.asked += 1
        bus.waiting += 1
        address += part * queue.beat_bytes
        beats -= part


@compiled
def take_beat(dram: Dram, requester: int, cycle: int) -> int:
    """Take the next beat of a port's reads in ``cycle``: 0 not there yet, 1 taken, 2 its burst's last."""
    numbers, queue = dram.numbers[0], dram.queues[requester]
    if queue.taken == queue.granted:
        return 0
    piece = dram.pieces[requester, queue.taken % PIECES]
    through = piece.address % numbers.access_bytes + (queue.beat + 1) * queue.beat_bytes
    accesses = -(-through // numbers.access_bytes)
    if piece.start + accesses * numbers.access + numbers.path > cycle * numbers.cycle:
        return 0
    queue.beat += 1
    if queue.beat < piece.beats:
        return 1
    queue.beat = 0
    queue.taken += 1
    return 2 if piece.last else 1


@compiled
def take_answer(dram: Dram, requester: int, cycle: int) -> bool:
    """Take the answer to a port's oldest write burst in ``cycle``, if it is there."""
    numbers, queue = dram.numbers[0], dram.queues[requester]
    while queue.taken < queue.granted and not dram.pieces[requester, queue.taken % PIECES].last:
        queue.taken += 1
    if queue.taken == queue.granted:
        return False
    if dram.pieces[requester, queue.taken % PIECES].end + numbers.path > cycle * numbers.cycle:
        return False
    queue.taken += 1
    return True


@compiled
def grant_until(dram: Dram, cycle: int) -> None:
    """Everything the controller decides up to the beginning of ``cycle``."""
    numbers, bus = dram.numbers[0], dram.bus[0]
    while bus.others < len(dram.others) and dram.others[bus.others].cycle < cycle:
        other = dram.others[bus.others]
        _queue(dram, other.requester, other.address, other.beats, other.cycle)
        bus.others += 1
    now = cycle * numbers.cycle
    while bus.waiting > 0:
        earliest = NEVER
        for requester in range(len(dram.queues)):
            queue = dram.queues[requester]
            if queue.granted < queue.asked:
                earliest = min(earliest, dram.pieces[requester, queue.granted % PIECES].arrival)
        at = max(earliest, bus.free - (numbers.rp + numbers.rcd + numbers.cas))
        if at > now:
            return
        _grant(dram, at)


@compiled
def _grant(dram: Dram, at: int) -> None:
    numbers, bus = dram.numbers[0], dram.bus[0]
    while bus.refresh <= at:
        done = max(bus.refresh, bus.free) + numbers.rp + numbers.refresh
        for index in range(numbers.banks):
            closed = dram.banks[index]
            closed.row = NO_ROW
            closed.ready = done
            closed.opened = 0
        bus.refresh += numbers.refresh_interval
    bus.last = _next(dram, at)
    queue = dram.queues[bus.last]
    piece = dram.pieces[bus.last, queue.granted % PIECES]
    queue.granted += 1
    bus.waiting -= 1

    row = piece.address // numbers.row_bytes // numbers.banks
    bank = dram.banks[piece.address // numbers.row_bytes % numbers.banks]
    command = max(at, bank.opened)
    if bank.row != row:
        activate = max(at, bank.ready)
        if bank.row != NO_ROW:
            activate += numbers.rp
        activate = max(activate, bus.activated + numbers.activate_gap)
        bus.activated = activate
        command = activate + numbers.rcd
        bank.row = row
        bank.ready = activate + numbers.ras
        bank.opened = command
    write = bus.last % 2
    gap = 0
    if bus.writes and not write:
        command = max(command, bus.free + numbers.write_to_read)
    if write and not bus.writes:
        gap = numbers.read_to_write
    moved = piece.address % numbers.access_bytes + piece.beats * queue.beat_bytes
    piece.start = max(command + numbers.cas, bus.free + gap)
    piece.end = piece.start + -(-moved // numbers.access_bytes) * numbers.access
    bank.ready = max(bank.ready, piece.end + (numbers.write_recovery if write else 0))
    bus.free = piece.end
    bus.streak = bus.streak + 1 if write == bus.writes else 1
    bus.writes = write


@compiled
def _waits(dram: Dram, requester: int, at: int) -> bool:
    queue = dram.queues[requester]
    if queue.granted == queue.asked:
        return False
    return bool(dram.pieces[requester, queue.granted % PIECES].arrival <= at)


@compiled
def _next(dram: Dram, at: int) -> int:
    """The requester whose turn it is at a time when at least one waits."""
    bus = dram.bus[0]
    reads = writes = False
    for requester in range(0, len(dram.queues), 2):
        reads |= _waits(dram, requester, at)
        writes |= _waits(dram, requester + 1, at)
    write = 1 if writes else 0
    if reads and writes:
        write = bus.writes if bus.streak < dram.numbers[0].run_length else 1 - bus.writes
    turn = (bus.last + 1) % len(dram.queues)
    while turn % 2 != write or not _waits(dram, turn, at):
        turn = (turn + 1) % len(dram.queues)
    return turn
