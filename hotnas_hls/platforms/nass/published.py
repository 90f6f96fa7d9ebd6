"""The table of NASS: its two networks, what it prints for them, and what the model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.nass.constants import PrivateConstants
from hotnas_hls.platforms.nass.model import private_layers

SHARE_BITS = 23  # of Gazelle's network in the table
PRINTED = {  # Gazelle's network, NASS's
    "bytes": (1815e6, 977e6),
    "homomorphic_s": (3.2, 1.62),
    "garbled_s": (13.2, 6.38),
    "seconds": (16.4, 8.0),
}


def figures(operations: Sequence[Operation], constants: PrivateConstants) -> dict[str, float]:
    """What the table prints, by the model."""
    layers = private_layers(operations, constants)
    return {name: sum(sum(layer.parts(name)) for layer in layers) for name in PRINTED}


@dataclass
class Chain:
    """Operations one after the other, from an image of 3 x 32 x 32."""

    channels: int = 3
    side: int = 32

    def __post_init__(self) -> None:
        self.found: list[Operation] = []

    def _add(self, name: str, kind: OpKind, m: int, side: int, kernel: tuple[int, int], **more: int) -> None:
        source = self.found[-1].name if self.found else "image"
        shape = (self.channels, m, self.side, self.side, side, side)
        self.found.append(Operation(name, kind, (source,), *shape, *kernel, **more))
        self.channels, self.side = m, side

    def conv(self, m: int, rows: int, columns: int, act_bits: int, weight_bits: int) -> Chain:
        index = len(self.found)
        widths = {"act_bits": act_bits, "weight_bits": weight_bits}
        self._add(f"conv{index}", OpKind.CONV, m, self.side, (rows, columns), **widths)
        self._add(f"relu{index}", OpKind.RELU, m, self.side, (1, 1))
        return self

    def pool(self, kind: OpKind, bits: int = 16) -> Chain:
        more = {"stride_rows": 2, "stride_columns": 2, "act_bits": bits}
        self._add(f"pool{len(self.found)}", kind, self.channels, self.side // 2, (2, 2), **more)
        return self

    def linear(self, m: int, act_bits: int, weight_bits: int) -> tuple[Operation, ...]:
        features = self.channels * self.side * self.side
        self.found.append(Operation("flatten", OpKind.FLATTEN, (self.found[-1].name,), *([1] * 6)))
        shape = (features, m, 1, 1, 1, 1)
        widths = {"act_bits": act_bits, "weight_bits": weight_bits}
        self.found.append(Operation("linear", OpKind.LINEAR, ("flatten",), *shape, **widths))
        return tuple(self.found)


def gazelle(pool: OpKind = OpKind.AVGPOOL) -> tuple[Operation, ...]:
    """The left column; widths are those of its one ring."""
    chain = Chain().conv(64, 3, 3, 8, 8).conv(64, 3, 3, 8, 8).pool(pool)
    chain = chain.conv(64, 3, 3, 8, 8).conv(64, 3, 3, 8, 8).pool(pool)
    return chain.conv(64, 3, 3, 8, 8).conv(64, 3, 3, 8, 8).linear(10, 8, 8)


def gazelle_published() -> tuple[Operation, ...]:
    """The network of Gazelle's own publication, whose tail the table leaves out."""
    chain = Chain().conv(64, 3, 3, 8, 8).conv(64, 3, 3, 8, 8).pool(OpKind.AVGPOOL)
    chain = chain.conv(64, 3, 3, 8, 8).conv(64, 3, 3, 8, 8).pool(OpKind.AVGPOOL)
    return chain.conv(64, 3, 3, 8, 8).conv(64, 1, 1, 8, 8).conv(16, 1, 1, 8, 8).linear(10, 8, 8)


def nass(pool: OpKind = OpKind.AVGPOOL, pool_bits: int = 16) -> tuple[Operation, ...]:
    """The right column. Which of a pair of widths is the weights' is not said; the sum counts."""
    chain = Chain().conv(24, 5, 3, 8, 8).conv(48, 3, 5, 6, 7).pool(pool, pool_bits)
    chain = chain.conv(48, 5, 7, 7, 6).conv(36, 3, 3, 6, 5).pool(pool, pool_bits)
    return chain.conv(24, 7, 1, 4, 6).linear(10, 8, 8)
