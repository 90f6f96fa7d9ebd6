"""The true latency model: a layer worked out by hand, and bounds it never goes below."""

from __future__ import annotations

import dataclasses

from explore.test_explore import random_pairs

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.floors import layer_floors
from hotnas_hls.accel.timing.latency import Bottleneck, LayerLatency, Place, layer_latency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming

ACCEL = Accelerator(
    tm=4, tn=4, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=100, wgt_entries=9, max_entries=9
)
LAYER = Layer("l", LayerKind.CONV, "a", "b", 4, 4, 8, 8, 8, 8, 3, 3, 1, 1, 1, weight_bits=8)


def test_one_step_layer_by_hand():
    """4 to 4 channels, 8 x 8, one tile: one slice, one weight job, one compute step, one output tile."""
    memory = MemoryTiming(read_latency=10, write_latency=5)
    # Descriptor: 4 * (32 + 9) bytes in whole 64-byte lines = 192 bytes = 24 beats of 64 bits.
    start = 10 + 24 + 1
    # IFM: 64 pixels of one 64-bit word (4 channels of 16 bits); address 5 cycles after asking at start + 1.
    ifm_first = start + 1 + 5 + 10
    ifm_last = ifm_first + 64 - 1
    # Weights: 16 rows of 4 fit a group of 64, so one group; bias 4 x 32 bits = 2 beats; 9 positions x 8 bits.
    wgt_first = start + 1 + 4 + 10
    wgt_last = wgt_first + 2 + 9 * 8 - 1
    begin = max(ifm_last, wgt_last) + 2
    end = begin + 9 * 64
    # Store: behind the last sweep's first of 64 pixels, array 6 stages + adder tree of 2; then 4 to drain, 6
    # to the first word, 64 words of one beat.
    taken = end - 64 + 1 + 6 + 2 + 1
    stored = taken + 4 + 6 + 64 - 1
    expected = LayerLatency(
        cycles=stored + 5 + 3,
        load_ifm=ifm_last + 1 - (start + 2),
        load_wgt=wgt_last + 1 - (start + 2),
        compute=576,
        store_ofm=stored - taken,
        stall=begin - (start + 1),
    )
    latency = layer_latency(LAYER, ACCEL, Tile(8, 8), memory)
    assert latency == expected
    assert latency.bottleneck is Bottleneck.COMPUTE


def test_a_first_tile_ahead_by_hand():
    """A layer that reads on chip what the one before writes there: it computes when the last word is in."""
    memory, tile = MemoryTiming(read_latency=10, write_latency=5), Tile(8, 8)
    before = dataclasses.replace(LAYER, name="before", target="map", ofm_on_chip=True)
    layer = dataclasses.replace(LAYER, name="layer", source="map", ifm_on_chip=True)
    tiles = {"before": tile, "layer": tile}
    found = network_latency([before, layer], ACCEL, tiles, memory).layers
    # The last of 64 words is read in the cycle after it was written, and there 2 later.
    alone = layer_latency(before, ACCEL, tile, memory)
    assert found["before"].cycles == alone.cycles + 1 + 2
    # It computes from its second cycle on; its read is busy as if it had waited for nothing: 5 to the
    # address, 2 to the first of 64 words.
    end = 1 + 9 * 64
    assert found["layer"].cycles == end - 64 + 1 + 6 + 2 + 1 + 4 + 6 + 64 - 1 + 5 + 3
    assert found["layer"].load_ifm == 5 + 2 + 64 - 1
    assert found["layer"].stall == 0


def test_what_comes_ahead_by_hand():
    """The same layer behind another and before a third, whose first weights it waits for or does not."""
    memory, tile = MemoryTiming(read_latency=10, write_latency=5), Tile(8, 8)
    # It begins at 0 with its weights there: asked in cycle 1, address 5 later, 64 words.
    begin = 1 + 5 + 10 + 64 - 1 + 2
    stored = begin + 8 * 64 + 1 + 6 + 2 + 1 + 4 + 6 + 64 - 1
    alone = layer_latency(LAYER, ACCEL, tile, memory)
    second = layer_latency(LAYER, ACCEL, tile, memory, Place(ahead=True, then=LAYER.unnamed()))
    assert second == dataclasses.replace(alone, cycles=stored + 5 + 3, stall=begin - 1)
    assert second.load_wgt == 4 + 10 + 2 + 9 * 8 - 1  # as if it had loaded them itself
    # The third computes 81 positions in 9 weight jobs, the first of bias and 9 positions of 16 bits ...
    wide = dataclasses.replace(LAYER, m=64, kernel_rows=9, kernel_columns=9, weight_bits=16)
    slow = dataclasses.replace(memory, read_latency=500)
    accel = dataclasses.replace(ACCEL, max_entries=81)
    kept = dataclasses.replace(LAYER, ifm_on_chip=True)  # no read of its own is slow
    waits = layer_latency(kept, accel, tile, slow, Place(ahead=True, then=wide.unnamed()))
    # ... its descriptor, 4 * (32 + 81) bytes in 64-byte lines = 64 beats, is asked for in cycle 2.
    asked = 2 + 500 + 64 + 1 + 1
    assert waits.cycles == asked + 4 + 500 + 2 + 9 * 16 - 1 + 3
    first, rest = dataclasses.replace(LAYER, name="first"), dataclasses.replace(LAYER, name="rest")
    tiles = dict.fromkeys(("first", "rest", "l"), tile)
    network = network_latency([first, rest, LAYER], ACCEL, tiles, memory)
    assert list(network.layers.values())[1] == second
    shared = dataclasses.replace(ACCEL, shared_bus=True)
    network = network_latency([first, rest], shared, tiles, memory)
    assert {layer.cycles for layer in network.layers.values()} == {
        layer_latency(LAYER, shared, tile, memory).cycles
    }


def test_never_below_the_compute_bound_or_a_traffic_bound():
    for layer, _, accel, tile, memory in random_pairs(400):
        latency = layer_latency(layer, accel, tile, memory)
        floors = layer_floors(layer, accel)
        assert latency.cycles > floors.cycles, (layer, accel, tile)
        assert latency.compute >= floors.compute >= layer.macs / (accel.tm * accel.tn)
        assert latency.load_ifm >= floors.load_ifm
        assert latency.load_wgt >= floors.load_wgt
        assert latency.store_ofm >= floors.store_ofm
        bits = accel.plane_width if layer.weights_on_chip else accel.wgt_bits  # in a cycle
        assert floors.load_wgt * bits >= _weight_bits_moved(layer)


def _weight_bits_moved(layer: Layer) -> int:
    """Bits of all weights once, without padding."""
    if layer.kind is LayerKind.MAXPOOL:
        return 0
    inputs = layer.n if layer.kind is LayerKind.CONV else 1
    return layer.m * inputs * layer.positions * layer.weight_bits


def test_slower_memory_never_helps_and_pruning_saves():
    fast, slow = (layer_latency(LAYER, ACCEL, Tile(8, 8), MemoryTiming(wait, 20)) for wait in (5, 60))
    assert fast.cycles < slow.cycles
    pruned = dataclasses.replace(LAYER, pattern_ones=4)
    assert layer_latency(pruned, ACCEL, Tile(8, 8), MemoryTiming()).compute == 4 * 64


def test_network_is_the_sum_of_its_layers():
    again = dataclasses.replace(LAYER, name="again")
    network = network_latency([LAYER, again], ACCEL, {"l": Tile(8, 8), "again": Tile(4, 8)}, MemoryTiming())
    assert network.cycles == sum(layer.cycles for layer in network.layers.values())
    assert network.ms(200) == network.cycles / 200_000
