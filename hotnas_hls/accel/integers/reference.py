"""The golden model: what every layer computes, in plain integers.

HLS, RTL and the batched evaluation are all compared with this file, so it follows the definition in
:class:`~hotnas_hls.accel.layer.LayerNumbers` line by line and leaves speed to ``reference_batch``.
"""

from __future__ import annotations

import numpy as np

from hotnas_hls.accel.integers.activation import activated
from hotnas_hls.accel.integers.product import multiplied
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.base.blas import one_blas_thread

FLOAT64_EXACT = 1 << 53  # integers up to here, and sums of them, are exact in float64
MINUS_INFINITY = np.iinfo(np.int64).min


def run_network(net: IntegerNetwork, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every feature map of ``net`` for one image.

    image: integers (C, H, W) of the image feature map. Returns int32 (C, H, W) by feature map name;
    the maps that lie inside a concatenation are views of it. Raises ValueError for an image of another
    shape, or one that does not fit the activation width.
    """
    maps = _allocate(net)
    first = maps[net.image]
    image = np.asarray(image)
    if image.shape != first.shape:
        raise ValueError(f"the image is {image.shape}, {net.name} reads {first.shape}")
    limit = 1 << (net.act_bits - 1)
    if image.min() < -limit or image.max() >= limit:
        raise ValueError(
            f"the image holds {image.min()} to {image.max()}, "
            f"outside {net.act_bits} bits (-{limit} to {limit - 1})"
        )
    first[...] = image
    with one_blas_thread():
        for layer in net.layers:
            residual = None
            if layer.residual is not None:
                residual = maps[layer.residual].astype(np.int64).reshape(layer.residual_shape)
            ifm = layer.seen(maps[layer.source].astype(np.int64))
            found = run_layer(layer, net.numbers[layer.name], net.act_bits, ifm, residual)
            layer.part_of(maps[layer.target])[...] = found
    return maps


def run_layer(
    layer: Layer,
    numbers: LayerNumbers,
    act_bits: int,
    ifm: np.ndarray,
    residual: np.ndarray | None = None,
) -> np.ndarray:
    """Output (M, R, C) int64 of one layer, in activations of ``act_bits``.

    ifm: (N, H, W) int64; residual: (M, R, C), or (M, 1, 1), int64 for a layer that has one, else None.
    """
    if (layer.residual is None) != (residual is None):
        raise ValueError(
            f"{layer.name}: residual {layer.residual}, but got {'one' if residual is not None else 'none'}"
        )
    acc = accumulate(layer, numbers, ifm)
    if residual is not None and not layer.residual_multiplies:
        acc = acc + (residual << numbers.residual_shift)
    found = requantise(acc, numbers)
    if numbers.lines is not None:
        found = activated(found, numbers.lines, act_bits)
    if residual is not None and layer.residual_multiplies:
        found = multiplied(found, residual, numbers.residual_shift, act_bits)
    return found


def accumulate(layer: Layer, numbers: LayerNumbers, ifm: np.ndarray) -> np.ndarray:
    """acc = bias + sum(weight * ifm), or the maximum for MAXPOOL: (M, R, C) int64.

    Positions outside the map count as zero, and never win a maximum.
    """
    if ifm.shape != (layer.n, layer.in_rows, layer.in_columns):
        raise ValueError(f"{layer.name}: reads {(layer.n, layer.in_rows, layer.in_columns)}, got {ifm.shape}")
    maximum = layer.kind is LayerKind.MAXPOOL
    if maximum and np.any(numbers.bias):
        raise ValueError(f"{layer.name}: a maximum has no bias")
    padded = pad(layer, ifm, MINUS_INFINITY if maximum else 0)
    shape = (layer.m, layer.out_rows, layer.out_columns)
    acc = np.full(shape, MINUS_INFINITY) if maximum else np.zeros(shape, dtype=np.int64)
    for i in range(layer.kernel_rows):
        for j in range(layer.kernel_columns):
            shifted = _shifted(layer, padded, i, j)  # (N, R, C)
            if maximum:
                acc = np.maximum(acc, shifted)
            elif layer.kind is LayerKind.DEPTHWISE:
                acc += numbers.weights[:, 0, i, j].astype(np.int64)[:, None, None] * shifted
            else:
                acc += exact_matmul(numbers.weights[:, :, i, j], shifted.reshape(layer.n, -1)).reshape(shape)
    return acc + numbers.bias.astype(np.int64)[:, None, None]


def requantise(acc: np.ndarray, numbers: LayerNumbers) -> np.ndarray:
    """clamp(round_half_up(acc >> output_shift)), int64."""
    shift = numbers.output_shift
    rounded = (acc + (1 << (shift - 1))) >> shift if shift > 0 else acc
    return np.clip(rounded, numbers.clamp_low, numbers.clamp_high)


def pad(layer: Layer, ifm: np.ndarray, value: float) -> np.ndarray:
    """``ifm`` (..., H, W) with what the kernel reads outside it set to ``value``; unread edges cut off."""
    rows = (layer.out_rows - 1) * layer.strides[0] + layer.kernel_rows
    columns = (layer.out_columns - 1) * layer.strides[1] + layer.kernel_columns
    padded = np.full((*ifm.shape[:-2], rows, columns), value, dtype=ifm.dtype)
    (top, left), (row, column) = layer.padding, layer.first_pixel
    read = ifm[..., row : row + rows - top, column : column + columns - left]
    padded[..., top : top + read.shape[-2], left : left + read.shape[-1]] = read
    return padded


def exact_matmul(weights: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """weights (M, N) @ columns (N, P) in int64; through float64 only where every sum is exact there."""
    largest = int(np.abs(columns).max(initial=0))
    bound = int(np.abs(weights.astype(np.int64)).sum(axis=1).max(initial=0)) * largest
    if bound < FLOAT64_EXACT:
        return (weights.astype(np.float64) @ columns.astype(np.float64)).astype(np.int64)
    return weights.astype(np.int64) @ columns.astype(np.int64)


def _shifted(layer: Layer, padded: np.ndarray, i: int, j: int) -> np.ndarray:
    """What kernel position (i, j) meets at every output pixel: (..., R, C)."""
    down, across = layer.strides
    rows = slice(i, i + (layer.out_rows - 1) * down + 1, down)
    columns = slice(j, j + (layer.out_columns - 1) * across + 1, across)
    return padded[..., rows, columns]


def _allocate(net: IntegerNetwork) -> dict[str, np.ndarray]:
    """A zeroed int32 (C, H, W) array for every feature map; placed ones are channel ranges of their root."""
    maps = {
        fm.name: np.zeros((fm.channels, fm.rows, fm.columns), dtype=np.int32)
        for fm in net.feature_maps.values()
        if fm.concat_of is None
    }

    def view(fm: FeatureMap) -> np.ndarray:
        own = maps[fm.concat_of or fm.name][fm.concat_offset : fm.concat_offset + fm.channels]
        return own.reshape(fm.channels, fm.rows, fm.columns)  # the whole may be seen as other rows

    return {fm.name: view(fm) for fm in net.feature_maps.values()}
