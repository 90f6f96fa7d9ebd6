"""Packed additively homomorphic linear layers: operations on ciphertexts, by Gazelle's input rotations.

A ciphertext holds whole channels of a map, each in a power of two slots. A convolution rotates every input
ciphertext to each position of the kernel and each arrangement of its channels, multiplies, and adds.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.nass.constants import PrivateConstants


@dataclass(frozen=True)
class CipherWork:
    """What a linear layer takes."""

    products: int = 0
    decompositions: int = 0
    hoisted_rotations: int = 0
    rotations: int = 0
    ciphertexts: int = 0  # sent: inputs there, outputs back

    def seconds(self, constants: PrivateConstants) -> float:
        """On the server, one thing after the other."""
        us = (
            self.products * constants.multiply_us
            + self.decompositions * constants.decompose_us
            + self.hoisted_rotations * constants.hoisted_rotation_us
            + self.rotations * constants.rotation_us
        )
        return us * 1e-6 * constants.homomorphic_factor

    def bytes(self, constants: PrivateConstants) -> float:
        """Both ways."""
        return self.ciphertexts * constants.ciphertext_bytes


def cipher_work(operation: Operation, constants: PrivateConstants) -> CipherWork:
    """Of a convolution or a fully connected layer that :func:`packing_violations` finds nothing in."""
    if operation.kind is OpKind.LINEAR:
        return _matrix(operation, constants)
    # a stride of s cuts the map into s x s maps, each with its own part of the kernel
    phases = operation.stride_rows * operation.stride_columns
    rows = -(-operation.kernel_rows // operation.stride_rows)
    columns = -(-operation.kernel_columns // operation.stride_columns)
    held = constants.slots // _channel_slots(operation)
    sources = -(-operation.n * phases // held)
    targets = -(-operation.m // held)
    depthwise = operation.groups > 1
    turns = rows * columns * (1 if depthwise else held)  # rotations of a source, the one by nothing included
    parts = constants.windows * sources
    return CipherWork(
        products=parts * turns * (1 if depthwise else targets),
        decompositions=parts,
        hoisted_rotations=parts * (turns - 1),
        ciphertexts=sources + targets,
    )


def packing_violations(operation: Operation, constants: PrivateConstants) -> list[str]:
    """What the packing does not reach, each with its cure."""
    if operation.kind is OpKind.LINEAR:
        return []
    found = []
    if _channel_slots(operation) > constants.slots:
        found.append(
            f"{operation.name}: a channel of "
            f"{operation.out_rows}x{operation.out_columns} pixels does not fit "
            f"the {constants.slots} slots of a ciphertext; use a smaller image"
        )
    if 1 < operation.groups < operation.n:
        found.append(
            f"{operation.name}: {operation.groups} groups of channels are not modelled; use one group, or as "
            "many as channels"
        )
    return found


def _channel_slots(operation: Operation) -> int:
    """Slots of a channel, of each of the maps that a stride makes of it: pixels, up to a power of two."""
    return _power_of_two(operation.out_rows * operation.out_columns)


def _matrix(operation: Operation, constants: PrivateConstants) -> CipherWork:
    """Gazelle's hybrid product: diagonals as long as a ciphertext, whose partial sums rotations fold."""
    held = min(_power_of_two(operation.n), constants.slots)
    sources = -(-operation.n // constants.slots)
    rows = _power_of_two(operation.m)
    diagonals = max(1, rows * held // constants.slots)
    parts = constants.windows * sources
    return CipherWork(
        products=parts * diagonals,
        decompositions=parts,
        hoisted_rotations=parts * (diagonals - 1),
        rotations=max(0, (constants.slots // rows).bit_length() - 1),
        ciphertexts=sources + -(-operation.m // constants.slots),
    )


def _power_of_two(count: int) -> int:
    """The least power of two that is not below ``count``."""
    return 1 << (count - 1).bit_length()
