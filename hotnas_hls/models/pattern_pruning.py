"""Patterns of a convolution by what they do to its sums, and what the weights become that they keep.

H are the mean products of what a kernel's weights multiply, on images. With the weights P of a kernel at zero
and those it keeps, K, at their best (H_KK)^-1 H_KP w_P further, its squared error is w_P^T [(H^-1)_PP]^-1 w_P
(optimal brain surgeon, Hassibi and Stork 1993). Each kernel is looked at by itself, so that the work grows
with the number of weights; where integers are fitted afterwards, whole layers are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.accel.packed_patterns import PATTERNS

RIDGE = 1e-2  # of the mean square of an input: how strongly weights are held where the images say little
BATCH_VALUES = 1 << 24  # of unfolded inputs at a time
BATCH = 64  # images that run at a time
SAMPLES = 1 << 15  # output pixels of a layer that are looked at

Products = Mapping[str, Tensor]  # layer -> (N, k * k, k * k) float64, as kernel_products finds them


@torch.no_grad()
def kernel_products(model: nn.Module, names: Collection[str], images: Tensor) -> Products:
    """The mean products, about their means, of what the kernels of each input channel multiply.

    names: convolutions of ``model`` over all channels, with zeros around their maps; images: (B, C, H, W).
    """
    found = {name: _Sums() for name in names}
    watch(model, {name: sums.seen for name, sums in found.items()}, images)
    return {name: sums.products() for name, sums in found.items()}


@torch.no_grad()
def watch(model: nn.Module, seen: Mapping[str, Callable[..., None]], images: Tensor) -> None:
    """Run ``model`` on images (B, C, H, W); each module named in ``seen`` tells what it is about to read."""
    hooks = [model.get_submodule(name).register_forward_pre_hook(tell) for name, tell in seen.items()]
    try:
        for some in images.split(BATCH):
            model.eval()(some)
    finally:
        for hook in hooks:
            hook.remove()


class _Sums:
    """Sums over output pixels of what a convolution's kernels multiply, and of the products of that."""

    def __init__(self) -> None:
        self.count = 0
        self.inputs: Tensor = torch.zeros((), dtype=torch.float64)
        self.squares: Tensor = self.inputs

    def seen(self, conv: nn.Conv2d, given: tuple[Tensor, ...]) -> None:
        """A convolution is about to read ``given``."""
        (maps,) = given
        assert not isinstance(conv.padding, str)
        cells = conv.kernel_size[0] * conv.kernel_size[1]
        size = max(1, BATCH_VALUES // (cells * maps[0].numel()))
        for some in maps.split(size):
            columns = F.unfold(some, conv.kernel_size, padding=conv.padding, stride=conv.stride)
            columns = columns.unflatten(1, (conv.in_channels, cells)).permute(1, 2, 0, 3).flatten(2)
            self.count += columns.shape[2]
            self.inputs = self.inputs + columns.sum(2).double()
            self.squares = self.squares + (columns @ columns.mT).double()

    def products(self) -> Tensor:
        """(N, cells, cells), so held that every block can be inverted."""
        means = self.inputs / self.count
        square = self.squares / self.count - means[:, :, None] * means[:, None, :]
        return square + ridge(square.diagonal(dim1=1, dim2=2).mean()) * torch.eye(square.shape[1])


def spacing(pixels: int) -> int:
    """Which of ``pixels`` output pixels is looked at, for SAMPLES: odd, not the same columns of every row."""
    return max(1, pixels // SAMPLES) | 1


def ridge(level: Tensor) -> Tensor:
    """What weights are held with, by the mean square of their inputs; of inputs that never change, by 1."""
    return torch.where(level > 0, RIDGE * level, 1.0)


@dataclass(frozen=True)
class PrunedKernels:
    """Patterns (4, k, k), the one of each kernel (M, N), and weights (M, N, k, k)."""

    masks: Tensor
    index: Tensor
    weight: Tensor


def prune(
    weight: Tensor,
    products: Tensor,
    masks: Tensor,
    rows: int = 1,
    together: Callable[[Sequence[int]], bool] = lambda chosen: len(chosen) <= PATTERNS,
) -> PrunedKernels:
    """The patterns of a layer, of all ``masks`` (P, k, k), that move its sums least, chosen one by one.

    weight: (M, N, k, k); products: (N, k * k, k * k). ``rows`` output channels in a row share their patterns.
    together: whether a layer can have the masks of these indices, at most four.
    """
    kernels, inverse = weight.detach().double().flatten(2), torch.linalg.inv(products)
    cells = [(mask == 0).flatten().nonzero()[:, 0] for mask in masks]
    errors = torch.stack([_shared(_error(kernels, inverse, zeros), rows) for zeros in cells], dim=2)
    chosen: list[int] = []
    least = torch.full(errors.shape[:2], torch.inf, dtype=torch.float64)
    while more := [at for at in range(len(masks)) if at not in chosen and together([*chosen, at])]:
        totals = torch.minimum(errors, least[:, :, None]).sum(dim=(0, 1))
        chosen.append(min(more, key=totals.tolist().__getitem__))
        least = torch.minimum(least, errors[:, :, chosen[-1]])
    index = errors[:, :, chosen].argmin(dim=2).repeat_interleave(rows, dim=0)[: len(kernels)]
    patterns = masks[[*chosen, *chosen[:1] * (PATTERNS - len(chosen))]]
    return PrunedKernels(patterns, index, refitted(weight, patterns[index], products))


def refitted(weight: Tensor, mask: Tensor, products: Tensor) -> Tensor:
    """The weights that ``mask`` keeps of each kernel, at their best for it; the others are zero.

    weight and mask: (M, N, kh, kw); products: (N, kh * kw, kh * kw).
    """
    rows = max(1, BATCH_VALUES // products.numel())
    pairs = zip(weight.detach().split(rows), mask.split(rows), strict=True)
    return torch.cat([_refitted(some.double().flatten(2), kept, products) for some, kept in pairs]).to(
        weight.dtype
    )


def _refitted(kernels: Tensor, mask: Tensor, products: Tensor) -> Tensor:
    """The same for kernels (M, N, cells), as ``mask`` is shaped; cells that go are said to be zero."""
    kept = mask.double().flatten(2)
    both = kept[..., :, None] * kept[..., None, :]
    wanted = torch.einsum("nab,mnb->mna", products, kernels) * kept
    return torch.linalg.solve(products * both + torch.diag_embed(1 - kept), wanted).reshape(mask.shape)


def _shared(errors: Tensor, rows: int) -> Tensor:
    """Errors (M, N), summed over ``rows`` output channels: (groups, N)."""
    return F.pad(errors, (0, 0, 0, -len(errors) % rows)).unflatten(0, (-1, rows)).sum(dim=1)


def _error(kernels: Tensor, inverse: Tensor, zeros: Tensor) -> Tensor:
    """What zeroing these cells of kernels (M, N, cells) adds to the squared error of the sums, (M, N)."""
    pruned, block = kernels[:, :, zeros], torch.linalg.inv(inverse[:, zeros][:, :, zeros])
    return torch.einsum("mnz,nzy,mny->mn", pruned, block, pruned)
