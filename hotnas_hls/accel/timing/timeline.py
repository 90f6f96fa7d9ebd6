"""When each process of a layer works: the recurrence of :mod:`.latency` as intervals, in plain Python.

This is the readable twin of the compiled function: the same events in the same order, kept instead of
summed. A test holds both together on random layers (the intervals of a process add up to its term,
the layer ends in the same cycle). It is for pictures and for understanding; a search uses the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import MIN_SWEEP, LayerPlan, Tile, job_beats, plan_layer, word_cycles
from hotnas_hls.accel.timing.latency import (
    ALONE,
    Place,
    drain_beat,
    fetch_cycles,
    first_job_cycles,
    jobs_ahead,
    places_in_tiles,
    weights_latency,
)
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.pipeline import (
    AHEAD,
    ARRAY_STAGES,
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

PROCESSES = ("load_ifm", "load_wgt", "compute", "store_ofm")


class Interval(NamedTuple):
    """A process is busy in the cycles ``start`` up to, not including, ``end``."""

    start: int
    end: int

    @property
    def cycles(self) -> int:
        return self.end - self.start


class TileSize(NamedTuple):
    """Of a tile, the footprint inside the input and the outputs, in pixels."""

    read_rows: int
    read_columns: int
    rows: int
    columns: int

    @property
    def read(self) -> int:
        return self.read_rows * self.read_columns

    @property
    def pixels(self) -> int:
        return self.rows * self.columns


class Ahead(NamedTuple):
    """What comes for the next layer: its first weight job and, where it lies on chip, its first tile.

    A tile may wait between its words for the layer before to write them: these are the cycles it is busy,
    as if they were the last ones.
    """

    job: Interval
    tile: Interval | None

    def later(self, cycles: int) -> Ahead:
        """The same, counted from a cycle that much later."""
        job, tile = (None if at is None else Interval(at.start - cycles, at.end - cycles) for at in self)
        assert job is not None
        return Ahead(job, tile)


@dataclass(frozen=True)
class LayerTimeline:
    """One layer, in cycles since the layer before ended; what came ahead lies before 0."""

    busy: dict[str, list[Interval]]  # by process, in order, disjoint
    stalls: list[Interval]  # the MAC array waits for data or for a free accumulator half
    cycles: int
    ahead: Ahead | None = None  # of the next layer

    def total(self, process: str) -> int:
        """Cycles in which ``process`` was busy: its term of the latency."""
        return sum(interval.cycles for interval in self.busy[process])


class _Reads:
    """Who may read when: each process in the order of its requests, all in one order on a shared bus."""

    def __init__(self, shared: bool) -> None:
        self.shared = shared
        self.free: dict[str, int] = {}  # first cycle after the last beat, per port
        self.ordered = -1  # when the last run was taken, on a shared bus: a run a cycle

    def take(
        self, process: str, offered: int, latency: int, beats: int, runs: int = 1, room: int = 0
    ) -> Interval:
        """The beats of ``runs`` runs in a row, the first offered in cycle ``offered``; from ``room`` on."""
        port = "all" if self.shared else process
        if self.shared:
            self.ordered = max(offered - 1, self.ordered) + runs
        first = max(offered + 1 + latency, self.free.get(port, 0), room)
        self.free[port] = first + beats
        return Interval(first, first + beats)


def layer_timeline(
    layer: Layer,
    accel: Accelerator,
    tile: Tile,
    memory: MemoryTiming,
    place: Place = ALONE,
    came: Ahead | None = None,
) -> LayerTimeline:
    """Every interval of a layer; compare :func:`hotnas_hls.accel.timing.latency.layer_latency`.

    came: what it begins with, where that came ahead.
    """
    return _Timeline(layer, plan_layer(layer, accel, tile), accel, memory, place, came).walk()


def network_timeline(
    layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile], memory: MemoryTiming
) -> list[LayerTimeline]:
    """The layers of a network in order."""
    found: list[LayerTimeline] = []
    came = None
    for layer, place in zip(layers, places_in_tiles(layers, accel, tiles), strict=True):
        found.append(layer_timeline(layer, accel, tiles[layer.name], memory, place, came))
        ahead = found[-1].ahead
        came = None if ahead is None else ahead.later(found[-1].cycles)
    return found


class _Timeline:
    """One layer on the way: what is loaded, computed and stored so far."""

    def __init__(
        self,
        layer: Layer,
        plan: LayerPlan,
        accel: Accelerator,
        memory: MemoryTiming,
        place: Place,
        came: Ahead | None,
    ) -> None:
        self.layer, self.plan, self.accel, self.memory, self.place = layer, plan, accel, memory, place
        self.drain_beat = drain_beat(accel)
        self.to_store = ARRAY_STAGES + accel.tree_levels  # last term -> accumulator holds the sum
        self.start = 0 if place.ahead else fetch_cycles(layer, accel, memory)
        self.word = word_cycles(layer, accel)
        self.reads = _Reads(accel.shared_bus)
        self.sizes = list(tile_sizes(layer, plan))
        self.load_ifm: list[Interval] = []  # one per tile
        self.load_wgt: list[Interval] = []  # one per job
        self.job_taken = -1  # when the run of the last job was, on a shared bus
        self.came = came
        self.steps: list[Interval] = []
        self.stalls: list[Interval] = []
        self.stores: list[Interval] = []  # one per output tile
        self.tile_ends: list[int] = []
        self.slices: list[int] = []  # cycle after the last beat of each slice, over all tiles
        self.complete = 0  # when the last sweep of an output tile has begun
        # Blocks of the output tile that waits for its residual's turn, and its size.
        self.unstored: tuple[int, TileSize] | None = None
        self.written: list[int] = []  # when each word is, where the next layer's first tile may wait for it
        if came is not None and came.tile is not None:
            self.load_ifm.append(came.tile)
            self.slices += [self.start] * plan.slices

    def walk(self) -> LayerTimeline:
        """The loops of the schedule."""
        plan = self.plan
        ready = self.start + 1  # compute can take its next step
        for tile, size in enumerate(self.sizes):
            for m in range(plan.tiles_m):
                for n in range(plan.tiles_n):
                    for k in range(plan.chunks):
                        self._take_job(m, n, k)
                        self._take_slices(tile, (m * plan.tiles_n + n) * plan.chunks + k)
                        self._store_waiting()
                        index = n if self.layer.kind is LayerKind.CONV else m
                        slice_there = self.slices[tile * plan.slices + index] - 1 + TOKEN
                        begin = max(ready, self.load_wgt[-1].end - 1 + TOKEN, slice_there)
                        if n == 0 and k == 0 and len(self.stores) >= 2:  # an accumulator half
                            opened = tile * plan.tiles_m + m
                            begin = max(begin, self.stores[opened - 2].end + 1)
                        entries = plan.entries_last if k == plan.chunks - 1 else plan.entries
                        if begin > ready:
                            self.stalls.append(Interval(ready, begin))
                        sweep = max(size.pixels, MIN_SWEEP)
                        self.steps.append(Interval(begin, begin + entries * sweep))
                        ready = self.steps[-1].end + 1
                blocks = plan.m_blocks_last if m == plan.tiles_m - 1 else plan.m_blocks
                self.unstored = blocks, size
                self.complete = self.steps[-1].end - sweep + 1
                if self.layer.residual is None:
                    self._store_waiting()
            self.tile_ends.append(self.steps[-1].end)
        self._store_waiting()
        busy = (self.load_ifm, self.load_wgt, self.steps, self.stores)
        answered = 0 if self.layer.ofm_on_chip else self.memory.write_latency
        ahead = self._ahead()
        last = max([self.stores[-1].end + answered, *(at.end - 1 for at in ahead or () if at is not None)])
        return LayerTimeline(dict(zip(PROCESSES, busy, strict=True)), self.stalls, last + 3, ahead)

    def _ahead(self) -> Ahead | None:
        """What comes for the next layer, behind its descriptor."""
        then = self.place.then
        if then is None:
            return None
        described = max(self.load_wgt[-1].end - 1, 0) + AHEAD + fetch_cycles(then, self.accel, self.memory)
        asked = described + 1
        if len(self.steps) > 1:  # as soon as a slot is free
            asked = max(asked, self.steps[-2].end + self.to_store + 1)
        job = Interval(asked + 1, asked + 1 + first_job_cycles(then, self.accel, self.memory))
        return Ahead(job, self._first_tile(described))

    def _first_tile(self, described: int) -> Interval | None:
        """That of the next layer: behind this one's tiles, in a free half, each word when it is written."""
        if self.place.then_tile is None:
            return None
        words, after = self.place.then_tile
        asked = max(described, self.slices[-1] - 1) + 1 + TILE_TAKE
        if len(self.tile_ends) > 1:
            asked = max(asked, self.tile_ends[-2] + self.to_store + 1)
        read = asked + IFM_ADDRESS + CHIP_READ - 1
        for word in range(words):
            read += 1
            if after:
                waits_for = min(after + word, len(self.written)) - 1
                read = max(read, self.written[waits_for] + CHIP_WRITTEN + CHIP_READ)
        return Interval(read + 1 - (IFM_ADDRESS + CHIP_READ + words - 1), read + 1)

    def _asked(self, jobs: int, ends: list[int]) -> int:
        """When a loader asks for its next job: the buffer of the job two before is free."""
        if jobs < 2:
            return self.start + 1 + SECOND_REQUEST * jobs
        return ends[jobs - 2] + self.to_store + 1

    def _take_job(self, m: int, n: int, k: int) -> None:
        jobs = len(self.load_wgt)
        if jobs == 0 and self.came is not None:
            self.load_wgt.append(self.came.job)
            return
        ends, early = [step.end for step in self.steps], jobs_ahead(self.layer, self.accel)
        if jobs < 2 + early:
            asked = self.start + 1 + SECOND_REQUEST * (jobs - self.place.ahead)
        else:
            asked = self._asked(jobs - early, ends)
        room = self._asked(jobs, ends) if jobs >= 2 else 0  # in a slot
        if self.accel.shared_bus:  # a job is asked for when the run of the one before was taken
            asked = max(asked, self.job_taken + 1)
        beats = job_beats(self.plan, self.layer, m, n, k) * self.word.wgt
        latency = weights_latency(self.layer, self.accel, self.memory)
        taken = self.reads.take("load_wgt", asked + WGT_ADDRESS - 1, latency, beats, room=room)
        self.job_taken = self.reads.ordered
        before = self.load_wgt[-1].end if self.load_wgt else 0
        self.load_wgt.append(Interval(max(asked + 1, before, room), taken.end))

    def _take_slices(self, tile: int, job: int) -> None:
        """The slices whose turn comes behind a job: as read_order.sv counts them."""
        plan = self.plan
        room = min(tile + 2, len(self.sizes)) * plan.slices - len(self.slices)
        if job == plan.steps // plan.tiles - 1:
            due = room
        else:
            due = min(room, 1) if tile == 0 or job > 0 else 0
        for _ in range(due):
            of_tile, index = divmod(len(self.slices), plan.slices)
            asked = self._asked(of_tile, self.tile_ends)
            if of_tile == 1 and self.came is not None and self.came.tile is not None:
                asked = self.start + 1
            size = self.sizes[of_tile]
            blocks = plan.slice_blocks_last if index == plan.slices - 1 else plan.slice_blocks
            latency = self._read_latency(self.layer.ifm_on_chip)
            runs = 0 if size.read == 0 else blocks if plan.ifm_merged else blocks * size.read_rows
            beats = blocks * size.read * self.word.ifm
            taken = self.reads.take("load_ifm", asked + IFM_ADDRESS - 1, latency, beats, runs)
            if index == 0:
                self.load_ifm.append(
                    Interval(max(asked + 1, self.slices[-1] if self.slices else 0), taken.end)
                )
            self.load_ifm[-1] = Interval(self.load_ifm[-1].start, taken.end)
            self.slices.append(taken.end)

    def _read_latency(self, on_chip: bool) -> int:
        return CHIP_READ if on_chip else self.memory.read_latency

    def _store_waiting(self) -> None:
        """store_ofm, as soon as the output tile is complete and the one before is stored."""
        if self.unstored is None:
            return
        blocks, size = self.unstored
        pixels = size.pixels
        before = self.stores[-1].end if self.stores else self.start
        taken = max(self.complete + self.to_store, before) + 1
        drain, pace, block_pace = taken + STORE_DRAIN, self.word.ofm, pixels * self.word.ofm
        if self.layer.residual is not None:
            vector = self.layer.residual_vector
            beats = (blocks if vector else blocks * pixels) * self.word.residual
            runs = blocks if vector or self.plan.ofm_merged else blocks * size.rows
            latency = self._read_latency(self.layer.residual_on_chip)
            read = self.reads.take("residual", taken + RESIDUAL_DRAIN - 1, latency, beats, runs)
            drain = read.start + self.word.residual
            if vector:  # every block waits for a word
                block_pace = max(block_pace, self.word.residual)
            else:  # every word does
                pace = max(self.word.residual, self.word.ofm)
                block_pace = pixels * pace
        begun = drain + self.drain_beat + self.word.ofm - 1  # when the first word is written
        written = [begun + b * block_pace + p * pace for b in range(blocks) for p in range(pixels)]
        self.stores.append(Interval(taken, written[-1]))
        if self.place.then_tile is not None:
            self.written += written
        self.unstored = None


def tile_sizes(layer: Layer, plan: LayerPlan) -> Iterator[TileSize]:
    """The size of every tile in order."""
    down = (plan.tiles_r, plan.tr, plan.tr_last, plan.th, plan.th_last)
    across = (plan.tiles_c, plan.tc, plan.tc_last, plan.tw, plan.tw_last)
    rows = _spans(layer.stride_rows, layer.padding[0], layer.read_rows, *down)
    columns = list(_spans(layer.stride, layer.padding[1], layer.read_columns, *across))
    for read_rows, out_rows in rows:
        for read_columns, out_columns in columns:
            yield TileSize(read_rows, read_columns, out_rows, out_columns)


def _spans(
    stride: int, pad: int, limit: int, count: int, out: int, out_last: int, read: int, read_last: int
) -> Iterator[tuple[int, int]]:
    """Along one axis, tile by tile: how much of the input is read, and how much is computed."""
    for index in range(count):
        last = index == count - 1
        low = index * out * stride - pad
        high = low + (read_last if last else read)
        yield min(high, limit) - max(low, 0), out_last if last else out
