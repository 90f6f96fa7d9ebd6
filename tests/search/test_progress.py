"""What a search says while it runs."""

import dataclasses
import io

import pytest
from rich.console import Console

from hotnas_hls.search.running.study import SearchStudy
from hotnas_hls.search.telling import progress
from hotnas_hls.search.telling.progress import ConsoleReporter, reason

from .toy_study import SPACE, ToyObjective, study


@pytest.mark.parametrize(
    "refusal, kind",
    [
        ("latency 0.05 ms exceeds the bound 0.03 ms", "latency"),
        ("2,560 DSP slices, ZCU102 has 2,520; choose a smaller Tm or Tn", "DSP slices"),
        ("tm = 12: must be a multiple of the channel block 8", "tm"),
        ("layer2.0.conv1: weights of 4,608 words, the buffer has 4,096", "weights of"),
    ],
)
def test_refusals_are_counted_by_kind(refusal, kind):
    assert reason(refusal) == kind


@pytest.mark.parametrize("terminal", [False, True])
def test_best_and_refusals_are_shown(terminal):
    text = io.StringIO()
    settings = dataclasses.replace(study(10).settings, proposals=None)
    searched = SearchStudy(SPACE, ToyObjective(), settings)
    with ConsoleReporter(Console(file=text, force_terminal=terminal, width=160)) as reporter:
        reporter.stage("iSearch")
        outcomes = searched.run(report=lambda outcome: reporter.outcome(outcome, searched))
    refused = sum(1 for outcome in outcomes if outcome.refusals)
    assert "iSearch" in text.getvalue()
    if not terminal:
        last = text.getvalue().splitlines()[-1]
        assert last.startswith("  10/10 trials, 0 s left; best ")
        assert last.endswith(f"refused: {refused} x latency")


def test_batches_are_told_to_a_file_now_and_then(monkeypatch):
    """With the time left, at longer and longer intervals."""
    text, clock = io.StringIO(), iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with ConsoleReporter(Console(file=text, force_terminal=False, width=160)) as reporter:
        reporter.stage("final fine-tuning")
        for done in range(1, 301):
            reporter.step(done, 300)
        reporter.step(1, 300)  # another network, in the same stage
    lines = text.getvalue().splitlines()
    assert lines[1] == "  10/300 batches, 290 s left"
    assert lines[-1] == "  300/300 batches, 0 s left"
    assert 10 < len(lines) < 25
