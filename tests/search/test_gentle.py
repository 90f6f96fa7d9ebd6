"""Edits in the order of what they save for their harm, until the bound is met."""

import pytest

from hotnas_hls.board import load_board
from hotnas_hls.search.detect import price
from hotnas_hls.search.generate import SpaceOptions, choices_of, compression_of, generate_space, ladder
from hotnas_hls.search.gentle import gentle_candidates
from hotnas_hls.search.integer import IntegerFormat
from hotnas_hls.search.start import fastest_start
from hotnas_hls.search.tiled_engine import EngineOptions, TiledEnginePlatform

ENGINE = EngineOptions(tm=(16,), tn=(16,), tr=(8,), tc=(8,), port_bits=(64,))


@pytest.fixture(scope="module")
def setting(problem):
    platform = TiledEnginePlatform(load_board("ZCU102"), 200.0, act_bits=8, options=ENGINE)
    start = fastest_start(problem.graph, problem.model, platform, IntegerFormat(8, 8), "plain", 0)
    options = SpaceOptions(weight_bits=8, channel_cut=False, kernel_expand=False)
    space = generate_space(start.workload, platform, start.choices, options)
    untouched, *_, strongest = ladder(space, 2)

    def latency(candidate) -> float:
        layers = start.workload.compressed(compression_of(candidate, space))
        return price(platform, layers, choices_of(candidate, space)).latency_ms

    def gentle(bound_ms: float):
        return gentle_candidates(
            start.workload, platform, space, untouched, problem.model, problem.graph, bound_ms
        )

    return space, latency, gentle, untouched, strongest


def test_the_bound_is_met_with_as_little_as_need_be(setting):
    space, latency, gentle, untouched, strongest = setting
    slow, fast = latency(untouched), latency(strongest)
    assert gentle(slow) == [untouched] and gentle(0.9 * fast) == []
    bound = (slow + fast) / 2
    found = gentle(bound)
    assert found and all(latency(candidate) <= bound for candidate in found)
    all_edits = sum(strongest[axis.name] != untouched[axis.name] for axis in space.axes)
    for candidate in found:
        assert candidate in space
        assert 0 < sum(candidate[axis.name] != untouched[axis.name] for axis in space.axes) < all_edits


def test_the_less_pruning_counts_the_more_is_pruned(setting):
    space, latency, gentle, untouched, strongest = setting
    pruned = [
        sum(candidate[axis.name] > 0 for axis in space.axes if axis.name.startswith("prune:"))
        for candidate in gentle((latency(untouched) + latency(strongest)) / 2)
    ]
    assert pruned == sorted(pruned) and pruned[-1] > 0
