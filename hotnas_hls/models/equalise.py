"""Channels of one scale: the same function, with weights and maps that one format suits.

A ReLU, a maximum, a mean and a concatenation hand a positive factor on, so a channel can be made smaller
where it is computed and larger wherever it is read (cross-layer equalisation, Nagel et al. 2019, section
4.1). Factors are powers of two: in floats the network computes the very same, but for the last bit of the
variances of batch norms that stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import cast

import torch
from torch import Tensor, nn

from hotnas_hls.models.edits import Norm, batchnorm_of, copied, own_modules
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph, OpKind

_HOMOGENEOUS = {OpKind.RELU, OpKind.MAXPOOL, OpKind.AVGPOOL, OpKind.FLATTEN}
MOST_PASSES = 20  # a balance reaches one layer further along a chain with each

Modules = Mapping[str, nn.Module]


@dataclass(frozen=True)
class _Read:
    """Where a node has the channels of a layer: from input ``first`` on, ``each`` inputs a channel."""

    node: str
    first: int = 0
    each: int = 1


HOST = _Read("")


def equalised(model: nn.Module, graph: Graph) -> nn.Module:
    """A copy of ``model`` with weights of one scale where a channel is made and where it is read.

    ``graph`` is its trace. Layers are convolutions and linear layers, with the batch norms that are folded
    into them, and batch norms that stay. Changed are those that are plain modules of their own, applied once,
    where such layers alone read what they make and all between hands a factor on: no other clip, no addition.
    """
    model = copied(model)
    own, folded = own_modules(model, graph), fold_batchnorm(graph)
    reads_of = {node.name: list(_reads(folded, _Read(node.name))) for node in folded if node.name in own}
    free = {
        layer: reads
        for layer, reads in reads_of.items()
        if _scales(own, graph, layer)
        and all(read.node in own and not folded[read.node].is_grouped for read in reads)
    }
    with torch.no_grad():
        for _ in range(MOST_PASSES):
            if not any([_equalise(own, graph, made, reads) for made, reads in free.items() if reads]):
                break
    return model


def _reads(folded: Graph, at: _Read) -> Iterator[_Read]:
    """Where the channels that a node has go on to be read, in whatever scale or not."""
    if at.node in folded.host.maps:
        yield HOST
    for node in folded.consumers(at.node):
        if node.kind is OpKind.CONCAT:
            ends = list(accumulate((folded[name].shape[0] for name in node.inputs), initial=0))
            for name, start in zip(node.inputs, ends, strict=False):
                if name == at.node:
                    yield from _reads(folded, _Read(node.name, start + at.first, at.each))
        elif node.kind in _HOMOGENEOUS:
            each = prod(folded[at.node].shape[1:]) if node.kind is OpKind.FLATTEN else 1
            yield from _reads(folded, _Read(node.name, at.first * each, at.each * each))
        else:
            yield _Read(node.name, at.first, at.each)


def _scales(own: Modules, graph: Graph, layer: str) -> list[Tensor]:
    """Weight and bias that set the scale of a layer's channels: its batch norm's, else its own."""
    name = batchnorm_of(graph, layer) or layer
    if layer not in own or name not in own or own[name].weight is None:
        return []
    return [cast(Tensor, tensor) for tensor in (own[name].weight, own[name].bias) if tensor is not None]


def _magnitudes(own: Modules, graph: Graph, layer: str) -> Tensor:
    """Of a layer's weights, the batch norm that it is or has folded in: (outputs, ...).

    Zero where a batch norm's epsilon sets its gain, not the channel: one that hardly ever changes.
    """
    module, norm = own[layer], own.get(batchnorm_of(graph, layer) or "")
    if isinstance(module, Norm):
        found = torch.where(_room(module) > 1, _gain(module), 0.0)
    else:
        found = cast(Tensor, module.weight).abs()
    return found if norm is None else found * _along(_gain(cast(Norm, norm)), found)


def _gain(norm: Norm) -> Tensor:
    """What a batch norm multiplies each channel by."""
    return torch.rsqrt(_power(norm)) * (1 if norm.weight is None else norm.weight.abs())


def _power(norm: Norm) -> Tensor:
    """The variance that a batch norm divides by."""
    assert norm.running_var is not None
    return norm.running_var + norm.eps


def _room(norm: Norm) -> Tensor:
    """By what power of two each channel may be made smaller until its variance is as small as epsilon."""
    return 2.0 ** torch.floor(torch.log2(_power(norm) / norm.eps) / 2)


def _equalise(own: Modules, graph: Graph, made: str, reads: Sequence[_Read]) -> bool:
    """Scale the channels of a layer wherever they are read; whether any changed."""
    channels = graph[made].shape[0]

    def part(tensor: Tensor, read: _Read) -> Tensor:
        """What a reader's weights or statistics are for each channel: a view, (channels, ...)."""
        apart = tensor.ndim == 1 or graph[read.node].is_depthwise
        inputs = tensor if apart else tensor.transpose(0, 1)
        return inputs[read.first : read.first + channels * read.each].unflatten(0, (channels, read.each))

    makes = _magnitudes(own, graph, made).reshape(channels, -1).amax(1)
    asks, most = torch.zeros(channels), torch.full((channels,), torch.inf)
    for read in reads:
        asked, norm = part(_magnitudes(own, graph, read.node), read).flatten(1).amax(1), own[read.node]
        if isinstance(norm, Norm):
            most = torch.minimum(most, part(_room(norm), read).flatten())
        asks = torch.maximum(asks, asked)
    ratio = torch.where((makes > 0) & (asks > 0), makes / asks, 1.0)
    factor = torch.minimum(2.0 ** torch.round(torch.log2(ratio) / 2), most)
    for tensor in _scales(own, graph, made):
        tensor.div_(_along(factor, tensor))
    for read in reads:
        module = own[read.node]
        if isinstance(module, Norm):
            _rescale(module, slice(read.first, read.first + channels), factor)
        else:
            weight = part(cast(Tensor, module.weight), read)
            weight.mul_(_along(factor, weight))
    return bool((factor != 1).any())


def _rescale(norm: Norm, channels: slice, factor: Tensor) -> None:
    """Let a batch norm read channels divided by ``factor``: with the statistics that these have.

    Its weight and bias stay, so that statistics may be measured anew. The variance takes what epsilon lacks.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean[channels] /= factor
    variance = norm.running_var[channels]
    scaled = (_power(norm)[channels] / factor**2).double() - norm.eps
    norm.running_var[channels] = torch.where(factor == 1, variance, scaled.float())


def _along(values: Tensor, tensor: Tensor) -> Tensor:
    """``values`` shaped as the first axis of ``tensor``."""
    return values.reshape(-1, *[1] * (tensor.ndim - 1))
