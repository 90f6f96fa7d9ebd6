"""What a search leaves: search.json and its charts."""

import json
import re

import pytest

from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.search.evaluating.outcome import hypervolume
from hotnas_hls.search.telling.importance import importance
from hotnas_hls.search.telling.study_charts import (
    KIND_TEXT,
    charts,
    front_chart,
    history_chart,
    layers_chart,
)

from .toy_study import SPACE, study


@pytest.fixture(scope="module")
def outcomes():
    return study(40).run()


def test_hypervolume_is_the_area_the_front_dominates(outcomes):
    from hotnas_hls.search.evaluating.outcome import pareto_front

    grid = 400
    front = [(o.accuracy, o.latency_ms) for o in pareto_front(outcomes)]
    covered = sum(
        any(a >= 0.5 + 0.5 * (i + 0.5) / grid and t <= 1.0 * (j + 0.5) / grid for a, t in front)
        for i in range(grid)
        for j in range(grid)
    )
    assert hypervolume(outcomes, 0.5, 1.0) == pytest.approx(covered / grid**2, abs=0.005)
    assert hypervolume(outcomes[:0], 0.5, 1.0) == 0
    volumes = [hypervolume(outcomes[:n], 0.5, 1.0) for n in range(len(outcomes))]
    assert volumes == sorted(volumes) and volumes[-1] > 0


def test_importance_adds_up_and_finds_what_matters(outcomes):
    shares = importance(SPACE, outcomes)
    assert set(shares) == {"accuracy", "latency"}
    for share in shares.values():
        assert sum(share.values()) == pytest.approx(1, abs=0.001)
        assert list(share.values()) == sorted(share.values(), reverse=True)
    assert importance(SPACE, outcomes[:5]) == {"accuracy": {}, "latency": {}}


@pytest.fixture(scope="module")
def summary(outcomes):
    from hotnas_hls.search.evaluating.outcome import pareto_front
    from hotnas_hls.search.telling.summary import decisions

    history = [{"trial": o.number, **o.record()} for o in outcomes]
    return {
        "latency_ms": {"before": 2.0, "after": 0.6, "bound": 1.0},
        "validation_accuracy": {"before": 0.9, "after": 0.8},
        "history": history,
        "front": [
            {"accuracy": o.accuracy, "latency_ms": o.latency_ms, "trial": o.number}
            for o in pareto_front(outcomes)
        ],
        "importance": importance(SPACE, outcomes),
        "decisions": decisions(SPACE, outcomes[0].candidate),
    }


@pytest.mark.whole
def test_charts_are_files_that_repeat_themselves(summary):
    drawn = charts(json.loads(json.dumps(summary)))
    assert sorted(drawn) == sorted(
        f"{name}.{kind}" for name in ("front", "history", "importance", "layers") for kind in ("svg", "png")
    )
    assert all(contents[:4] == b"\x89PNG" for name, contents in drawn.items() if name.endswith("png"))
    assert all(b"<svg" in contents[:400] for name, contents in drawn.items() if name.endswith("svg"))
    assert charts(summary) == drawn


def test_the_front_chart_shows_every_trained_trial_and_the_bound(summary):
    lines = {line.get_label(): line for line in front_chart(summary).axes[0].lines}
    trained = [t for t in summary["history"] if t["accuracy"] is not None]
    assert list(lines["trained"].get_xdata()) == [t["latency_ms"] for t in trained]
    assert list(lines["front"].get_xdata()) == [t["latency_ms"] for t in summary["front"]]
    assert set(lines["bound"].get_xdata()) == {1.0}


def test_the_history_chart_shows_refusals_and_a_rising_best(summary):
    lines = {line.get_label(): line for line in history_chart(summary).axes[0].lines}
    refused = [t["trial"] for t in summary["history"] if t["refusals"]]
    assert list(lines["refused"].get_xdata()) == refused
    best = list(lines["best so far"].get_ydata())
    assert best == sorted(best)


def test_the_layers_chart_says_what_each_got(summary):
    axes = layers_chart(summary).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [axis.layer for axis in SPACE.axes]
    assert {*KIND_TEXT} == {*AxisKind} - {AxisKind.HARDWARE, AxisKind.NOISE}  # of layers
    cells = [text.get_text() for text in axes.texts]
    assert len(cells) == len(SPACE.axes) and all(re.fullmatch(r"16( → \d+)?", cell) for cell in cells)
