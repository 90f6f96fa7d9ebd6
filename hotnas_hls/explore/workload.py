"""What a compressed network asks of the hardware, without touching a weight.

:func:`compressed_layers` edits the layers of the uncompressed network: microseconds, for pricing remedies.
:func:`edited_graph` edits the graph instead, to be lowered anew: exact also where an edit changes what
is fused with what (the larger convolution takes a residual addition). The hardware test uses the latter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.edits import CutPath
from hotnas_hls.network.graph import Graph, Node


@dataclass(frozen=True)
class Workload:
    """A lowered network and what may be edited in it."""

    name: str
    layers: tuple[Layer, ...]
    paths: Mapping[str, CutPath]  # convolutions whose channels may be cut
    editable: frozenset[str]  # convolutions that may be pruned or expanded
    weighted: frozenset[str]  # layers with weights of their own, which may be narrowed

    def compressed(self, compression: Compression) -> tuple[Layer, ...]:
        """The layers under ``compression``."""
        return compressed_layers(self.layers, self.paths, compression)

    def takes(self, compression: Compression) -> bool:
        """Whether every layer that is to be edited may be."""
        shaped = {*compression.patterns, *compression.expanded}
        return (
            shaped <= self.editable
            and compression.channels.keys() <= self.paths.keys()
            and compression.weight_bits.keys() <= self.weighted
        )

    def layer(self, name: str) -> Layer:
        """The layer of this name."""
        return next(layer for layer in self.layers if layer.name == name)

    def cut_owner(self, name: str) -> str | None:
        """The convolution to cut so that this layer shrinks: itself, or the one it reads."""
        if name in self.paths:
            return name
        return next((owner for owner, path in self.paths.items() if path.reader == name), None)


def compressed_layers(
    layers: Sequence[Layer], paths: Mapping[str, CutPath], compression: Compression
) -> tuple[Layer, ...]:
    """``layers`` of the uncompressed network as they are under ``compression``; ``paths`` as in cut_paths."""
    inputs, outputs = _widths(paths, compression)
    resized = (_resized(layer, inputs, outputs, compression.expanded) for layer in layers)
    return with_formats(resized, compression)


def with_formats(layers: Any, compression: Compression) -> tuple[Layer, ...]:
    """Layers with the weight widths and patterns of ``compression``, their shapes as they are."""
    return tuple(_formatted(layer, compression) for layer in layers)


def edited_graph(graph: Graph, paths: Mapping[str, CutPath], compression: Compression) -> Graph:
    """``graph`` with the shapes of ``compression``; the weights in it are still the uncompressed ones."""
    _, outputs = _widths(paths, compression)

    def edited(node: Node) -> Node:
        changes: dict[str, Any] = {}
        if node.name in outputs:
            changes["shape"] = (outputs[node.name], *node.shape[1:])
            if node.is_depthwise:
                changes["groups"] = outputs[node.name]
        if node.name in compression.expanded:
            changes["kernel"] = (node.kernel[0] + 2, node.kernel[1] + 2)
            changes["padding"] = tuple(side + 1 for side in node.padding)
        return dataclasses.replace(node, **changes) if changes else node

    return Graph(graph.name, [edited(node) for node in graph], graph.host)


def _widths(paths: Mapping[str, CutPath], compression: Compression) -> tuple[dict[str, int], dict[str, int]]:
    """Input and output channels of every node that a channel cut changes."""
    inputs: dict[str, int] = {}
    outputs = dict(compression.channels)
    for name, keep in compression.channels.items():
        inputs[paths[name].reader] = keep
        for step in paths[name].along:
            inputs[step] = outputs[step] = keep
    return inputs, outputs


def _resized(
    layer: Layer, inputs: Mapping[str, int], outputs: Mapping[str, int], expanded: Sequence[str]
) -> Layer:
    changes = {}
    if layer.name in inputs:
        changes["n"] = inputs[layer.name]
    if layer.name in outputs:
        changes["m"] = outputs[layer.name]
    if layer.name in expanded:
        changes["kernel_rows"], changes["kernel_columns"] = layer.kernel_rows + 2, layer.kernel_columns + 2
        changes["pad_top"], changes["pad_left"] = layer.pad_top + 1, layer.pad_left + 1
    return dataclasses.replace(layer, **changes) if changes else layer  # type: ignore[arg-type]


def _formatted(layer: Layer, compression: Compression) -> Layer:
    changes = {}
    if layer.name in compression.patterns:
        choice = compression.patterns[layer.name]
        changes["pattern_ones"], changes["pattern_rows"] = choice.ones, choice.rows
    if layer.name in compression.weight_bits and layer.kind is not LayerKind.MAXPOOL:
        changes["weight_bits"] = compression.weight_bits[layer.name]
    return dataclasses.replace(layer, **changes) if changes else layer  # type: ignore[arg-type]
