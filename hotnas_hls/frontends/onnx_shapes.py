"""ONNX operators that move or tell values and compute none; see :mod:`.onnx_operators`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hotnas_hls.frontends.onnx_arguments import Reader, constant_of, numbers_of
from hotnas_hls.frontends.partial_windows import Move, corner_to_corner, half_pixel
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value, value_of

FLOATS = (1, 11)  # ONNX's numbers of float32 and float64


def _concat(reader: Reader, where: str, *sources: Any, axis: int) -> Value:
    return reader.draft.concat(where, sources, axis)


def _flatten(reader: Reader, where: str, source: Value, *, axis: int = 1) -> Value:
    if axis % source.rank != 1:
        raise Refused((f"axis {axis}", "flatten from axis 1"))
    return reader.draft.reshape(where, source, (reader.draft.batch, int(np.prod(source.dims))))


def _reshape(
    reader: Reader, where: str, source: Value, target: Any = None, *, shape: Any = None, allowzero: int = 0
) -> Value:
    sizes = numbers_of(target, shape, "target shape") or []
    own = [reader.draft.batch, *source.dims]
    if not allowzero:
        sizes = [own[axis] if size == 0 and axis < len(own) else size for axis, size in enumerate(sizes)]
    rest = int(np.prod([size for size in sizes if size != -1]))
    sizes = [int(np.prod(own)) // rest if size == -1 and rest else size for size in sizes]
    return reader.draft.reshape(where, source, sizes or [0])


def _depth_to_space(
    reader: Reader, where: str, source: Value, *, blocksize: int, mode: bytes = b"DCR"
) -> Value:
    return reader.draft.depth_to_space(where, source, blocksize, columns_first=mode == b"DCR")


def _space_to_depth(reader: Reader, where: str, source: Value, *, blocksize: int) -> Value:
    return reader.draft.space_to_depth(where, source, blocksize, columns_first=True)


def _upsample(
    reader: Reader,
    where: str,
    source: Value,
    given: Any = None,
    *,
    scales: Any = None,
    mode: bytes = b"nearest",
) -> Value:
    factors = constant_of(given, "scales") if scales is None else scales
    return _resize(
        reader, where, source, None, np.asarray(factors), mode=mode,
        coordinate_transformation_mode=b"asymmetric", nearest_mode=b"floor",
    )  # fmt: skip


def _resize(
    reader: Reader,
    where: str,
    source: Value,
    roi: Any = None,
    scales: Any = None,
    wanted: Any = None,
    *,
    mode: bytes = b"nearest",
    coordinate_transformation_mode: bytes = b"half_pixel",
    nearest_mode: bytes = b"round_prefer_floor",
    **_: Any,
) -> Value:
    """Nearest neighbours, or values between them, by the formulas of ONNX."""
    if mode not in (b"nearest", b"linear"):
        raise Refused((f"it interpolates: {mode.decode()}", "take nearest neighbours, or linear"))
    own = [reader.draft.batch, *source.dims]
    sizes = numbers_of(wanted, None, "sizes")
    if sizes is None:
        factors = constant_of(scales, "scales").astype(np.float64).reshape(-1).tolist()
        sizes = [int(np.floor(side * factor)) for side, factor in zip(own, factors, strict=True)]
    else:
        factors = [size / side for size, side in zip(sizes, own, strict=True)]
    move, rounded = MOVES.get(coordinate_transformation_mode), ROUNDINGS.get(nearest_mode)
    if mode == b"linear":
        aligned = coordinate_transformation_mode == b"align_corners"
        known = aligned or (move is not None and coordinate_transformation_mode not in NEAREST_ONLY)
        if not known or sizes[:2] != own[:2]:
            told = coordinate_transformation_mode.decode()
            raise Refused((f"it interpolates by {told}", "export it again with half_pixel"))
        along = [
            corner_to_corner(side, size) if aligned or move is None else move(np.arange(size), factor)
            for side, size, factor in zip(own[2:], sizes[2:], factors[2:], strict=True)
        ]
        return reader.draft.interpolated(where, source, along)
    if move is None or rounded is None or sizes[0] != own[0]:
        told = f"{coordinate_transformation_mode.decode()}, {nearest_mode.decode()}"
        raise Refused((f"it resizes by {told}", "export it again with asymmetric and floor"))
    along = [
        rounded(move(np.arange(size), factor)).clip(0, side - 1).astype(np.int64)
        for size, side, factor in zip(sizes[1:], own[1:], factors[1:], strict=True)
    ]
    numbers = np.arange(int(np.prod(source.dims))).reshape(source.dims)
    return source.picked(numbers[np.ix_(*along)], where)


def _squeeze(reader: Reader, where: str, source: Value, axes_input: Any = None, *, axes: Any = None) -> Value:
    return reader.draft.squeeze(where, source, numbers_of(axes_input, axes, "axes"))


def _unsqueeze(
    reader: Reader, where: str, source: Value, axes_input: Any = None, *, axes: Any = None
) -> Value:
    given = numbers_of(axes_input, axes, "axes") or []
    rank = source.rank + len(given)
    added = {axis % rank for axis in given}
    own = iter((reader.draft.batch, *source.dims))
    return reader.draft.reshape(where, source, [1 if axis in added else next(own) for axis in range(rank)])


def _expand(reader: Reader, where: str, source: Any, target: Any) -> Value:
    value = value_of(source, "input")
    own, wanted = [reader.draft.batch, *value.dims], numbers_of(target, None, "target shape") or []
    if len(wanted) > len(own):
        raise Refused((f"it adds axes to a tensor of rank {value.rank}", "reshape before it"))
    wanted = [1] * (len(own) - len(wanted)) + wanted
    return reader.draft.expand(where, value, [max(pair) for pair in zip(own, wanted, strict=True)])


def _tile(reader: Reader, where: str, source: Any, repeats: Any) -> Value:
    counts = numbers_of(repeats, None, "repeats") or []
    return reader.draft.tile(where, value_of(source, "input"), counts)


def _transpose(reader: Reader, where: str, source: Value, *, perm: Any = None) -> Value:
    return reader.draft.permute(where, source, list(range(source.rank))[::-1] if perm is None else list(perm))


def _shape(
    reader: Reader, where: str, source: Value, *, start: int = 0, end: int | None = None
) -> np.ndarray:
    return np.array([reader.draft.batch, *source.dims][start:end], dtype=np.int64)


def _size(reader: Reader, where: str, source: Value) -> np.ndarray:
    return np.array(reader.draft.batch * int(np.prod(source.dims)), dtype=np.int64)


def _dropout(
    reader: Reader, where: str, source: Value, ratio: Any = None, training: Any = None, **_: Any
) -> Value:
    if training is not None and bool(constant_of(training, "mode").item()):
        raise Refused(("it drops values in inference too", "export the network in inference mode"))
    return source


def _identity(reader: Reader, where: str, source: Value) -> Value:
    return source


def _cast(reader: Reader, where: str, source: Value, *, to: int, **_: Any) -> Value:
    if to not in FLOATS:
        raise Refused((f"to data type {to}", "keep float32; quantisation comes later"))
    return source


def _pad(
    reader: Reader,
    where: str,
    source: Value,
    pads_input: Any = None,
    fill: Any = None,
    axes: Any = None,
    *,
    mode: bytes = b"constant",
    pads: Any = None,
    paddings: Any = None,
    value: float = 0.0,
) -> Value:
    amounts = numbers_of(pads_input, pads if paddings is None else paddings, "size") or []
    value = value if fill is None else float(constant_of(fill, "fill").item())
    if mode != b"constant" or value != 0:
        raise Refused((f"padding is {mode.decode(errors='replace')} {value:g}", "pad with zeros"))
    chosen = numbers_of(axes, range(source.rank), "axes") or []
    if len(amounts) != 2 * len(chosen):
        raise Refused((f"it has {len(amounts)} sizes for {len(chosen)} axes", "give two for every axis"))
    before, after = [0] * source.rank, [0] * source.rank
    for position, axis in enumerate(chosen):
        before[axis % source.rank] = amounts[position]
        after[axis % source.rank] = amounts[position + len(chosen)]
    return reader.draft.pad(where, source, before, after)


def _slice(
    reader: Reader,
    where: str,
    source: Value,
    starts_input: Any = None,
    ends_input: Any = None,
    axes_input: Any = None,
    steps_input: Any = None,
    *,
    starts: Any = None,
    ends: Any = None,
    axes: Any = None,
) -> Value:
    first, last = numbers_of(starts_input, starts, "range") or [], numbers_of(ends_input, ends, "range") or []
    chosen = numbers_of(axes_input, axes, "axes")
    chosen = list(range(len(first))) if chosen is None else chosen
    steps = numbers_of(steps_input, None, "step") or [1] * len(first)
    index: list[Any] = [slice(None)] * source.rank
    for axis, start, end, step in zip(chosen, first, last, steps, strict=True):
        size = (reader.draft.batch, *source.dims)[axis % source.rank]
        # An end before the front, going back, is numpy's None.
        index[axis % source.rank] = slice(start, None if step < 0 and end < -size else end, step)
    if len(range(reader.draft.batch)[index[0]]) != reader.draft.batch or (index[0].step or 1) < 0:
        raise Refused(("it takes some of the images", "keep the first axis for the images"))
    return reader.draft.take(where, source, index[1:])


def _gather(reader: Reader, where: str, source: Any, indices: Any, *, axis: int = 0) -> Value:
    value, chosen = value_of(source, "data"), constant_of(indices, "indices")
    index: list[Any] = [slice(None)] * (value.rank - 1)
    index[reader.draft.axis(value, axis) - 1] = chosen
    return reader.draft.take(where, value, index)


def _split(
    reader: Reader,
    where: str,
    source: Value,
    sizes_input: Any = None,
    *,
    axis: int = 0,
    split: Any = None,
    num_outputs: int | None = None,
    outputs: int = 0,
) -> list[Value]:
    along = reader.draft.axis(source, axis) - 1
    size, count = source.dims[along], num_outputs or outputs
    wide = -(-size // max(1, count))
    sizes = numbers_of(sizes_input, split, "sizes") or [min(wide, size - at) for at in range(0, size, wide)]
    parts, first = [], 0
    for each in sizes:
        index: list[Any] = [slice(None)] * (source.rank - 1)
        index[along] = slice(first, first + each)
        parts.append(reader.draft.take(where, source, index))
        first += each
    return parts


MOVES: dict[bytes, Move] = {
    b"asymmetric": lambda places, factor: places / factor,
    b"half_pixel": half_pixel,
    b"pytorch_half_pixel": half_pixel,
    b"tf_half_pixel_for_nn": lambda places, factor: (places + 0.5) / factor,
}
NEAREST_ONLY = (b"tf_half_pixel_for_nn",)
ROUNDINGS: dict[bytes, Callable[[np.ndarray], np.ndarray]] = {
    b"floor": np.floor,
    b"ceil": np.ceil,
    b"round_prefer_floor": lambda places: np.ceil(places - 0.5),
    b"round_prefer_ceil": lambda places: np.floor(places + 0.5),
}
SHAPES: dict[str, Callable[..., Any]] = {
    "Concat": _concat,
    "Flatten": _flatten,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Upsample": _upsample,
    "Resize": _resize,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": _tile,
    "Transpose": _transpose,
    "Shape": _shape,
    "Size": _size,
    "Dropout": _dropout,
    "Identity": _identity,
    "Cast": _cast,
    "Pad": _pad,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
}
