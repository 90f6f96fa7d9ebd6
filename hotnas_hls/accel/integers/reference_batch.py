"""The integer network on many images at once: the results of ``reference`` bit for bit, at BLAS speed.

Every layer whose worst-case sums stay below 2**24 runs in float32, below 2**53 in float64: there all products
and sums, in whatever order BLAS takes them, are integers that the format holds exactly. Layers beyond
that run in the plain reference, image by image.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hotnas_hls.accel.integers.activation import activated
from hotnas_hls.accel.integers.bounds import accumulator_ranges
from hotnas_hls.accel.integers.product import multiplied
from hotnas_hls.accel.integers.reference import pad, run_layer
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.base.blas import one_blas_thread

FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53
COLUMN_BYTES = 1 << 21  # of the unfolded input held at a time: what stays in the cache


NOTHING: Mapping[str, np.ndarray] = {}


def run_batch(
    net: IntegerNetwork,
    images: np.ndarray,
    keep: Collection[str],
    given: Mapping[str, np.ndarray] = NOTHING,
) -> dict[str, np.ndarray]:
    """The feature maps named in ``keep``, int32 (B, C, H, W), for images (B, C, H, W) of integers.

    given: maps (B, C, H, W) that layers read in place of what was computed; ``keep`` has what was computed.
    """
    sums = accumulator_ranges(net)
    root_of = {name: fm.concat_of or name for name, fm in net.feature_maps.items()}
    last_use: dict[str, int] = {}
    for index, layer in enumerate(net.layers):
        for name in (layer.source, layer.target, layer.residual):
            if name is not None:
                last_use[root_of[name]] = index
    kept_roots = {root_of[name] for name in keep}
    wholes: dict[str, np.ndarray] = {}
    replaced: dict[str, np.ndarray] = {}

    def view(name: str) -> np.ndarray:
        """The map as float32, which holds 16-bit integers exactly; its tensor is made on first use."""
        fm, root = net.feature_maps[name], net.feature_maps[root_of[name]]
        if root.name not in wholes:
            wholes[root.name] = np.zeros((len(images), root.channels, root.rows, root.columns), np.float32)
        own = wholes[root.name][:, fm.concat_offset : fm.concat_offset + fm.channels]
        return own.reshape(len(images), fm.channels, fm.rows, fm.columns)  # as the reference has it

    view(net.image)[...] = images
    for index, layer in enumerate(net.layers):
        low, high = sums[layer.name]
        residual = None
        if layer.residual is not None:
            residual = view(layer.residual).reshape(len(images), *layer.residual_shape)
        ifm, bound = layer.seen(view(layer.source)), max(-low, high)
        made = _run_layer(layer, net.numbers[layer.name], ifm, residual, bound, net.act_bits)
        if layer.target in given:
            replaced[layer.target] = made.astype(np.int32)
            made = layer.part_of(given[layer.target])
        layer.part_of(view(layer.target))[...] = made
        for root, last in last_use.items():
            if last == index and root not in kept_roots:
                del wholes[root]
    return {name: replaced[name] if name in replaced else view(name).astype(np.int32) for name in keep}


def outputs(net: IntegerNetwork, images: np.ndarray, batch: int = 64) -> dict[str, np.ndarray]:
    """The maps that the host reads, int32 (B, C, H, W), for images (B, C, H, W) of integers."""
    names = net.host.maps

    def some(start: int) -> dict[str, np.ndarray]:
        return run_batch(net, images[start : start + batch], names)

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(some, range(0, len(images), batch)))
    return {name: np.concatenate([part[name] for part in found]) for name in names}


def logits(net: IntegerNetwork, images: np.ndarray, batch: int = 64) -> np.ndarray:
    """Outputs int32 (B, classes) of the network for images (B, C, H, W) of integers."""
    return outputs(net, images, batch)[net.logits].reshape(len(images), -1)


def accuracy(net: IntegerNetwork, images: np.ndarray, labels: np.ndarray, batch: int = 64) -> float:
    """Share of ``images`` (B, C, H, W, integers) whose largest output is their label, 0 to 1."""
    return float((logits(net, images, batch).argmax(axis=1) == labels).mean())


def _run_layer(
    layer: Layer,
    numbers: LayerNumbers,
    ifm: np.ndarray,
    residual: np.ndarray | None,
    bound: int,
    act_bits: int,
) -> np.ndarray:
    """Output (B, M, R, C) of one layer, integers in float32 or float64; no sum exceeds ``bound``."""
    if bound >= FLOAT64_EXACT:
        exact = ifm.astype(np.int64)
        added = [None] * len(ifm) if residual is None else residual.astype(np.int64)
        pairs = zip(exact, added, strict=True)
        return np.stack([run_layer(layer, numbers, act_bits, *pair) for pair in pairs])
    dtype = np.dtype(np.float32 if bound < FLOAT32_EXACT else np.float64)
    acc: np.ndarray
    if layer.kind is LayerKind.MAXPOOL:
        acc = _maximum(layer, ifm).astype(dtype)
    elif layer.kind is LayerKind.DEPTHWISE:
        acc = _depthwise(layer, numbers.weights.astype(dtype), ifm)
    else:
        acc = _convolution(layer, numbers.weights.astype(dtype), ifm)
    acc += numbers.bias.astype(dtype)[:, None, None]
    if residual is not None and not layer.residual_multiplies:
        acc += residual.astype(dtype) * 2.0**numbers.residual_shift
    if numbers.output_shift > 0:
        acc += 2.0 ** (numbers.output_shift - 1)
        acc *= 2.0**-numbers.output_shift
        np.floor(acc, out=acc)
    np.clip(acc, numbers.clamp_low, numbers.clamp_high, out=acc)
    found = acc if numbers.lines is None else activated(acc, numbers.lines, act_bits)
    if residual is not None and layer.residual_multiplies:
        found = multiplied(found, residual, numbers.residual_shift, act_bits)
    return found


def _convolution(layer: Layer, weights: np.ndarray, ifm: np.ndarray) -> np.ndarray:
    kernel, pixels = (layer.kernel_rows, layer.kernel_columns), (layer.out_rows, layer.out_columns)
    filters = weights.reshape(layer.m, -1)
    acc = np.empty((len(ifm), layer.m, pixels[0] * pixels[1]), dtype=weights.dtype)
    step = max(1, COLUMN_BYTES // (filters.shape[1] * acc.shape[2] * weights.itemsize))
    columns = np.empty((min(step, len(ifm)), layer.n, *kernel, *pixels), dtype=weights.dtype)
    for start in range(0, len(ifm), step):
        images = pad(layer, ifm[start : start + step], 0)
        for (i, j), window in _windows(layer, images):
            columns[: len(images), :, i, j] = window
        unfolded = columns[: len(images)].reshape(len(images), filters.shape[1], -1)
        np.matmul(filters, unfolded, out=acc[start : start + step])
    return acc.reshape(len(ifm), layer.m, *pixels)


def _depthwise(layer: Layer, weights: np.ndarray, ifm: np.ndarray) -> np.ndarray:
    acc = np.zeros((len(ifm), layer.m, layer.out_rows, layer.out_columns), dtype=weights.dtype)
    for (i, j), window in _windows(layer, pad(layer, ifm, 0)):
        acc += window * weights[:, 0, i, j, None, None]
    return acc


def _maximum(layer: Layer, ifm: np.ndarray) -> np.ndarray:
    acc = np.full((len(ifm), layer.m, layer.out_rows, layer.out_columns), -np.inf, dtype=np.float32)
    for _, window in _windows(layer, pad(layer, ifm, -np.inf)):
        np.maximum(acc, window, out=acc)
    return acc


def _windows(layer: Layer, padded: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """For every kernel position: what it meets at each output pixel, (B, N, R, C)."""
    down, across = layer.strides
    rows, columns = layer.out_rows * down, layer.out_columns * across
    for i in range(layer.kernel_rows):
        for j in range(layer.kernel_columns):
            yield (i, j), padded[..., i : i + rows : down, j : j + columns : across]
