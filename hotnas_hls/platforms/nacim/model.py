"""Compute in memory as a cost: time, energy and area of every layer with weights.

The weights of a layer fill crossbars of their own: a row for each product of an output value, columns for
its output channels, several for a weight of more bits than a cell holds. A layer's crossbars work side by
side. For each output pixel they are read once a step of the activations' bits; each converts its columns
one by one. All else (activation functions, pooling, additions) is digital, beside it, and costs nothing
here.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import WEIGHTED, Operation
from hotnas_hls.platforms.nacim.constants import CrossbarConstants


@dataclass(frozen=True)
class CrossbarLayer:
    """A layer on its crossbars."""

    crossbars: int
    reads: int  # of each crossbar, for one image
    conversions: int  # of all
    busiest: int  # columns that a crossbar converts
    moved_bits: int  # through buffers and routers

    def seconds(self, constants: CrossbarConstants) -> tuple[float, float]:
        """Of one image: reading, and converting; the longer of them counts, since they overlap."""
        return (
            self.reads * constants.read_ns * 1e-9,
            self.reads * self.busiest * constants.convert_ns * 1e-9,
        )

    def microjoules(self, constants: CrossbarConstants) -> tuple[float, float, float]:
        """Of one image: crossbars, converters, buffers."""
        moved = constants.buffer_pj_per_bit + constants.router_pj_per_bit
        return (
            self.crossbars * self.reads * constants.read_pj * 1e-6,
            self.conversions * (constants.convert_pj + constants.add_pj) * 1e-6,
            self.moved_bits * moved * 1e-6,
        )

    def square_millimetres(self, constants: CrossbarConstants) -> tuple[float, float]:
        """Crossbars, converters; buffers, routers and digital logic are left out."""
        return (
            self.crossbars * constants.crossbar_um2 * 1e-6,
            self.crossbars * constants.converter_um2 * 1e-6,
        )


def crossbar_layer(operation: Operation, constants: CrossbarConstants) -> CrossbarLayer:
    """Of an operation with weights. Groups of channels are separate matrices, in crossbars of their own."""
    slices = -(-operation.weight_bits // constants.cell_bits)
    columns = operation.m // operation.groups * slices
    down, across = -(-operation.fan_in // constants.rows), -(-columns // constants.columns)
    steps = -(-operation.act_bits // constants.step_bits)
    reads = operation.out_rows * operation.out_columns * steps
    return CrossbarLayer(
        crossbars=operation.groups * down * across,
        reads=reads,
        conversions=reads * operation.groups * down * columns,
        busiest=min(columns, constants.columns),
        moved_bits=(operation.inputs + operation.outputs) * operation.act_bits,
    )


def crossbar_violations(operation: Operation, constants: CrossbarConstants) -> list[str]:
    """What of an operation the model is not made for, with its cure."""
    if operation.kind is OpKind.BATCHNORM:
        return [f"{operation.name}: a batch norm that is not folded into weights is not modelled; move it"]
    if operation.kind not in WEIGHTED:
        return []
    return [
        f"{operation.name}: {what} of {bits} bits, the model is made for {constants.widest_bits}; use fewer"
        for what, bits in (("weights", operation.weight_bits), ("activations", operation.act_bits))
        if bits > constants.widest_bits
    ]


def peak_tops_per_watt(constants: CrossbarConstants, act_bits: int, weight_bits: int) -> float:
    """Two operations a product, of a full crossbar and its converter alone: no buffers."""
    slices, steps = -(-weight_bits // constants.cell_bits), -(-act_bits // constants.step_bits)
    products = constants.rows * (constants.columns // slices) / steps
    picojoules = constants.read_pj + constants.columns * (constants.convert_pj + constants.add_pj)
    return 2 * products / picojoules
