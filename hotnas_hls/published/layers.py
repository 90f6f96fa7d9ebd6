"""Layers as the published rule sees them, and the walker that finds their sizes (section 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hotnas_hls.errors import UnsupportedNetwork, raise_all

if TYPE_CHECKING:
    from torch import nn


class ConvKind(StrEnum):
    """The two engines a layer can run on."""

    CCONV = "cconv"  # groups == 1
    DCONV = "dconv"  # groups == in channels


@dataclass(frozen=True)
class PublishedLayer:
    """One convolution in the symbols of section 1.1; batch is 1."""

    name: str  # dotted module path
    M: int  # output channels
    N: int  # input channels
    R: int  # rows: those of the OUTPUT of the walked convolution (quirks Q1, Q2)
    C: int  # columns, likewise
    K: int  # kernel side
    S: int  # stride
    P: int  # padding
    kind: ConvKind = ConvKind.CCONV
    ones: int | None = None  # ones of the layer's pattern; None: not pattern pruned
    bits: int | None = None  # weight bits, integer + fraction; None: not quantised

    @property
    def kernel_ones(self) -> int:
        """Multiplications a 2-D kernel needs: the pattern's ones, or K*K (``kk`` of section 1.2)."""
        return self.K * self.K if self.ones is None else self.ones


@dataclass(frozen=True)
class _Size:
    rows: int
    columns: int


def walk(module: nn.Module, input_size: int) -> list[PublishedLayer]:
    """The convolutions of ``module`` with the sizes the published walker gives them (section 1.5).

    Sub-modules are visited in registration order, not in the order of the data flow. Each convolution or
    max/avg/adaptive pool is run on a dummy map chained from the previous one visited (whatever branch that
    was on), and a convolution's R, C are its OUTPUT size. ``input_size`` is the side of the square image.
    Raises UnsupportedNetwork listing every convolution with groups other than 1 or the input channels, or
    that is not square.
    """
    from torch import nn

    pools = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    _refuse_unsupported(module)
    size = _Size(input_size, input_size)
    layers: list[PublishedLayer] = []
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            size = _conv_output(child, size)
            layers.append(_layer(name, child, size))
        elif isinstance(child, pools):
            size = _pool_output(child, size)
    return layers


def real_layers(module: nn.Module, input_size: int) -> list[PublishedLayer]:
    """The same list with the output sizes of a real forward pass (no Q2), in registration order.

    The module is copied to torch's meta device: shapes only, no arithmetic.
    """
    import copy

    import torch
    from torch import nn

    _refuse_unsupported(module)
    twin = copy.deepcopy(module).to("meta").eval()
    convs = {name: child for name, child in twin.named_modules() if isinstance(child, nn.Conv2d)}
    sizes: dict[str, _Size] = {}

    def record(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            sizes[name] = _Size(output.shape[-2], output.shape[-1])

        return hook

    for name, child in convs.items():
        child.register_forward_hook(record(name))
    channels = next(iter(convs.values())).in_channels
    with torch.no_grad():
        twin(torch.empty(1, channels, input_size, input_size, device="meta"))
    return [_layer(name, child, sizes[name]) for name, child in convs.items()]


def _refuse_unsupported(module: nn.Module) -> None:
    """Section 1.3: groups other than 1 or in_channels; the symbols of 1.1 know one K, S and P."""
    from torch import nn

    violations = []
    for name, child in module.named_modules():
        if not isinstance(child, nn.Conv2d):
            continue
        if child.groups not in (1, child.in_channels):
            violations.append(f"{name}: groups {child.groups}; expected 1 or in_channels {child.in_channels}")
        if isinstance(child.padding, str):
            violations.append(f"{name}: padding {child.padding!r}; expected a number")
            continue
        for what in ("kernel_size", "stride", "padding", "dilation"):
            across = getattr(child, what)
            if across[0] != across[1]:
                violations.append(f"{name}: {what} {across}; expected the same in both directions")
        if child.dilation != (1, 1):
            violations.append(f"{name}: dilation {child.dilation}; expected 1")
    raise_all(UnsupportedNetwork, "convolutions the published rule has no formula for:", violations)


def _layer(name: str, conv: nn.Conv2d, size: _Size) -> PublishedLayer:
    depthwise = conv.groups == conv.in_channels and conv.groups > 1
    return PublishedLayer(
        name=name,
        M=conv.out_channels,
        N=conv.in_channels,
        R=size.rows,
        C=size.columns,
        K=conv.kernel_size[0],
        S=conv.stride[0],
        P=int(conv.padding[0]),
        kind=ConvKind.DCONV if depthwise else ConvKind.CCONV,
    )


def _conv_output(conv: nn.Conv2d, size: _Size) -> _Size:
    padding = int(conv.padding[0])

    def side(length: int) -> int:
        return (length + 2 * padding - conv.kernel_size[0]) // conv.stride[0] + 1

    return _Size(side(size.rows), side(size.columns))


def _pool_output(pool: nn.Module, size: _Size) -> _Size:
    """Ask the pool itself (it knows its ceil mode), on a map of one channel that holds no data."""
    import torch

    output = pool(torch.empty(1, 1, size.rows, size.columns, device="meta"))
    return _Size(output.shape[-2], output.shape[-1])
