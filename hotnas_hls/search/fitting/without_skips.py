"""A network without some of its skip connections: what read them is fitted to what it computed with them.

In the order they run, by least squares in real numbers, each from what the network gives it by then. Nothing
is trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hotnas_hls.models.pattern_pruning import spacing
from hotnas_hls.models.skips import without_skips
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import Graph, Node
from hotnas_hls.search.fitting.least_squares import Moments

BATCH = 16  # images that run at a time


def fitted_without_skips(graph: Graph, readers: Collection[str], images: np.ndarray) -> Graph:
    """``graph`` without the skip connections that ``readers`` read; images: float32 (B, C, H, W)."""
    found = without_skips(graph, readers)
    for name in [node.name for node in graph if node.name in readers]:
        fitted = _fitted(graph, found, name, images)
        found = Graph(found.name, [fitted if node.name == name else node for node in found], found.host)
    return found


def _fitted(graph: Graph, edited: Graph, name: str, images: np.ndarray) -> Node:
    """Convolution ``name`` of ``edited``, its sums as close as they come to those in ``graph``."""
    node = edited[name]
    moments = Moments.over(_samples(graph, edited, node, images))
    weight, bias = moments.real(torch.from_numpy(node.parameters["weight"]))
    return replace(node, parameters={"weight": weight.numpy(), "bias": bias.numpy()})


def _samples(graph: Graph, edited: Graph, node: Node, images: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    """What the weights multiply (1, K, pixels), and the sums (1, M, pixels), of evenly spaced pixels."""
    (source,) = node.inputs
    step = spacing(len(images) * node.shape[1] * node.shape[2])
    top, left, bottom, right = node.padding
    for first in range(0, len(images), BATCH):
        some = images[first : first + BATCH]
        inputs = torch.from_numpy(run(edited, some, {source})[source])
        sums = torch.from_numpy(run(graph, some, {node.name})[node.name])
        padded = F.pad(inputs, (left, right, top, bottom))
        columns = F.unfold(padded, node.kernel, dilation=node.dilation, stride=node.stride)
        columns = columns.transpose(0, 1).flatten(1)[:, ::step]
        yield columns[None], sums.transpose(0, 1).flatten(1)[None, :, ::step]
