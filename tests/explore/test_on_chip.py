"""A design that keeps on chip what its board has room for."""

from __future__ import annotations

import dataclasses
from functools import partial
from itertools import product

import pytest
from small_designs import LAYERS, MAPS, on_chip_design, small_design

from hotnas_hls.accel.memory.dram_timing import load_dram
from hotnas_hls.accel.memory.pricing import without_numbers
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.exhaustive import fastest
from hotnas_hls.explore.fastest_design import explore_arrangements
from hotnas_hls.explore.on_chip import fastest_on_chip, kept_on_chip
from hotnas_hls.explore.space import Space
from hotnas_hls.frontends.source import load_model

NET = without_numbers(LAYERS, 16, MAPS)
CLOCK = 200.0
MEMORY = MemoryTiming(30, 10)
SPACE = Space((4, 8, 16), (4, 8, 16), (32, 64), ((2, 2), (4, 4), (8, 8)), (32, 128, 512))


def test_designs_that_stream_are_not_decided_where_none_can_be_the_fastest() -> None:
    graph = load_model("digits_resnet", proven=False).graph
    space = Space((16, 32), (16, 32), (64, 128), ((4, 4), (8, 8)), (64, 256), act_bits=8)
    ask = partial(
        explore_arrangements, graph, load_board("ZCU102"), load_dram("ZCU102"), space,
        stem="plain", packed=0, weight_bits=8, on_chip=True,
    )  # fmt: skip
    every, only = ask(), ask(only_fastest=True)
    assert only.kept == every.kept is not None
    assert only.price == every.price < every.streamed == only.streamed
    assert every.decision is not None and only.decision is None


@pytest.mark.parametrize("board", ["ZCU102", "PYNQ-Z2"])
def test_a_design_that_keeps_data_is_faster_and_fits(board: str) -> None:
    on = {"board": load_board(board), "clock_mhz": 40.0, "port_plan": None}
    point, kept = small_design(**on), on_chip_design(**on)
    assert kept.violations() == []
    assert violations(accelerator_resources(kept.accelerator, len(kept.layers)), kept.board) == []
    layers = [entry.layer for entry in kept.layers]
    assert kept.predicted_cycles == network_latency(layers, kept.accelerator, kept.tiles, kept.memory).cycles
    assert (kept.predicted_cycles or 0) < (point.predicted_cycles or 0)
    assert any(layer.ofm_on_chip for layer in layers) and any(layer.weights_on_chip for layer in layers)
    for name in ("tm", "tn", "tr", "tc", "ifm_depth", "ifm_bits", "wgt_bits", "ofm_bits"):
        assert getattr(kept.accelerator, name) == getattr(point.accelerator, name)


def test_ultra_ram_keeps_what_block_ram_has_no_room_for() -> None:
    point = small_design()
    used = accelerator_resources(point.accelerator, len(point.layers)).bram18
    board = dataclasses.replace(point.board, bram18=used, uram=8)
    kept = on_chip_design(board=board)
    assert kept.accelerator.ultra_ram and kept.accelerator.map_words > 64
    assert kept.predicted_cycles == on_chip_design().predicted_cycles


def test_it_keeps_less_where_the_board_has_less_room() -> None:
    point = small_design()
    used = accelerator_resources(point.accelerator, len(point.layers)).bram18
    kept = on_chip_design(board=dataclasses.replace(point.board, bram18=used))
    assert accelerator_resources(kept.accelerator, len(kept.layers)).bram18 == used  # small ones are LUT RAM
    assert kept.accelerator.map_words <= 64 and kept.accelerator.weight_planes <= 64


def test_there_is_room_for_what_stays_and_no_more() -> None:
    kept = on_chip_design()
    for less in ({"map_words": -1}, {"residual_words": -1}, {"weight_planes": -1}):
        (name,) = less
        accel = dataclasses.replace(kept.accelerator, **{name: getattr(kept.accelerator, name) - 1})
        assert any(name in problem for problem in dataclasses.replace(kept, accelerator=accel).violations())


def test_other_arrays_are_tried_than_the_fastest_that_streams() -> None:
    board = load_board("ZCU102")
    streamed = fastest(LAYERS, board, MEMORY, SPACE)
    same = kept_on_chip(NET, streamed.accel, board, MEMORY, CLOCK)
    every = fastest_on_chip(NET, board, MEMORY, CLOCK, SPACE, streamed.accel)
    found = every[0]
    assert same is not None and found.cycles <= same.cycles < streamed.cycles
    assert [kept.cycles for kept in every] == sorted(kept.cycles for kept in every)
    assert len({kept.resident.accel.ports_text for kept in every}) == len(every)
    accel = found.resident.accel
    assert not violations(accelerator_resources(accel, len(LAYERS)), board)
    layers = found.resident.net.layers
    assert found.cycles == network_latency(layers, accel, found.resident.tiles, MEMORY).cycles


def test_buffers_are_as_deep_as_leaves_room_for_what_saves_more() -> None:
    deep = dataclasses.replace(small_design().accelerator, tr=64, tc=64, ifm_depth=8192)
    board = load_board("ZCU102")
    board = dataclasses.replace(board, bram18=accelerator_resources(deep, len(LAYERS)).bram18)
    space = dataclasses.replace(SPACE, tiles=(*SPACE.tiles, (64, 64)), ifm_depths=(128, 512, 8192))
    own = kept_on_chip(NET, deep, board, MEMORY, CLOCK)
    free = kept_on_chip(NET, deep, board, MEMORY, CLOCK, space=space)
    assert own is not None and free is not None and free.cycles < own.cycles
    assert own.resident.accel.ifm_depth == 8192 > free.resident.accel.ifm_depth
    assert free.resident.accel.weight_planes > own.resident.accel.weight_planes
    for depth, (tr, tc) in product(space.ifm_depths, space.tiles):
        tried = dataclasses.replace(deep, tr=tr, tc=tc, ifm_depth=depth)
        one = kept_on_chip(NET, tried, board, MEMORY, CLOCK)
        assert one is None or one.cycles >= free.cycles
    assert kept_on_chip(NET, deep, board, MEMORY, CLOCK, space=space, below=free.cycles) is None


def test_maps_stay_in_dram_where_they_must_and_a_shared_bus_keeps_nothing() -> None:
    point = small_design()
    board = load_board("ZCU102")
    kept = kept_on_chip(NET, point.accelerator, board, MEMORY, CLOCK, maps=False)
    assert kept is not None and kept.resident.accel.map_words == 0 < kept.resident.accel.weight_planes
    assert not any(layer.ofm_on_chip or layer.ifm_on_chip for layer in kept.resident.net.layers)
    shared = dataclasses.replace(point.accelerator, ifm_bits=32, wgt_bits=32, shared_bus=True)
    assert kept_on_chip(NET, shared, board, MEMORY, CLOCK) is None
    assert fastest_on_chip(NET, board, MEMORY, CLOCK, SPACE, shared) == ()
