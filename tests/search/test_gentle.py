"""Edits in the order of what they save for their harm, until the bound is met."""

import pytest

from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.platforms.platform import measured
from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.detecting.detect import price
from hotnas_hls.search.detecting.start import fastest_start
from hotnas_hls.search.proposing.generate import (
    SpaceOptions,
    choices_of,
    compression_of,
    generate_space,
    ladder,
)
from hotnas_hls.search.proposing.gentle import SHARES, gentle_candidates
from hotnas_hls.search.proposing.sensitivity import Sensitivity

ENGINE = EngineOptions(tm=(16,), tn=(16,), tr=(8,), tc=(8,), port_bits=(64,))
PLATFORM = TiledEnginePlatform(load_board("ZCU102"), 200.0, act_bits=8, options=ENGINE)


@pytest.fixture(scope="module")
def setting(problem):
    platform = PLATFORM
    start = fastest_start(problem.graph, problem.model, platform, IntegerFormat(8, 8), "plain", 0)
    options = SpaceOptions(weight_bits=8, channel_cut=False, kernel_expand=False)
    space = generate_space(start.workload, platform, start.choices, options)
    untouched, *_, strongest = ladder(space, 2)

    def latency(candidate) -> float:
        layers = start.workload.compressed(compression_of(candidate, space))
        return price(platform, layers, choices_of(candidate, space)).latency_ms

    measured = Sensitivity(problem, IntegerFormat(8, 8), problem.dataset.train.images).harms(space)

    def gentle(bound_ms: float, harms=measured, hardware=()):
        return gentle_candidates(start.workload, platform, space, untouched, harms, bound_ms, hardware)

    return space, latency, gentle, untouched, strongest, measured


def test_the_bound_is_met_with_as_little_as_need_be(setting, problem):
    space, latency, gentle, untouched, strongest, _ = setting
    start = fastest_start(problem.graph, problem.model, PLATFORM, IntegerFormat(8, 8), "plain", 0)

    def stepped(candidate) -> float:
        """Behind the DRAM, which takes longer than the bound that prices tell."""
        layers = start.workload.compressed(compression_of(candidate, space))
        return measured(PLATFORM, layers, PLATFORM.design(layers, choices_of(candidate, space))).value

    slow, fast = latency(untouched), latency(strongest)
    assert stepped(untouched) > slow
    assert gentle(2 * slow) == [untouched] and gentle(0.9 * fast) == []
    bound = (3 * slow + fast) / 4
    found = gentle(bound)
    assert found and all(latency(candidate) <= bound for candidate in found)
    all_edits = sum(strongest[axis.name] != untouched[axis.name] for axis in space.axes)
    for candidate in found:
        assert candidate in space and stepped(candidate) <= bound
        assert 0 < sum(candidate[axis.name] != untouched[axis.name] for axis in space.axes) < all_edits


def test_shares_of_the_bound_are_met_with_more_edits(setting):
    space, latency, gentle, untouched, strongest, _ = setting
    bound = (latency(untouched) + latency(strongest)) / 2
    found = gentle(bound)
    assert len(found) == 3
    for share, candidate in zip(SHARES, found, strict=True):
        assert latency(candidate) <= share * bound
    edited = [sum(candidate[axis.name] != untouched[axis.name] for axis in space.axes) for candidate in found]
    assert edited == sorted(edited) and edited[0] < edited[-1]


def test_what_harms_least_for_its_time_comes_first(setting):
    """Edits of one layer made far worse than all others are not chosen."""
    space, latency, gentle, untouched, strongest, harms = setting
    bound = 0.2 * latency(strongest) + 0.8 * latency(untouched)
    layer = next(axis.layer for axis in space.axes if gentle(bound)[0][axis.name] != untouched[axis.name])
    names = {axis.name for axis in space.axes if axis.layer == layer}
    worse = {key: harm * (1e6 if key[0] in names else 1) for key, harm in harms.items()}
    assert all(gentle(bound, worse)[0][name] == untouched[name] for name in names)


def test_hardware_of_their_own_leaves_more_of_the_network(setting):
    """A bound that no edit meets on the hardware of the uncompressed network is met on a wider array."""
    space, latency, gentle, untouched, strongest, _ = setting
    narrow = choices_of(untouched, space)
    wide = {**narrow, "tm": 2 * narrow["tm"]}
    bound = 0.9 * latency(strongest)
    assert gentle(bound) == []
    found = gentle(bound, hardware=[wide])
    assert found and all(latency(candidate) <= bound for candidate in found)
    assert {candidate["tm"] for candidate in found} == {wide["tm"]}
    easy = latency(untouched) * 0.97  # met on both; the one that needs fewer edits is taken
    (few, *_), (more, *_) = gentle(easy, hardware=[wide]), gentle(easy)
    edits = [
        sum(c[axis.name] != untouched[axis.name] for axis in space.of_kind(AxisKind.PRUNE, AxisKind.BITS))
        for c in (few, more)
    ]
    assert edits[0] < edits[1]


class Crowded(TiledEnginePlatform):
    """Patterns find room only where a layer's weights are narrow."""

    def violations(self, layers, design):
        pruned = any(layer.pattern_ones is not None for layer in layers)
        wide = next(layer for layer in layers if layer.name == "layer3.0.conv2").weight_bits == 8
        return [*super().violations(layers, design), *(["no room"] if pruned and wide else [])]


def test_edits_that_run_only_beside_others_are_found(setting, problem):
    space, latency, gentle, untouched, strongest, harms = setting
    crowded = Crowded(load_board("ZCU102"), 200.0, act_bits=8, options=ENGINE)
    workload = fastest_start(problem.graph, problem.model, PLATFORM, IntegerFormat(8, 8), "plain", 0).workload
    bits = {axis.name: untouched[axis.name] for axis in space.of_kind(AxisKind.PRUNE)}
    bound = (latency({**strongest, **bits}) + latency(strongest)) / 2  # narrow weights alone miss it
    found = gentle_candidates(workload, crowded, space, untouched, harms, bound)
    assert found and all(latency(candidate) <= bound for candidate in found)
    for candidate in found:
        layers = workload.compressed(compression_of(candidate, space))
        assert crowded.violations(layers, crowded.design(layers, choices_of(candidate, space))) == []
