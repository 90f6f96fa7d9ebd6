"""Channels by what the layer that reads them loses, and what its weights become for those that stay.

H are the mean products, about their means, of what the reader's weights w multiply, on images. With the
inputs P of a channel gone and the weights of the rest, K, at their best, (H_KK)^-1 H_KP w_P further, the
squared error of its sums is w_P^T [(H^-1)_PP]^-1 w_P (optimal brain surgeon, Hassibi and Stork 1993). One
channel goes after the other, always that of least error: fewer channels are some of those that more would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.models.pattern_pruning import ridge, spacing, watch


@dataclass(frozen=True, eq=False)
class Reader:
    """What a convolution multiplies, and its weights (M, N, kh, kw) as the hardware stores them.

    mean: (N kh kw,), products: (N kh kw, N kh kw) about it, so held that it can be inverted; both float64.
    """

    weight: Tensor
    mean: Tensor
    products: Tensor

    @cached_property
    def order(self) -> Tensor:
        """Its input channels (N,), those that it can do without first."""
        rows, channels = self.weight.shape[:2]
        cells = self.weight[0, 0].numel()
        weight = self.weight.double().reshape(rows, channels, cells)
        inverse = torch.linalg.inv(self.products)
        left, gone = list(range(channels)), []
        while left:
            blocks = inverse.reshape(channels, cells, channels, cells)[left, :, left]
            held = torch.linalg.inv(blocks)
            some = weight[:, left]
            errors = torch.einsum("mna,nab,mnb->n", some, held, some)
            at = int(errors.argmin())
            gone.append(left.pop(at))
            here = slice(gone[-1] * cells, (gone[-1] + 1) * cells)
            towards = held[at] @ inverse[here]
            weight -= (weight[:, gone[-1]] @ towards).reshape(weight.shape)
            inverse -= inverse[:, here] @ towards
        return torch.tensor(gone)

    def kept(self, keep: int) -> Tensor:
        """The ``keep`` input channels that it needs most, in the order they have."""
        return self.order[len(self.order) - keep :].sort().values

    def fitted(self, weight: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (M, kept, kh, kw) whose sums come closest to those of ``weight``, and what the bias gains.

        weight: (M, N, kh, kw) of some of its output channels, not scaled; the gain: (M,).
        """
        rows, channels = weight.shape[:2]
        cells = weight[0, 0].numel()
        before = weight.detach().double().reshape(rows, channels * cells)
        stay = (kept[:, None] * cells + torch.arange(cells)).flatten()
        wanted = before @ self.products[:, stay]
        found = torch.linalg.solve(self.products[stay][:, stay], wanted.mT).mT
        gained = before @ self.mean - found @ self.mean[stay]
        return found.reshape(rows, len(kept), *weight.shape[2:]).to(weight.dtype), gained.to(weight.dtype)


Readers = Mapping[str, Reader]


@torch.no_grad()
def read_by(model: nn.Module, scales: Mapping[str, Tensor], images: Tensor) -> Readers:
    """Convolutions of ``model`` over all channels, and what they read of ``images`` (B, C, H, W).

    scales: by their names, what a batch norm behind it multiplies the weights of each by, (M, 1, 1, 1).
    """
    found = {name: _Sums(len(images)) for name in scales}
    watch(model, {name: sums.seen for name, sums in found.items()}, images)
    return {
        name: Reader(model.get_parameter(f"{name}.weight").detach() * scales[name], *sums.moments())
        for name, sums in found.items()
    }


class _Sums:
    """Sums over evenly spaced output pixels of what a convolution multiplies, and of the products of that."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.count = 0
        self.inputs: Tensor = torch.zeros((), dtype=torch.float64)
        self.squares: Tensor = self.inputs

    def seen(self, conv: nn.Conv2d, given: tuple[Tensor, ...]) -> None:
        """A convolution is about to read ``given``."""
        assert not isinstance(conv.padding, str)
        columns = F.unfold(given[0], conv.kernel_size, padding=conv.padding, stride=conv.stride)
        columns = columns.transpose(0, 1).flatten(1)[:, :: spacing(self.images * columns.shape[2])]
        self.count += columns.shape[1]
        self.inputs = self.inputs + columns.sum(1).double()
        self.squares = self.squares + (columns @ columns.mT).double()

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and held products."""
        mean = self.inputs / self.count
        square = self.squares / self.count - mean[:, None] * mean
        return mean, square + ridge(square.diagonal().mean()) * torch.eye(len(square))
