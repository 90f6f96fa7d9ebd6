"""The HLS C++ beside its twin: what is kept of a network, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from codegen.test_hls import needs_csim
from small_designs import small_design

from hotnas_hls.bench import cases, schedules
from hotnas_hls.bench.kept_results import Figures

FIGURES: Figures = {"layers": {"stem": [100, 100, 70, 60, 55], "fc": [50, 50, 52, 40, 44]}}
TOLD = [
    "stem: 100 cycles, HLS schedule 70; below by 30: latency 25, rest 5",
    "fc: 50 cycles, HLS schedule 52; below by -2: latency 2, rest -4",
    "all: 150 cycles, HLS schedule 122; below by 28: latency 27, rest 1",
]


def test_a_difference_is_told_by_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    assert schedules.attribution(FIGURES) == TOLD
    told: list[str] = []
    monkeypatch.setattr(cases, "progress", told.append)
    monkeypatch.setattr(schedules, "measure", lambda results, report: report("small", FIGURES))
    cases.schedules()
    assert told == [f"small, {line}" for line in TOLD]


@needs_csim
@pytest.mark.whole
def test_every_layer_has_its_counts(tmp_path: Path) -> None:
    """With a memory that answers at once neither takes longer."""
    found = schedules.compared(small_design(), tmp_path)
    assert found["every_layer_exact"] and found["every_output_equal"]
    assert list(found["layers"]) == [entry.layer.name for entry in small_design().layers]
    for predicted, simulated, _, twin_at_once, _ in found["layers"].values():
        assert predicted == simulated >= twin_at_once
    _, _, own, _, own_at_once = (sum(of) for of in zip(*found["layers"].values(), strict=True))
    assert own_at_once < own
