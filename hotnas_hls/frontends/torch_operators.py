"""Torch functions to calls of Draft: (draft, where, result, *the function's own arguments) -> Value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from hotnas_hls.frontends.draft import NO_PADDING, Draft, Padding, Pair, Refused, Value
from hotnas_hls.network.graph import Shape


def map_shape(tensor: Tensor) -> Shape:
    """(channels, rows, columns) of a batch, as far as it has them."""
    channels, rows, columns = (*tensor.shape[1:4], 1, 1, 1)[:3]
    return channels, rows, columns


def _pair(size: Any) -> Pair:
    rows, columns = (size, size) if isinstance(size, int) else (size * 2 if len(size) == 1 else size)
    return int(rows), int(columns)


def _around(padding: Any) -> Padding:
    rows, columns = _pair(padding)
    return rows, columns, rows, columns


def _array(tensor: Any, role: str) -> np.ndarray:
    """A constant as float32."""
    if not isinstance(tensor, Tensor):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return tensor.detach().cpu().float().numpy()


def _optional(tensor: Any, role: str) -> np.ndarray | None:
    """A constant that may be left out."""
    return None if tensor is None else _array(tensor, role)


def _conv2d(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
) -> Value:
    arrays = _array(weight, "weight"), _optional(bias, "bias")
    if padding == "same":
        kernel = weight.shape[2:]
        total = [step * (side - 1) for step, side in zip(_pair(dilation), kernel, strict=True)]
        around = (total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2)
    else:
        around = NO_PADDING if padding == "valid" else _around(padding)
    return draft.conv(where, input, *arrays, _pair(stride), around, _pair(dilation), groups)


def _linear(draft: Draft, where: str, result: Tensor, input: Value, weight: Any, bias: Any = None) -> Value:
    return draft.linear(where, input, _array(weight, "weight"), _optional(bias, "bias"))


def _batch_norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if training or running_mean is None:
        raise Refused(("it uses the statistics of the batch", "use BatchNorm2d with running statistics"))
    mean, var = _array(running_mean, "mean"), _array(running_var, "variance")
    return draft.batchnorm(where, input, mean, var, _optional(weight, "weight"), _optional(bias, "bias"), eps)


def _relu(draft: Draft, where: str, result: Tensor, input: Value, inplace: bool = False) -> Value:
    return draft.clip(where, input, 0, None)


def _relu6(draft: Draft, where: str, result: Tensor, input: Value, inplace: bool = False) -> Value:
    return draft.clip(where, input, 0, 6)


def _hardtanh(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    min_val: float = -1.0,
    max_val: float = 1.0,
    inplace: bool = False,
) -> Value:
    return draft.clip(where, input, min_val, max_val)


def _clamp(draft: Draft, where: str, result: Tensor, input: Value, min: Any = None, max: Any = None) -> Value:
    if not all(isinstance(bound, int | float | None) for bound in (min, max)):
        raise Refused(("its bounds are tensors", "use ReLU, or ReLU6 (0 to 6)"))
    return draft.clip(where, input, min, max)


def _max_pool2d(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    kernel = _pair(kernel_size)
    step = _pair(stride) if stride not in (None, (), []) else kernel
    return draft.maxpool(where, input, kernel, step, _around(padding), _pair(dilation), ceil_mode)


def _avg_pool2d(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Value:
    kernel = _pair(kernel_size)
    if divisor_override not in (None, kernel[0] * kernel[1]):
        raise Refused((f"divisor_override={divisor_override}", "leave it out"))
    step = _pair(stride) if stride not in (None, (), []) else kernel
    return draft.avgpool(
        where,
        input,
        kernel,
        step,
        _around(padding),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def _adaptive_avg_pool2d(draft: Draft, where: str, result: Tensor, input: Value, output_size: Any) -> Value:
    sizes = (output_size, output_size) if isinstance(output_size, int) else output_size
    rows, columns = (
        side if want is None else want for want, side in zip(sizes, input.shape[1:], strict=True)
    )
    return draft.adaptive_avgpool(where, input, (rows, columns))


def _mean(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
) -> Value:
    dim = axis if dim is None else dim
    given = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    axes = {axis % input.rank for axis in given}
    _, rows, columns = input.shape
    if input.rank == 4 and axes == {2, 3}:
        return draft.avgpool(where, input, (rows, columns), (rows, columns), rank=result.dim())
    if input.rank == 4 and axes == {3}:  # as the first half of x.mean(3).mean(2)
        return draft.avgpool(where, input, (1, columns), (1, columns), rank=result.dim())
    if columns == 1 and axes == {2}:
        return draft.avgpool(where, input, (rows, 1), (rows, 1), rank=result.dim())
    raise Refused((f"mean over axes {sorted(axes)}", "average over rows and columns: mean((2, 3))"))


def _add(draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, alpha: float = 1) -> Value:
    if alpha != 1:
        raise Refused((f"alpha={alpha}", "add without a factor"))
    if not (isinstance(input, Value) and isinstance(other, Value)):
        raise Refused(("it adds a constant", "put the constant into the bias of the layer before"))
    return draft.add(where, input, other)


def _cat(draft: Draft, where: str, result: Tensor, tensors: Any, dim: Any = 0, *, axis: Any = None) -> Value:
    dim = dim if axis is None else axis
    values = [item for item in tensors if isinstance(item, Value)]
    if dim % result.dim() != 1:
        raise Refused((f"it joins along axis {dim}", "concatenate channels: dim=1"))
    if len(values) == len(tensors):
        return draft.concat(where, values)
    constants = [item for item in tensors if not isinstance(item, Value)]
    if len(values) > 1 or any(bool(item.any()) for item in constants):
        raise Refused(("it joins maps with constants", "concatenate computed maps, or one map with zeros"))
    position = next(i for i, item in enumerate(tensors) if isinstance(item, Value))
    before = sum(item.shape[1] for item in tensors[:position])
    after = sum(item.shape[1] for item in tensors[position + 1 :])
    return draft.subsample(where, values[0], (1, 1), before, after)


def _reshape(draft: Draft, where: str, result: Tensor, input: Value, *shape: Any, **options: Any) -> Value:
    if result.dim() == 2:
        return draft.flatten(where, input)
    if map_shape(result) == input.padded_shape:
        return Value(input.name, input.shape, result.dim(), input.padding)
    raise Refused(
        (f"it reshapes a map to {'x'.join(map(str, result.shape[1:]))}", "only flattening to a vector exists")
    )


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
    pad = [*pad, *([0] * (8 - len(pad)))]
    left, right, top, bottom, before, after, *images = pad
    if mode != "constant" or value:
        raise Refused((f"padding is {mode} {value or 0:g}", "pad with zeros"))
    if min(pad) < 0 or any(images) or input.rank != 4:
        raise Refused(("it does not only add rows, columns or channels", "pad maps with zeros outwards"))
    if before or after:
        input = draft.subsample(where, input, (1, 1), before, after)
    return draft.pad(input, (top, left, bottom, right)) if any((left, right, top, bottom)) else input


def _getitem(draft: Draft, where: str, result: Tensor, input: Value, index: Any) -> Value:
    """Axes added or, where they hold one value, dropped; every s-th row and column; nothing else."""
    items = list(index) if isinstance(index, tuple) else [index]
    taken = sum(item is not None and item is not Ellipsis for item in items)
    gap = next((at for at, item in enumerate(items) if item is Ellipsis), len(items))
    items[gap : gap + 1] = [slice(None)] * (input.rank - taken)
    sides = [None, *input.shape][: input.rank]  # None: the images
    steps: list[int] = []
    for item, side in zip((item for item in items if item is not None), sides, strict=True):
        whole = isinstance(item, slice) and item.start in (None, 0) and item.stop is None
        only_value = type(item) is int and side == 1 and item in (0, -1)
        step = (item.step or 1) if whole else 1
        if not (whole or only_value) or (step != 1 and len(steps) < 2):
            cure = "only x[:, :, ::s, ::s] exists; split the channels by convolutions"
            raise Refused(("it takes a part of a map", cure))
        steps.append(step)
    if max(steps) == 1:
        return _reshape(draft, where, result, input)
    value = draft.subsample(where, input, (steps[2], steps[3]), 0, 0)
    return value if result.dim() == 4 else _reshape(draft, where, result, value)


HANDLERS: dict[str, Callable[..., Value]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    **dict.fromkeys(("clamp", "clip", "clamp_min"), _clamp),
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "mean": _mean,
    **dict.fromkeys(("add", "iadd", "radd"), _add),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    **dict.fromkeys(("flatten", "view", "reshape", "squeeze", "unsqueeze"), _reshape),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout"), _dropout),
    "pad": _pad,
    "getitem": _getitem,
}
