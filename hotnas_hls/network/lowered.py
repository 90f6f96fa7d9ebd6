"""What lowering gives: layers with the origin of their weights, and the maps between; no integers yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.image_layout import ImageLayout
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind
from hotnas_hls.network.activation import Activation
from hotnas_hls.network.graph import UNBOUNDED, Bounds, Graph
from hotnas_hls.network.parts import part_weights, spread


class Weights(StrEnum):
    """Where the weights of a layer come from."""

    NODE = "node"  # weight and bias of a convolution or linear node
    BATCHNORM = "batchnorm"  # scale and offset of a batch-norm node, channel by channel
    MEAN = "mean"  # the constant 1 / (kernel rows * kernel columns)
    COPY = "copy"  # the constant 1: additions, activations, copies
    SUBSAMPLE = "subsample"  # 1 from each channel to its place between the zero channels, else 0
    NONE = "none"  # a maximum


@dataclass(frozen=True)
class LoweredLayer:
    """A layer, the origin of its weights, and the real range its output is clamped to.

    ``activation`` comes behind the clamp: what it makes of the values of graph node ``argument``. A residual
    that multiplies does so with the values of graph node ``multiplied``.
    """

    layer: Layer
    weights: Weights
    node: str  # the graph node it computes first
    clamp: Bounds = UNBOUNDED
    activation: Activation | None = None
    argument: str = ""
    multiplied: str = ""
    channel_pad: tuple[int, int] = (0, 0)  # SUBSAMPLE only: zero channels before, after
    stem: ImageLayout | None = None  # of the layer that reads a re-laid image
    dilation: tuple[int, int] = (1, 1)  # of weights, which zeros lie between
    part: int = 0  # of a grouped convolution, which is computed in several
    parts: int = 1

    @property
    def mask(self) -> np.ndarray | None:
        """Where a dilated kernel has weights, 0/1 (rows, columns); None for a dense one."""
        if self.layer.pattern_ones is None:
            return None
        kernel = (self.layer.kernel_rows, self.layer.kernel_columns)
        weights = [-(-size // gap) for size, gap in zip(kernel, self.dilation, strict=True)]
        return spread(np.ones(weights, dtype=np.uint8), self.dilation)

    def parameters(self, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
        """Real weights (M, N, kh, kw), or (C, 1, kh, kw) channelwise, and bias (M,), floats.

        A maximum has weights of size 0.
        """
        layer, bias = self.layer, np.zeros(self.layer.m)
        kernel = (layer.kernel_rows, layer.kernel_columns)
        if self.weights is Weights.NODE:
            of, groups = graph[self.node].parameters, graph[self.node].groups
            weight = of["weight"]
            rows = slice(self.part * layer.m, (self.part + 1) * layer.m)
            if layer.kind is LayerKind.CONV and groups > 1:
                weight = part_weights(weight, groups, self.part, self.parts)
            if self.dilation != (1, 1):
                weight = spread(weight, self.dilation)
            if self.stem is not None:
                kernels = weight.reshape(len(weight), self.stem.source[0], *self.stem.kernel)
                weight = self.stem.lay_weights(kernels)  # a linear layer's kernel is the whole image
            fan_in = layer.n if layer.kind is LayerKind.CONV else 1
            own_bias = of["bias"][rows].astype(np.float64) if "bias" in of else bias
            return weight.reshape(layer.m, fan_in, *kernel), own_bias
        if self.weights is Weights.BATCHNORM:
            of = {role: array.astype(np.float64) for role, array in graph[self.node].parameters.items()}
            scale = of["weight"] / np.sqrt(of["var"] + graph[self.node].epsilon)
            return scale.reshape(-1, 1, 1, 1), of["bias"] - of["mean"] * scale
        if self.weights is Weights.MEAN:
            return np.full((layer.m, 1, *kernel), 1 / (kernel[0] * kernel[1])), bias
        if self.weights is Weights.COPY:
            return np.ones((layer.m, 1, 1, 1)), bias
        if self.weights is Weights.SUBSAMPLE:
            return np.eye(layer.m, layer.n, -self.channel_pad[0])[:, :, None, None], bias
        return np.zeros(0), bias

    def statistics(self, graph: Graph) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and variance (C,) of what a batch norm reads; None of what other layers read."""
        if self.weights is not Weights.BATCHNORM:
            return None
        of = graph[self.node].parameters
        return of["mean"].astype(np.float64), of["var"].astype(np.float64)


@dataclass(frozen=True)
class LoweredNetwork:
    """The layers of a network in the order they run, and its feature maps; no integers yet."""

    name: str
    feature_maps: dict[str, FeatureMap]
    layers: tuple[LoweredLayer, ...]
    image: str  # feature map the host writes
    host: HostWork  # what it does before that, and with what it reads
    image_layout: ImageLayout | None = None  # None: the stem is plain, the image lies as it is
    copies: Mapping[str, str] = field(default_factory=dict)  # feature map -> the one it copies or is part of

    @property
    def shapes(self) -> tuple[Layer, ...]:
        """The bare layers."""
        return tuple(lowered.layer for lowered in self.layers)
