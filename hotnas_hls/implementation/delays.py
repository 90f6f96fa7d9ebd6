"""Delays of cells and wires by device family and speed grade, from ``delays.yaml``."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, fields
from pathlib import Path

from hotnas_hls.base.records import load_yaml, read_value
from hotnas_hls.errors import ConfigError, raise_all

DELAYS_FILE = Path(__file__).with_name("delays.yaml")
LUTS_OF_A_TILE = 8  # UltraScale+, 7 series and ECP5 alike
RENT_LUTS = 10_000  # design size at which ``wire`` holds


@dataclass(frozen=True)
class Grade:
    """A speed grade of some parts of a family."""

    name: str
    parts: tuple[str, ...]  # how their names begin
    scale: float  # of every delay
    clock_mhz: float  # highest clock of the clock tree


@dataclass(frozen=True)
class Family:
    """Delays in nanoseconds, at the grade whose scale is 1. Set-up times are named after what is set up."""

    name: str
    yosys: str  # its name in synth_xilinx; empty: another synthesis
    flip_flop_out: float  # clock to output
    flip_flop_data: float
    flip_flop_enable: float
    flip_flop_reset: float
    lut: float
    mux: float
    carry_in: float  # from a bit's inputs into the chain
    carry_bit: float  # along the chain
    carry_out: float  # from the chain to a sum
    carry_sum: float  # from a bit's inputs to its own sum
    lutram_out: float  # clock to output
    lutram_in: float
    ram_out: float  # clock to output, without the output register
    ram_out_registered: float
    ram_in: float
    uram_out: float
    uram_out_registered: float
    dsp: float  # from inputs to outputs
    dsp_sum: float  # from the product's register to outputs
    dsp_out: float  # from the output register
    dsp_in: float  # set-up of an input register
    dsp_product: float  # set-up of the product's register, from inputs
    wire: float  # to the only sink of a net
    wire_growth: float  # share of that for each square root of a further sink
    wire_tile: float  # a tile further across the array, where a net reaches everywhere
    rent: float  # exponent by which wires grow with the number of LUTs
    wire_low: float  # a router's wires against these, at best
    wire_high: float  # and at worst
    grades: tuple[Grade, ...]
    remembered: tuple[str, ...] = ()  # delays written down from memory, not looked up

    def violations(self) -> list[str]:
        """What cannot be true of a family, each with its place."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        found = [
            f"{self.name}.{name}: must be more than 0, not {value:g}"
            for name, value in values.items()
            if isinstance(value, float) and not value > 0
        ]
        found += [
            f"{self.name}.remembered: {name} is no delay" for name in self.remembered if name not in values
        ]
        return found


@dataclass(frozen=True)
class Device:
    """A family at one speed grade, holding a design of so many LUTs."""

    family: Family
    grade: Grade
    luts: int

    def delay(self, name: str) -> float:
        """A delay of the family by its name, in ns."""
        return float(getattr(self.family, name)) * self.grade.scale

    def wire(self, sinks: int) -> float:
        """Nanoseconds from a cell to the farthest of ``sinks``, the placement unknown."""
        family = self.family
        size = max(1, self.luts)
        near = family.wire * (size / RENT_LUTS) ** family.rent
        across = near + 2 * math.sqrt(size / LUTS_OF_A_TILE) * family.wire_tile
        return self.grade.scale * min(near * (1 + family.wire_growth * math.sqrt(max(0, sinks - 1))), across)


@functools.cache
def known_families() -> tuple[Family, ...]:
    """The families of ``delays.yaml``, in its order."""
    problems: list[str] = []
    families = read_value(tuple[Family, ...], load_yaml(DELAYS_FILE), "", problems)
    if not problems:
        problems = [problem for family in families for problem in family.violations()]
    raise_all(ConfigError, f"{DELAYS_FILE}: not a list of families:", problems)
    return tuple(families)


def family_of(part: str) -> tuple[Family, Grade]:
    """The family of a part and its speed grade; ConfigError for a part whose delays are not known.

    part: as Vivado writes it, e.g. ``xczu9eg-ffvb1156-2-e`` or ``xc7z020clg400-1``.
    """
    written = re.search(r"-(\d(?:LV|L)?)(?:-[a-z]+)?$", part, re.IGNORECASE)
    name = written[1].upper() if written else "unknown"
    for family in known_families():
        grades = [grade for grade in family.grades if part.lower().startswith(grade.parts)]
        for grade in grades:
            if grade.name == name:
                return family, grade
        if grades:
            raise ConfigError(
                f"{part}: speed grade {name} of {family.name} has no known delays; known are "
                f"{', '.join(grade.name for grade in grades)} (hotnas_hls/implementation/delays.yaml)"
            )
    usable = [grade for family in known_families() if family.yosys for grade in family.grades]
    parts = dict.fromkeys(part for grade in usable for part in grade.parts)
    raise ConfigError(
        f"{part}: no delays are known of this part, so nothing can be said of its clock; known are "
        f"{', '.join(parts)}; add its family to hotnas_hls/implementation/delays.yaml, or import Vivado's "
        "post-route report (hotnas import-reports)"
    )
