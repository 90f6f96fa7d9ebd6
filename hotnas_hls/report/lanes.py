"""Who works when: the processes of the accelerator as lanes over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from hotnas_hls.accel.timing.timeline import PROCESSES, Interval, LayerTimeline
from hotnas_hls.report.data import LABELS, ReportData
from hotnas_hls.report.drawing import COLOURS, FULL, GRID, INK, MUTED, NARROW, Chart, chart, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROCESS_LABELS = dict(zip(PROCESSES, "IWCO", strict=True))
BOXES = 400  # intervals of a lane that are drawn one by one
BINS = 560  # of a lane with more of them


def timeline(data: ReportData, timelines: Sequence[LayerTimeline]) -> Chart:
    """Four lanes over one inference, layers one after the other."""
    starts = [0]
    for layer in timelines:
        starts.append(starts[-1] + layer.cycles)
    busy = {
        process: [
            Interval(start + interval.start, start + interval.end)
            for start, layer in zip(starts, timelines, strict=False)
            for interval in layer.busy[process]
        ]
        for process in PROCESSES
    }
    cuts = list(zip(starts, starts[1:], [layer.name for layer in data.layers], strict=False))

    def draw(width: int) -> Figure:
        figure, axes = figure_of(width, 250 if width != NARROW else 230)
        _lanes(axes, busy, starts[-1], width)
        for start, end, name in cuts:
            axes.axvline(end, color=GRID, linewidth=1, zorder=0)
            if (end - start) / starts[-1] * width > 7.2 * len(name) + 6:
                middle = (start + end) / 2
                axes.text(middle, -0.62, name, ha="center", va="bottom", fontsize=10, color=MUTED)
        return figure

    caption = (
        f"One inference, {starts[-1]:,} cycles from start to interrupt. Lanes overlap where double buffering "
        "hides one process behind another; vertical lines part the layers."
    ) + _density(busy)
    return chart("timeline", "One inference", caption, draw, FULL)


def timeline_of_slowest(data: ReportData, timelines: Sequence[LayerTimeline]) -> Chart:
    """The lanes of the layer that takes longest, with the cycles in which the array waits."""
    at = max(range(len(timelines)), key=lambda index: timelines[index].cycles)
    layer, events = data.layers[at], timelines[at]

    def draw(width: int) -> Figure:
        figure, axes = figure_of(width, 230 if width != NARROW else 220)
        _lanes(axes, events.busy, events.cycles, width)
        lane = PROCESSES.index("compute")
        _intervals(axes, events.stalls, lane + 0.38, lane + 0.46, COLOURS["bad"], events.cycles)
        return figure

    waiting = sum(stall.cycles for stall in events.stalls)
    caption = (
        f"{layer.name}: {events.cycles:,} cycles, bound by {LABELS[layer.bottleneck]}. The thin red line "
        f"marks the {waiting:,} cycles in which the MAC array waits for data or for a free accumulator."
    ) + _density(events.busy)
    return chart("slowest", "The slowest layer", caption, draw, FULL)


def _lanes(axes: Axes, busy: dict[str, list[Interval]], total: int, width: int) -> None:
    for lane, process in enumerate(PROCESSES):
        axes.axhspan(lane - 0.36, lane + 0.36, color=COLOURS["faint"], linewidth=0, zorder=0)
        _intervals(axes, busy[process], lane - 0.36, lane + 0.36, COLOURS[PROCESS_LABELS[process]], total)
    used = {process: sum(i.cycles for i in busy[process]) / total for process in PROCESSES}
    if width == NARROW:
        names = [process.split("_")[-1] for process in PROCESSES]
        names = [f"{name} {used[process]:.0%}" for name, process in zip(names, PROCESSES, strict=True)]
    else:
        names = [f"{process}  {used[process]:.0%}" for process in PROCESSES]
    axes.set_yticks(range(len(PROCESSES)), names, color=INK)
    axes.set(xlim=(0, total), ylim=(len(PROCESSES) - 0.45, -0.65), xlabel="cycles")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", nbins=4 if width == NARROW else 10)
    axes.tick_params(length=0, pad=5)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _intervals(
    axes: Axes, intervals: Sequence[Interval], low: float, high: float, colour: str, total: int
) -> None:
    """Boxes as one path; where there are more than can be told apart, the height is the share of time."""
    if len(intervals) <= BOXES:
        outlines = [_box(each.start, each.end, low, high) for each in intervals]
    else:
        step = total / BINS
        outlines = [
            _box(at * step, (at + 1) * step, high - share * (high - low), high)
            for at, share in enumerate(_shares(intervals, total))
            if share > 0
        ]
    if outlines:
        axes.add_patch(PathPatch(Outline.make_compound_path(*outlines), facecolor=colour, linewidth=0))


def _density(busy: Mapping[str, Sequence[Interval]]) -> str:
    crowded = any(len(intervals) > BOXES for intervals in busy.values())
    return " In a crowded lane the height is the share of time." if crowded else ""


def _box(left: float, right: float, low: float, high: float) -> Outline:
    return Outline([(left, low), (right, low), (right, high), (left, high), (left, low)])


def _shares(intervals: Sequence[Interval], total: int) -> list[float]:
    """Share of each of BINS equal stretches of time that the intervals cover."""
    step = total / BINS
    covered = [0.0] * BINS
    for interval in intervals:
        at = int(interval.start / step)
        while at < BINS and at * step < interval.end:
            covered[at] += min(interval.end, (at + 1) * step) - max(interval.start, at * step)
            at += 1
    return [min(1.0, cycles / step) for cycles in covered]
