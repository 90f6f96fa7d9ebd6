"""Channels of one scale: the same function, with weights and maps that one format suits.

A ReLU, a maximum and a mean hand a positive factor on, so a channel can be made smaller where it is computed
and larger where it is read (cross-layer equalisation, Nagel et al. 2019, section 4.1). Factors are powers of
two: in floats the network computes the very same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from hotnas_hls.models.edits import Norm, batchnorm_of, copied, own_modules
from hotnas_hls.network.graph import Graph, Node, OpKind

_HOMOGENEOUS = {OpKind.RELU, OpKind.MAXPOOL, OpKind.AVGPOOL, OpKind.FLATTEN}
_WEIGHTED = {OpKind.CONV, OpKind.LINEAR}
MOST_PASSES = 20  # a balance reaches one layer further along a chain with each

Modules = Mapping[str, nn.Module]


def equalised(model: nn.Module, graph: Graph) -> nn.Module:
    """A copy of ``model`` with weights of one scale where a channel is made and where it is read.

    ``graph`` is its trace. Changed are layers that are plain modules of their own, applied once, where one
    layer alone reads what they make and all between hands a factor on: no other clip, no addition, no
    concatenation.
    """
    model = copied(model)
    own = own_modules(model, graph)
    pairs = [(made, read) for made, read in _pairs(graph) if read in own and _scales(own, graph, made)]
    with torch.no_grad():
        for _ in range(MOST_PASSES):
            if not any([_equalise(own, graph, made, read) for made, read in pairs]):
                break
    return model


def _pairs(graph: Graph) -> Iterator[tuple[str, str]]:
    """Layers, and the one that reads their channels in whatever scale they have."""
    for layer in graph:
        if layer.kind in _WEIGHTED:
            node = _reader(graph, batchnorm_of(graph, layer.name) or layer.name)
            while node is not None and node.kind not in _WEIGHTED:
                node = _reader(graph, node.name)
            if node is not None and not node.is_grouped:
                yield layer.name, node.name


def _reader(graph: Graph, name: str) -> Node | None:
    """What alone reads a map, where it is weighted or hands a factor on."""
    readers = graph.consumers(name)
    return readers[0] if len(readers) == 1 and readers[0].kind in _WEIGHTED | _HOMOGENEOUS else None


def _scales(own: Modules, graph: Graph, layer: str) -> list[Tensor]:
    """Weight and bias that set the scale of a layer's channels: its batch norm's, else its own."""
    name = batchnorm_of(graph, layer) or layer
    if layer not in own or name not in own or own[name].weight is None:
        return []
    return [cast(Tensor, tensor) for tensor in (own[name].weight, own[name].bias) if tensor is not None]


def _folded(own: Modules, graph: Graph, layer: str) -> Tensor:
    """Magnitudes of a layer's weights, its batch norm folded in: (outputs, ...)."""
    weight = cast(Tensor, own[layer].weight).abs()
    norm = own.get(batchnorm_of(graph, layer) or "")
    if norm is None:
        return weight
    assert isinstance(norm, Norm) and norm.running_var is not None
    gain = torch.rsqrt(norm.running_var + norm.eps) * (1 if norm.weight is None else norm.weight.abs())
    return weight * gain.reshape(-1, *[1] * (weight.ndim - 1))


def _equalise(own: Modules, graph: Graph, made: str, read: str) -> bool:
    """Scale the channels between two layers; whether any changed."""
    channels, grouped = graph[made].shape[0], graph[read].is_depthwise

    def by_channel(weight: Tensor) -> Tensor:
        """(outputs, channels, weights of each)."""
        return weight.view(1 if grouped else len(weight), channels, -1)

    makes = _folded(own, graph, made).flatten(1).amax(1)
    reads = by_channel(_folded(own, graph, read)).amax((0, 2))
    ratio = torch.where((makes > 0) & (reads > 0), makes / reads, 1.0)
    factor = 2.0 ** torch.round(torch.log2(ratio) / 2)
    for tensor in _scales(own, graph, made):
        tensor.div_(factor.reshape(-1, *[1] * (tensor.ndim - 1)))
    by_channel(cast(Tensor, own[read].weight)).mul_(factor[:, None])
    return bool((factor != 1).any())
