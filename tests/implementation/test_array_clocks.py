"""The clock that an array can be met with, from the few that were estimated."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from hotnas_hls.boards.board import known_boards
from hotnas_hls.implementation import array_clocks
from hotnas_hls.implementation.array_clocks import ArrayClock, PartClocks, array_mhz, kept_clocks

SMALL, LARGE = ArrayClock(4, 4, 300), ArrayClock(32, 32, 200)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two arrays on one part."""
    kept = (PartClocks("xczu9eg-ffvb1156-2-e", (SMALL, LARGE)),)
    monkeypatch.setattr(array_clocks, "kept_clocks", lambda: kept)
    array_mhz.cache_clear()
    yield
    array_mhz.cache_clear()


def test_between_two_arrays_the_period_follows_the_logarithm_of_the_multipliers(two: None) -> None:
    assert array_mhz("xczu9eg-ffvb1156-2-e", 16) == pytest.approx(300)
    assert array_mhz("xczu9eg-ffvb1156-2-e", 1024) == pytest.approx(200)
    assert array_mhz("xczu9eg-ffvb1156-2-e", 128) == pytest.approx(240)  # half way: 1 / 300 and 1 / 200
    assert array_mhz("xczu9eg-ffvb1156-2-e", 1) == pytest.approx(300)
    beyond = array_mhz("xczu9eg-ffvb1156-2-e", 65536)
    assert beyond == pytest.approx(150)


def test_another_grade_of_the_family_is_as_much_slower(two: None) -> None:
    assert array_mhz("xczu3eg-sbva484-1-e", 16) == pytest.approx(300 / 1.193)
    assert array_mhz("xck26-sfvc784-2LV-c", 1024) == pytest.approx(200 / 1.236)


def test_nothing_is_said_of_parts_without_estimates(two: None) -> None:
    assert array_mhz("xc7z020clg400-1", 16) is None
    assert array_mhz("lfe5u-45f-6", 16) is None
    assert array_mhz("xqxx-1", 16) is None


def test_estimates_fall_with_the_array_and_are_of_parts_that_boards_have() -> None:
    parts = {board.part for board in known_boards()}
    for kept in kept_clocks():
        assert kept.part in parts and len(kept.arrays) > 1
        assert all(one.size < other.size and one.mhz >= other.mhz for one, other in pairwise(kept.arrays))
