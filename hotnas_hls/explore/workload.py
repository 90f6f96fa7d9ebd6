"""What a compressed network asks of the hardware, without touching a weight.

:func:`compressed_layers` edits the layers of the uncompressed network: microseconds, for pricing remedies.
:func:`edited_graph` edits the graph instead, to be lowered anew: exact also where an edit changes what
is fused with what (the larger convolution takes a residual addition). The hardware test uses the latter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self

from hotnas_hls.accel.packed_patterns import Spread
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.cut_paths import CutPath
from hotnas_hls.models.skips import Skip, without_skips
from hotnas_hls.network.graph import Graph, Node


class Piece(Protocol):
    """What a workload consists of: a layer of the accelerator, or an operator of the network."""

    @property
    def name(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def m(self) -> int: ...
    def widened(self, n: int, m: int) -> Self: ...
    def grown(self) -> Self: ...
    def narrowed(self, weight_bits: int) -> Self: ...
    def reading(self, act_bits: int) -> Self: ...
    def pruned(self, ones: int, rows: int) -> Self: ...


def _has_no_skips(readers: tuple[str, ...]) -> tuple[Any, ...]:
    raise ValueError(f"{', '.join(readers)}: no skip connection may be left out here")


@dataclass(frozen=True)
class Workload:
    """A network as a platform sees it, and what may be edited in it."""

    name: str
    lowered: tuple[Any, ...]  # each a Piece
    paths: Mapping[str, CutPath]  # convolutions whose channels may be cut
    editable: frozenset[str]  # convolutions that may be pruned or expanded
    weighted: frozenset[str]  # layers with weights of their own, which may be narrowed
    readers: frozenset[str] = frozenset()  # layers that may read fewer bits
    arranged: Callable[[tuple[Any, ...]], tuple[Any, ...]] = tuple  # the layers as they run
    spreads: Mapping[str, Spread] = field(default_factory=dict)  # of layers that run on packed maps
    skips: Mapping[str, Skip] = field(default_factory=dict)  # by convolutions that may do without theirs
    lowered_without: Callable[[tuple[str, ...]], tuple[Any, ...]] = _has_no_skips  # what they read of them

    @cached_property
    def layers(self) -> tuple[Any, ...]:
        """The layers as they run."""
        return self.arranged(self.lowered)

    def compressed(self, compression: Compression) -> tuple[Any, ...]:
        """The layers under ``compression``, as they run."""
        return self.arranged(self._compressed(compression))

    def edited(self, compression: Compression) -> Workload:
        """The compressed network, which may be edited further."""

        def without(readers: tuple[str, ...]) -> tuple[Any, ...]:
            both = (*compression.skips_cut, *readers)
            return self._compressed(replace(compression, skips_cut=both))

        left = {reader: skip for reader, skip in self.skips.items() if reader not in compression.skips_cut}
        return replace(self, lowered=self._compressed(compression), skips=left, lowered_without=without)

    def _compressed(self, compression: Compression) -> tuple[Any, ...]:
        cut = compression.skips_cut
        layers = self.lowered_without(cut) if cut else self.lowered
        return compressed_layers(layers, self.paths, compression)

    def takes(self, compression: Compression) -> bool:
        """Whether every layer that is to be edited may be."""
        shaped = {*compression.patterns, *compression.expanded}
        return (
            shaped <= self.editable
            and not self.spreads.keys() & compression.expanded
            and compression.channels.keys() <= self.paths.keys()
            and compression.weight_bits.keys() <= self.weighted
            and compression.act_bits.keys() <= self.readers
            and self.skips.keys() >= {*compression.skips_cut}
        )

    def layer(self, name: str) -> Any:
        """The layer of this name, before it is arranged."""
        return next(layer for layer in self.lowered if layer.name == name)

    def cut_owner(self, name: str) -> str | None:
        """The convolution to cut so that this layer shrinks: itself, or the one it reads."""
        if name in self.paths:
            return name
        return next((owner for owner, path in self.paths.items() if path.reader == name), None)


def compressed_layers(
    layers: Sequence[Any], paths: Mapping[str, CutPath], compression: Compression
) -> tuple[Any, ...]:
    """``layers`` of the uncompressed network as they are under ``compression``; ``paths`` as in cut_paths."""
    inputs, outputs = _widths(paths, compression)
    resized = (_resized(layer, inputs, outputs, compression.expanded) for layer in layers)
    return with_formats(resized, compression)


def with_formats(layers: Iterable[Any], compression: Compression) -> tuple[Any, ...]:
    """Layers with the widths and patterns of ``compression``, their shapes as they are."""
    return tuple(_formatted(layer, compression) for layer in layers)


def edited_graph(graph: Graph, paths: Mapping[str, CutPath], compression: Compression) -> Graph:
    """``graph`` with the shapes of ``compression``; the weights in it are still the uncompressed ones."""
    graph = without_skips(graph, compression.skips_cut)
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
    layer: Piece, inputs: Mapping[str, int], outputs: Mapping[str, int], expanded: Sequence[str]
) -> Piece:
    if layer.name in inputs or layer.name in outputs:
        layer = layer.widened(inputs.get(layer.name, layer.n), outputs.get(layer.name, layer.m))
    return layer.grown() if layer.name in expanded else layer


def _formatted(layer: Piece, compression: Compression) -> Piece:
    if layer.name in compression.patterns:
        choice = compression.patterns[layer.name]
        layer = layer.pruned(choice.ones, choice.rows)
    if layer.name in compression.weight_bits:
        layer = layer.narrowed(compression.weight_bits[layer.name])
    if layer.name in compression.act_bits:
        layer = layer.reading(compression.act_bits[layer.name])
    return layer
