"""Crossbars, converters and buffers: the constants of the cost model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.platforms.technology import Technology, load_technology

CONSTANTS_FILE = Path(__file__).with_name("constants.yaml")


@dataclass(frozen=True)
class CrossbarConstants(Technology):
    """A crossbar with one converter behind its columns; ``constants.yaml`` gives the source of each."""

    rows: int
    columns: int
    cell_bits: int  # of a weight, in one cell
    cell_deviation: float  # standard deviation of what a cell holds, as a share of it
    step_bits: int  # of an activation, applied to a row at a time
    read_ns: float  # of all columns
    read_pj: float  # cells and row drivers
    convert_ns: float  # one column
    convert_pj: float
    add_pj: float  # shift and add of one conversion
    buffer_pj_per_bit: float
    router_pj_per_bit: float
    crossbar_um2: float
    converter_um2: float
    widest_bits: int  # of weights and activations

    def violations(self) -> list[str]:
        """Cells that are off by all they hold, and wider steps than values, too."""
        found = super().violations()
        if self.cell_deviation >= 1:
            found.append(f"cell_deviation: must be a share below 1, not {self.cell_deviation:g}")
        for name in ("cell_bits", "step_bits"):
            given, most = getattr(self, name), self.widest_bits
            if given > most:
                found.append(f"{name}: must be at most {most} (widest_bits), not {given}")
        return found


def load_constants(name: str | Path = "isaac") -> CrossbarConstants:
    """Constants by name, or from a YAML file; ConfigError where there are none."""
    return load_technology(CrossbarConstants, CONSTANTS_FILE, name)
