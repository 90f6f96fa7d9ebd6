"""A finished search as pictures: its front, its history, what mattered, and which layers got what.

They are drawn from the record of search.json (:mod:`hotnas_hls.search.telling.summary`), so that they
can be drawn again from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hotnas_hls.base.pictures import picture
from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.search.telling.summary import measure_of, objective_of

Summary = Mapping[str, Any]
BLUE, ORANGE, GREY, GREEN, RED = "#2b6cb0", "#dd6b20", "#a0aec0", "#2f855a", "#c53030"
MOST_DECISIONS = 12  # bars of the importance chart
KIND_TEXT: dict[str, str] = {
    AxisKind.SKIP: "skip connection",
    AxisKind.PRUNE: "zeros per kernel",
    AxisKind.CHANNELS: "output channels",
    AxisKind.BITS: "weight bits",
    AxisKind.ACT_BITS: "bits read",
    AxisKind.EXPAND: "kernel grown",
}
FORMATS = ("svg", "png")


def charts(summary: Summary) -> dict[str, bytes]:
    """Every picture, by file name."""
    drawn: dict[str, Callable[[Summary], Figure]] = {
        "front": front_chart,
        "history": history_chart,
        "importance": importance_chart,
        "layers": layers_chart,
    }
    return {
        f"{name}.{kind}": picture(figure, kind)
        for name, figure in ((name, draw(summary)) for name, draw in drawn.items())
        for kind in FORMATS
    }


def front_chart(summary: Summary) -> Figure:
    """Accuracy over the objective: every trained trial, the front, the bound, before and after."""
    metric = objective_of(summary)
    measure = measure_of(summary)
    title = f"{measure[0].upper()}{measure[1:]} and {metric.word}"
    figure, axes = _figure(title, f"{metric.word}, {metric.unit}", f"{measure}, %")
    values, accuracy = summary[metric.name], summary["validation_accuracy"]
    trained = [t for t in summary["history"] if t["accuracy"] is not None]
    axes.plot(
        [t[metric.name] for t in trained], [100 * t["accuracy"] for t in trained],
        "o", color=GREY, markersize=4, label="trained",
    )  # fmt: skip
    stopped = [t for t in summary["history"] if t["stopped"] and t["checks"]]
    if stopped:
        axes.plot(
            [t[metric.name] for t in stopped], [100 * t["checks"][-1] for t in stopped],
            "x", color=GREY, markersize=4, label="stopped (last look)",
        )  # fmt: skip
    front = summary["front"]
    axes.step(
        [t[metric.name] for t in front], [100 * t["accuracy"] for t in front],
        "o-", where="post", color=BLUE, markersize=5, label="front",
    )  # fmt: skip
    axes.plot(values["before"], 100 * accuracy["before"], "s", color=ORANGE, label="before")
    axes.plot(values["after"], 100 * accuracy["after"], "*", color=GREEN, markersize=11, label="result")
    if values["bound"] is not None:
        axes.axvline(values["bound"], color=RED, linestyle="--", linewidth=1, label="bound")
    axes.legend(fontsize=8)
    return figure


def history_chart(summary: Summary) -> Figure:
    """Every trial in order: its accuracy, or that it was refused, stopped or repeated; the best so far."""
    figure, axes = _figure("History", "trial", f"{measure_of(summary)}, %")
    trials = summary["history"]
    trained = [t for t in trials if t["accuracy"] is not None]
    low = min((100 * t["accuracy"] for t in trained), default=0.0)
    for label, marker, colour, members in (
        ("trained", "o", BLUE, [t for t in trained if t["repeats"] is None]),
        ("seen before", ".", GREY, [t for t in trained if t["repeats"] is not None]),
        ("stopped", "x", ORANGE, [t for t in trials if t["stopped"]]),
        ("refused", "|", RED, [t for t in trials if t["refusals"]]),
    ):
        heights = [low - 2 if t["accuracy"] is None else 100 * t["accuracy"] for t in members]
        axes.plot([t["trial"] for t in members], heights, marker, color=colour, label=label)
    best = itertools.accumulate((100 * t["accuracy"] for t in trained if not t["refusals"]), max)
    axes.step([t["trial"] for t in trained], list(best), where="post", color=GREEN, label="best so far")
    axes.legend(fontsize=8)
    return figure


def importance_chart(summary: Summary) -> Figure:
    """The decisions that moved accuracy and objective most."""
    shares, word = summary["importance"], objective_of(summary).word
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    for place, (name, colour) in enumerate((("accuracy", BLUE), (word, ORANGE)), 1):
        axes = figure.add_subplot(1, 2, place)
        top = list(shares.get(name, {}).items())[:MOST_DECISIONS][::-1]
        axes.barh([axis for axis, _ in top], [100 * share for _, share in top], color=colour)
        axes.set(title=f"What moved the {name}", xlabel="importance (fANOVA), %")
        axes.tick_params(axis="y", labelsize=7)
        if not top:
            axes.text(0.5, 0.5, "too few trials", ha="center", va="center", transform=axes.transAxes)
    return figure


def layers_chart(summary: Summary) -> Figure:
    """Which layers got what: a row for every layer the search could edit, a column for every kind of edit."""
    decided = summary["decisions"]
    layers = list(dict.fromkeys(d["layer"] for d in decided))
    kinds = [kind for kind in KIND_TEXT if any(d["kind"] == kind for d in decided)]
    figure = Figure(figsize=(2.2 + 1.6 * max(1, len(kinds)), 1.2 + 0.28 * len(layers)), layout="constrained")
    axes = figure.add_subplot()
    for d in decided:
        column, row = kinds.index(d["kind"]), layers.index(d["layer"])
        place = d["options"].index(d["after"]) / max(1, len(d["options"]) - 1)
        axes.add_patch(_cell(column, row, place))
        text = f"{d['after']}" if d["after"] == d["before"] else f"{d['before']} → {d['after']}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.5, len(kinds) - 0.5), ylim=(len(layers) - 0.5, -0.5))
    axes.set_xticks(range(len(kinds)), [KIND_TEXT[kind] for kind in kinds], fontsize=8)
    axes.set_yticks(range(len(layers)), layers, fontsize=7)
    axes.set_title("What each layer got", fontsize=10)
    axes.tick_params(length=0)
    return figure


def _cell(column: int, row: int, strength: float) -> Rectangle:
    """A square, the bluer the stronger the edit."""
    return Rectangle((column - 0.48, row - 0.44), 0.96, 0.88, color=BLUE, alpha=0.08 + 0.5 * strength)


def _figure(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.grid(alpha=0.3)
    return figure, axes
