"""What garbled circuits and packed ciphertexts take: the constants of the cost model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.platforms.technology import Technology, load_technology

CONSTANTS_FILE = Path(__file__).with_name("constants.yaml")


@dataclass(frozen=True)
class PrivateConstants(Technology):
    """Bytes and microseconds of Gazelle's two halves; ``constants.yaml`` gives the source of each."""

    # ciphertexts
    slots: int  # values of one ciphertext, a power of 2
    ciphertext_bytes: int
    windows: int  # parts a plaintext is cut into, so that products stay below the noise
    multiply_us: float  # a plaintext product and its addition
    decompose_us: float  # before hoisted rotations of a ciphertext
    hoisted_rotation_us: float
    rotation_us: float  # with its own decomposition
    # garbled circuits
    gate_bytes: int  # of a gate that is not an XOR
    evaluator_bit_bytes: int  # oblivious transfer of the label of one bit of the client's
    garbler_bit_bytes: int  # label of one bit of the server's
    gate_us: float  # garbled and evaluated
    widest_bits: int  # shares of more bits do not fit the ciphertexts' plaintext
    share_bits: int | None = None  # one width for all shares; null: what each layer needs
    bytes_factor: float = 1.0  # on all bytes: 1 unless calibrated, and then the file says on what
    homomorphic_factor: float = 1.0  # on all seconds of ciphertexts: the same

    def violations(self) -> list[str]:
        """Slots that the packing does not divide, too."""
        found = super().violations()
        if self.slots & (self.slots - 1):
            found.append(f"slots: must be a power of 2, not {self.slots}")
        return found


def load_constants(name: str | Path = "gazelle") -> PrivateConstants:
    """Constants by name, or from a YAML file; ConfigError where there are none."""
    return load_technology(PrivateConstants, CONSTANTS_FILE, name)
