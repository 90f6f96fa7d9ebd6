"""The arrangement a search opens with: of those that meet the bound, the one whose edits harm least."""

from __future__ import annotations

import dataclasses
import math

import pytest

from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search import openings
from hotnas_hls.search.detecting.start import Starts, starts
from hotnas_hls.search.openings import Opening, opening
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.proposing.generate import SpaceOptions, choices_of, compression_of
from hotnas_hls.search.telling.reporter import Silent

FORMAT = IntegerFormat(8, 8, calibration_images=16, refit_images=0)
SPACE = SpaceOptions(weight_bits=8, channel_cut=False, kernel_expand=False)
ENGINE = EngineOptions(tm=(16,), tn=(16,), tr=(8,), tc=(8,), port_bits=(64,), on_chip=False)
PLATFORM = TiledEnginePlatform(load_board("ZCU102"), 200.0, act_bits=8, options=ENGINE)


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "SENSITIVITY_IMAGES", 32)


@pytest.fixture(scope="module")
def found(problem: Problem) -> Starts:
    every = starts(problem.graph, problem.model, PLATFORM, FORMAT, "best")
    return dataclasses.replace(every, arranged=every.arranged[:3])


def opened(problem: Problem, found: Starts, bound: float | None) -> tuple[Opening, list[str]]:
    """With a bound in ms."""
    told: list[str] = []
    reporter = Silent()
    reporter.stage = told.append  # type: ignore[method-assign]
    options = SearchOptions(bound=bound, rungs=2, space=SPACE, format=FORMAT)
    return opening(problem, PLATFORM, found, options, reporter), told


def test_a_start_for_each_packing_the_fastest_first(found: Starts) -> None:
    packings = [start.format.arrangement for start in found.arranged]
    shapes = [(one.packed_resolutions, one.packed_across) for one in packings]
    assert len(shapes) == len(set(shapes)) == 3 and found.own == found.arranged[0]
    costs = []
    for start in found.arranged:
        layers = start.workload.layers
        costs.append(PLATFORM.cost(layers, PLATFORM.design(layers, start.choices)).total)
    assert found.own.total <= min(costs[1:])


def test_the_arrangement_of_least_harm_is_taken(problem: Problem, found: Starts) -> None:
    bound = 0.85 * found.own.value
    best, told = opened(problem, found, bound)
    harms = {}
    for start in found.arranged:
        try:
            alone, _ = opened(problem, dataclasses.replace(found, arranged=(start,)), bound)
        except InfeasibleDesign:
            continue
        harms[start.format.arrangement] = alone.harm
    assert len(harms) > 1 and len(set(harms.values())) > 1
    assert best.harm == min(harms.values()) == harms[best.start.format.arrangement] < math.inf
    assert sum(line.startswith("harm of the gentlest edits by arrangement: ") for line in told) == 1
    layers = best.start.workload.compressed(compression_of(best.seeds[0], best.space))
    design = PLATFORM.design(layers, choices_of(best.seeds[0], best.space))
    assert PLATFORM.cost(layers, design).value <= bound
    assert all(candidate in best.space for candidate in best.seeds)


def test_without_a_bound_nothing_is_measured(problem: Problem, found: Starts) -> None:
    best, told = opened(problem, found, None)
    assert best.start == found.own and best.harm == 0 and told == []


def test_a_bound_that_no_arrangement_meets_is_refused(problem: Problem, found: Starts) -> None:
    with pytest.raises(InfeasibleDesign, match="^no design of digits_resnet meets "):
        opened(problem, found, 0.05 * found.own.value)
