"""A network graph for people: as a table, and as a picture."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import networkx as nx
from matplotlib.figure import Figure
from rich.table import Table

from hotnas_hls.base.pictures import picture_violations, save_picture
from hotnas_hls.errors import ConfigError
from hotnas_hls.network.graph import Graph, Node, OpKind

COLOURS = {
    OpKind.INPUT: "#e0e0e0",
    OpKind.CONV: "#9ecae1",
    OpKind.LINEAR: "#6baed6",
    OpKind.BATCHNORM: "#dadaeb",
    OpKind.RELU: "#fdd0a2",
    OpKind.CLIP: "#fdd0a2",
    OpKind.ACTIVATION: "#fdae6b",
    OpKind.MAXPOOL: "#a1d99b",
    OpKind.AVGPOOL: "#c7e9c0",
    OpKind.ADD: "#fc9272",
    OpKind.MULTIPLY: "#fb6a4a",
    OpKind.CONCAT: "#fcbba1",
    OpKind.SUBSAMPLE: "#d9f0a3",
    OpKind.FLATTEN: "#f0f0f0",
}
ROW_INCHES = 0.42  # between one depth and the next
COLUMN_INCHES = 2.6  # between operators of the same depth
Place = tuple[int, int]  # column, row
DEEPEST_PICTURE = 1500  # depths; taller pictures are beyond what image formats take


def macs(node: Node) -> int:
    """Multiply-accumulates of one operator for one image; 0 for all but convolution and linear."""
    if node.kind not in (OpKind.CONV, OpKind.LINEAR):
        return 0
    return node.parameters["weight"].size * node.shape[1] * node.shape[2]


def parameter_count(node: Node) -> int:
    """Weights, biases and batch-norm values of one operator."""
    return sum(array.size for array in node.parameters.values())


def graph_table(graph: Graph) -> Table:
    """A rich table with a row for every operator and the totals below."""
    table = Table(title=graph.name, show_footer=True)
    total_macs = sum(macs(node) for node in graph)
    total_parameters = sum(parameter_count(node) for node in graph)
    table.add_column("operator", footer=f"{len(graph)} operators", overflow="fold")
    table.add_column("kind")
    table.add_column("output", justify="right")
    table.add_column("kernel", justify="right")
    table.add_column("MACs", justify="right", footer=f"{total_macs:,}")
    table.add_column("parameters", justify="right", footer=f"{total_parameters:,}")
    for node in graph:
        table.add_row(
            node.name,
            kind_text(node),
            _times(node.shape),
            kernel_text(node),
            f"{macs(node):,}" if macs(node) else "",
            f"{parameter_count(node):,}" if node.parameters else "",
        )
    return table


def graph_record(graph: Graph) -> dict[str, Any]:
    """The same as plain values, for JSON."""
    return {
        "network": graph.name,
        "operators": [
            {
                "name": node.name,
                "kind": kind_text(node),
                "inputs": list(node.inputs),
                "output": list(node.shape),
                "macs": macs(node),
                "parameters": parameter_count(node),
            }
            for node in graph
        ],
        "host": str(graph.host) if graph.host.is_some else None,
    }


def kind_text(node: Node) -> str:
    """The kind of operator, depthwise and grouped convolutions told apart."""
    if node.is_grouped:
        return f"conv, {node.groups} groups"
    return "depthwise" if node.is_depthwise else str(node.kind)


def kernel_text(node: Node) -> str:
    """Kernel and stride, as "3x3 /2", or the function of an activation; empty for other operators."""
    if node.activation is not None:
        return str(node.activation)
    stride = "" if node.stride == (1, 1) else f" /{node.stride[0]}"
    if node.stride[0] != node.stride[1]:
        stride = f" /{_times(node.stride)}"
    if node.kind in (OpKind.CONV, OpKind.MAXPOOL, OpKind.AVGPOOL):
        return _times(node.kernel) + stride
    return stride.strip()


def draw_graph(graph: Graph, path: str | Path) -> None:
    """Draw the network into an .svg, .png or .pdf file."""
    path = Path(path)
    if problems := picture_violations(path):
        raise ConfigError("\n".join(problems))
    deepest = depth(graph)
    if deepest > DEEPEST_PICTURE:
        raise ConfigError(f"{path}: {deepest} operators in a row are too many for a picture; use the table")
    save_picture(graph_figure(graph), path)


def depth(graph: Graph) -> int:
    """Operators on the longest way from the input."""
    return max(row for _, row in _places(graph).values()) + 1


def graph_figure(graph: Graph) -> Figure:
    """The network from top to bottom.

    One row for each depth (longest way from the input); ways that skip rows are arcs on the right.
    """
    places = _places(graph)
    widest = max(column for column, _ in places.values()) + 1
    deepest = depth(graph)
    figure = Figure(figsize=(widest * COLUMN_INCHES, (deepest + 0.5) * ROW_INCHES))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.4, widest - 0.4), ylim=(deepest - 0.25, -0.75))
    axes.axis("off")
    boxes = {
        node.name: axes.text(
            *places[node.name],
            _label(node),
            ha="center",
            va="center",
            fontsize=6.5,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": COLOURS[node.kind], "edgecolor": "#525252"},
        )
        for node in graph
    }
    figure.draw_without_rendering()  # sizes the boxes, at whose borders the arrows end
    for source, reader in graph.dag.edges:
        axes.annotate(
            "",
            xy=places[reader],
            xytext=places[source],
            arrowprops={
                "arrowstyle": "-|>",
                "color": "#737373",
                "connectionstyle": f"arc3,rad={_bend(places[source], places[reader]):.3f}",
                "patchA": boxes[source].get_bbox_patch(),
                "patchB": boxes[reader].get_bbox_patch(),
            },
        )
    return figure


def _label(node: Node) -> str:
    """Name above, then kind, kernel and output shape."""
    details = f"{kind_text(node)} {kernel_text(node)}".strip()
    return f"{node.name}\n{details}  {_times(node.shape)}"


def _bend(source: Place, reader: Place) -> float:
    """Curvature of an arrow: straight to the next row or another column, else an arc clear of the boxes."""
    rows = reader[1] - source[1]
    if rows == 1 or source[0] != reader[0]:
        return 0.0
    reach = 1.0 + 0.03 * rows  # inches from the column to the middle of the arc
    return -2 * reach / (rows * ROW_INCHES)


def _places(graph: Graph) -> dict[str, Place]:
    """(column, row) of every operator: its depth, and column 0 for the longest way, branches beside it."""
    spine = set(nx.dag_longest_path(graph.dag))
    places: dict[str, Place] = {}
    for row, names in enumerate(nx.topological_generations(graph.dag)):
        taken: set[int] = set()
        for name in sorted(names, key=lambda name: name not in spine):  # stable: the definition order
            above = [places[source][0] for source in graph[name].inputs]
            column = 0 if name in spine else max(1, *above, 0)
            while column in taken:
                column += 1
            taken.add(column)
            places[name] = (column, row)
    return places


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes if prod(sizes[1:]) != 1 or len(sizes) == 2 else sizes[:1]))
