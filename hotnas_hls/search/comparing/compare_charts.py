"""A comparison of samplers as a picture and as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

COLOURS = ("#2b6cb0", "#a0aec0", "#dd6b20", "#2f855a", "#805ad5", "#c53030")
Record = Mapping[str, Any]


def curves_chart(record: Record) -> Figure:
    """Hypervolume and best feasible design after each trial: the mean over the seeds, and their range."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    bounded = record["bound_ms"] is not None
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    left.set(title="Hypervolume", xlabel="trial", ylabel="share of the box dominated")
    if bounded:
        right.set(title="Best feasible design", xlabel="trial", ylabel="validation accuracy, %")
    else:
        right.set(title="Fastest that is accurate enough", xlabel="trial", ylabel="latency, ms")
    groups = _alike(record)
    for names, colour in zip(groups, COLOURS * len(groups), strict=False):
        name = " = ".join(names)
        runs = [run for run in record["runs"] if run["variant"] == names[0]]
        _curve(left, [run["hypervolume"] for run in runs], name, colour)
        if bounded:
            percent = [[None if a is None else 100 * a for a in run["accuracy"]] for run in runs]
            _curve(right, percent, name, colour)
        else:
            _curve(right, [run["latency_ms"] for run in runs], name, colour)
    left.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def _alike(record: Record) -> list[list[str]]:
    """The variants, those together whose curves are the same with every seed."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(run["variant"] for run in record["runs"]):
        runs = [run for run in record["runs"] if run["variant"] == name]
        curves = [[run[kind] for kind in ("hypervolume", "accuracy", "latency_ms")] for run in runs]
        groups.setdefault(json.dumps(curves), []).append(name)
    return list(groups.values())


def no_difference(record: Record) -> list[str]:
    """A sentence for variants that found the same: between them this comparison says nothing."""
    found = []
    for names in _alike(record):
        if len(names) > 1:
            runs = [run for run in record["runs"] if run["variant"] in names]
            refused = sum(run["refused"] for run in runs) / sum(run["looked"] for run in runs)
            found.append(
                f"no difference between {' and '.join(names)}: {refused:.0%} of their candidates were "
                "refused by the hardware test, and what was best is a first candidate that all of them are "
                "given; give them more trials, or a looser bound"
            )
    return found


def _curve(axes: Axes, curves: Sequence[Sequence[float | None]], name: str, colour: str) -> None:
    """Mean and range; a curve begins where every seed has something."""
    shortest = min(map(len, curves))
    values = np.array([curve[:shortest] for curve in curves], dtype=float)
    trials = np.arange(1, shortest + 1)
    axes.plot(trials, values.mean(axis=0), color=colour, label=name)
    axes.fill_between(trials, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.12, linewidth=0)


def ranking_table(record: Record) -> Table:
    """A row for every variant, the best first."""
    seeds = record["seeds"]
    averaged = "one seed" if seeds == 1 else f"means of {seeds} seeds"
    table = Table(title=f"{record['network']}, {record['trials']} trials, {averaged}")
    table.add_column("sampler")
    for head in ("hypervolume", "range", "accuracy", "latency, ms", "trained", "stopped", "refused", "s"):
        table.add_column(head, justify="right")
    for row in record["ranking"]:
        low, high = row["hypervolume_range"]
        table.add_row(
            row["variant"],
            f"{row['hypervolume']:.4f}",
            f"{low:.4f}-{high:.4f}",
            "none" if row["accuracy"] is None else f"{row['accuracy']:.2%}",
            "none" if row["latency_ms"] is None else f"{row['latency_ms']:.5f}",
            *(f"{row[name]:.1f}" for name in ("trained", "stopped", "refused", "seconds")),
        )
    return table
