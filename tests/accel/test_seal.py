"""The seal of descriptors: what the accelerator takes for its own, and what it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.seal import POLYNOMIAL, SEAL_BITS, SEAL_LSB, checksum, sealed, signature

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


def remainder(value: int) -> int:
    """Of a polynomial whose coefficients are the bits of ``value``, bit by bit."""
    while value.bit_length() > SEAL_BITS:
        value ^= POLYNOMIAL << value.bit_length() - 1 - SEAL_BITS
    return value


def test_the_checksum_is_a_remainder() -> None:
    words = descriptor(2).tolist()
    whole = 0
    for position, word in enumerate(reversed(words)):
        whole ^= word << position
    assert checksum(np.array(words, dtype=np.uint32)) == remainder(whole)


def test_the_polynomial_is_primitive() -> None:
    def power(exponent: int) -> int:
        """x to the power of ``exponent``."""
        result = 1
        for bit in f"{exponent:b}":
            square = sum(1 << 2 * i for i in range(SEAL_BITS) if result >> i & 1)
            result = remainder(square << (bit == "1"))
        return result

    order = (1 << SEAL_BITS) - 1
    assert order == 3**2 * 5 * 7 * 13 * 17 * 241
    assert power(order) == 1
    assert all(power(order // prime) != 1 for prime in (3, 5, 7, 13, 17, 241))


def test_what_changed_its_place_is_found() -> None:
    # Stale or misplaced lines of a cache: 16 words each.
    lines = np.random.default_rng(3).integers(1 << 32, size=(64, 16), dtype=np.uint32)
    whole = checksum(lines.ravel())
    for distance in range(1, 64):
        wrong = lines.copy()
        wrong[[0, distance]] = wrong[[distance, 0]]
        assert checksum(wrong.ravel()) != whole, distance
        assert checksum(np.roll(lines, distance, axis=0).ravel()) != whole, distance


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
