"""Where the channels of a map go: through operators that keep them apart, into one convolution."""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.network.graph import Graph, Node, OpKind

_CHANNELWISE = {
    *(OpKind.BATCHNORM, OpKind.RELU, OpKind.CLIP, OpKind.ACTIVATION, OpKind.MAXPOOL, OpKind.AVGPOOL)
}


@dataclass(frozen=True)
class CutPath:
    """Where the channels of a map go: through ``along``, one by one, into ``reader``."""

    along: tuple[str, ...]
    reader: str


def cut_paths(graph: Graph) -> dict[str, CutPath]:
    """The convolutions whose channels may be cut: exactly one convolution reads them (section 3.4).

    That is the inner width of a block; a residual add or a concatenation ends the path, so skip connections
    keep their width.
    """
    return {
        node.name: path
        for node in graph
        if node.kind is OpKind.CONV and node.groups == 1 and (path := path_of(graph, node))
    }


def path_of(graph: Graph, node: Node) -> CutPath | None:
    """The way of the channels of ``node``; None where not exactly one convolution reads them."""
    along: list[str] = []
    while True:
        readers = graph.consumers(node.name)
        if len(readers) != 1 or node.name in graph.host.maps:
            return None
        node = readers[0]
        if node.kind is OpKind.CONV and node.groups == 1:
            return CutPath(tuple(along), node.name)
        depthwise = node.is_depthwise and node.parameters["weight"].shape[0] == node.groups
        if node.kind not in _CHANNELWISE and not depthwise:
            return None
        along.append(node.name)
