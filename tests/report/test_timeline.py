"""The timeline is the latency model, event by event."""

import itertools

import pytest
from small_designs import ACCEL, LAYERS, TILES

from hotnas_hls.accel.timing.latency import layer_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.timeline import PROCESSES, layer_timeline
from hotnas_hls.fuzzing.layer_fuzz import fuzz_case

LAYERS_PER_DESIGN = 10


@pytest.mark.parametrize("seed", range(60))
def test_intervals_add_up_to_the_terms_of_random_layers(seed):
    case = fuzz_case(seed, LAYERS_PER_DESIGN)
    for layer in case.net.layers:
        expected = layer_latency(layer, case.accel, case.tiles[layer.name], case.memory)
        found = layer_timeline(layer, case.accel, case.tiles[layer.name], case.memory)
        assert {process: found.total(process) for process in PROCESSES} == {
            process: getattr(expected, process) for process in PROCESSES
        }
        assert sum(stall.cycles for stall in found.stalls) == expected.stall
        assert found.cycles == expected.cycles


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_process_does_one_thing_at_a_time_and_ends_with_its_layer(layer):
    found = layer_timeline(layer, ACCEL, TILES[layer.name], MemoryTiming())
    for intervals in (*found.busy.values(), found.stalls):
        assert all(interval.start < interval.end <= found.cycles for interval in intervals)
        assert all(before.end <= after.start for before, after in itertools.pairwise(intervals))
