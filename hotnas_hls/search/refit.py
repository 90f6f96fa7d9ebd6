"""Integers fitted to the network they stand for, layer by layer, by least squares. Nothing is trained.

In the order they run, each layer gets the integer weights with which it, reading what the integer network
gives it, comes closest to the sums it had in the network before it was edited: what rounding and pruning take
from one weight others make up for, and a layer mends the errors of those before it. The weights are found
by descent along one coordinate at a time, on the integers themselves (as QuantEase does, arXiv 2309.01885).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor

from hotnas_hls.accel.bounds import accumulator_bits, accumulator_range, activation_ranges, fits
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.models.integer_module import IntegerLayer, IntegerModule

RIDGE = 1e-2  # of the mean square of an input: how strongly weights are held where the images say little
SAMPLES = 1 << 15  # output pixels of a layer that are looked at
SPREAD = 4  # times as many lie in the images they are taken from
BATCH_PIXELS = 1 << 12  # of those at a time
MOST_VALUES = 1 << 26  # of the largest feature map, over all images
SWEEPS = 20  # over all weights of a layer, at most

Reals = Mapping[
    str, tuple[np.ndarray, np.ndarray]
]  # layer -> weights and bias of the network to come close to


@torch.no_grad()
def refit(net: IntegerNetwork, wanted: Reals, images: np.ndarray) -> IntegerNetwork:
    """``net`` with its weights fitted, zeros of its patterns kept, in the formats it has.

    wanted: real weights and bias of the layers to fit, before pruning and rounding, shaped as theirs; layers
    that are not named stay as they are. images: float32 (B, C, H, W), of the training images. A layer whose
    fitted weights could overflow the accumulator stays as it was.
    """
    module = IntegerModule(net).eval()
    largest = max(fm.channels * fm.rows * fm.columns for fm in net.feature_maps.values())
    seen = torch.from_numpy(images[: max(1, MOST_VALUES // largest)])
    laid = module.laid(seen)
    real, rounded = {net.image: laid}, {net.image: module.rounded_image(laid)}
    numbers = dict(net.numbers)
    for at, layer_module in enumerate(module.passes()):
        layer = layer_module.layer
        inputs = [module.read(maps, layer.source) for maps in (real, rounded)]
        residuals = [
            module.read(maps, layer.residual) if layer.residual else None for maps in (real, rounded)
        ]
        weights = _wanted(layer_module, wanted)
        sums = layer_module.sums(inputs[0], residuals[0], *weights)
        if layer.name in wanted:
            lacking = sums if residuals[1] is None else sums - residuals[1]
            fitted = layer_module.rounded(*_fitted(layer_module, weights, inputs[1], lacking))
            if _fits(replace(net, numbers=numbers), layer, fitted):
                numbers[layer.name] = fitted
        found = numbers[layer.name]
        real[layer.target] = sums.clamp(*_clamps(net, layer, found))
        again = IntegerLayer(net, layer, found, False)
        rounded[layer.target] = again(inputs[1], residuals[1])
        for maps in (real, rounded):
            _forget(maps, net, net.layers[at + 1 :])
    return replace(net, numbers=numbers)


def _wanted(module: IntegerLayer, wanted: Reals) -> tuple[Tensor, ...]:
    """Real weights and bias; those of the integers where none are given, none of a maximum."""
    if module.layer.kind is LayerKind.MAXPOOL:
        return ()
    if module.layer.name not in wanted:
        return module.weight, module.bias
    weight, bias = wanted[module.layer.name]
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)


def _fitted(
    module: IntegerLayer, wanted: tuple[Tensor, ...], inputs: Tensor, sums: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Weights on the layer's grid, and the bias, whose sums over ``inputs`` come closest to ``sums``."""
    layer, shape = module.layer, module.weight.shape
    groups = 1 if layer.kind is LayerKind.CONV else layer.m
    mean_in, mean_out, square, cross = _moments(module, inputs, sums, groups)
    mask = torch.ones(shape) if module.mask is None else module.mask.expand(shape)
    before = (wanted[0] * mask).reshape(groups, layer.m // groups, -1).double()
    held = RIDGE * square.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    inner = square + held * torch.eye(square.shape[1], dtype=torch.float64)
    step, limit = 2.0**-module.weight_frac, 1 << (layer.weight_bits - 1)
    weights = torch.floor(before / step + 0.5).clamp(-limit, limit - 1) * step
    slope = cross + held * before - weights @ inner
    _descend(weights.numpy(), slope.numpy(), inner.numpy(), mask.reshape(weights.shape).numpy(), step, limit)
    bias = mean_out - (weights @ mean_in[:, :, None])[:, :, 0]
    return weights.reshape(shape).numpy(), bias.flatten().numpy()


def _moments(
    module: IntegerLayer, inputs: Tensor, sums: Tensor, groups: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Means of what a layer's weights multiply (G, K) and of its sums (G, M/G), about them the mean products
    of the former with one another (G, K, K) and of the latter with the former (G, M/G, K)."""
    count = 0
    mean_in: Tensor = torch.zeros((), dtype=torch.float64)
    mean_out, square, cross = mean_in, mean_in, mean_in
    for columns, outputs in _samples(module, inputs, sums, groups):
        count += columns.shape[2]
        mean_in = mean_in + columns.sum(2).double()
        mean_out = mean_out + outputs.sum(2).double()
        square = square + (columns @ columns.mT).double()
        cross = cross + (outputs @ columns.mT).double()
    mean_in, mean_out = mean_in / count, mean_out / count
    square = square / count - mean_in[:, :, None] * mean_in[:, None, :]
    cross = cross / count - mean_out[:, :, None] * mean_in[:, None, :]
    return mean_in, mean_out, square, cross


def _samples(
    module: IntegerLayer, inputs: Tensor, sums: Tensor, groups: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """What the weights multiply (G, K, pixels), and the sums (G, M/G, pixels), of evenly spaced pixels."""
    layer = module.layer
    pixels = layer.out_rows * layer.out_columns
    images = min(len(inputs), -(-SAMPLES * SPREAD // pixels))
    spacing = max(1, images * pixels // SAMPLES) | 1  # odd: not the same columns of every row
    padded = F.pad(inputs[:images], module.padding())
    size = max(1, BATCH_PIXELS // pixels)
    for some, wanted in zip(padded.split(size), sums[:images].split(size), strict=True):
        columns = F.unfold(some, (layer.kernel_rows, layer.kernel_columns), stride=layer.stride)
        columns = columns.transpose(0, 1).flatten(1)[:, ::spacing]
        outputs = wanted.transpose(0, 1).flatten(1)[:, ::spacing]
        yield columns.reshape(groups, -1, columns.shape[1]), outputs.reshape(groups, -1, columns.shape[1])


@njit(cache=True)
def _descend(
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


def _clamps(net: IntegerNetwork, layer: Layer, numbers: LayerNumbers) -> tuple[float, float]:
    """Between what the sums are clamped, as real values; what only the format limits is not."""
    limit, unit = 1 << (net.act_bits - 1), 2.0 ** -net.feature_maps[layer.target].frac_bits
    low, high = numbers.clamp_low, numbers.clamp_high
    return low * unit if low > -limit else -np.inf, high * unit if high < limit - 1 else np.inf


def _fits(net: IntegerNetwork, layer: Layer, numbers: LayerNumbers) -> bool:
    """True if no sum of ``layer`` leaves the accumulator."""
    ranges = activation_ranges(net)
    residual = ranges[layer.residual] if layer.residual else None
    found = accumulator_range(layer, numbers, ranges[layer.source], residual)
    return fits(found, accumulator_bits(net.act_bits))


def _forget(maps: dict[str, Tensor], net: IntegerNetwork, later: tuple[Layer, ...]) -> None:
    """Drop the feature maps that no later layer reads, whole or in part."""
    read = {name for layer in later for name in (layer.source, layer.residual) if name}
    wholes = {net.feature_maps[name].concat_of for name in read} | read
    for name in list(maps):
        whole = net.feature_maps[name].concat_of if name in net.feature_maps else None
        if name not in read and name not in wholes and (whole is None or whole not in wholes):
            del maps[name]
