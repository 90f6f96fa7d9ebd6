"""ONNX operators to calls of Draft: (reader, node, where, *inputs, **attributes) -> Value.

A handler returns an array where its result is a constant (a shape). Inputs are values, or arrays where they
are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from hotnas_hls.frontends.draft import NO_PADDING, Draft, Padding, Pair, Refused, Value

FLOATS = (1, 11)  # ONNX's numbers of float32 and float64


class Reader(Protocol):
    """What a handler asks of the reader."""

    draft: Draft
    batch: int
    readers: Mapping[str, int]  # tensor -> how often it is read
    tensor_of: dict[str, str]  # graph node -> the tensor it was made for


def _constant(item: Value | np.ndarray | None, role: str) -> np.ndarray:
    if not isinstance(item, np.ndarray):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return item


def _value(item: Value | np.ndarray, role: str) -> Value:
    if not isinstance(item, Value):
        raise Refused((f"its {role} is a constant", "use it on computed maps"))
    return item


def _map(value: Value) -> Value:
    if value.rank != 4:
        raise Refused((f"it reads a tensor of rank {value.rank}", "use it on maps"))
    return value


def _pair(sizes: Any) -> Pair:
    if len(sizes) != 2:
        raise Refused((f"{len(sizes)} spatial axes", "use two-dimensional operators"))
    return int(sizes[0]), int(sizes[1])


def _around(source: Value, kernel: Pair, stride: Pair, pads: Any, auto_pad: bytes, dilation: Pair) -> Padding:
    """(top, left, bottom, right) from ``pads`` or ``auto_pad``."""
    if auto_pad in (b"NOTSET", b"VALID"):
        top, left, bottom, right = pads if auto_pad == b"NOTSET" else NO_PADDING
        return int(top), int(left), int(bottom), int(right)
    before, after = [], []
    for side, window, step, gap in zip(source.padded_shape[1:], kernel, stride, dilation, strict=True):
        total = max(0, (-(-side // step) - 1) * step + (window - 1) * gap + 1 - side)
        small, large = total // 2, total - total // 2
        before.append(large if auto_pad == b"SAME_LOWER" else small)
        after.append(small if auto_pad == b"SAME_LOWER" else large)
    return before[0], before[1], after[0], after[1]


def _conv(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    weight: Any,
    bias: Any = None,
    *,
    kernel_shape: Any = None,
    strides: Any = (1, 1),
    pads: Any = NO_PADDING,
    dilations: Any = (1, 1),
    group: int = 1,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    weight = _constant(weight, "weight")
    kernel, stride, dilation = _pair(weight.shape[2:]), _pair(strides), _pair(dilations)
    if kernel_shape is not None and tuple(kernel_shape) != kernel:
        asked, own = ("x".join(map(str, sizes)) for sizes in (kernel_shape, kernel))
        raise Refused((f"kernel_shape is {asked}, its weights have {own}", "give the shape of the weights"))
    around = _around(_map(source), kernel, stride, pads, auto_pad, dilation)
    bias = None if bias is None else _constant(bias, "bias")
    return reader.draft.conv(where, source, weight, bias, stride, around, dilation, group)


def _gemm(
    reader: Reader,
    node: Any,
    where: str,
    source: Any,
    weight: Any,
    bias: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    if transA:
        raise Refused(("transA=1", "leave it out"))
    weight = _constant(weight, "weight") * np.float32(alpha)
    weight = weight if transB else weight.T
    if bias is not None:
        bias = _constant(bias, "bias") * np.float32(beta)
        if bias.size not in (1, len(weight)) or bias.shape[-1:] not in ((), (1,), (len(weight),)):
            shape = "x".join(map(str, bias.shape))
            raise Refused((f"its bias is {shape}, for {len(weight)} outputs", "give one value for each"))
        bias = np.broadcast_to(bias.reshape(-1), (len(weight),))
    return reader.draft.linear(where, _value(source, "first input"), weight, bias)


def _matmul(reader: Reader, node: Any, where: str, source: Any, weight: Any) -> Value:
    weight = _constant(weight, "second input")
    if weight.ndim != 2:
        raise Refused((f"its constant has rank {weight.ndim}", "multiply a vector by a matrix"))
    return reader.draft.linear(where, _value(source, "first input"), weight.T, None)


def _batch_normalization(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    *parameters: Any,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> Value:
    if training_mode:
        raise Refused(("it uses the statistics of the batch", "export the network in inference mode"))
    weight, bias, mean, var = (_constant(item, "parameter") for item in parameters)
    return reader.draft.batchnorm(where, source, mean, var, weight, bias, epsilon)


def _relu(reader: Reader, node: Any, where: str, source: Value) -> Value:
    return reader.draft.clip(where, source, 0, None)


def _clip(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    low: Any = None,
    high: Any = None,
    *,
    min: float | None = None,
    max: float | None = None,
) -> Value:
    low = min if low is None else float(_constant(low, "lower bound"))
    high = max if high is None else float(_constant(high, "upper bound"))
    widest = float(np.finfo(np.float32).max)
    return reader.draft.clip(where, source, low, None if high is not None and high >= widest else high)


def _max_pool(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    *,
    kernel_shape: Any,
    strides: Any = (1, 1),
    pads: Any = NO_PADDING,
    dilations: Any = (1, 1),
    ceil_mode: int = 0,
    auto_pad: bytes = b"NOTSET",
    storage_order: int = 0,
) -> Value:
    kernel, stride, dilation = _pair(kernel_shape), _pair(strides), _pair(dilations)
    around = _around(_map(source), kernel, stride, pads, auto_pad, dilation)
    return reader.draft.maxpool(where, source, kernel, stride, around, dilation, bool(ceil_mode))


def _average_pool(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    *,
    kernel_shape: Any,
    strides: Any = (1, 1),
    pads: Any = NO_PADDING,
    dilations: Any = (1, 1),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    kernel, stride = _pair(kernel_shape), _pair(strides)
    if _pair(dilations) != (1, 1):
        raise Refused((f"dilation {'x'.join(map(str, dilations))}", "use dilation 1"))
    around = _around(_map(source), kernel, stride, pads, auto_pad, (1, 1))
    return reader.draft.avgpool(
        where,
        source,
        kernel,
        stride,
        around,
        ceil_mode=bool(ceil_mode),
        count_include_pad=bool(count_include_pad) or around == NO_PADDING,
    )


def _global_average_pool(reader: Reader, node: Any, where: str, source: Value) -> Value:
    return reader.draft.adaptive_avgpool(where, _map(source), (1, 1))


def _reduce_mean(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    axes_input: Any = None,
    *,
    axes: Any = None,
    keepdims: int = 1,
    noop_with_empty_axes: int = 0,
) -> Value:
    axes = axes if axes_input is None else _constant(axes_input, "axes").tolist()
    axes = sorted(axis % source.rank for axis in axes or ())
    if source.rank != 4 or axes != [2, 3]:
        raise Refused((f"mean over axes {axes}", "average over rows and columns: axes 2 and 3"))
    whole = source.shape[1:]
    return reader.draft.avgpool(where, source, whole, whole, rank=4 if keepdims else 2)


def _add(reader: Reader, node: Any, where: str, one: Any, other: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.add(where, one, other)
    value, constant = (one, other) if isinstance(one, Value) else (other, one)
    name = node.input[0] if isinstance(one, Value) else node.input[1]
    if reader.readers[name] > 1 or reader.tensor_of.get(value.name, name) != name:
        raise Refused(
            ("it adds a constant to a map that is read elsewhere too", "use the bias of the layer before")
        )
    reader.tensor_of[value.name] = node.output[0]
    return reader.draft.add_bias(value, constant)


def _concat(reader: Reader, node: Any, where: str, *sources: Any, axis: int) -> Value:
    values = [_value(source, "part") for source in sources]
    if axis % values[0].rank != 1:
        raise Refused((f"it joins along axis {axis}", "concatenate channels: axis 1"))
    return reader.draft.concat(where, values)


def _flatten(reader: Reader, node: Any, where: str, source: Value, *, axis: int = 1) -> Value:
    if axis % source.rank != 1:
        raise Refused((f"axis {axis}", "flatten from axis 1"))
    return reader.draft.flatten(where, source)


def _reshape(
    reader: Reader, node: Any, where: str, source: Value, target: Any, *, allowzero: int = 0
) -> Value:
    sizes = [int(size) for size in _constant(target, "target shape")]
    own = [reader.batch, *source.padded_shape][: source.rank]
    sizes = [own[axis] if size == 0 and axis < len(own) else size for axis, size in enumerate(sizes)]
    total = int(np.prod(own))
    rest = int(np.prod([size for size in sizes if size != -1]))
    sizes = [total // rest if size == -1 and rest else size for size in sizes]
    if sizes[0] != reader.batch or int(np.prod(sizes)) != total:
        raise Refused(
            (
                f"it reshapes to {'x'.join(map(str, sizes))}, mixing images",
                "keep the first axis for the images",
            )
        )
    if len(sizes) == 2:
        return reader.draft.flatten(where, source)
    if tuple(sizes[1:]) == source.padded_shape:
        return source
    raise Refused(
        (f"it reshapes a map to {'x'.join(map(str, sizes[1:]))}", "only flattening to a vector exists")
    )


def _squeeze(
    reader: Reader, node: Any, where: str, source: Value, axes_input: Any = None, *, axes: Any = None
) -> Value:
    axes = axes if axes_input is None else _constant(axes_input, "axes").tolist()
    if sorted(axis % source.rank for axis in axes or ()) != [2, 3] or source.shape[1:] != (1, 1):
        raise Refused((f"it drops axes {list(axes or ())}", "drop axes 2 and 3 of a 1x1 map"))
    return reader.draft.flatten(where, source)


def _shape(
    reader: Reader, node: Any, where: str, source: Value, *, start: int = 0, end: int | None = None
) -> np.ndarray:
    return np.array([reader.batch, *source.padded_shape][: source.rank][start:end], dtype=np.int64)


def _dropout(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    ratio: Any = None,
    training: Any = None,
    **_: Any,
) -> Value:
    if training is not None and bool(_constant(training, "mode")):
        raise Refused(("it drops values in inference too", "export the network in inference mode"))
    return source


def _identity(reader: Reader, node: Any, where: str, source: Value) -> Value:
    return source


def _cast(reader: Reader, node: Any, where: str, source: Value, *, to: int, **_: Any) -> Value:
    if to not in FLOATS:
        raise Refused((f"to data type {to}", "keep float32; quantisation comes later"))
    return source


def _pad(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    pads_input: Any = None,
    fill: Any = None,
    axes: Any = None,
    *,
    mode: bytes = b"constant",
    pads: Any = None,
    value: float = 0.0,
) -> Value:
    amounts = [int(a) for a in (pads if pads_input is None else _constant(pads_input, "size"))]
    value = value if fill is None else float(_constant(fill, "fill"))
    if mode != b"constant" or value != 0:
        raise Refused((f"padding is {mode.decode()} {value:g}", "pad with zeros"))
    if axes is not None:
        chosen = [int(axis) % source.rank for axis in _constant(axes, "axes")]
        full = [0] * (2 * source.rank)
        for position, axis in enumerate(chosen):
            full[axis], full[axis + source.rank] = amounts[position], amounts[position + len(chosen)]
        amounts = full
    if source.rank != 4 or min(amounts) < 0 or amounts[0] or amounts[4]:
        raise Refused(("it does not only add rows, columns or channels", "pad maps with zeros outwards"))
    _, before, top, left, _, after, bottom, right = amounts
    if before or after:
        source = reader.draft.subsample(where, source, (1, 1), before, after)
    return reader.draft.pad(source, (top, left, bottom, right)) if top + left + bottom + right else source


def _slice(
    reader: Reader,
    node: Any,
    where: str,
    source: Value,
    starts: Any = None,
    ends: Any = None,
    axes: Any = None,
    steps: Any = None,
    **_: Any,
) -> Value:
    if starts is None:
        raise Refused(("an operator of opset 9 or older", "export the network again with a newer opset"))
    first, last = (_constant(item, "range").tolist() for item in (starts, ends))
    axis_list = list(range(len(first))) if axes is None else _constant(axes, "axes").tolist()
    step_list = [1] * len(first) if steps is None else _constant(steps, "step").tolist()
    sizes = [reader.batch, *source.padded_shape]
    stride = [1, 1, 1, 1]
    for axis, start, end, step in zip(axis_list, first, last, step_list, strict=True):
        axis %= source.rank
        if start != 0 or end < sizes[axis] or step < 1 or (step > 1 and axis < 2) or source.rank != 4:
            raise Refused(
                ("it takes a part of a map", "only every s-th row and column exists; split by convolutions")
            )
        stride[axis] = step
    rows, columns = stride[2:]
    return source if rows == columns == 1 else reader.draft.subsample(where, source, (rows, columns), 0, 0)


HANDLERS: dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_normalization,
    "Relu": _relu,
    "Clip": _clip,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "ReduceMean": _reduce_mean,
    "Add": _add,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Shape": _shape,
    "Dropout": _dropout,
    "Identity": _identity,
    "Cast": _cast,
    "Pad": _pad,
    "Slice": _slice,
}
