"""The seal of a descriptor: it tells the accelerator that a descriptor was made for it, and is whole.

The checksum of a descriptor, seal included, is the signature of its design. Both twins refuse to run any
other: zeros, noise, or the descriptor of a design whose buffers differ. A descriptor also holds the checksum
of its layer's weights, which both twins take as the weights come.

The checksum is the remainder of a division, as that of a CRC: word i of n, a polynomial of 32 bits, counts
x^(n-1-i) times, modulo x^24 + x^7 + x^2 + x + 1. A CRC proper would count it x^(32(n-1-i)) times: every bit
of a beat would then meet half the bits of the sum, where here it meets a few. The polynomial is primitive:
a wrong run of bits within a word, two words that changed places, and a block that moved are found always,
what is wrong at random but for one in 2^24.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.base.compiled_code import compiled
from hotnas_hls.base.records import to_record

SEAL_BITS = 24
SEAL_LSB = 8  # of the seal in header word 0
POLYNOMIAL = 1 << SEAL_BITS | 0x87
LAYOUT = 5  # of descriptors: where a field lies or what it means


def signature(accel: Accelerator) -> int:
    """A number that stands for a design: 24 bits, odd, so that zeros are no descriptor.

    Of tr, tc and max_entries the hardware knows what they make: depth of a bank, bytes of a descriptor.
    """
    parameters = to_record(accel)
    for name in ("tr", "tc", "max_entries"):
        del parameters[name]
    if accel.residual_depth == accel.map_words:  # said or not
        parameters.pop("residual_words", None)
    parameters |= {"ofm_depth": accel.ofm_depth, "descriptor_bytes": accel.descriptor_bytes}
    parameters |= {"layout": LAYOUT, "word_bits": accel.word_width, "plane_bits": accel.plane_width}
    text = json.dumps(parameters, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:3], "little") | 1


def checksum(words: np.ndarray) -> int:
    """Checksum of 32-bit ``words`` (uint32): 24 bits, 0 of zeros."""
    return int(_remainder(words))


def sealed(words: np.ndarray, accel: Accelerator) -> np.ndarray:
    """Descriptor ``words`` (uint32), whose seal is still zero, with the seal that makes them ``accel``'s."""
    seal = checksum(words) ^ signature(accel)
    # In the checksum the seal counts x^SEAL_LSB times, and x times more for every word behind it.
    for _ in range(SEAL_LSB + len(words) - 1):
        seal = (seal ^ POLYNOMIAL if seal & 1 else seal) >> 1
    whole = words.copy()
    whole[0] |= np.uint32(seal << SEAL_LSB)
    return whole


@compiled
def _remainder(words: np.ndarray) -> int:
    remainder = 0
    for word in words:
        remainder = remainder << 1 ^ int(word)
        for bit in range(31, SEAL_BITS - 1, -1):
            if remainder >> bit & 1:
                remainder ^= POLYNOMIAL << bit - SEAL_BITS
    return remainder
