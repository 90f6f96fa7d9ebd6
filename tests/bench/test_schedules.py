"""The HLS C++ beside its twin: what is kept of a network, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from codegen.test_hls import needs_csim
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.latency import drain_beat
from hotnas_hls.accel.timing.pipeline import ARRAY_STAGES
from hotnas_hls.bench import cases, schedules
from hotnas_hls.bench.kept_results import Figures
from hotnas_hls.simulate.hls_schedule import LayerSchedule, StageCycles

FIGURES: Figures = {
    "layers": {"stem": [100, None, 70, 60, 55], "fc": [50, 50, 52, 40, 44]},
    "spent": {"stem": [30, 20, 50, 25, 8, 5], "fc": [10, 0, 40, 4, 8, 25]},
}
TOLD = [
    "stem: 100 cycles, HLS schedule 70; below by 30: latency 25, rest 5",
    "stem: the array works 30, and waits in the twin 20 within layers and 50 between them, "
    "in the C++ 25 while its buffer fills, 8 for its pipeline, 5 for words",
    "fc: 50 cycles, HLS schedule 52; below by -2: latency 2, rest -4",
    "fc: the array works 10, and waits in the twin 0 within layers and 40 between them, "
    "in the C++ 4 while its buffer fills, 8 for its pipeline, 25 for words",
    "all: 150 cycles, HLS schedule 122; below by 28: latency 27, rest 1",
    "all: the array works 40, and waits in the twin 20 within layers and 90 between them, "
    "in the C++ 29 while its buffer fills, 16 for its pipeline, 30 for words",
]


def test_a_difference_is_told_by_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    assert schedules.attribution(FIGURES) == TOLD
    told: list[str] = []
    monkeypatch.setattr(cases, "progress", told.append)

    def told_of(name: str, figures: Figures) -> Callable[..., dict[str, Figures]]:
        return lambda results, report: {name: figures} if report(name, figures) is None else {}

    of_all: Figures = {"predicted_cycles": 2000, "hls_schedule": 1980}
    monkeypatch.setattr(schedules, "measure", told_of("small", FIGURES))
    monkeypatch.setattr(schedules, "measure_wholes", told_of("small PYNQ-Z2", of_all))
    assert cases.schedules() == {"small": FIGURES, "small PYNQ-Z2": of_all}
    assert told[-1] == "small PYNQ-Z2: 2,000 cycles, HLS schedule 1,980"
    assert told[:-1] == [f"small, {line}" for line in TOLD]


@needs_csim
@pytest.mark.whole
def test_every_cycle_of_every_layer_is_counted(tmp_path: Path) -> None:
    """With a memory that answers at once neither takes longer. Behind the C++'s last sums is their store."""
    point = small_design()
    found = schedules.compared(point, tmp_path)
    assert found["every_layer_exact"] and found["every_output_equal"]
    assert list(found["layers"]) == list(found["spent"]) == [entry.layer.name for entry in point.layers]
    for predicted, simulated, _, twin_at_once, _ in found["layers"].values():
        assert predicted == simulated >= twin_at_once
    twin, _, own, _, own_at_once = (sum(of) for of in zip(*found["layers"].values(), strict=True))
    assert own_at_once < own
    stages = ARRAY_STAGES + point.accelerator.tree_levels
    for array, waits, begins, fills, pipeline, words in found["spent"].values():
        assert min(array, waits, begins, fills, words) >= 0 and pipeline == stages
    array, waits, begins, *of_own = (sum(of) for of in zip(*found["spent"].values(), strict=True))
    assert array + waits + begins == twin
    beats, answer = point.accelerator.ofm_beats_per_word, point.memory.write_latency
    assert own - array - sum(of_own) == beats + drain_beat(point.accelerator) + answer


def test_a_network_is_predicted_alone_where_its_twin_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cycles of the twin are then not there, rather than 0."""
    point = small_design()
    own = LayerSchedule(70, {"compute": StageCycles(70, 600, 8, 0, 3, 0)})
    monkeypatch.setattr(schedules, "hls_schedule", lambda *given: (own,) * len(point.layers))
    found = schedules.compared(point, tmp_path, simulated=False)
    assert "every_layer_exact" not in found
    assert all(cycles[1] is None and cycles[0] > 0 for cycles in found["layers"].values())
    assert found["spent"]["stem"][3:] == [600 - found["spent"]["stem"][0], 8, 3]


def test_what_is_kept_of_a_design_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is of a version that did not tell what arrays wait for."""
    point, measured = small_design(), []
    figures = {"design_digest": point.digest(), **FIGURES}

    def compared(point: DesignPoint, folder: Path, simulated: bool) -> Figures:
        measured.append(simulated)
        return figures

    monkeypatch.setattr(schedules, "NETWORKS", {"small": False})
    monkeypatch.setattr(schedules, "fastest_on", lambda network, board: point)
    monkeypatch.setattr(schedules, "compared", compared)
    file = tmp_path / "schedules.json"
    assert schedules.measure(file) == schedules.measure(file) == {"small": figures}
    assert measured == [False]
    file.write_text(file.read_text().replace('"spent"', '"other"'))
    schedules.measure(file)
    assert measured == [False, False]


@needs_csim
def test_of_designs_on_boards_a_whole_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = small_design()
    monkeypatch.setattr(schedules.boards, "NETWORKS", ("small",))
    monkeypatch.setattr(schedules.boards, "BOARDS", ("ZCU102",))
    monkeypatch.setattr(schedules, "fastest_on", lambda network, board: point)
    found = schedules.measure_wholes(tmp_path / "schedules.json")
    (figures,) = found.values()
    assert list(found) == ["small ZCU102"] and figures["predicted_cycles"] == point.predicted_cycles
    assert 0.5 < figures["hls_schedule"] / figures["predicted_cycles"] <= 1.03
    monkeypatch.setattr(schedules, "hls_schedule", None)
    assert schedules.measure_wholes(tmp_path / "schedules.json") == found
