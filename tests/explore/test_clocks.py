"""The clock as a decision: what an array is estimated at bounds it, milliseconds decide."""

from __future__ import annotations

import dataclasses

import pytest
from small_designs import LAYERS

import hotnas_hls as hn
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore import space as module
from hotnas_hls.explore.exhaustive import explore
from hotnas_hls.explore.space import Space, bases_of, clocks_of

BOARD = dataclasses.replace(load_board("ZCU102"), name="estimated")
SMALL = Space((4, 8), (4, 8), (32, 64), ((2, 2), (4, 4), (8, 8)), (32, 128, 512))
MHZ = {16: 290.0, 32: 240.0, 64: 190.0}  # multipliers: estimate


@pytest.fixture(autouse=True)
def estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "array_mhz", lambda part, multipliers: MHZ.get(multipliers, 150.0))


def multipliers_at(clock_mhz: float) -> set[int]:
    module.bases_of.cache_clear()
    return {base.tm * base.tn for base in bases_of(SMALL, BOARD, clock_mhz, True)}


def test_a_clock_above_the_boards_own_is_within_the_estimate_of_the_array() -> None:
    assert multipliers_at(150.0) == multipliers_at(200.0) == {16, 32, 64}
    assert multipliers_at(225.0) == {16, 32}
    assert multipliers_at(290.0) == {16}
    assert multipliers_at(291.0) == set()
    module.bases_of.cache_clear()


def test_clocks_that_are_tried_reach_as_far_as_the_smallest_array_and_the_ports() -> None:
    assert clocks_of(SMALL, BOARD) == (200.0, 225.0, 250.0, 275.0)
    slow = tuple(dataclasses.replace(kind, clock_mhz=240.0) for kind in BOARD.ports)
    assert clocks_of(SMALL, dataclasses.replace(BOARD, ports=slow)) == (200.0, 225.0)
    odd = dataclasses.replace(BOARD, clock_mhz=187.5)
    assert clocks_of(SMALL, odd) == (187.5, 200.0, 225.0, 250.0, 275.0)
    assert clocks_of(dataclasses.replace(SMALL, tm=(8,), packed_tm=(8,), tn=(8,)), BOARD) == (200.0,)


def test_no_array_is_that_fast() -> None:
    with pytest.raises(InfeasibleDesign) as error:
        explore(LAYERS, BOARD, MemoryTiming(), SMALL, clock_mhz=300.0)
    assert str(error.value) == (
        "no array of the space fits estimated and is estimated at 300 MHz; allow smaller ones, or a lower "
        "clock"
    )


def test_the_fastest_in_milliseconds_is_taken_of_all_clocks() -> None:
    network = hn.load_network("digits_resnet")
    asked = {"act_bits": 8, "weight_bits": 8, "array": (4, 4), "top": 1, "on_chip": False}
    asked |= {"stem": "plain", "packed_resolutions": 0}
    best = network.explore(BOARD, clock_mhz="best", **asked)
    assert list(best.ms_by_clock) == [200.0, 225.0, 250.0, 275.0]
    assert best.ms == min(best.ms_by_clock.values()) == best.ms_by_clock[best.clock_mhz]
    assert best.best.point.clock_mhz == best.clock_mhz == 275.0  # of one array the fastest clock
    slower = network.explore(BOARD, **asked)
    assert slower.clock_mhz == 200.0 and slower.ms == best.ms_by_clock[200.0]
    assert slower.cycles < best.cycles  # nanoseconds of the DRAM are more cycles of a faster clock
    said = "\n".join(best.notes())
    assert "fastest design by clock, within what is estimated of its array: 200 MHz " in said
    assert best.record()["ms_by_clock"]["275"] == best.ms and "by clock" not in "\n".join(slower.notes())
