"""A network graph as a torch module: what came as a file is trained and edited like any other network.

Layers with weights are torch's own modules under the names of their nodes; all other nodes are
:class:`Operator`, which a trace takes over as the node it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function

from hotnas_hls.network.graph import Graph, Node, OpKind


class GraphModule(nn.Module):
    """Computes ``graph``: logits (B, ...) of prepared images (B, C, H, W), without the work of the host.

    Those of several outputs by name.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._steps: list[tuple[str, str, tuple[str, ...]]] = []  # node, path of its module, what it reads
        self._image, self._outputs = graph.input.name, graph.host.maps
        for node in graph:
            if node.kind is not OpKind.INPUT:
                path = _placed(self, node.name, _module_of(graph, node))
                self._steps.append((node.name, path, node.inputs))

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        """Logits of images."""
        values = {self._image: images}
        for name, path, sources in self._steps:
            module, inputs = self.get_submodule(path), [values[source] for source in sources]
            if isinstance(module, nn.Linear):
                values[name] = module(inputs[0].flatten(1))[:, :, None, None]
            else:
                values[name] = module(*inputs)
        found = {name: values[name] for name in self._outputs}
        return found if len(found) > 1 else found[self._outputs[0]]


class Operator(nn.Module):
    """A node without weights."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = replace(node, parameters={})

    def forward(self, *inputs: Tensor) -> Tensor:
        """The node's output (B, C, H, W); channels are as many as its inputs have."""
        return graph_operator(self.node, *inputs)


def graph_operator(node: Node, *inputs: Tensor) -> Tensor:
    """What a node without weights makes of its inputs, one function to whoever records functions."""
    if has_torch_function(inputs):
        found: Tensor = handle_torch_function(graph_operator, inputs, node, *inputs)
        return found
    return OPERATORS[node.kind](node, *inputs)


def _placed(root: nn.Module, name: str, module: nn.Module) -> str:
    """Puts ``module`` where ``name`` says, parts that torch has an attribute of get a "_"; its path."""
    scope, path = root, []
    *outer, last = name.split(".")
    for part in outer:
        part = _free(scope, part, may_exist=True)
        if part not in scope._modules:
            scope.add_module(part, nn.Module())
        scope = scope.get_submodule(part)
        path.append(part)
    last = _free(scope, last, may_exist=False)
    scope.add_module(last, module)
    return ".".join([*path, last])


def _free(scope: nn.Module, part: str, may_exist: bool) -> str:
    while hasattr(scope, part) and not (may_exist and part in scope._modules):
        part += "_"
    return part


def _module_of(graph: Graph, node: Node) -> nn.Module:
    of = {role: torch.tensor(values) for role, values in node.parameters.items()}
    if node.kind is OpKind.CONV:
        return _convolution(graph[node.inputs[0]].shape[0], node, of)
    if node.kind is OpKind.LINEAR:
        outputs, features = of["weight"].shape
        return _filled(nn.Linear(features, outputs, "bias" in of), of)
    if node.is_affine:  # no statistics to be measured: a convolution of one value a channel
        scale = nn.Conv2d(node.shape[0], node.shape[0], 1, groups=node.shape[0])
        return _filled(scale, {"weight": of["weight"][:, None, None, None], "bias": of["bias"]})
    if node.kind is OpKind.BATCHNORM:
        norm = nn.BatchNorm2d(node.shape[0], eps=node.epsilon)
        names = {"mean": "running_mean", "var": "running_var"}
        return _filled(norm, {names.get(role, role): values for role, values in of.items()})
    return Operator(node)


def _convolution(inputs: int, node: Node, of: dict[str, Tensor]) -> nn.Module:
    top, left, bottom, right = node.padding
    even = (top, left) == (bottom, right) and min(top, left) >= 0
    conv = nn.Conv2d(
        inputs,
        node.shape[0],
        node.kernel,
        node.stride,
        (top, left) if even else 0,
        node.dilation,
        node.groups,
        bias="bias" in of,
    )
    _filled(conv, of)
    if not even:
        conv.register_forward_pre_hook(_Padding((left, right, top, bottom)))
    return conv


class _Padding:
    """Zeros around what a convolution reads, not the same on both sides; less than none cuts."""

    def __init__(self, around: tuple[int, int, int, int]) -> None:
        self.around = around

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        return F.pad(inputs[0], self.around)


def _filled(module: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with torch.no_grad():
        for role, values in tensors.items():
            own[role].copy_(values)
    return module


def _pooled(node: Node, x: Tensor, fill: float, pool: Callable[..., Tensor]) -> Tensor:
    top, left, bottom, right = node.padding
    return pool(F.pad(x, (left, right, top, bottom), value=fill), node.kernel, node.stride)


def _subsampled(node: Node, x: Tensor) -> Tensor:
    top, left, bottom, right = node.padding
    inside = F.pad(x, (left, right, top, bottom))
    return F.pad(inside[:, :, :: node.stride[0], :: node.stride[1]], (0, 0, 0, 0, *node.channel_pad))


def _activated(node: Node, x: Tensor) -> Tensor:
    assert node.activation is not None
    values: Tensor = node.activation.computed(x, FUNCTIONS, float)
    return values


OPERATORS: dict[OpKind, Callable[..., Tensor]] = {
    OpKind.RELU: lambda node, x: F.relu(x),
    OpKind.CLIP: lambda node, x: x.clamp(*node.bounds),
    OpKind.ACTIVATION: _activated,
    OpKind.MAXPOOL: lambda node, x: _pooled(node, x, -np.inf, F.max_pool2d),
    OpKind.AVGPOOL: lambda node, x: _pooled(node, x, 0.0, F.avg_pool2d),
    OpKind.ADD: lambda node, one, other: one + other,
    OpKind.MULTIPLY: lambda node, one, other: one * other,
    OpKind.CONCAT: lambda node, *maps: torch.cat(maps, dim=1),
    OpKind.SUBSAMPLE: _subsampled,
    OpKind.FLATTEN: lambda node, x: x.flatten(1)[:, :, None, None],
    OpKind.ROWS: lambda node, *maps: torch.stack(maps, dim=3).flatten(2, 3),
    OpKind.PIXELS: lambda node, x: x.reshape(len(x), x.shape[1], *node.shape[1:]),
}
FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "affine": lambda x, scale, offset: x * scale + offset,
    "clip": lambda x, low, high: x.clamp(low, high),
    "leaky_relu": F.leaky_relu,
    "elu": lambda x, scale: torch.where(x > 0, x, scale * torch.expm1(x.clamp(max=0))),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "erf": torch.erf,
    "gelu_by_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "power": lambda x, exponent, offset: (x.clamp(min=0) + offset) ** exponent,
}
