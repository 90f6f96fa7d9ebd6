"""The seal of a descriptor: it tells the accelerator that a descriptor was made for it, and is whole.

The checksum of a descriptor, seal included, is the signature of its design. Both twins refuse to run any
other: zeros, noise, or the descriptor of a design whose buffers differ. A descriptor also holds the checksum
of its layer's weights, which both twins take as the weights come. The checksum is 24 bits and costs the
hardware a tree of exclusive ors; it finds every single wrong bit, and others but for one in 2^24.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator

SEAL_BITS = 24
SEAL_LSB = 8  # of the seal in header word 0
MASK = (1 << SEAL_BITS) - 1
LAYOUT = 3  # of descriptors: where a field lies or what it means


def signature(accel: Accelerator) -> int:
    """A number that stands for a design: 24 bits, odd, so that zeros are no descriptor.

    Of tr, tc and max_entries the hardware knows what they make: depth of a bank, bytes of a descriptor.
    """
    parameters = dataclasses.asdict(accel)
    for name in ("tr", "tc", "max_entries"):
        del parameters[name]
    parameters |= {"ofm_depth": accel.ofm_depth, "descriptor_bytes": accel.descriptor_bytes}
    parameters |= {"layout": LAYOUT, "word_bits": accel.word_width, "plane_bits": accel.plane_width}
    text = json.dumps(parameters, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:3], "little") | 1


def checksum(words: np.ndarray) -> int:
    """Checksum of 32-bit words: a rotation by one bit and an exclusive or for each, folded to 24 bits."""
    folded = (words & MASK) ^ (words >> SEAL_BITS)
    first = np.zeros(-len(words) % SEAL_BITS, dtype=folded.dtype)  # a zero in front changes nothing
    columns = np.concatenate([first, folded]).reshape(-1, SEAL_BITS)
    total = 0
    for word in np.bitwise_xor.reduce(columns, axis=0).tolist():
        total = _rotated(total, 1) ^ word
    return total


def sealed(words: np.ndarray, accel: Accelerator) -> np.ndarray:
    """Descriptor ``words`` (uint32), whose seal is still zero, with the seal that makes them ``accel``'s."""
    missing = checksum(words) ^ signature(accel)
    # On its way into the checksum the seal is folded (a rotation by SEAL_LSB), then rotated once a word.
    seal = _rotated(missing, -(SEAL_LSB + len(words) - 1))
    whole = words.copy()
    whole[0] |= np.uint32(seal << SEAL_LSB)
    return whole


def _rotated(value: int, bits: int) -> int:
    """``value`` rotated to the left by ``bits``, to the right where they are negative."""
    bits %= SEAL_BITS
    return (value << bits | value >> (SEAL_BITS - bits)) & MASK
