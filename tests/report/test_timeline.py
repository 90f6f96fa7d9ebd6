"""The timeline is the latency model, event by event."""

import itertools

import pytest
from small_designs import ACCEL, LAYERS, TILES, on_chip_design, small_design

from hotnas_hls.accel.timing.latency import layer_latency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.timeline import PROCESSES, layer_timeline, network_timeline
from hotnas_hls.fuzzing.layer_fuzz import fuzz_case

LAYERS_PER_DESIGN = 10


@pytest.mark.parametrize("seed", range(60))
def test_intervals_add_up_to_the_terms_of_random_layers(seed):
    case = fuzz_case(seed, LAYERS_PER_DESIGN)
    network = (case.net.layers, case.accel, case.tiles, case.memory)
    predicted, timelines = network_latency(*network), network_timeline(*network)
    alone = (case.net.layers[0], case.accel, case.tiles[case.net.layers[0].name], case.memory)
    pairs = [*zip(predicted.layers.values(), timelines, strict=True)]
    for expected, found in [*pairs, (layer_latency(*alone), layer_timeline(*alone))]:
        assert {process: found.total(process) for process in PROCESSES} == {
            process: getattr(expected, process) for process in PROCESSES
        }
        assert sum(stall.cycles for stall in found.stalls) == expected.stall
        assert found.cycles == expected.cycles


def test_a_process_does_one_thing_at_a_time_and_ends_with_its_layer():
    for found in network_timeline(LAYERS, ACCEL, TILES, MemoryTiming()):
        for intervals in (*found.busy.values(), found.stalls):
            assert all(interval.start < interval.end <= found.cycles for interval in intervals)
            assert all(before.end <= after.start for before, after in itertools.pairwise(intervals))


@pytest.mark.parametrize("on_chip", [False, True])
def test_only_what_comes_ahead_lies_before_its_layer_and_while_no_other_does(on_chip):
    point = on_chip_design() if on_chip else small_design()
    layers = [entry.layer for entry in point.layers]
    timelines = network_timeline(layers, point.accelerator, point.tiles, point.memory)
    for layer, (before, after) in zip(layers[1:], itertools.pairwise(timelines), strict=True):
        first, *others = after.busy["load_wgt"]
        assert first.cycles == before.ahead.job.cycles and first.end <= 0
        assert all(interval.start > 0 for interval in others)
        assert before.ahead.job.start >= before.busy["load_wgt"][-1].end
        assert (before.ahead.tile is not None) == layer.ifm_on_chip
        if before.ahead.tile is not None:
            tile = after.busy["load_ifm"].pop(0)
            assert tile.cycles == before.ahead.tile.cycles and tile.end <= 0
            assert before.ahead.tile.start >= max(
                (interval.end for interval in before.busy["load_ifm"]), default=0
            )
        rest = [process for process in PROCESSES if process != "load_wgt"]
        assert all(interval.start > 0 for process in rest for interval in after.busy[process])
    assert timelines[-1].ahead is None
