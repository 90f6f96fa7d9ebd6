"""Device variation: cells do not hold quite what is written to them, and what that does to the accuracy.

A weight w of b bits is stored as w + 2**(b-1), which is never negative, cut into cells from its lowest bits
on; digital logic takes 2**(b-1) from it again. Each cell's value is off by a share of itself, drawn once: for
all images, as a chip is programmed once. A network on such cells is an integer network again, with weights of
``FRACTION_BITS`` more bits, so its sums are exact and depend on the seed only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.network.operations import WEIGHTED, Operation
from hotnas_hls.platforms.nacim.constants import CrossbarConstants
from hotnas_hls.platforms.variation import Varied

FRACTION_BITS = 8  # to which deviated weights are rounded


def accuracy_under_variation(
    net: IntegerNetwork,
    operations: Sequence[Operation],
    constants: CrossbarConstants,
    worth: Callable[[IntegerNetwork], float],
    images: int,
    draws: int,
    seed: int,
) -> Varied:
    """Accuracy of ``net`` on ``draws`` chips, which ``worth`` measures on so many images.

    operations: what ``net`` was lowered from; those with weights lie in crossbars, all else is digital.
    ValueError for less than one draw.
    """
    if draws < 1:
        raise ValueError(f"draws: must be 1 or more, not {draws}")
    chips = (deviated(net, operations, constants, rng) for rng in np.random.default_rng(seed).spawn(draws))
    varied = tuple(worth(chip) for chip in chips)
    return Varied(worth(net), varied, images)


def deviated(
    net: IntegerNetwork,
    operations: Sequence[Operation],
    constants: CrossbarConstants,
    rng: np.random.Generator,
) -> IntegerNetwork:
    """The network on one chip, with the weights that its cells hold."""
    stored = {one.name: one for one in operations if one.kind in WEIGHTED}
    layers, numbers = [], dict(net.numbers)
    for layer in net.layers:
        operation = stored.get(layer.name) or stored.get(layer.name.rpartition(".part")[0])
        if operation is not None:
            numbers[layer.name] = _deviated(layer, operation, net.numbers[layer.name], constants, rng)
            layer = replace(layer, weight_bits=layer.weight_bits + FRACTION_BITS + 1)
        layers.append(layer)
    return replace(net, layers=tuple(layers), numbers=numbers)


def _deviated(
    layer: Layer,
    operation: Operation,
    numbers: LayerNumbers,
    constants: CrossbarConstants,
    rng: np.random.Generator,
) -> LayerNumbers:
    held = held_weights(numbers.weights, layer.weight_bits, constants, rng)
    held = np.where(_has_cells(layer, operation)[..., None, None], held, 0)
    return replace(
        numbers,
        weights=np.rint(held * 2.0**FRACTION_BITS).astype(np.int32),
        bias=numbers.bias << FRACTION_BITS,
        output_shift=numbers.output_shift + FRACTION_BITS,
        residual_shift=numbers.residual_shift + (FRACTION_BITS if layer.addend else 0),
        weight_frac_bits=numbers.weight_frac_bits + FRACTION_BITS,
    )


def _has_cells(layer: Layer, operation: Operation) -> np.ndarray:
    """Which kernels (M, N) of a layer there are, to be broadcast: between groups lie only zeros."""
    if layer.kind is LayerKind.DEPTHWISE or operation.groups == 1:
        return np.ones((1, 1), bool)
    groups = layer.n * operation.groups // operation.n
    block = np.ones((layer.m // groups, layer.n // groups), bool)
    return np.kron(np.eye(groups, dtype=bool), block)


def held_weights(
    weights: np.ndarray, bits: int, constants: CrossbarConstants, rng: np.random.Generator
) -> np.ndarray:
    """What the cells of integer ``weights`` of ``bits`` bits hold, float64 of the same shape."""
    cells = cell_values(weights, bits, constants.cell_bits)
    off = cells * constants.cell_deviation * rng.standard_normal(cells.shape)
    places = 2.0 ** (constants.cell_bits * np.arange(cells.shape[-1]))
    return np.asarray(weights + off @ places)


def cell_values(weights: np.ndarray, bits: int, cell_bits: int) -> np.ndarray:
    """The cells of ``weights``, integers (..., cells), that of the lowest bits first."""
    shifts = cell_bits * np.arange(-(-bits // cell_bits))
    stored = weights.astype(np.int64) + (1 << (bits - 1))
    found: np.ndarray = stored[..., None] >> shifts & (1 << cell_bits) - 1
    return found
