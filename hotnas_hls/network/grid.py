"""Which maps lie on a grid of whoever quantised the network: rounded to it, or made of values on it."""

from __future__ import annotations

from typing import Protocol

from hotnas_hls.network.graph import Grid, Node, OpKind

KEEPING = frozenset(
    (OpKind.RELU, OpKind.CLIP, OpKind.MAXPOOL, OpKind.CONCAT, OpKind.SUBSAMPLE, OpKind.FLATTEN)
)  # operators whose values are some of those they read, or bounds


class Nodes(Protocol):
    """Nodes by name: a graph, or one in the making."""

    def __getitem__(self, name: str) -> Node: ...


def grid_of(nodes: Nodes, name: str) -> Grid | None:
    """The grid that all values of a node lie on, whatever it reads; None where there is none."""
    node = nodes[name]
    if node.grid is not None or node.kind not in KEEPING:
        return node.grid
    read = [grid_of(nodes, source) for source in node.inputs]
    grids = [grid for grid in read if grid is not None]
    if len(grids) < len(read) or len({grid.frac_bits for grid in grids}) != 1:
        return None
    low, high = node.limits
    lowest, highest = min(grid.low for grid in grids), max(grid.high for grid in grids)
    return Grid(grids[0].frac_bits, max(low, lowest), min(high, highest))
