"""A network as cost models read it: its operators with shapes and widths, tied to no accelerator.

What an accelerator runs is :class:`~hotnas_hls.accel.layer.Layer`, lowered: activations and additions are
part of a pass there. Here every operator stands for itself: some platforms pay for each in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hotnas_hls.network.graph import Graph, OpKind

WEIGHTED = (OpKind.CONV, OpKind.LINEAR)
PASSING = (OpKind.MAXPOOL, OpKind.CONCAT, OpKind.SUBSAMPLE, OpKind.FLATTEN)  # values as they were read
FIXED = (OpKind.ACTIVATION, OpKind.MULTIPLY)


@dataclass(frozen=True)
class Operation:
    """One operator: shapes as in :class:`~hotnas_hls.accel.layer.Layer`, widths in bits.

    A fully connected operator reads and writes maps of one pixel. ``act_bits`` is the width of the values it
    reads, ``weight_bits`` that of its weights, 0 where it has none.
    """

    name: str
    kind: OpKind
    sources: tuple[str, ...]  # operations read, the image's included
    n: int  # input channels
    m: int  # output channels
    in_rows: int
    in_columns: int
    out_rows: int
    out_columns: int
    kernel_rows: int = 1
    kernel_columns: int = 1
    stride_rows: int = 1
    stride_columns: int = 1
    groups: int = 1
    act_bits: int = 16
    weight_bits: int = 0

    def within(self, network: str) -> Operation:
        """The operator by a name that no other network has."""
        sources = tuple(f"{network}/{source}" for source in self.sources)
        return replace(self, name=f"{network}/{self.name}", sources=sources)

    def widened(self, n: int, m: int) -> Operation:
        """The operator with other channels; one that keeps them apart keeps as many groups."""
        return replace(self, n=n, m=m, groups=n if self.groups > 1 else 1)

    def grown(self) -> Operation:
        """The operator with a kernel that is larger by a weight on each side."""
        return replace(self, kernel_rows=self.kernel_rows + 2, kernel_columns=self.kernel_columns + 2)

    def narrowed(self, weight_bits: int) -> Operation:
        """The operator with weights of other widths, if it has any."""
        return replace(self, weight_bits=weight_bits) if self.kind in WEIGHTED else self

    def reading(self, act_bits: int) -> Operation:
        """The operator with values of another width to read."""
        return replace(self, act_bits=act_bits)

    def pruned(self, ones: int, rows: int) -> Operation:
        """The same: zeros of a pattern are computed like any other weight here."""
        return self

    @property
    def pattern_ones(self) -> None:
        """Always dense."""
        return None

    @property
    def positions(self) -> int:
        """Weights of a 2-D kernel, or pixels of a pooling window."""
        return self.kernel_rows * self.kernel_columns

    @property
    def fan_in(self) -> int:
        """Products summed for one output value."""
        return self.positions * self.n // self.groups

    @property
    def outputs(self) -> int:
        """Values written."""
        return self.m * self.out_rows * self.out_columns

    @property
    def inputs(self) -> int:
        """Values read of one source."""
        return self.n * self.in_rows * self.in_columns

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 where it has no weights."""
        return self.outputs * self.fan_in if self.kind in WEIGHTED else 0

    @property
    def weights(self) -> int:
        """Numbers of weights, biases left out."""
        return self.m * self.fan_in if self.kind in WEIGHTED else 0


def operations(graph: Graph, act_bits: int, weight_bits: int) -> tuple[Operation, ...]:
    """The operators of ``graph`` in order, all of the same widths; the image is not one."""
    found = []
    for node in graph:
        if node.kind is OpKind.INPUT:
            continue
        (n, in_rows, in_columns), (m, out_rows, out_columns) = graph[node.inputs[0]].shape, node.shape
        found.append(
            Operation(
                node.name,
                node.kind,
                node.inputs,
                n,
                m,
                in_rows,
                in_columns,
                out_rows,
                out_columns,
                *node.kernel,
                *node.stride,
                node.groups,
                act_bits,
                weight_bits if node.kind in WEIGHTED else 0,
            )
        )
    return tuple(found)


def free_readers(listed: Sequence[Operation]) -> frozenset[str]:
    """Operators with weights that may read fewer bits: what they read is rounded where it is made.

    The image is not, and activation functions and products have formats of their own.
    """
    free: dict[str, bool] = {}
    for one in listed:
        read = all(free.get(source, False) for source in one.sources)
        free[one.name] = read if one.kind in PASSING else one.kind not in FIXED
    readers = (one for one in listed if one.kind in WEIGHTED)
    return frozenset(one.name for one in readers if all(free.get(source, False) for source in one.sources))
