"""Before the first trial: first candidates that can be built, and a bound that asks for nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from hotnas_hls.accel.layer import Layer
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.prepare import Prepared, prepare
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.telling.reporter import Silent

from .pipeline_platform import PipelineDesign, PipelinePlatform


class DearPatterns(PipelinePlatform):
    """Four multipliers more for every pruned layer, as patterns take logic on real hardware."""

    def violations(self, layers: Sequence[Layer], design: PipelineDesign) -> list[str]:
        pruned = sum(layer.pattern_ones is not None for layer in layers)
        used = design.multipliers * len(layers) + 4 * pruned
        return [f"{used} multipliers, {self.budget} exist; use fewer"] if used > self.budget else []


class Told(Silent):
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, text: str) -> None:
        self.lines.append(text)


def prepared(problem: Problem, bound_ms: float | None) -> tuple[Prepared, list[str]]:
    told = Told()
    form = IntegerFormat(calibration_images=16, refit_images=0)
    options = SearchOptions(bound=bound_ms, rungs=4, format=form, validation_images=32)
    return prepare(problem, DearPatterns(), options, told), told.lines


def test_every_first_candidate_can_be_built(problem: Problem) -> None:
    found, lines = prepared(problem, None)
    assert len(found.seeds) >= 4
    tests = [found.evaluator.hardware_test(candidate) for candidate in found.seeds]
    assert [test.refusals for test in tests] == [()] * len(tests)
    hardware = {tuple(candidate[axis] for axis in ("multipliers", "width")) for candidate in found.seeds}
    assert len(hardware) > 1, "the strongest edits do not fit the hardware of the uncompressed network"
    assert not any("meets the bound" in line for line in lines)


@pytest.mark.parametrize("share", [0.9, 1.0, 2.0])
def test_a_bound_that_the_uncompressed_network_meets_is_told(problem: Problem, share: float) -> None:
    uncompressed = min(prepared(problem, None)[0].uncompressed.values())
    found, lines = prepared(problem, share * uncompressed)
    said = [line for line in lines if line.startswith("the uncompressed int16 network meets")]
    assert len(said) == (share >= 1)
    for line in said:
        lowest = float(line.split()[-2])
        assert line.startswith(
            f"the uncompressed int16 network meets the bound already: {uncompressed:.4g} ms, "
            f"{share * uncompressed:.4g} asked for; a bound below {uncompressed:.4g} asks for compression, "
            "down to "
        )
        assert lowest < uncompressed
        evaluator = dataclasses.replace(found.evaluator, bound=lowest)
        assert evaluator.hardware_test(found.seeds[-1]).refusals == ()
