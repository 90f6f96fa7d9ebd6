"""The report's figures, drawn by matplotlib as SVG that takes its colours and font from the page.

Each figure is drawn twice, for wide and for narrow screens; the page shows one. Colours are written as
place-holders that no figure uses otherwise and become CSS variables, so that one drawing serves light and
dark.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from hotnas_hls.accel.timing.timeline import PROCESSES, Interval, LayerTimeline
from hotnas_hls.report.data import LABELS, LayerReport, ReportData
from hotnas_hls.report.wording import decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Place-holders: what the page calls --<name>.
COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "surface": "#040404",
    "accent": "#050505",
    "good": "#060606",
    "bad": "#070707",
    "faint": "#080808",
    "I": "#0a0a0a",
    "W": "#0b0b0b",
    "C": "#0c0c0c",
    "O": "#0d0d0d",
}
INK, MUTED, GRID, SURFACE, ACCENT = (COLOURS[n] for n in ("ink", "muted", "grid", "surface", "accent"))
PROCESS_LABELS = dict(zip(PROCESSES, "IWCO", strict=True))
FULL, HALF, NARROW = 1120, 540, 348  # pixels
FEW_LAYERS = 40  # up to here they have more room
BOXES = 400  # intervals of a lane that are drawn one by one
BINS = 560  # of a lane with more of them
LABEL_SIZE = 10.5  # of names beside points
STYLE: Any = {  # matplotlib's own type lists every key
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "legend.fontsize": 12,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}


@dataclass(frozen=True)
class Chart:
    """One figure of the page: a heading, what it shows in words, and its two drawings."""

    key: str
    title: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[tuple[str, str], ...] = ()  # (colour name, text), drawn by the page


def charts(data: ReportData) -> dict[str, Chart]:
    """Every figure there is data for, by key."""
    timelines = data.timelines()
    found = (
        waterfall(data),
        pareto(data),
        layer_terms(data),
        roofline(data),
        timeline(data, timelines),
        timeline_of_slowest(data, timelines),
        sensitivity(data),
    )
    return {chart.key: chart for chart in found if chart is not None}


# ---------------------------------------------------------------- figures
def waterfall(data: ReportData) -> Chart | None:
    """Latency before, what each kind of change brought, latency after; None without a recorded search."""
    run = data.run
    if run is None or run.latency_before_ms is None:
        return None
    unit, scale = ("µs", 1000.0) if run.latency_before_ms < 0.5 else ("ms", 1.0)
    before, after = scale * run.latency_before_ms, scale * data.latency_ms
    limit = data.point.latency_bound_ms
    bound = None if limit is None else scale * limit
    marks = [("before", before), *((step.name, scale * step.latency_ms) for step in run.reductions or ())]
    if run.reductions and abs(marks[-1][1] - after) > 1e-6 * after:
        marks.append(("other", after))
    if not run.reductions:
        marks.append(("search", after))

    def draw(width: int) -> Figure:
        figure, axes = _figure(width, 300)
        names, spans, colours = ["before"], [(0.0, before)], [COLOURS["muted"]]
        for (_, start), (name, end) in zip(marks, marks[1:], strict=False):
            names.append(name)
            spans.append((min(start, end), abs(start - end)))
            colours.append(COLOURS["good"] if end <= start else COLOURS["bad"])
        names.append("after")
        spans.append((0.0, after))
        colours.append(ACCENT)
        top, digits = max([before, after, bound or 0]), decimals(before)
        for at, ((low, height), colour) in enumerate(zip(spans, colours, strict=True)):
            axes.bar(at, height, bottom=low, color=colour, width=0.62)
            ends = at in (0, len(spans) - 1)
            change = marks[at][1] - marks[at - 1][1] if not ends else 0.0
            text = f"{height:.{digits}f}" if ends else f"{change:+.{digits}f}".replace("-", "−")
            axes.text(at, low + height + 0.015 * top, text, ha="center", va="bottom", weight="bold")
        levels = [before, *(level for _, level in marks[1:])]
        for at, level in enumerate(levels):
            axes.plot([at + 0.31, at + 0.69], [level, level], color=MUTED, linewidth=1)
        if bound is not None:
            axes.axhline(bound, color=COLOURS["bad"], linewidth=1.2, linestyle=(0, (5, 3)))
            axes.text(
                len(spans) - 0.55, bound, f"bound {bound:.4g}", ha="right", va="bottom", color=COLOURS["bad"]
            )
        axes.set_xticks(range(len(names)), names, color=INK)
        if len(names) > 4 and width == NARROW:
            axes.tick_params(axis="x", rotation=35)
        axes.set(ylabel=f"{unit} per image", ylim=(0, 1.12 * top))
        _grid(axes, "y")
        return figure

    caption = (
        "What each kind of change brought, one after the other, by the true latency model."
        if run.reductions
        else "The best uncompressed design on this board, and the chosen one. The run did not record what "
        "pattern, channel, quantisation and hardware brought each."
    )
    return _chart("waterfall", "Where the time went", caption, draw, HALF)


def pareto(data: ReportData) -> Chart | None:
    """Every trained candidate, the front, and the design that was built."""
    run = data.run
    trained = [t for t in (run.history if run else None) or () if t.accuracy is not None]
    if run is None or not trained:
        return None
    front = run.front()

    def draw(width: int) -> Figure:
        figure, axes = _figure(width, 300)
        axes.scatter(
            [t.latency_ms or 0 for t in trained], [100 * (t.accuracy or 0) for t in trained],
            s=30, color=COLOURS["muted"], alpha=0.45, linewidths=0, label="trained candidate",
        )  # fmt: skip
        xs, ys = [t.latency_ms or 0 for t in front], [100 * (t.accuracy or 0) for t in front]
        axes.step(xs, ys, where="post", color=ACCENT, linewidth=1.5)
        axes.scatter(xs, ys, s=34, color=ACCENT, linewidths=0, label="Pareto front")
        if run.latency_after_ms is not None and run.validation_after is not None:
            axes.scatter(
                [run.latency_after_ms], [100 * run.validation_after],
                s=170, marker="*", color=COLOURS["C"], edgecolors=SURFACE, linewidths=1, zorder=5,
                label="chosen, fine-tuned",
            )  # fmt: skip
        if run.latency_before_ms is not None and run.validation_before is not None:
            axes.scatter(
                [run.latency_before_ms], [100 * run.validation_before],
                s=52, marker="D", color="none", edgecolors=INK, linewidths=1.4, label="before",
            )  # fmt: skip
        if data.point.latency_bound_ms is not None:
            axes.axvline(
                data.point.latency_bound_ms, color=COLOURS["bad"], linewidth=1.2, linestyle=(0, (5, 3))
            )
        axes.set(xlabel="ms per image", ylabel="validation accuracy, %")
        _grid(axes, "both")
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.2, columnspacing=1.2
        )
        return figure

    number = f"{len(trained)} trained candidates"
    refused = sum(trial.refused for trial in run.history or ())
    caption = (
        f"Accuracy against latency of {number}; {refused} more were refused by the hardware test and never "
        "trained. The dashed line is the latency bound."
    )
    return _chart("pareto", "Pareto front", caption, draw, HALF)


def layer_terms(data: ReportData) -> Chart:
    """Cycles in which each process was busy, layer by layer, and the layer's own time."""
    layers = data.layers

    def draw(width: int) -> Figure:
        narrow = width == NARROW
        pitch = 58 if narrow else 44 if len(layers) <= FEW_LAYERS else 32
        drop, depth = (0.16, 0.58) if narrow else (0.0, 0.86)  # a narrow screen has the name above the bars
        figure, axes = _figure(width, 70 + pitch * len(layers))
        for place, layer in enumerate(layers):
            axes.barh(place + drop, layer.predicted.cycles, height=depth, color=COLOURS["faint"])
            for at, term in enumerate(PROCESSES):
                axes.barh(
                    place + drop + (at - 1.5) * 0.22 * depth,
                    getattr(layer.predicted, term),
                    height=0.17 * depth,
                    color=COLOURS[PROCESS_LABELS[term]],
                )
            axes.text(
                layer.predicted.cycles, place + drop, f" {layer.predicted.cycles:,} {layer.bottleneck}",
                va="center", color=COLOURS[layer.bottleneck], weight="bold",
            )  # fmt: skip
            if narrow:
                axes.text(0, place + drop - depth / 2 - 0.04, layer.name, va="bottom", fontsize=11.5)
        names = [""] * len(layers) if narrow else [layer.name for layer in layers]
        axes.set_yticks(range(len(layers)), names, color=INK)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("cycles")
        axes.set_xlim(0, 1.16 * max(layer.predicted.cycles for layer in layers))
        axes.set_ylim(len(layers) - 0.45, -0.55)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.locator_params(axis="x", nbins=4 if narrow else 8)
        _grid(axes, "x")
        return figure

    legend = tuple((PROCESS_LABELS[term], LABELS[PROCESS_LABELS[term]]) for term in PROCESSES)
    caption = (
        "The pale bar is the layer's time; inside it, the cycles in which each process was busy. They "
        "overlap, so they do not add up. The letter is the one that bounds the layer."
    )
    return _chart("terms", "Cycles per layer", caption, draw, FULL, (*legend, ("faint", "the layer's time")))


def roofline(data: ReportData) -> Chart:
    """MAC per cycle against MAC per byte moved; the roofs of array, ports and the board's DRAM."""
    point, accel = data.point, data.point.accelerator
    peak = accel.tm * accel.tn
    ports = accel.port_bits / 8
    dram = point.board.dram_mb_per_s / point.clock_mhz
    layers = [layer for layer in data.layers if layer.macs]

    def draw(width: int) -> Figure:
        figure, axes = _figure(width, 330)
        places = {
            layer.name: (layer.macs / layer.traffic_bytes, layer.macs / layer.predicted.cycles)
            for layer in layers
        }
        xs = [x for x, _ in places.values()]
        knees = [peak / ports, peak / dram]
        left, right = min([*xs, *knees]) / 2, max([*xs, *knees]) * 2.5
        for slope, name, style in ((ports, "ports", "-"), (dram, "DRAM", (0, (4, 3)))):
            knee = peak / slope
            axes.plot(
                [left, knee], [left * slope, peak], color=MUTED, linewidth=1.3, linestyle=style, label=name
            )
        axes.plot([min(knees), right], [peak, peak], color=INK, linewidth=1.5)
        axes.text(right, peak * 1.08, f"array: {peak:,} MAC/cycle ", ha="right", va="bottom")
        for label in dict.fromkeys(layer.bottleneck for layer in layers):
            some = [places[layer.name] for layer in layers if layer.bottleneck == label]
            axes.scatter(
                [x for x, _ in some], [y for _, y in some],
                s=46, color=COLOURS[label], edgecolors=SURFACE, zorder=3,
            )  # fmt: skip
        low = min(y for _, y in places.values())
        axes.set(
            xscale="log", yscale="log", xlabel="MAC per byte moved", ylabel="MAC per cycle",
            xlim=(left, right), ylim=(low / 2.5, peak * 2.2),
        )  # fmt: skip
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(lambda value, _: "")
        _name_points(figure, axes, {layer.name: places[layer.name] for layer in _slowest_first(layers)})
        _grid(axes, "both")
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=2.2, columnspacing=1.4
        )
        return figure

    caption = (
        f"The three ports move {ports:g} bytes a cycle at most, the DRAM of the {point.board.name} "
        f"{dram:.1f} ({point.board.dram_mb_per_s:,.0f} MB/s at {point.clock_mhz:g} MHz). Dots are layers, "
        "coloured by what bounds them; bytes count halo, reloads and padding."
    )
    legend = tuple((label, LABELS[label]) for label in dict.fromkeys(layer.bottleneck for layer in layers))
    return _chart("roofline", "Roofline", caption, draw, HALF, legend)


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
        figure, axes = _figure(width, 250 if width != NARROW else 230)
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
    return _chart("timeline", "One inference", caption, draw, FULL)


def timeline_of_slowest(data: ReportData, timelines: Sequence[LayerTimeline]) -> Chart:
    """The lanes of the layer that takes longest, with the cycles in which the array waits."""
    at = max(range(len(timelines)), key=lambda index: timelines[index].cycles)
    layer, events = data.layers[at], timelines[at]

    def draw(width: int) -> Figure:
        figure, axes = _figure(width, 230 if width != NARROW else 220)
        _lanes(axes, events.busy, events.cycles, width)
        lane = PROCESSES.index("compute")
        _intervals(axes, events.stalls, lane + 0.38, lane + 0.46, COLOURS["bad"], events.cycles)
        return figure

    waiting = sum(stall.cycles for stall in events.stalls)
    caption = (
        f"{layer.name}: {events.cycles:,} cycles, bound by {LABELS[layer.bottleneck]}. The thin red line "
        f"marks the {waiting:,} cycles in which the MAC array waits for data or for a free accumulator."
    ) + _density(events.busy)
    return _chart("slowest", "The slowest layer", caption, draw, FULL)


def sensitivity(data: ReportData) -> Chart | None:
    """Latency at other memory latencies, where a sweep was simulated."""
    points = data.sweep
    if not points:
        return None
    point = data.point

    def draw(width: int) -> Figure:
        figure, axes = _figure(width, 280)
        xs = [p.read_latency for p in points]
        simulated = [point.cycles_to_ms(p.simulated_cycles) for p in points]
        predicted = [point.cycles_to_ms(p.predicted_cycles) for p in points]
        axes.plot(xs, simulated, "o-", color=ACCENT, label="simulated", markersize=6)
        axes.plot(xs, predicted, "x--", color=INK, label="predicted", markersize=6, linewidth=1)
        axes.axvline(point.memory.read_latency, color=GRID, linewidth=1.5)
        top = max([*simulated, *predicted])
        if point.latency_bound_ms is not None:
            axes.axhline(point.latency_bound_ms, color=COLOURS["bad"], linewidth=1.2, linestyle=(0, (5, 3)))
            top = max(top, point.latency_bound_ms)
        axes.set(xlabel="read latency of the memory, cycles", ylabel="ms per image", ylim=(0, 1.1 * top))
        _grid(axes, "both")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return figure

    caption = "How latency grows with the memory's; the vertical line is what the design assumes."
    return _chart("sensitivity", "Sensitivity to the memory", caption, draw, HALF)


# ---------------------------------------------------------------- parts
def _figure(width: int, height: int) -> tuple[Figure, Axes]:
    """A figure of so many pixels (a point is a pixel) with one set of axes."""
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.03)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout=layout)
    return figure, figure.add_subplot()


def _grid(axes: Axes, axis: Literal["x", "y", "both"]) -> None:
    axes.grid(axis=axis, linewidth=1)
    axes.tick_params(length=0, pad=5)
    if axis == "y":
        axes.spines["left"].set_visible(False)
    if axis == "x":
        axes.spines["bottom"].set_visible(False)


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


def _slowest_first(layers: Sequence[LayerReport]) -> list[LayerReport]:
    return sorted(layers, key=lambda layer: -layer.predicted.cycles)


def _name_points(figure: Figure, axes: Axes, places: Mapping[str, tuple[float, float]]) -> None:
    """Names beside points, the first ones first; one that would cover a name, point or line is left out."""
    figure.draw_without_rendering()
    dots = {name: axes.transData.transform(place) for name, place in places.items()}
    right_edge = axes.transData.transform((axes.get_xlim()[1], 1))[0]
    taken: list[tuple[float, float, float, float]] = [(x - 5, y - 5, x + 5, y + 5) for x, y in dots.values()]
    for line in axes.get_lines():
        points = axes.transData.transform(line.get_xydata())
        steps = max(2, int(np.ptp(points[:, 0]) / LABEL_SIZE))
        along = np.linspace(points[0], points[-1], steps)  # straight on the screen, on these axes
        taken += [(x - 3, y - 3, x + 3, y + 3) for x, y in along]
    for name, (x, y) in dots.items():
        length = LABEL_SIZE * 0.62 * len(name)
        for left, ha, shift in ((x + 7, "left", 7), (x - 7 - length, "right", -7)):
            box = (left, y - LABEL_SIZE / 2, left + length, y + LABEL_SIZE / 2)
            inside = left > 0 and left + length < right_edge
            if inside and not any(_overlap(box, other) for other in taken):
                axes.annotate(
                    name, places[name], xytext=(shift, 0), textcoords="offset points", ha=ha, va="center",
                    fontsize=LABEL_SIZE, color=MUTED,
                )  # fmt: skip
                taken.append(box)
                break


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _chart(
    key: str,
    title: str,
    caption: str,
    draw: Callable[[int], Figure],
    width: int,
    legend: tuple[tuple[str, str], ...] = (),
) -> Chart:
    drawings = []
    for pixels in (width, NARROW):
        with rc_context(STYLE | {"svg.hashsalt": f"{key}{pixels}"}):
            drawings.append(_svg(draw(pixels), f"{title}: {caption}"))
    return Chart(key, title, caption, drawings[0], drawings[1], legend)


def _svg(figure: Figure, description: str) -> str:
    """The figure as an inline element: no header, no metadata, colours and font by the page."""
    target = io.StringIO()
    figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<style.*?</style>", "", text, flags=re.DOTALL)  # would hold for the whole page
    text = re.sub(r' id="[\w.]+_\d+"', "", text)  # groups, the same in every figure
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    text = re.sub(r"font: ([^;\"]*?[\d.]+px) [^;\"]*", r"font: \1 var(--font)", text)
    text = re.sub(r'\bd="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), text)
    for name, placeholder in COLOURS.items():
        text = text.replace(placeholder, f"var(--{name})")
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)[0]
    head = (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
        f'aria-label="{html.escape(description)}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + text[text.index(">") + 1 :].strip()
