"""How far sums can go: worst-case ranges of activations and accumulators from the actual integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hotnas_hls.accel.integers.product import multiplied
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind, LayerNumbers

Range = tuple[int, int]  # lowest and highest value, both possible


def accumulator_bits(act_bits: int) -> int:
    """Width of the accumulators of a design with activations of ``act_bits``."""
    return 48 if act_bits == 16 else 32


def activation_ranges(net: IntegerNetwork) -> dict[str, Range]:
    """What every feature map that is written can hold, by the clamps, lines and products of its layers."""
    limit = 1 << (net.act_bits - 1)
    written = {net.image: (-limit, limit - 1)}
    for layer in net.layers:
        numbers = net.numbers[layer.name]
        written[layer.target] = numbers.activation_range(net.act_bits)
        if layer.residual_multiplies:
            values, factors = np.array(written[layer.target])[:, None], np.array([-limit, limit - 1])
            products = multiplied(values, factors, numbers.residual_shift, net.act_bits)
            written[layer.target] = int(products.min()), int(products.max())
    wholes: dict[str, Range] = {}
    for name, (low, high) in written.items():
        root = net.feature_maps[name].concat_of or name
        known = wholes.get(root, (low, high))
        wholes[root] = (min(low, known[0]), max(high, known[1]))
    found = {}
    for name, fm in net.feature_maps.items():
        if (fm.concat_of or name) in wholes:
            found[name] = written.get(name) or wholes[fm.concat_of or name]
    return found


def accumulator_range(layer: Layer, numbers: LayerNumbers, ifm: Range, addend: Range | None = None) -> Range:
    """Range that contains every partial sum of ``layer``, addend and rounding constant included.

    ifm, addend: what the maps it sums can hold. Sums of products are taken in any order, from zero or
    from the bias.
    """
    low, high = min(ifm[0], 0), max(ifm[1], 0)  # the padding is zero
    rounding = (1 << numbers.output_shift) >> 1
    if layer.kind is LayerKind.MAXPOOL:
        return low, high + rounding
    weights = numbers.weights.reshape(layer.m, -1).astype(np.int32, copy=False)  # 16 bits hold no |-32768|
    total, magnitude = weights.sum(axis=1, dtype=np.int64), np.abs(weights).sum(axis=1, dtype=np.int64)
    positive, negative = (magnitude + total) // 2, (total - magnitude) // 2
    lowest = positive * low + negative * high + np.minimum(numbers.bias, 0)
    highest = positive * high + negative * low + np.maximum(numbers.bias, 0)
    added = (0, 0) if addend is None else (min(addend[0], 0), max(addend[1], 0))
    return (
        int(lowest.min()) + (added[0] << numbers.residual_shift),
        int(highest.max()) + (added[1] << numbers.residual_shift) + rounding,
    )


def accumulator_ranges(net: IntegerNetwork) -> dict[str, Range]:
    """:func:`accumulator_range` of every layer."""
    ranges = activation_ranges(net)
    return {
        layer.name: accumulator_range(
            layer,
            net.numbers[layer.name],
            ranges[layer.source],
            ranges[layer.addend] if layer.addend else None,
        )
        for layer in net.layers
    }


def fits(found: Range, bits: int) -> bool:
    """True if every value of the range is a signed number of ``bits``."""
    return -(1 << (bits - 1)) <= found[0] and found[1] < 1 << (bits - 1)


def sums_fit(net: IntegerNetwork, layer: Layer, numbers: LayerNumbers) -> bool:
    """True if no sum of ``layer`` leaves the accumulator; ``net`` holds the layers before it."""
    ranges = activation_ranges(net)
    addend = ranges[layer.addend] if layer.addend else None
    found = accumulator_range(layer, numbers, ranges[layer.source], addend)
    return fits(found, accumulator_bits(net.act_bits))


def accumulator_violations(net: IntegerNetwork, ranges: Mapping[str, Range] | None = None) -> list[str]:
    """Layers whose sums could leave the accumulator, each with its cure; empty when none can."""
    bits = accumulator_bits(net.act_bits)
    found = []
    for name, (low, high) in (ranges or accumulator_ranges(net)).items():
        if not fits((low, high), bits):
            needed = max((-low - 1).bit_length(), high.bit_length()) + 1
            found.append(
                f"{name}: sums from {low} to {high} need {needed} bits, the accumulator has {bits}; "
                f"use {needed - bits} weight bits fewer there"
            )
    return found
