"""The report's figures: what each shows, from the data of a report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from hotnas_hls.accel.residency import maps_over_time
from hotnas_hls.accel.timing.timeline import PROCESSES
from hotnas_hls.report.data import LABELS, LayerReport, ReportData
from hotnas_hls.report.drawing import (
    ACCENT,
    COLOURS,
    FULL,
    GRID,
    HALF,
    INK,
    MUTED,
    NARROW,
    SURFACE,
    Chart,
    chart,
    figure_of,
    grid,
    name_points,
)
from hotnas_hls.report.lanes import PROCESS_LABELS, timeline, timeline_of_slowest
from hotnas_hls.report.wording import decimals

FEW_LAYERS = 40  # up to here they have more room


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
        on_chip(data),
        sensitivity(data),
    )
    return {each.key: each for each in found if each is not None}


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
        figure, axes = figure_of(width, 300)
        names, spans, colours = ["before"], [(0.0, before)], [COLOURS["muted"]]
        for (_, start), (name, end) in zip(marks, marks[1:], strict=False):
            names.append(name)
            spans.append((min(start, end), abs(start - end)))
            colours.append(COLOURS["good"] if end <= start else COLOURS["bad"])
        names.append("after")
        spans.append((0.0, after))
        colours.append(ACCENT)
        top, digits = max([before, after, bound or 0]), decimals(before)
        label = partial(axes.text, ha="center", weight="bold")
        for at, ((low, height), colour) in enumerate(zip(spans, colours, strict=True)):
            axes.bar(at, height, bottom=low, color=colour, width=0.62)
            if at in (0, len(spans) - 1):  # within the bar: the bound is named above it
                label(at, height - 0.015 * top, f"{height:.{digits}f}", color=SURFACE, va="top")
                continue
            change = f"{marks[at][1] - marks[at - 1][1]:+.{digits}f}".replace("-", "−")
            label(at, low + height + 0.015 * top, change, va="bottom")
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
        grid(axes, "y")
        return figure

    caption = (
        "What each kind of change brought, one after the other, by the true latency model."
        if run.reductions
        else "The best uncompressed design on this board, and the chosen one. The run did not record what "
        "pattern, channel, quantisation and hardware brought each."
    )
    return chart("waterfall", "Where the time went", caption, draw, HALF)


def pareto(data: ReportData) -> Chart | None:
    """Every trained candidate, the front, and the design that was built."""
    run = data.run
    trained = [t for t in (run.history if run else None) or () if t.accuracy is not None]
    if run is None or not trained:
        return None
    front = run.front()

    def draw(width: int) -> Figure:
        figure, axes = figure_of(width, 300)
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
        axes.set(xlabel="ms per image", ylabel=f"validation {data.point.accuracy.measure}, %")
        grid(axes, "both")
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.2, columnspacing=1.2
        )
        return figure

    again = sum(trial.repeated for trial in trained)
    number = f"{len(trained) - again} trained candidates"
    number += f", and {again} of networks trained before" if again else ""
    refused = sum(trial.refused for trial in run.history or ())
    caption = (
        f"Accuracy against latency of {number}; {refused} more were refused by the hardware test and never "
        "trained. The dashed line is the latency bound."
    )
    return chart("pareto", "Pareto front", caption, draw, HALF)


def layer_terms(data: ReportData) -> Chart:
    """Cycles in which each process was busy, layer by layer, and the layer's own time."""
    layers = data.layers

    def draw(width: int) -> Figure:
        narrow = width == NARROW
        pitch = 58 if narrow else 44 if len(layers) <= FEW_LAYERS else 32
        drop, depth = (0.16, 0.58) if narrow else (0.0, 0.86)  # a narrow screen has the name above the bars
        figure, axes = figure_of(width, 70 + pitch * len(layers))
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
        grid(axes, "x")
        return figure

    legend = tuple((PROCESS_LABELS[term], LABELS[PROCESS_LABELS[term]]) for term in PROCESSES)
    caption = (
        "The pale bar is the layer's time; inside it, the cycles in which each process was busy. They "
        "overlap, so they do not add up. The letter is the one that bounds the layer."
    )
    return chart("terms", "Cycles per layer", caption, draw, FULL, (*legend, ("faint", "the layer's time")))


def roofline(data: ReportData) -> Chart:
    """MAC per cycle against MAC per byte moved; the roofs of array, ports and the board's DRAM."""
    point, accel = data.point, data.point.accelerator
    peak = accel.tm * accel.tn
    ports = accel.port_bits / 8
    dram = point.board.dram_mb_per_s / point.clock_mhz
    layers = [layer for layer in data.layers if layer.macs and layer.traffic_bytes]
    inside = sum(not layer.traffic_bytes for layer in data.layers)

    def draw(width: int) -> Figure:
        figure, axes = figure_of(width, 330)
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
        name_points(figure, axes, {layer.name: places[layer.name] for layer in _slowest_first(layers)})
        grid(axes, "both")
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=2.2, columnspacing=1.4
        )
        return figure

    caption = (
        f"The three ports move {ports:g} bytes a cycle at most, the DRAM of the {point.board.name} "
        f"{dram:.1f} ({point.board.dram_mb_per_s:,.0f} MB/s at {point.clock_mhz:g} MHz). Dots are layers, "
        "coloured by what bounds them; bytes count halo, reloads and padding."
        + (f" {inside} layers have all on chip: nothing to be drawn moves." if inside else "")
    )
    legend = tuple((label, LABELS[label]) for label in dict.fromkeys(layer.bottleneck for layer in layers))
    return chart("roofline", "Roofline", caption, draw, HALF, legend)


def on_chip(data: ReportData) -> Chart | None:
    """The memory of maps on chip over the layers: which map has which words; None where there is none."""
    point = data.point
    layers = [entry.layer for entry in point.layers]
    maps = maps_over_time(layers, point.feature_maps, point.accelerator)
    if not maps:
        return None

    def draw(width: int) -> Figure:
        figure, axes = figure_of(width, 280)
        for at, (name, (life, word)) in enumerate(maps.items()):
            long = life.last + 1 - life.first
            axes.bar(
                life.first, life.words, width=long, bottom=word, align="edge", color=ACCENT,
                alpha=0.35 if at % 2 else 0.6, edgecolor=SURFACE,
            )  # fmt: skip
            if width * long / len(layers) > 7 * len(name):
                middle = (life.first + long / 2, word + life.words / 2)
                axes.text(*middle, name, ha="center", va="center", fontsize=9)
        axes.set(xlim=(0, len(layers)), ylim=(0, point.accelerator.map_words))
        axes.set(xlabel="layers, as they run", ylabel=f"words of {point.accelerator.word_width} bits")
        grid(axes, "y")
        return figure

    caption = (
        "Maps in the memory on chip: each box is a map, from the layer that writes it to the last one that "
        "reads it; two copies are held, one for each reader. Image and logits lie in DRAM."
    )
    return chart("on_chip", "Maps on chip over time", caption, draw, HALF)


def sensitivity(data: ReportData) -> Chart | None:
    """Latency at other memory latencies, where a sweep was simulated."""
    points = data.sweep
    if not points:
        return None
    point = data.point

    def draw(width: int) -> Figure:
        figure, axes = figure_of(width, 280)
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
        grid(axes, "both")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return figure

    caption = "How latency grows with the memory's; the vertical line is what the design assumes."
    return chart("sensitivity", "Sensitivity to the memory", caption, draw, HALF)


def _slowest_first(layers: Sequence[LayerReport]) -> list[LayerReport]:
    return sorted(layers, key=lambda layer: -layer.predicted.cycles)
