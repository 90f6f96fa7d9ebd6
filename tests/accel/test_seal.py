"""The seal of descriptors: what the accelerator takes for its own, and what it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.seal import SEAL_LSB, checksum, sealed, signature

ACCEL = Accelerator(16, 8, 4, 5, 64, 128, 128, ifm_depth=400, wgt_entries=9, max_entries=9)
WORDS = ACCEL.descriptor_bytes // 4


def descriptor(seed: int, words: int = WORDS) -> np.ndarray:
    """Random words whose seal is still zero."""
    drawn = np.random.default_rng(seed).integers(1 << 32, size=words, dtype=np.uint32)
    drawn[0] &= (1 << SEAL_LSB) - 1
    return drawn


@pytest.mark.parametrize("words", [48, 49, 71, 72, 160])
def test_a_sealed_descriptor_has_the_signature_and_keeps_its_fields(words: int) -> None:
    plain = descriptor(words, words)
    whole = sealed(plain, ACCEL)
    assert checksum(whole) == signature(ACCEL)
    assert whole[0] & (1 << SEAL_LSB) - 1 == plain[0]
    assert np.array_equal(whole[1:], plain[1:])


def test_every_single_wrong_bit_is_found() -> None:
    whole = sealed(descriptor(1), ACCEL)
    for word in range(WORDS):
        for bit in range(32):
            wrong = whole.copy()
            wrong[word] ^= np.uint32(1 << bit)
            assert checksum(wrong) != signature(ACCEL), (word, bit)


def test_every_parameter_of_a_design_changes_its_signature() -> None:
    def another(value: object) -> object:
        return not value if isinstance(value, bool) else 2 * value if value else 1024

    others = [
        dataclasses.replace(ACCEL, **{field.name: another(getattr(ACCEL, field.name))})
        for field in dataclasses.fields(ACCEL)
        if field.name != "tc"  # which changes the depth of a bank as tr does
    ]
    assert len({signature(accel) for accel in (ACCEL, *others)}) == len(others) + 1


def test_designs_of_the_same_hardware_share_their_signature() -> None:
    turned = dataclasses.replace(ACCEL, tr=ACCEL.tc, tc=ACCEL.tr, max_entries=ACCEL.max_entries + 1)
    assert turned.descriptor_bytes == ACCEL.descriptor_bytes
    assert signature(turned) == signature(ACCEL)


def test_zeros_are_no_descriptor() -> None:
    assert checksum(np.zeros(WORDS, dtype=np.uint32)) == 0
    assert signature(ACCEL) % 2 == 1
