"""Seeded numbers for layers without trained weights: good for timing and bit-exactness tests.

The stream is NumPy's frozen ``RandomState``, so that the same seed gives the same integers with
every NumPy; it depends on the seed and the layer's name only, not on the layer's neighbours.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from hotnas_hls.accel.integers.activation import SEGMENTS, lines_through
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind, LayerNumbers


def random_numbers(layer: Layer, seed: int, act_bits: int = 16, acc_bits: int | None = None) -> LayerNumbers:
    """Numbers of ``layer`` from ``seed``.

    Weights are uniform over ``layer.weight_bits`` (narrowed where the largest sum could leave half
    the accumulator), biases over a quarter of the output's range, and the output shift puts the
    spread of the results at half the activation range, so that rounding and both clamps occur. Every
    second layer (by draw) has a ReLU. A residual is added at the output's scale, or multiplies as a
    number of -2 to 2. Pruned layers get
    four random patterns and a random choice per kernel, the same for output channels that share theirs;
    layers with lines random ones.
    """
    stream = _stream(seed, layer.name)
    acc_bits = acc_bits or (48 if act_bits == 16 else 32)
    top = 1 << (act_bits - 1)
    relu = bool(stream.randint(2))
    factor_shift = act_bits - 2 if layer.residual_multiplies else 0
    if layer.kind is LayerKind.MAXPOOL:
        return LayerNumbers(
            weights=np.zeros((0,), dtype=np.int32),
            bias=np.zeros(layer.m, dtype=np.int64),
            output_shift=0,
            clamp_low=-top,
            clamp_high=top - 1,
            residual_shift=factor_shift,
            lines=_random_lines(stream, act_bits) if layer.activation_lines else None,
        )
    fan_in = layer.n if layer.kind is LayerKind.CONV else 1
    terms = fan_in * layer.positions
    largest = max(1, min((1 << (layer.weight_bits - 1)) - 1, (1 << (acc_bits - 2)) // (terms * top)))
    shape = (layer.m, fan_in, layer.kernel_rows, layer.kernel_columns)
    weights = stream.randint(-largest - 1, largest + 1, size=shape).astype(np.int32)
    index = patterns = None
    if layer.pattern_ones is not None:
        masks = np.zeros((4, layer.kernel_rows * layer.kernel_columns), dtype=np.uint8)
        for mask in masks:
            mask[stream.permutation(mask.size)[: layer.pattern_ones]] = 1
        patterns = masks.reshape(4, layer.kernel_rows, layer.kernel_columns)
        groups = stream.randint(4, size=(-(-layer.m // layer.pattern_rows), fan_in)).astype(np.uint8)
        index = groups.repeat(layer.pattern_rows, axis=0)[: layer.m]
        weights *= patterns[index].astype(np.int32)
    shift = max(0, math.floor(math.log2(math.sqrt(terms) * largest * 2 / 3)))
    reach = min((1 << 31) - 1, (top << shift) // 4)
    return LayerNumbers(
        weights=weights,
        bias=stream.randint(-reach, reach + 1, size=layer.m).astype(np.int64),
        output_shift=shift,
        clamp_low=0 if relu else -top,
        clamp_high=top - 1,
        residual_shift=shift if layer.addend is not None else factor_shift,
        pattern_index=index,
        patterns=patterns,
        weight_frac_bits=shift,
        lines=_random_lines(stream, act_bits) if layer.activation_lines else None,
    )


def _random_lines(stream: np.random.RandomState, act_bits: int) -> np.ndarray:
    """Lines between any activations, and a little beyond them."""
    top = 1 << (act_bits - 1)
    return lines_through(stream.randint(-top * 9 // 8, top * 9 // 8, size=SEGMENTS + 1), act_bits)


def random_images(image: FeatureMap, count: int, seed: int, act_bits: int = 16) -> np.ndarray:
    """``count`` images (count, C, H, W) int32, uniform over the activations' range."""
    top = 1 << (act_bits - 1)
    shape = (count, image.channels, image.rows, image.columns)
    return _stream(seed, f"images of {image.name}").randint(-top, top, size=shape).astype(np.int32)


def _stream(seed: int, name: str) -> np.random.RandomState:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return np.random.RandomState(np.frombuffer(digest, dtype="<u4").astype(np.uint32))
