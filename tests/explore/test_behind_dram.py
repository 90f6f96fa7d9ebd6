"""Designs behind a DRAM: the bound is one, and pruning by it never loses the best."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small_designs import LAYERS, small_design

from hotnas_hls.accel.memory.dram_timing import known_drams, load_dram
from hotnas_hls.accel.memory.pricing import latency_behind, least_memory, without_numbers, worst_phase
from hotnas_hls.accel.plan import for_layers
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.behind_dram import decide, fastest_behind
from hotnas_hls.explore.space import Space, bases_of
from hotnas_hls.fuzzing.layer_fuzz import fuzz_case

BOARD = load_board("ZCU102")
SPACE = Space((4, 8), (4,), (32, 64), ((2, 2), (4, 4), (8, 8)), (32, 128, 512), taps=(1,))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_no_layer_is_faster_behind_a_dram_than_its_bound(seed: int, shared: bool) -> None:
    """Random designs, layers and DRAMs, at three phases of the refresh."""
    case = fuzz_case(seed, 5, shared)
    rng = np.random.default_rng(seed)
    dram = known_drams()[seed % len(known_drams())].with_bandwidth(float(rng.integers(500, 20_000)))
    clock = float(rng.choice([100, 200, 300]))
    bound = network_latency(case.net.layers, case.accel, case.tiles, least_memory(dram, clock))
    for phase in (0, 7, 15):
        found = latency_behind(case.net, case.accel, case.tiles, dram, clock, phase)
        for name, cycles in found.layers.items():
            assert bound.layers[name].cycles <= cycles, (name, phase)


def test_integers_do_not_change_the_time() -> None:
    point = small_design()
    net = without_numbers(LAYERS, point.accelerator.act_bits, point.feature_maps)
    at = (point.accelerator, point.tiles, point.dram, point.clock_mhz)
    assert worst_phase(net, *at).layers == worst_phase(point.integer_network(), *at).layers


@pytest.mark.parametrize("name", ["DDR4-2133-64", "slow"])
def test_the_best_of_all_designs_is_never_pruned(name: str) -> None:
    """Every design of a space stepped one by one, behind a DRAM that is fast and one the ports exceed."""
    dram = load_dram("ZCU102") if name != "slow" else load_dram("PYNQ-Z2").with_bandwidth(700)
    memory = least_memory(dram, 200)
    net = without_numbers(LAYERS, SPACE.act_bits)
    every, stepped = {}, {}
    for base in bases_of(SPACE, BOARD, 200, True):
        for tr, tc in SPACE.tiles:
            for depth in SPACE.ifm_depths:
                accel = dataclasses.replace(for_layers(base, LAYERS), tr=tr, tc=tc, ifm_depth=depth)
                tiles = best_tiles(LAYERS, accel, memory)
                if violations(accelerator_resources(accel), BOARD) or None in tiles.values():
                    continue
                same = (base, *tiles.values())  # buffers do not change the time of equal tiles
                if same not in stepped:
                    stepped[same] = latency_behind(net, accel, tiles, dram, 200).cycles
                every[accel] = stepped[same]
    found = fastest_behind(LAYERS, BOARD, dram, 200, SPACE)
    assert found.best[0].price == min(every.values()) == every[found.best[0].candidate.accel]
    assert found.best[0].bound <= found.best[0].price and found.priced < len(every) / 2
    three = fastest_behind(LAYERS, BOARD, dram, 200, SPACE, top=3).best
    assert [one.price for one in three] == sorted(one.price for one in three)
    assert three[0].price == found.best[0].price and three[-1].price <= sorted(set(every.values()))[2]


@pytest.mark.parametrize("seed", range(50))
def test_deciding_finds_what_pricing_all_finds(seed: int) -> None:
    """Random bounds below random prices; the prices are asked for no more often than needed."""
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.integers(1, 100, 40))
    prices = bounds + rng.integers(0, 30, 40)
    top = int(rng.integers(1, 5))
    asked: list[int] = []

    def price(index: int) -> int:
        asked.append(index)
        return int(prices[index])

    found = decide(((int(bound), index) for index, bound in enumerate(bounds)), price, top)
    assert [one.price for one in found.best] == sorted(prices)[:top]
    assert found.priced == len(asked)
    assert all(bounds[index] <= found.best[-1].price for index in asked[top:])
