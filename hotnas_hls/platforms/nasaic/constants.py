"""A chip and what its parts cost: the constants of the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.platforms.technology import Technology, load_technology

CONSTANTS_FILE = Path(__file__).with_name("constants.yaml")


@dataclass(frozen=True)
class ChipConstants(Technology):
    """Limits of all sub-accelerators together, and costs; ``constants.yaml`` gives the source of each."""

    clock_mhz: float
    pes: int  # at most; a PE multiplies and adds once a cycle
    noc_bytes: int  # a cycle, from buffers to PEs and back, at most
    cluster: int  # PEs of the NVDLA-like dataflow that sum the products of as many input channels
    mac_pj: float  # one of 16 x 16 bits
    register_factor: float  # energy of 16 bits read or written at a PE, in mac_pj
    buffer_factor: float  # of 16 bits between the buffer and the PEs
    pe_um2: float
    buffer_um2_per_byte: float
    noc_um2: float  # for each byte a cycle at each PE
    widest_bits: int  # of weights and activations

    def violations(self) -> list[str]:
        """Clusters that no sub-accelerator holds, too."""
        found = super().violations()
        if self.cluster > self.pes:
            found.append(f"cluster: must be at most {self.pes} (pes), not {self.cluster}")
        return found


def load_constants(name: str | Path = "maestro-28nm") -> ChipConstants:
    """Constants by name, or from a YAML file; ConfigError where there are none."""
    return load_technology(ChipConstants, CONSTANTS_FILE, name)
