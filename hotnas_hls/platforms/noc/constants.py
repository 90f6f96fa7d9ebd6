"""A mesh of tiles: the constants of the cost model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.platforms.technology import Technology, load_technology

CONSTANTS_FILE = Path(__file__).with_name("constants.yaml")


@dataclass(frozen=True)
class MeshConstants(Technology):
    """Tiles of equal multipliers, joined to their neighbours; ``constants.yaml`` gives the source of each."""

    rows: int  # of tiles
    columns: int
    macs_per_cycle: int  # of a tile
    link_bits: int  # that a link carries in a cycle, each way
    clock_mhz: float


def load_constants(name: str | Path = "mesh-6x6") -> MeshConstants:
    """Constants by name, or from a YAML file; ConfigError where there are none."""
    return load_technology(MeshConstants, CONSTANTS_FILE, name)
