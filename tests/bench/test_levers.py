"""Designs one lever apart: each is sound, faster than the one before, and documented as simulated."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("torch")

from simulate.test_certificate import faked  # noqa: F401 (a fixture)
from small_designs import small_design
from test_docs import DOCS, script

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.bench import levers as module
from hotnas_hls.bench.kept_results import read_results


@cache
def points(network: str) -> dict[str, DesignPoint]:
    return dict(module.design_points(network))


@pytest.mark.parametrize("network", module.NETWORKS)
def test_every_lever_is_a_sound_design_that_is_faster(network: str) -> None:
    cycles = []
    for point in points(network).values():
        assert point.violations() == []
        assert violations(accelerator_resources(point.accelerator, len(point.layers)), point.board) == []
        cycles.append(point.predicted_cycles)
    assert cycles == sorted(set(cycles), reverse=True)


def test_documented_figures_are_of_these_designs_and_this_model() -> None:
    for name, found in read_results(DOCS / script("tables").LEVER_RESULTS).items():
        point = points(name.split()[0])[name]
        assert found["simulated_cycles"] == found["predicted_cycles"] == point.predicted_cycles, name
        assert found["certificate_holds"] and found["every_output_equal"], name


def test_results_are_kept_by_network_and_lever(faked, tmp_path: Path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(module, "design_points", lambda network: [(f"{network} none", small_design())])
    path, seen = tmp_path / "levers.json", []
    measured = module.measure(path, ("resnet18",), lambda name, figures: seen.append((name, figures)))
    assert seen == list(measured.items()) == list(read_results(path).items())
    assert measured["resnet18 none"]["simulated_cycles"] == small_design().predicted_cycles
