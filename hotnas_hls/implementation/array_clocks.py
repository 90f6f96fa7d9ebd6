"""How fast a design can be clocked, by the size of its array: what ``hotnas timing`` said of a few.

Mapping a large array takes an hour; exploration asks of thousands. Between arrays that were estimated the
period follows the logarithm of the multipliers, on another speed grade the scale of ``delays.yaml``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hotnas_hls.base.records import load_yaml, read_value
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.implementation.delays import family_of

CLOCKS_FILE = Path(__file__).with_name("array_clocks.yaml")


@dataclass(frozen=True)
class ArrayClock:
    """The estimate of one design."""

    tm: int
    tn: int
    mhz: int  # estimated, rounded down

    @property
    def size(self) -> float:
        """Of the array, as the period follows it."""
        return math.log2(self.tm * self.tn)


@dataclass(frozen=True)
class PartClocks:
    """Estimates on one part, the smallest array first."""

    part: str
    arrays: tuple[ArrayClock, ...]


@functools.cache
def kept_clocks() -> tuple[PartClocks, ...]:
    """The estimates of ``array_clocks.yaml``."""
    problems: list[str] = []
    found = read_value(tuple[PartClocks, ...], load_yaml(CLOCKS_FILE), "", problems)
    raise_all(ConfigError, f"{CLOCKS_FILE}: not a list of estimates:", problems)
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def array_mhz(part: str, multipliers: int) -> float | None:
    """Estimated MHz of a design with so many multipliers; None where nothing is known of the part.

    part: as Vivado writes it. Beyond the largest array that was estimated the last slope goes on.
    """
    try:
        family, grade = family_of(part)
    except ConfigError:
        return None
    for kept in kept_clocks():
        its_family, its_grade = family_of(kept.part)
        if its_family is family:
            size = math.log2(multipliers)
            pairs = list(pairwise(kept.arrays))
            low, high = next((pair for pair in pairs if size <= pair[1].size), pairs[-1])
            slope = (1 / high.mhz - 1 / low.mhz) / (high.size - low.size)
            period = 1 / low.mhz + max(0.0, size - low.size) * slope
            return its_grade.scale / grade.scale / period
    return None
