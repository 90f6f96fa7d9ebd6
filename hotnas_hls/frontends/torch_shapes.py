"""Torch functions that move values and compute none; see :mod:`.torch_operators`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.partial_windows import corner_to_corner, half_pixel
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value, value_of
from hotnas_hls.frontends.torch_arguments import constant_of, named


def _cat(draft: Draft, where: str, result: Tensor, tensors: Any, dim: Any = 0, *, axis: Any = None) -> Value:
    sources = [item if isinstance(item, Value) else constant_of(item, "part") for item in tensors]
    return draft.concat(where, sources, dim if axis is None else axis)


def _stack(draft: Draft, where: str, result: Tensor, tensors: Any, dim: int = 0) -> Value:
    return draft.stack(where, [value_of(item, "part") for item in tensors], dim)


def _reshape(draft: Draft, where: str, result: Tensor, input: Value, *shape: Any, **options: Any) -> Value:
    return draft.reshape(where, input, tuple(result.shape))


def _expand(draft: Draft, where: str, result: Tensor, input: Value, *shape: Any, **options: Any) -> Value:
    return draft.expand(where, input, tuple(result.shape))


def _permute(draft: Draft, where: str, result: Tensor, input: Value, *dims: Any, **named: Any) -> Value:
    dims = named.get("dims", dims)
    return draft.permute(where, input, dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)


def _transpose(draft: Draft, where: str, result: Tensor, input: Value, dim0: Any, dim1: Any) -> Value:
    axes = list(range(input.rank))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return draft.permute(where, input, axes)


def _channel_shuffle(draft: Draft, where: str, result: Tensor, input: Value, groups: int) -> Value:
    channels = np.arange(input.dims[0]).reshape(groups, -1).T.reshape(-1)
    return draft.take(where, input, [channels])


def _pixel_shuffle(draft: Draft, where: str, result: Tensor, input: Value, upscale_factor: int) -> Value:
    return draft.depth_to_space(where, input, upscale_factor)


def _pixel_unshuffle(draft: Draft, where: str, result: Tensor, input: Value, downscale_factor: int) -> Value:
    return draft.space_to_depth(where, input, downscale_factor)


def _interpolate(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
    **__: Any,
) -> Value:
    """Nearest neighbours, found by torch itself: the elements' numbers interpolated. Or values between."""
    if mode in ("linear", "bilinear") and not antialias:
        sides, sizes = input.dims[1:], result.shape[2:]
        given = scale_factor if isinstance(scale_factor, list | tuple) else [scale_factor] * len(sides)
        asked = [None] * len(sides) if recompute_scale_factor else given
        places = [
            corner_to_corner(side, size)
            if align_corners
            else half_pixel(np.arange(size), factor or size / side)
            for side, size, factor in zip(sides, sizes, asked, strict=True)
        ]
        return draft.interpolated(where, input, places)
    if mode not in ("nearest", "nearest-exact"):
        kind = f"{mode}{', antialiased' if antialias else ''}"
        raise Refused((f"it interpolates: {kind}", "take nearest neighbours, or bilinear"))
    found = interpolate(torch.from_numpy(input.numbers[None] * 1.0), size, scale_factor, mode)
    return input.picked(found[0].numpy().astype(np.int64), where)


def _flip(draft: Draft, where: str, result: Tensor, input: Value, *dims: Any) -> Value:
    given = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    axes = tuple(draft.axis(input, axis) - 1 for axis in given)
    return input.picked(np.flip(input.numbers, axes), where)


def _roll(draft: Draft, where: str, result: Tensor, input: Value, shifts: Any, dims: Any = None) -> Value:
    axes = [draft.axis(input, axis) - 1 for axis in ([dims] if isinstance(dims, int) else dims or ())]
    if not axes:
        raise Refused(("it rolls all axes as one", "name the axes"))
    return input.picked(np.roll(input.numbers, shifts, axes), where)


def _repeat(draft: Draft, where: str, result: Tensor, input: Value, *repeats: Any) -> Value:
    given = repeats[0] if len(repeats) == 1 and not isinstance(repeats[0], int) else repeats
    return draft.tile(where, input, given)


def _repeat_interleave(
    draft: Draft, where: str, result: Tensor, input: Value, repeats: Any, dim: Any = None, **_: Any
) -> Value:
    if not isinstance(repeats, int) or dim is None:
        raise Refused(("it repeats values a different number of times", "give one number and an axis"))
    axis = draft.axis(input, dim) - 1
    return input.picked(input.numbers.repeat(repeats, axis=axis), where)


def _dropout(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    train: Any = None,
) -> Value:
    if (training if train is None else train) and p > 0:
        raise Refused(("it drops values in inference too", "pass training=self.training"))
    return input


def _pad(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    pad: Any,
    mode: str = "constant",
    value: Any = None,
) -> Value:
    if mode != "constant" or value:
        raise Refused((f"padding is {mode} {value or 0:g}", "pad with zeros"))
    amounts = [*pad, *([0] * (2 * input.rank - len(pad)))]
    return draft.pad(where, input, amounts[::2][::-1], amounts[1::2][::-1])


def _getitem(draft: Draft, where: str, result: Tensor, input: Value, index: Any) -> Value:
    """What numpy's indexing means, images left alone; axes of one value may go and come."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [np.asarray(item) if isinstance(item, Tensor | list | range) else item for item in items]
    if not all(
        item is None or item is Ellipsis or isinstance(item, int | slice | np.ndarray) for item in items
    ):
        raise Refused(("its index is computed from the input", "use a constant"))
    taken = sum(item is not None and item is not Ellipsis for item in items)
    gap = next((at for at, item in enumerate(items) if item is Ellipsis), len(items))
    items[gap : gap + 1] = [slice(None)] * (input.rank - taken)
    first = items[0]
    if not (
        isinstance(first, slice)
        and first.start in (None, 0)
        and first.stop is None
        and first.step in (None, 1)
    ):
        raise Refused(("it takes some of the images", "keep the first axis for the images"))
    return draft.take(where, input, items[1:])


def _chunk(draft: Draft, where: str, result: Any, input: Value, *sizes: Any, **named: Any) -> list[Value]:
    """Parts along one axis, as many and as wide as torch made of it."""
    dim = named.get("dim", sizes[1] if len(sizes) > 1 else 0)
    axis = draft.axis(input, dim) - 1
    parts, first = [], 0
    for part in result:
        wide = part.shape[axis + 1]
        index = [slice(None)] * (input.rank - 1)
        index[axis] = slice(first, first + wide)
        parts.append(draft.take(where, input, index))
        first += wide
    return parts


SHAPES: dict[str, Callable[..., Any]] = {
    **named("cat", "concat", "concatenate", handler=_cat),
    **named("flatten", "view", "reshape", "squeeze", "unsqueeze", "unflatten", handler=_reshape),
    **named("expand", "expand_as", "broadcast_to", handler=_expand),
    "permute": _permute,
    **named("channel_shuffle", "native_channel_shuffle", handler=_channel_shuffle),
    "stack": _stack,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    **named("interpolate", "upsample", handler=_interpolate),
    "flip": _flip,
    "roll": _roll,
    **named("repeat", "tile", handler=_repeat),
    "repeat_interleave": _repeat_interleave,
    **named("transpose", "swapaxes", handler=_transpose),
    **named("chunk", "split", handler=_chunk),
    **named("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout", handler=_dropout),
    "pad": _pad,
    "getitem": _getitem,
}
