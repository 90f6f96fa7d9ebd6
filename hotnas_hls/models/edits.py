"""HotNAS's edits on a torch model: a compressed copy that starts from the weights of the original.

Order as published (section 3.1 A): channel cut, pattern, kernel expand, fixed point. Masks and fixed point
are parametrisations of the weight, so they hold through fine-tuning and need no code in the training loop.

Deviations from section 3: every layer has patterns of its own, chosen by what they do to its sums on images,
and the weights they keep make up for the others (published: four patterns of the network, each kernel's by
its norm); channels go by what the layer that reads them loses, whose other weights make up for them
(published: by their norm); rounding passes the gradient straight through (published: quantised layers do not
move); the fixed-point grid is that of the weight the hardware stores, the batch norm folded in (published: of
the bare weight).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hotnas_hls.models.channel_cut import Reader, Readers, read_by
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.cut_paths import CutPath, cut_paths
from hotnas_hls.models.pattern_pruning import Products, prune
from hotnas_hls.models.skips import Skip, skips
from hotnas_hls.network.fixed_point import weight_frac_bits
from hotnas_hls.network.graph import Graph, Node, OpKind

REFRESH = 16


def copied(model: nn.Module) -> nn.Module:
    """A deep copy, also of a network that keeps computed tensors in its attributes."""
    kept = (value for module in model.modules() for value in vars(module).values())
    memo = {id(item): item.detach().clone() for item in kept if isinstance(item, Tensor) and not item.is_leaf}
    return copy.deepcopy(model, memo)


Norm = nn.BatchNorm1d | nn.BatchNorm2d
_PLAIN = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)


def own_modules(model: nn.Module, graph: Graph) -> dict[str, nn.Module]:
    """The modules that alone make the node of their name, so that editing one changes that node only.

    They are of torch's own kinds and applied once, their parameters belong to no other module, nothing
    computes them (a subclass, a parametrisation, weight normalisation), and the node holds them as they are
    (behind a channel shuffle it holds them in another order).
    """
    modules = dict(model.named_modules())
    owners = Counter(id(p) for module in modules.values() for p in module.parameters(recurse=False))
    again = {
        node.name.rpartition("_")[0]
        for node in graph
        if node.name not in modules and node.name.rpartition("_")[2].isdigit()
    }
    return {
        node.name: module
        for node in graph
        if (module := modules.get(node.name)) is not None
        and type(module) in _PLAIN
        and node.name not in again
        and ("weight" in module._parameters)
        and _holds(node, module)
        and all(owners[id(p)] == 1 for p in module.parameters(recurse=False))
    }


def _holds(node: Node, module: nn.Module) -> bool:
    weight = module._parameters["weight"]
    own = node.parameters.get("weight")  # the sum of a convolution in parts has none
    return weight is None or (own is not None and np.array_equal(own, weight.detach().cpu().float().numpy()))


@dataclass(frozen=True)
class Editable:
    """What may be edited in a network without changing anything else."""

    convolutions: frozenset[str]  # may be pruned or expanded
    narrowable: frozenset[str]  # layers whose weights may be narrowed
    paths: Mapping[str, CutPath]  # convolutions whose channels may be cut
    skips: Mapping[str, Skip]  # convolutions that may do without the skip connection they read


def editable(model: nn.Module | None, graph: Graph) -> Editable:
    """The edits that ``model`` allows; ``graph`` is its trace. Without a module, narrower weights alone."""
    weighted = {node.name for node in graph if node.kind in (OpKind.CONV, OpKind.LINEAR)}
    if model is None:
        return Editable(frozenset(), frozenset(weighted), {}, {})
    own = own_modules(model, graph)
    narrowable = {
        name for name in weighted & own.keys() if (norm := batchnorm_of(graph, name)) is None or norm in own
    }
    dense = {node.name for node in graph if node.kind is OpKind.CONV and node.groups == 1}
    convolutions = {name for name in dense & own.keys() if is_editable(model, name)}
    paths = {
        name: path
        for name, path in cut_paths(graph).items()
        if name in convolutions
        and path.reader in convolutions
        and all(step in own or not graph[step].parameters for step in path.along)
    }
    return Editable(frozenset(convolutions), frozenset(narrowable), paths, skips(graph))


def batchnorm_of(graph: Graph, name: str) -> str | None:
    """The batch norm that alone reads convolution ``name``, and is folded into it."""
    readers = graph.consumers(name)
    return readers[0].name if len(readers) == 1 and readers[0].kind is OpKind.BATCHNORM else None


def is_editable(model: nn.Module, name: str) -> bool:
    """True for a plain convolution; a subclass may compute its weight, which an edit would change."""
    module = _module(model, name)
    return (
        type(module) is nn.Conv2d
        and not isinstance(module.padding, str)
        and module.padding_mode == "zeros"
        and module.dilation == (1, 1)
    )


def compress(
    model: nn.Module,
    graph: Graph,
    compression: Compression,
    products: Products | None = None,
    readers: Readers | None = None,
) -> nn.Module:
    """A compressed copy of ``model``; ``graph`` is the trace of ``model``.

    products: of every layer that is pruned, in ``model`` as it is (see ``pattern_pruning.kernel_products``).
    readers: of every layer whose channels are cut (see :func:`readers_of`).
    """
    own = editable(model, graph).narrowable if compression.noise else ()
    model, products, readers = copied(model), products or {}, readers or {}
    paths, kept_inputs = cut_paths(graph), {}
    for name, keep in compression.channels.items():
        if name not in paths:
            raise ValueError(f"{name}: its channels are read by more than one layer and cannot be cut")
        kept_inputs[paths[name].reader] = _cut_channels(model, name, paths[name], keep, readers[name])
    for name, choice in compression.patterns.items():
        kept = kept_inputs.get(name, slice(None))
        _prune(_convolution(model, name), _norm(model, graph, name), choice, products[name][kept])
    for name in compression.expanded:
        _expand(_convolution(model, name))
    for name, bits in compression.weight_bits.items():
        module = _module(model, name)
        fixed = FixedPoint(bits, _norm(model, graph, name))
        parametrize.register_parametrization(module, "weight", fixed)
    for seed, name in enumerate(sorted(own)):
        noise = WeightNoise(compression.noise / 1000, _norm(model, graph, name), seed)
        parametrize.register_parametrization(_module(model, name), "weight", noise)
    return model


# --- channel cut (3.4) ------------------------------------------------------------------------------------


def readers_of(model: nn.Module, graph: Graph, names: Collection[str], images: Tensor) -> Readers:
    """What reads the channels of these convolutions, on ``images`` (B, C, H, W), by their names."""
    reads = {name: path.reader for name, path in cut_paths(graph).items() if name in names}
    scales = {
        reader: _norm_scale(_convolution(model, reader).weight, _norm(model, graph, reader))
        for reader in reads.values()
    }
    found = read_by(model, scales, images)
    return {name: found[reader] for name, reader in reads.items()}


def _cut_channels(model: nn.Module, name: str, path: CutPath, keep: int, read: Reader) -> Tensor:
    """Cut them where they are made and read, and let those that are kept make up for the others."""
    conv = _convolution(model, name)
    if not 1 <= keep <= conv.out_channels:
        raise ValueError(f"{name}: cannot keep {keep} of {conv.out_channels} channels")
    kept = read.kept(keep)
    _select(conv, ("weight", "bias"), kept)
    conv.out_channels = keep
    for step in path.along:
        try:
            module = _module(model, step)
        except AttributeError:
            continue  # a functional ReLU or pooling has no module and nothing to select
        if isinstance(module, nn.BatchNorm2d):
            _select(module, ("weight", "bias", "running_mean", "running_var"), kept)
            module.num_features = keep
        elif isinstance(module, nn.Conv2d):
            _select(module, ("weight", "bias"), kept)
            module.in_channels = module.out_channels = module.groups = keep
    reader = _convolution(model, path.reader)
    weight, gained = read.fitted(reader.weight, kept)
    reader.weight = nn.Parameter(weight)
    reader.bias = nn.Parameter(gained if reader.bias is None else reader.bias.detach() + gained)
    reader.in_channels = keep
    return kept


def _select(module: nn.Module, roles: Iterable[str], kept: Tensor) -> None:
    for role in roles:
        tensor = getattr(module, role)
        if tensor is not None:
            picked = tensor.detach()[kept].clone()
            setattr(module, role, nn.Parameter(picked) if isinstance(tensor, nn.Parameter) else picked)


# --- pattern pruning (3.2, 3.3) ---------------------------------------------------------------------------


class PatternMask(nn.Module):
    """Keeps of every 2-D kernel the cells of its pattern; the choice is made once and stays.

    index (M, N): the pattern of each kernel; masks (4, kh, kw): the patterns.
    """

    mask: Tensor
    masks: Tensor
    index: Tensor

    def __init__(self, masks: Tensor, index: Tensor) -> None:
        super().__init__()
        self.register_buffer("masks", masks)
        self.register_buffer("index", index.to(torch.uint8))
        self.register_buffer("mask", masks[index])

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def _prune(conv: nn.Conv2d, norm: Norm | None, choice: PatternChoice, products: Tensor) -> None:
    """Weights count as the hardware stores them, the batch norm folded in."""
    if conv.kernel_size != (choice.kernel, choice.kernel):
        raise ValueError(f"{choice.kernel}x{choice.kernel} patterns on a kernel of {conv.kernel_size}")
    masks, scale = choice.masks(), _norm_scale(conv.weight, norm)
    pruned = prune(
        conv.weight * scale,
        products,
        torch.from_numpy(masks).to(conv.weight.dtype),
        choice.rows,
        lambda chosen: choice.together([masks[at] for at in chosen]),
    )
    conv.weight = nn.Parameter(pruned.weight / scale)
    parametrize.register_parametrization(conv, "weight", PatternMask(pruned.masks, pruned.index))


def pattern_masks(model: nn.Module) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of every pattern-pruned layer: pattern index (M, N) and patterns (4, kh, kw), uint8."""
    found = {}
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            for step in getattr(module.parametrizations, "weight"):  # noqa: B009 (known to torch only)
                if isinstance(step, PatternMask):
                    found[name] = (step.index.numpy().copy(), step.masks.to(torch.uint8).numpy().copy())
    return found


# --- kernel expand (3.5) ----------------------------------------------------------------------------------


def _expand(conv: nn.Conv2d) -> None:
    if parametrize.is_parametrized(conv, "weight"):
        raise ValueError("a pattern-pruned kernel cannot grow: its new cells would be masked")
    conv.weight = nn.Parameter(F.pad(conv.weight.detach(), (1, 1, 1, 1)))
    conv.kernel_size = (conv.kernel_size[0] + 2, conv.kernel_size[1] + 2)
    assert not isinstance(conv.padding, str)
    conv.padding = (conv.padding[0] + 1, conv.padding[1] + 1)


# --- fixed point (3.6) ------------------------------------------------------------------------------------


def round_half_up(values: Tensor) -> Tensor:
    """The rounding of the hardware."""
    return torch.floor(values + 0.5)


class FixedPoint(nn.Module):
    """Rounds the weight to what the hardware will hold; the gradient passes straight through.

    q(w) = clamp(round(w / step), -2^(bits-1), 2^(bits-1) - 1) step with step = 2^-f, taken of w times the
    batch norm's scale and divided by it again. f is what ``fixed_point`` chooses for the weights, so that the
    integer network has the very same; in training it is chosen anew every REFRESH passes only.
    """

    def __init__(self, bits: int, norm: Norm | None) -> None:
        super().__init__()
        self.bits = bits
        self._frac_bits = 0
        self._passes = 0
        self._norm = [norm]  # in a list: it stays a child of the model alone

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            scale = _norm_scale(weight, *self._norm)
            folded = weight * scale
            if not self.training or self._passes % REFRESH == 0:
                self._frac_bits = weight_frac_bits(folded.numpy(), self.bits)
            self._passes += self.training
            step = 2.0**-self._frac_bits
            limit = 1 << (self.bits - 1)
            rounded = round_half_up(folded / step).clamp(-limit, limit - 1) * step / scale
        return weight + (rounded - weight).detach()


# --- robust training --------------------------------------------------------------------------------------


class WeightNoise(nn.Module):
    """Adds Gaussian noise to the weight in training, drawn anew each pass; in evaluation there is none.

    Its standard deviation is ``share`` of the layer's largest weight, the batch norm folded in: what devices
    that vary do to weights that they hold with an offset.
    """

    def __init__(self, share: float, norm: Norm | None, seed: int) -> None:
        super().__init__()
        self.share = share
        self._norm = [norm]  # in a list: it stays a child of the model alone
        self._rng = np.random.default_rng(seed)

    def forward(self, weight: Tensor) -> Tensor:
        if not self.training:
            return weight
        scale = _norm_scale(weight, *self._norm)
        deviation = self.share * (weight.detach() * scale).abs().max()
        drawn = torch.from_numpy(self._rng.standard_normal(tuple(weight.shape))).to(weight.dtype)
        return weight + deviation * drawn / scale


# --- batch norms ------------------------------------------------------------------------------------------


def _norm_scale(weight: Tensor, norm: Norm | None) -> Tensor:
    """What folding a batch norm into a weight (M, ...) multiplies it by, (M, 1, ...)."""
    scale = torch.ones(weight.shape[0], dtype=weight.dtype)
    if norm is not None:
        assert norm.running_var is not None
        gain = norm.weight.detach() if norm.weight is not None else scale
        scale = gain / torch.sqrt(norm.running_var + norm.eps)
    scale = torch.where(scale.abs() < 1e-12, torch.ones_like(scale), scale)  # a dead channel: any will do
    return scale.reshape(-1, *[1] * (weight.ndim - 1))


# --- access -----------------------------------------------------------------------------------------------


def _module(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name)


def _norm(model: nn.Module, graph: Graph, name: str) -> Norm | None:
    """The batch norm that is folded into layer ``name``; None where it is no module applied once."""
    norm = dict(model.named_modules()).get(batchnorm_of(graph, name) or "")
    return norm if isinstance(norm, Norm) else None


def _convolution(model: nn.Module, name: str) -> nn.Conv2d:
    module = _module(model, name)
    if not isinstance(module, nn.Conv2d):
        raise ValueError(f"{name} is not a convolution")
    return module
