"""Integers fitted to the network they stand for, layer by layer, by least squares. Nothing is trained.

In the order they run, each layer gets the integer weights with which it, reading what the integer network
gives it, comes closest to the sums it had in the network before it was edited: what rounding and pruning take
from one weight others make up for, and a layer mends the errors of those before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hotnas_hls.accel.integers.bounds import sums_fit
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind
from hotnas_hls.models.integer_module import IntegerLayer, IntegerModule
from hotnas_hls.search.fitting.least_squares import Moments

MOST_VALUES = 1 << 26  # of the largest feature map, over all images

Reals = Mapping[str, tuple[np.ndarray, np.ndarray]]  # layer -> real weights and bias, shaped as its integers


@torch.no_grad()
def refit(net: IntegerNetwork, wanted: Reals, images: np.ndarray) -> IntegerNetwork:
    """``net`` with its weights fitted, zeros of its patterns kept, in the formats it has.

    wanted: weights and bias of the layers to fit, before pruning and rounding; layers that are not named stay
    as they are. images: float32 (B, C, H, W), of the training images. A layer whose fitted weights could
    overflow the accumulator stays as it was.
    """
    module = IntegerModule(net).eval()
    largest = max(fm.values for fm in net.feature_maps.values())
    laid = module.laid(torch.from_numpy(images[: max(1, MOST_VALUES // largest)]))
    real, rounded = {net.image: laid}, {net.image: module.rounded_image(laid)}
    numbers = dict(net.numbers)
    for at, of in enumerate(module.passes()):
        layer = of.layer
        inputs, residuals = zip(*(module.inputs(maps, layer) for maps in (real, rounded)), strict=True)
        weights = real_parameters(of, wanted)
        sums = of.sums(inputs[0], residuals[0], *weights)
        if layer.name in wanted:
            lacking = sums - residuals[1] if residuals[1] is not None and layer.addend else sums
            moments = Moments.of(of, inputs[1], lacking)
            found = moments.fitted(weights[0], of.mask, 2.0**-of.weight_frac, layer.weight_bits)
            fitted = of.rounded(*(values.numpy() for values in found))
            if sums_fit(replace(net, numbers=numbers), layer, fitted):
                numbers[layer.name] = fitted
        module.write(real, layer, of.clamped(sums, residuals[0]))
        again = IntegerLayer(net, layer, numbers[layer.name])
        module.write(rounded, layer, again(inputs[1], residuals[1]))
        for maps in (real, rounded):
            _forget(maps, net, net.layers[at + 1 :])
    return replace(net, numbers=numbers)


def real_parameters(module: IntegerLayer, wanted: Reals) -> tuple[Tensor, ...]:
    """Real weights and bias of a layer; those of its integers where none are given, none of a maximum."""
    if module.layer.kind is LayerKind.MAXPOOL:
        return ()
    if module.layer.name not in wanted:
        return module.weight, module.bias
    weight, bias = wanted[module.layer.name]
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)


def _forget(maps: dict[str, Tensor], net: IntegerNetwork, later: tuple[Layer, ...]) -> None:
    """Drop the feature maps that no later layer reads, whole or in part."""
    read = {name for layer in later for name in (layer.source, layer.residual) if name}
    wholes = {net.feature_maps[name].concat_of for name in read} | read
    for name in list(maps):
        whole = net.feature_maps[name].concat_of if name in net.feature_maps else None
        if name not in wholes and (whole is None or whole not in wholes):
            del maps[name]
