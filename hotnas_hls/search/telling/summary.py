"""A finished search as one JSON-ready record: what search.json holds, and the charts and the report show."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hotnas_hls.accel.design_point import Accuracy
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.space import AxisKind, Candidate, SearchSpace
from hotnas_hls.platforms.variation import Varied
from hotnas_hls.report.wording import loss
from hotnas_hls.search.detecting.detect import Detection
from hotnas_hls.search.evaluating.outcome import Outcome
from hotnas_hls.search.search import SearchResult
from hotnas_hls.search.telling.importance import importance
from hotnas_hls.search.telling.progress import reason

VARIATION = "accuracy_under_variation"  # key of what chips of a platform do to the accuracy
ACCURACY = Accuracy().measure
SHARES = "shares"  # key of the layers' shares of the cost, by what bounds them


def summary_of(result: SearchResult) -> dict[str, Any]:
    """The figures of a search."""
    outcomes, baseline, metric = result.outcomes, result.baseline.cost, result.cost.objective
    trained = [o for o in outcomes if o.accuracy is not None and o.repeats is None]
    stopped = [o for o in outcomes if o.stopped is not None and o.repeats is None]
    return {
        "network": result.network.name,
        "objective": dataclasses.asdict(metric),
        **{
            name: {"before": value, "after": result.cost.metrics[name]}
            for name, value in baseline.metrics.items()
        },
        metric.name: {"before": baseline.value, "after": result.cost.value, "bound": result.bound},
        "reduction": 1 - result.cost.total / baseline.total,
        f"uncompressed_{metric.unit}": dict(result.uncompressed),
        "blocked": _blocked(result),
        SHARES: result.cost.shares(),
        "validation_accuracy": {"before": result.baseline_validation, "after": result.validation},
        "test_accuracy": {"before": result.test.baseline, "after": result.test.final},
        "test_images": result.test.images,
        "measure": result.test.measure,
        **({} if result.varied is None else {VARIATION: result.varied.record()}),
        "accuracy_drop": result.accuracy_drop,
        "space_size": result.space.size,
        "trials": len(outcomes),
        "trained": len(trained),
        "stopped": len(stopped),
        "refused": sum(1 for outcome in outcomes if outcome.refusals),
        "repeated": sum(1 for outcome in outcomes if outcome.repeats is not None),
        "refusals": dict(Counter(reason(o.refusals[0]) for o in outcomes if o.refusals).most_common()),
        "evaluation_seconds": round(sum(outcome.seconds for outcome in outcomes), 3),
        "hardware": {"before": dict(result.baseline.choices), "after": dict(result.choices)},
        "format": {"before": _format(result.baseline_format), "after": _format(result.format)},
        "edits": result.compression.record(),
        "decisions": decisions(result.space, result.chosen.candidate),
        "reductions": [step.record() for step in result.reductions],
        "remedies": remedies(result.remaining),
        "front": [
            {"accuracy": o.accuracy, metric.name: o.value, "trial": o.number} for o in result.front
        ],
        "chosen": result.chosen.number,
        "history": [_trial(outcome) for outcome in outcomes],
        "importance": importance(result.space, outcomes, metric.word),
    }


def _blocked(result: SearchResult) -> dict[str, str]:
    """The layer of the result that takes most, and the term that bounds it."""
    slowest = result.remaining.cost.slowest
    return {
        "layer": slowest.layer,
        "bottleneck": slowest.label,
        "term": max(slowest.terms, key=lambda name: slowest.terms[name]),
    }


def objective_of(summary: Mapping[str, Any]) -> Metric:
    """What a search lessened; those of older versions knew the latency only."""
    return Metric(**summary["objective"]) if "objective" in summary else LATENCY


def measure_of(summary: Mapping[str, Any]) -> str:
    """What its accuracies measure; those of older versions knew images that are classified right only."""
    return str(summary.get("measure", ACCURACY))


def _format(form: IntegerFormat) -> dict[str, Any]:
    """Widths of activations and of weights that are not narrowed, and how the network is laid."""
    return {
        "act_bits": form.act_bits,
        "weight_bits": form.weight_bits,
        **dataclasses.asdict(form.arrangement),
    }


def remedies(found: Detection) -> list[dict[str, Any]]:
    """What would shorten the result further: the best remedy of each layer that has one, the best first."""
    helped = [(finding, effect) for finding in found.findings if (effect := finding.best) is not None]
    return [
        {
            "layer": finding.layer,
            "bottleneck": finding.label,
            "remedy": str(effect.remedy),
            "change": effect.description,
            "saved": effect.saved,
        }
        for finding, effect in sorted(helped, key=lambda pair: -pair[1].saved)
    ]


def decisions(space: SearchSpace, candidate: Candidate) -> list[dict[str, Any]]:
    """What the search decided about each layer, untouched layers included; hardware is told elsewhere."""
    return [
        {
            "layer": axis.layer,
            "kind": str(axis.kind),
            "before": axis.options[0],
            "after": candidate[axis.name],
            "options": list(axis.options),
        }
        for axis in space.axes
        if axis.layer and axis.kind is not AxisKind.HARDWARE
    ]


def _trial(outcome: Outcome) -> dict[str, Any]:
    return {"trial": outcome.number, **outcome.record()}


def readable(summary: Mapping[str, Any]) -> list[str]:
    """The summary in a few lines, the first of them what is to be worried about."""
    metric, test, cost = objective_of(summary), summary["test_accuracy"], summary["cost"]
    since = " since it was resumed" if cost["resumed"] else ""
    measure = measure_of(summary)
    return [
        *_losses(summary),
        *_no_gain(summary),
        *_mostly_refused(summary),
        f"{summary['network']}: {summary['trials']} candidates, {summary['trained']} trained, "
        f"{summary['stopped']} stopped early, {summary['refused']} refused by the hardware test, "
        f"{summary['repeated']} repeated",
        f"{metric.word:9} {metric.text(summary[metric.name]['after'])}; {_against(summary)}",
        f"test      {test['before']:.2%} -> {test['after']:.2%} "
        f"({'' if measure == ACCURACY else f'{measure}, '}{summary['test_images']} images)",
        *_varied(summary),
        f"time      {cost['wall_seconds'] / 60:.1f} min{since}, "
        f"{cost['cpu_seconds'] / 60:.1f} min of CPU time on {cost['cpus']} cores",
    ]


def varied_of(summary: Mapping[str, Any]) -> Varied | None:
    """Accuracy of the result where devices vary; None on platforms where they do not."""
    return Varied.from_record(summary[VARIATION]) if VARIATION in summary else None


def _varied(summary: Mapping[str, Any]) -> list[str]:
    """A line of that."""
    varied = varied_of(summary)
    return [] if varied is None else [f"{varied}; without it {varied.exact:.2%}"]


def _against(summary: Mapping[str, Any]) -> str:
    """The objective against the best uncompressed designs, and the bound."""
    metric = objective_of(summary)
    after, bound = summary[metric.name]["after"], summary[metric.name]["bound"]
    uncompressed = summary[f"uncompressed_{metric.unit}"]
    named = {f"{name} {metric.text(took)}": took for name, took in uncompressed.items()}
    if bound is not None:
        named[f"bound {metric.text(bound)}"] = bound
    return "against " + ", ".join(f"{what}: {after / took - 1 + 0:+.1%}" for what, took in named.items())


def _no_gain(summary: Mapping[str, Any]) -> list[str]:
    """A line where the plain 8-bit network, which needs no search, is as fast as what was found."""
    metric = objective_of(summary)
    plain, after = summary[f"uncompressed_{metric.unit}"].get("int8"), summary[metric.name]["after"]
    if plain is None or after < plain * (1 - 1e-9):
        return []
    blocked = summary["blocked"]
    return [
        f"NO FASTER than the plain 8-bit network, which takes {metric.text(plain)} without a search; most of "
        f"{metric.text(after)} is layer {blocked['layer']}, bound by {blocked['bottleneck']} "
        f"({blocked['term']})"
    ]


def _mostly_refused(summary: Mapping[str, Any]) -> list[str]:
    """A line where the hardware test refused most of what was proposed, and why."""
    if 2 * summary["refused"] <= summary["trials"]:
        return []
    why = ", ".join(f"{reason} ({count})" for reason, count in summary.get("refusals", {}).items())
    return [
        f"MOSTLY REFUSED {summary['refused']} of {summary['trials']} candidates, {summary['trained']} were "
        f"trained: {why}; a looser bound lets more of them pass"
    ]


def _losses(summary: Mapping[str, Any]) -> list[str]:
    """A line where the result loses more accuracy than the search was allowed to."""
    asked = summary.get("accuracy_drop")  # unknown of searches of older versions
    accuracies = {kind: summary[f"{kind}_accuracy"] for kind in ("validation", "test")}
    changes = {kind: (one["before"], one["after"]) for kind, one in accuracies.items()}
    found = loss(asked, changes, measure_of(summary))
    return [f"{found}; raise the bound, or give it more trials"] if found else []
