"""The integer weights of one layer whose sums come closest to wanted ones.

Least squares on the integers themselves: descent along one weight at a time until none gains (QuantEase,
arXiv 2309.01885, does the same).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hotnas_hls.accel.layer import LayerKind
from hotnas_hls.base.compiled_code import compiled
from hotnas_hls.models.integer_module import IntegerLayer
from hotnas_hls.models.pattern_pruning import SAMPLES, refitted, ridge, spacing

SPREAD = 4  # times as many pixels as are looked at lie in the images they are taken from
BATCH_PIXELS = 1 << 12  # of those at a time
SWEEPS = 20  # over the weights of an output channel, at most


@dataclass(frozen=True, eq=False)
class Moments:
    """What least squares need to know of a layer's inputs and sums, in G groups: one, or one a channel.

    mean_in: (G, K), of what the weights of an output channel multiply; mean_out: (G, M/G), of the sums.
    About these, the mean products of the former with one another, square (G, K, K), and of the sums with the
    former, cross (G, M/G, K). All float64.
    """

    mean_in: Tensor
    mean_out: Tensor
    square: Tensor
    cross: Tensor

    @classmethod
    def of(cls, module: IntegerLayer, inputs: Tensor, sums: Tensor) -> Moments:
        """Of up to SAMPLES output pixels; inputs (B, N, H, W), the sums that are wanted (B, M, R, C)."""
        return cls.over(_samples(module, inputs, sums))

    @classmethod
    def over(cls, samples: Iterable[tuple[Tensor, Tensor]]) -> Moments:
        """Of what the weights multiply (G, K, pixels), and the sums that are wanted (G, M/G, pixels)."""
        count = 0
        mean_in: Tensor = torch.zeros((), dtype=torch.float64)
        mean_out, square, cross = mean_in, mean_in, mean_in
        for columns, outputs in samples:
            count += columns.shape[2]
            mean_in = mean_in + columns.sum(2).double()
            mean_out = mean_out + outputs.sum(2).double()
            square = square + (columns @ columns.mT).double()
            cross = cross + (outputs @ columns.mT).double()
        mean_in, mean_out = mean_in / count, mean_out / count
        square = square / count - mean_in[:, :, None] * mean_in[:, None, :]
        cross = cross / count - mean_out[:, :, None] * mean_in[:, None, :]
        return cls(mean_in, mean_out, square, cross)

    def fitted(self, weights: Tensor, mask: Tensor | None, step: float, bits: int) -> tuple[Tensor, Tensor]:
        """Multiples of ``step`` in ``bits`` bits, zero where ``mask`` is, and the bias (M,) that suits them.

        weights: the real ones, (M, N, kh, kw) or (C, 1, kh, kw): where the descent starts, and what it is
        held to, once those that each kernel keeps make up for the others. mask: of their shape, or one for
        all output channels.
        """
        shape, limit = weights.shape, 1 << (bits - 1)
        groups, rows = self.mean_out.shape
        held, inner = self._held()
        kept = torch.ones(shape) if mask is None else mask.expand(shape)
        wanted = weights.double() * kept
        if mask is not None and groups == 1:
            wanted = refitted(weights.double(), kept, _by_kernel(inner, shape[1]))
        wanted = wanted.reshape(groups, rows, -1)
        found = torch.floor(wanted / step + 0.5).clamp(-limit, limit - 1) * step
        slope = self.cross + held * wanted - found @ inner
        descend(found.numpy(), slope.numpy(), inner.numpy(), kept.reshape(found.shape).numpy(), step, limit)
        return found.reshape(shape).float(), self._bias(found)

    def real(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The real weights (M, N, kh, kw) that come closest, held to ``weights``, and their bias (M,)."""
        held, inner = self._held()
        wanted = weights.double().reshape(*self.mean_out.shape, -1)
        found = torch.linalg.solve(inner, (self.cross + held * wanted).mT).mT
        return found.reshape(weights.shape).float(), self._bias(found)

    def _held(self) -> tuple[Tensor, Tensor]:
        """How strongly weights are held, (G, 1, 1), and ``square`` with that, which can be inverted."""
        held = ridge(self.square.diagonal(dim1=1, dim2=2).mean(1))[:, None, None]
        return held, self.square + held * torch.eye(self.square.shape[1], dtype=torch.float64)

    def _bias(self, weights: Tensor) -> Tensor:
        return (self.mean_out - (weights @ self.mean_in[:, :, None])[:, :, 0]).flatten().float()


def _by_kernel(inner: Tensor, kernels: int) -> Tensor:
    """Of (1, K, K) the products within each kernel of an output channel, (kernels, K / kernels, same)."""
    apart = inner[0].unflatten(0, (kernels, -1)).unflatten(2, (kernels, -1))
    return torch.einsum("nanb->nab", apart)


def _samples(module: IntegerLayer, inputs: Tensor, sums: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """What the weights multiply (G, K, pixels), and the sums (G, M/G, pixels), of evenly spaced pixels."""
    layer = module.layer
    groups = 1 if layer.kind is LayerKind.CONV else layer.m
    pixels = layer.out_rows * layer.out_columns
    images = min(len(inputs), -(-SAMPLES * SPREAD // pixels))
    step = spacing(images * pixels)
    padded = F.pad(inputs[:images], module.padding())
    size = max(1, BATCH_PIXELS // pixels)
    for some, wanted in zip(padded.split(size), sums[:images].split(size), strict=True):
        columns = F.unfold(some, (layer.kernel_rows, layer.kernel_columns), stride=layer.strides)
        columns = columns.transpose(0, 1).flatten(1)[:, ::step]
        outputs = wanted.transpose(0, 1).flatten(1)[:, ::step]
        yield columns.reshape(groups, -1, columns.shape[1]), outputs.reshape(groups, -1, columns.shape[1])


@compiled
def descend(
    weights: np.ndarray, slope: np.ndarray, inner: np.ndarray, mask: np.ndarray, step: float, limit: int
) -> None:
    """Move the ``weights`` (G, M, K) that ``mask`` keeps to their best multiples of ``step``.

    Until none of a row moves. inner: (G, K, K); slope: what is still to be gained along each, (G, M, K).
    """
    for group in range(weights.shape[0]):
        products = inner[group]
        for row in range(weights.shape[1]):
            values, gains = weights[group, row], slope[group, row]
            for _ in range(SWEEPS):
                moved = False
                for k in range(len(values)):
                    if mask[group, row, k] == 0 or products[k, k] <= 0:
                        continue
                    best = np.floor((values[k] + gains[k] / products[k, k]) / step + 0.5)
                    change = min(max(best, -limit), limit - 1) * step - values[k]
                    if change != 0:
                        values[k] += change
                        gains -= change * products[k]
                        moved = True
                if not moved:
                    break
