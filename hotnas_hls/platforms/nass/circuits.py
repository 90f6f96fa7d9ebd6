"""Garbled circuits: gates and bytes of activations and max pooling on additive shares.

A circuit adds the shares of client and server, computes, and shares the result anew. Counts are those of
Gazelle's public code, in gates that are not XORs.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.nass.constants import PrivateConstants

CIRCUITS = (OpKind.RELU, OpKind.CLIP, OpKind.MAXPOOL)


@dataclass(frozen=True)
class CircuitWork:
    """What all circuits of an operation take."""

    gates: int = 0
    client_bits: int = 0  # whose labels are transferred obliviously
    server_bits: int = 0  # shares, and the masks of the results

    def offline_bytes(self, constants: PrivateConstants) -> float:
        """Garbled tables, sent before there is an image."""
        return self.gates * constants.gate_bytes

    def online_bytes(self, constants: PrivateConstants) -> float:
        """Labels."""
        return (
            self.client_bits * constants.evaluator_bit_bytes + self.server_bits * constants.garbler_bit_bytes
        )

    def seconds(self, constants: PrivateConstants) -> float:
        """Garbling and evaluating."""
        return self.gates * constants.gate_us * 1e-6


def circuit_work(operation: Operation, bits: int) -> CircuitWork:
    """Of an operation of CIRCUITS on shares of ``bits`` bits.

    Shares are added (3 b + 1 gates a value), and the result shared anew (3 b + 1). A maximum takes 2 b: a
    ReLU is one with 0, a clip one more, and a window of k values k: Gazelle's pools with 0.
    """
    values = operation.positions if operation.kind is OpKind.MAXPOOL else 1
    maxima = values + (operation.kind is OpKind.CLIP)
    gates = (values + 1) * (3 * bits + 1) + maxima * 2 * bits
    count = operation.outputs
    return CircuitWork(count * gates, count * values * bits, count * (values + 1) * bits)
