"""Private inference as a cost: bytes and seconds of every layer with weights and of what follows it.

Client and server hold additive shares of every map. Convolutions and fully connected layers run on
ciphertexts, ReLU, clip and max pooling in garbled circuits; additions, averages and concatenations are local.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import WEIGHTED, Operation
from hotnas_hls.platforms.nass.ciphertexts import CipherWork, cipher_work, packing_violations
from hotnas_hls.platforms.nass.circuits import CIRCUITS, CircuitWork, circuit_work
from hotnas_hls.platforms.nass.constants import PrivateConstants

MOVING = (OpKind.CONCAT, OpKind.SUBSAMPLE, OpKind.FLATTEN, OpKind.ROWS, OpKind.PIXELS)
PASSING = (OpKind.AVGPOOL, *MOVING)  # values as wide as those read
LOCAL = (*PASSING, OpKind.ADD)


@dataclass(frozen=True)
class PrivateLayer:
    """A layer with weights, and the circuits up to the next one."""

    name: str
    cipher: CipherWork
    circuits: tuple[CircuitWork, ...]
    constants: PrivateConstants = field(repr=False)

    def parts(self, metric: str) -> tuple[float, float]:
        """Of a metric of the platform, what ciphertexts take and what circuits do."""
        constants, factor = self.constants, self.constants.bytes_factor
        seconds = self.cipher.seconds(constants), sum(work.seconds(constants) for work in self.circuits)
        tables = sum(work.offline_bytes(constants) for work in self.circuits) * factor
        labels = sum(work.online_bytes(constants) for work in self.circuits) * factor
        sent = self.cipher.bytes(constants) * factor
        return {
            "seconds": seconds,
            "homomorphic_s": (seconds[0], 0.0),
            "garbled_s": (0.0, seconds[1]),
            "bytes": (sent, tables + labels),
            "offline_bytes": (0.0, tables),
            "online_bytes": (sent, labels),
        }[metric]


def private_layers(operations: Sequence[Operation], constants: PrivateConstants) -> tuple[PrivateLayer, ...]:
    """The network layer by layer; only of operations without :func:`private_violations`.

    Circuits count for the last layer with weights that they read from; those of the image for the first.
    """
    widths = share_widths(operations, constants)
    weighted = [operation for operation in operations if operation.kind in WEIGHTED]
    circuits: dict[str, list[CircuitWork]] = {operation.name: [] for operation in weighted}
    place = {operation.name: index for index, operation in enumerate(weighted)}
    owners: dict[str, str] = {}
    for operation in operations:
        read = [owners[source] for source in operation.sources if source in owners]
        last = max(read, key=lambda name: place[name], default=weighted[0].name)
        owners[operation.name] = operation.name if operation.kind in WEIGHTED else last
        if operation.kind in CIRCUITS:
            circuits[last].append(circuit_work(operation, widths[operation.name]))
    return tuple(
        PrivateLayer(
            operation.name, cipher_work(operation, constants), tuple(circuits[operation.name]), constants
        )
        for operation in weighted
    )


def share_widths(operations: Sequence[Operation], constants: PrivateConstants) -> dict[str, int]:
    """Bits of the shares that each operation leaves or, in a circuit, computes on.

    An exact sum of f products of a-bit and w-bit values takes a + w + ceil(log2 f) bits; a circuit hands on
    values as narrow as the next layer reads them. Each side rounds a mean in its own share, which may be one
    off. ``constants.share_bits`` sets one width for all instead.
    """
    if constants.share_bits is not None:
        return dict.fromkeys((operation.name for operation in operations), constants.share_bits)
    widths: dict[str, int] = {}
    narrow: set[str] = set()  # what a circuit left: read at the width of the reader's activations
    for operation in operations:
        given = [
            operation.act_bits if source in narrow or source not in widths else widths[source]
            for source in operation.sources
        ]
        sums = {OpKind.ADD: len(operation.sources)}.get(operation.kind, 1)
        if operation.kind in WEIGHTED:
            sums = operation.fan_in
        widths[operation.name] = max(given) + operation.weight_bits + (sums - 1).bit_length()
        passes = operation.kind in PASSING and narrow.issuperset(operation.sources)
        if operation.kind in CIRCUITS or passes:
            narrow.add(operation.name)
    return widths


def private_violations(operations: Sequence[Operation], constants: PrivateConstants) -> list[str]:
    """What cannot be computed so, each with its cure."""
    found = []
    for operation in operations:
        if operation.kind not in (*WEIGHTED, *CIRCUITS, *LOCAL):
            found.append(
                f"{operation.name}: {operation.kind} is not modelled in private inference; use ReLU, "
                "pooling, or a batch norm right behind a convolution"
            )
        elif operation.kind in WEIGHTED:
            found += packing_violations(operation, constants)
    if not any(operation.kind in WEIGHTED for operation in operations):
        found.append("the network has no layer with weights; nothing is to be kept private")
    widths = share_widths(operations, constants)
    found += [
        f"{name}: shares of {bits} bits, the ciphertexts hold {constants.widest_bits}; use narrower "
        "weights or activations"
        for name, bits in widths.items()
        if bits > constants.widest_bits
    ]
    return found
