"""When each process of a layer works: the recurrence of :mod:`.latency` as intervals, in plain Python.

This is the readable twin of the compiled function: the same events in the same order, kept instead of
summed. A test holds both together on random layers (the intervals of a process add up to its term,
the layer ends in the same cycle). It is for pictures and for understanding; a search uses the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.latency import (
    ARRAY_STAGES,
    DRAIN_BEAT,
    IFM_ADDRESS,
    RESIDUAL_DRAIN,
    STORE_DRAIN,
    TOKEN,
    WGT_ADDRESS,
)
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.accel.plan import MIN_SWEEP, LayerPlan, Tile, job_beats, plan_layer

PROCESSES = ("load_ifm", "load_wgt", "compute", "store_ofm")
SECOND_REQUEST = 4  # cycles between the first two requests of a loader: both halves are free


class Interval(NamedTuple):
    """A process is busy in the cycles ``start`` up to, not including, ``end``."""

    start: int
    end: int

    @property
    def cycles(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class LayerTimeline:
    """One layer, in cycles since its descriptor was asked for."""

    busy: dict[str, list[Interval]]  # by process, in order, disjoint
    stalls: list[Interval]  # the MAC array waits for data or for a free accumulator half
    cycles: int

    def total(self, process: str) -> int:
        """Cycles in which ``process`` was busy: its term of the latency."""
        return sum(interval.cycles for interval in self.busy[process])


class _Port:
    """A read port: requests are answered in order, each by a burst of beats."""

    def __init__(self, address_cycles: int, memory: MemoryTiming, start: int) -> None:
        self.delay = address_cycles + memory.read_latency
        self.start = start
        self.free = 0  # first cycle after the last beat
        self.jobs: list[Interval] = []

    def load(self, beats: int, released: int) -> int:
        """Ask for ``beats`` once the buffer of two jobs before is ``released``; returns the first beat."""
        asked = released
        if len(self.jobs) < 2:
            asked = self.start + 1 + SECOND_REQUEST * len(self.jobs)
        first = max(asked + self.delay, self.free)
        begun = max(asked + 1, self.free)
        self.free = first + beats
        self.jobs.append(Interval(begun, self.free))
        return first


def layer_timeline(layer: Layer, accel: Accelerator, tile: Tile, memory: MemoryTiming) -> LayerTimeline:
    """Every interval of a layer; compare :func:`hotnas_hls.accel.latency.layer_latency`."""
    plan = plan_layer(layer, accel, tile)
    to_store = ARRAY_STAGES + accel.tree_levels  # last term -> accumulator holds the sum
    descriptor_beats = accel.descriptor_bytes * 8 // accel.wgt_bits
    start = memory.read_latency + descriptor_beats + 1
    ifm, wgt = _Port(IFM_ADDRESS, memory, start), _Port(WGT_ADDRESS, memory, start)
    steps: list[Interval] = []
    stalls: list[Interval] = []
    stores: list[Interval] = []
    tile_ends: list[int] = []
    ready = start + 1  # compute can take its next step

    def two_before(ends: list[int]) -> int:
        """When what was handed over two jobs before is free again (both halves are at first)."""
        return ends[-2] + to_store + 1 if len(ends) >= 2 else 0

    for footprint, pixels in tile_sizes(layer, plan):
        block_beats = footprint * accel.ifm_beats_per_word
        slice_beats = plan.slice_blocks * block_beats
        tile_beats = (plan.slices - 1) * slice_beats + plan.slice_blocks_last * block_beats
        first_beat = ifm.load(tile_beats, two_before(tile_ends))
        for m in range(plan.tiles_m):
            for n in range(plan.tiles_n):
                for k in range(plan.chunks):
                    released = two_before([step.end for step in steps[-2:]])
                    wgt.load(job_beats(plan, layer, m, n, k), released)
                    needed = n if layer.kind is LayerKind.CONV else m
                    last_slice = needed == plan.slices - 1
                    slice_there = ifm.free if last_slice else first_beat + (needed + 1) * slice_beats
                    begin = max(ready, wgt.free - 1 + TOKEN, slice_there - 1 + TOKEN)
                    if n == 0 and k == 0 and len(stores) >= 2:  # an accumulator half
                        begin = max(begin, stores[-2].end + 1)
                    positions = plan.entries_last if k == plan.chunks - 1 else plan.entries
                    if begin > ready:
                        stalls.append(Interval(ready, begin))
                    steps.append(Interval(begin, begin + positions * max(pixels, MIN_SWEEP)))
                    ready = steps[-1].end + 1
            before = stores[-1].end if stores else start
            taken = max(steps[-1].end + to_store + 1, before + 1)
            blocks = plan.m_blocks_last if m == plan.tiles_m - 1 else plan.m_blocks
            drain = taken + STORE_DRAIN
            if layer.residual is not None:
                drain = taken + RESIDUAL_DRAIN + memory.read_latency + accel.ofm_beats_per_word
            stored = drain + DRAIN_BEAT + blocks * pixels * accel.ofm_beats_per_word - 1
            stores.append(Interval(taken, stored))
        tile_ends.append(steps[-1].end)
    busy = dict(zip(PROCESSES, (ifm.jobs, wgt.jobs, steps, stores), strict=True))
    return LayerTimeline(busy, stalls, stores[-1].end + memory.write_latency + 3)


def tile_sizes(layer: Layer, plan: LayerPlan) -> Iterator[tuple[int, int]]:
    """Pixels of the footprint inside the input, and output pixels, of every tile in order."""
    down = (plan.tiles_r, plan.tr, plan.tr_last, plan.th, plan.th_last)
    across = (plan.tiles_c, plan.tc, plan.tc_last, plan.tw, plan.tw_last)
    rows = _spans(layer.stride, layer.pad_top, layer.in_rows, *down)
    columns = list(_spans(layer.stride, layer.pad_left, layer.in_columns, *across))
    for read_rows, out_rows in rows:
        for read_columns, out_columns in columns:
            yield read_rows * read_columns, out_rows * out_columns


def _spans(
    stride: int, pad: int, limit: int, count: int, out: int, out_last: int, read: int, read_last: int
) -> Iterator[tuple[int, int]]:
    """Along one axis, tile by tile: how much of the input is read, and how much is computed."""
    for index in range(count):
        last = index == count - 1
        low = index * out * stride - pad
        high = low + (read_last if last else read)
        yield min(high, limit) - max(low, 0), out_last if last else out
