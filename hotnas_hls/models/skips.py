"""Skip connections between the scales of a network: found in its graph, and left out.

A skip connection joins a map, by concatenation or addition, with one that descends from it by way of coarser
maps only, as a decoder does. Which of them a network has is what MS-NAS searches beside its cells. One may be
left out where a single convolution reads what is joined, through operators that keep channels apart.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import prod

import networkx as nx
import numpy as np

from hotnas_hls.models.cut_paths import CutPath, path_of
from hotnas_hls.network.graph import Graph, Node, OpKind

JOINS = (OpKind.CONCAT, OpKind.ADD)


@dataclass(frozen=True)
class Skip:
    """``join`` reads ``maps`` beside what comes from coarser ones, and is read along ``path``."""

    join: str
    maps: tuple[str, ...]
    path: CutPath


def skips(graph: Graph) -> dict[str, Skip]:
    """The skip connections that may be left out, by the convolution that reads what they are joined to."""
    found = {}
    for node in graph:
        if node.kind in JOINS and (path := path_of(graph, node)) and (maps := _skipping(graph, node)):
            found[path.reader] = Skip(node.name, maps, path)
    return found


def _skipping(graph: Graph, join: Node) -> tuple[str, ...]:
    """What ``join`` reads that another of its inputs descends from by way of coarser maps only."""
    pixels = prod(join.shape[1:])
    coarse = {node.name for node in graph if prod(node.shape[1:]) < pixels}
    if coarse.isdisjoint({*join.inputs, *nx.ancestors(graph.dag, join.name)}) or coarse & {*join.inputs}:
        return ()
    fine = nx.restricted_view(graph.dag, coarse, ())
    return tuple(
        name
        for name in dict.fromkeys(join.inputs)
        if {*join.inputs} & (nx.descendants(graph.dag, name) - nx.descendants(fine, name))
    )


def without_skips(graph: Graph, readers: Collection[str]) -> Graph:
    """``graph`` without the skip connections that these convolutions read, their weights for the rest kept.

    ValueError where a convolution reads none.
    """
    if not readers:
        return graph
    known = skips(graph)
    nodes, stands_for = {node.name: node for node in graph}, {}
    for reader in readers:
        if reader not in known:
            raise ValueError(f"{reader}: it reads no skip connection that may be left out")
        skip = known[reader]
        join = nodes[skip.join]
        inputs = tuple(name for name in join.inputs if name not in skip.maps)
        kept = _kept(graph, join, skip.maps)
        if len(inputs) == 1:
            stands_for[join.name] = inputs[0]
        nodes[join.name] = replace(join, inputs=inputs, shape=(len(kept), *join.shape[1:]))
        for step in skip.path.along:
            nodes[step] = _selected(nodes[step], kept)
        nodes[reader] = _reading(nodes[reader], kept)
    left = [
        replace(node, inputs=tuple(stands_for.get(name, name) for name in node.inputs))
        for node in nodes.values()
        if node.name not in stands_for
    ]
    return Graph(graph.name, left, graph.host)


def _kept(graph: Graph, join: Node, maps: Collection[str]) -> np.ndarray:
    """The channels of ``join`` that stay without ``maps``: of an addition all."""
    if join.kind is OpKind.ADD:
        return np.arange(join.shape[0])
    stays = [np.full(graph[name].shape[0], name not in maps) for name in join.inputs]
    return np.flatnonzero(np.concatenate(stays))


def _selected(node: Node, kept: np.ndarray) -> Node:
    """A node that keeps channels apart, with those that are kept."""
    return replace(
        node,
        shape=(len(kept), *node.shape[1:]),
        groups=len(kept) if node.is_depthwise else node.groups,
        parameters={role: values[kept] for role, values in node.parameters.items()},
    )


def _reading(node: Node, kept: np.ndarray) -> Node:
    """A convolution that reads the channels that are kept."""
    cut = {role: values[:, kept] for role, values in node.parameters.items() if role == "weight"}
    return replace(node, parameters=node.parameters | cut)
