"""ONNX operators to calls of Draft: (reader, where, *inputs, **attributes) -> Value.

A handler returns an array where its result is a constant (a shape), and a list where it has several. Inputs
are values, or arrays where they are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network import activation as activations
from hotnas_hls.network.activation import Activation

FLOATS = (1, 11)  # ONNX's numbers of float32 and float64
WIDEST = float(np.finfo(np.float32).max)  # as a bound: none


class Reader(Protocol):
    """What a handler asks of the reader."""

    draft: Draft
    opset: int


def _constant(item: Value | np.ndarray | None, role: str) -> np.ndarray:
    if not isinstance(item, np.ndarray):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return item


def _value(item: Value | np.ndarray, role: str) -> Value:
    if not isinstance(item, Value):
        raise Refused((f"its {role} is a constant", "use it on computed maps"))
    return item


def _numbers(item: Value | np.ndarray | None, attribute: Any, role: str) -> list[int] | None:
    """Whole numbers given as an input since some opset, as an attribute before; None where left out."""
    if item is None:
        return None if attribute is None else [int(number) for number in attribute]
    return [int(number) for number in _constant(item, role).reshape(-1)]


def _sides(source: Value, given: Any, default: int) -> list[int]:
    """One number for every side of a map."""
    return [default] * (source.rank - 2) if given is None else [int(size) for size in given]


def _around(
    source: Value, kernel: Sequence[int], stride: Sequence[int], pads: Any, auto_pad: bytes, dilation: Any
) -> list[int]:
    """Zeros before, then after every side, from ``pads`` or ``auto_pad``."""
    sides = source.dims[1:]
    if auto_pad in (b"NOTSET", b"VALID"):
        return (
            [int(pad) for pad in pads] if pads is not None and auto_pad == b"NOTSET" else [0] * 2 * len(sides)
        )
    before, after = [], []
    for side, window, step, gap in zip(sides, kernel, stride, dilation, strict=True):
        total = max(0, (-(-side // step) - 1) * step + (window - 1) * gap + 1 - side)
        small, large = total // 2, total - total // 2
        before.append(large if auto_pad == b"SAME_LOWER" else small)
        after.append(small if auto_pad == b"SAME_LOWER" else large)
    return before + after


def _conv(
    reader: Reader,
    where: str,
    source: Any,
    weight: Any,
    bias: Any = None,
    *,
    kernel_shape: Any = None,
    strides: Any = None,
    pads: Any = None,
    dilations: Any = None,
    group: int = 1,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    source, weight = _value(source, "input"), _constant(weight, "weight")
    kernel, stride, gaps = weight.shape[2:], _sides(source, strides, 1), _sides(source, dilations, 1)
    if kernel_shape is not None and tuple(kernel_shape) != kernel:
        asked, own = ("x".join(map(str, sizes)) for sizes in (kernel_shape, kernel))
        raise Refused((f"kernel_shape is {asked}, its weights have {own}", "give the shape of the weights"))
    around = _around(source, kernel, stride, pads, auto_pad, gaps)
    bias = None if bias is None else _constant(bias, "bias")
    return reader.draft.conv(where, source, weight, bias, stride, around, gaps, group)


def _gemm(
    reader: Reader,
    where: str,
    source: Any,
    weight: Any,
    bias: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    broadcast: int = 0,
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


def _matmul(reader: Reader, where: str, source: Any, weight: Any) -> Value:
    weight = _constant(weight, "second input")
    return reader.draft.linear(where, _value(source, "first input"), weight.T, None)


def _batch_normalization(
    reader: Reader,
    where: str,
    source: Any,
    *parameters: Any,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> Value:
    if training_mode or not spatial:
        raise Refused(("it uses the statistics of the batch", "export the network in inference mode"))
    weight, bias, mean, var = (_constant(item, "parameter") for item in parameters)
    return reader.draft.batchnorm(where, _value(source, "input"), mean, var, weight, bias, epsilon)


def _relu(reader: Reader, where: str, source: Value) -> Value:
    return reader.draft.clip(where, source, 0, None)


def _clip(
    reader: Reader,
    where: str,
    source: Any,
    low: Any = None,
    high: Any = None,
    *,
    min: float | None = None,
    max: float | None = None,
) -> Value:
    low = min if low is None else _constant(low, "lower bound").item()
    high = max if high is None else _constant(high, "upper bound").item()
    low = None if low is not None and low <= -WIDEST else low
    high = None if high is not None and high >= WIDEST else high
    return reader.draft.clip(where, _value(source, "input"), low, high)


def _activate(function: Activation) -> Callable[..., Value]:
    def handler(reader: Reader, where: str, source: Value) -> Value:
        return reader.draft.activate(where, source, function)

    return handler


def _leaky_relu(reader: Reader, where: str, source: Value, *, alpha: float = 0.01) -> Value:
    return reader.draft.activate(where, source, activations.activation("leaky_relu", alpha))


def _prelu(reader: Reader, where: str, source: Any, slope: Any) -> Value:
    return reader.draft.prelu(where, _value(source, "input"), _constant(slope, "slope"))


def _elu(reader: Reader, where: str, source: Value, *, alpha: float = 1.0) -> Value:
    return reader.draft.activate(where, source, activations.activation("elu", alpha))


def _celu(reader: Reader, where: str, source: Value, *, alpha: float = 1.0) -> Value:
    return reader.draft.activate(where, source, activations.celu(alpha))


def _selu(
    reader: Reader,
    where: str,
    source: Value,
    *,
    alpha: float = activations.SELU_ALPHA,
    gamma: float = activations.SELU_GAMMA,
) -> Value:
    return reader.draft.activate(where, source, activations.selu(alpha, gamma))


def _gelu(reader: Reader, where: str, source: Value, *, approximate: bytes = b"none") -> Value:
    function = activations.GELU if approximate == b"none" else activations.GELU_BY_TANH
    return reader.draft.activate(where, source, function)


def _swish(reader: Reader, where: str, source: Value, *, alpha: float = 1.0) -> Value:
    function = activations.IDENTITY.times(activations.affine(alpha).then(activations.SIGMOID))
    return reader.draft.activate(where, source, function)


def _hard_sigmoid(
    reader: Reader, where: str, source: Value, *, alpha: float = 0.2, beta: float = 0.5
) -> Value:
    return reader.draft.activate(where, source, activations.hard_sigmoid(alpha, beta))


def _max_pool(
    reader: Reader,
    where: str,
    source: Value,
    *,
    kernel_shape: Any,
    strides: Any = None,
    pads: Any = None,
    dilations: Any = None,
    ceil_mode: int = 0,
    auto_pad: bytes = b"NOTSET",
    storage_order: int = 0,
) -> Value:
    stride, gaps = _sides(source, strides, 1), _sides(source, dilations, 1)
    around = _around(source, kernel_shape, stride, pads, auto_pad, gaps)
    return reader.draft.maxpool(where, source, kernel_shape, stride, around, gaps, bool(ceil_mode))


def _average_pool(
    reader: Reader,
    where: str,
    source: Value,
    *,
    kernel_shape: Any,
    strides: Any = None,
    pads: Any = None,
    dilations: Any = None,
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    stride, gaps = _sides(source, strides, 1), _sides(source, dilations, 1)
    if max(gaps) > 1:
        raise Refused((f"dilation {'x'.join(map(str, gaps))}", "use dilation 1"))
    around = _around(source, kernel_shape, stride, pads, auto_pad, gaps)
    return reader.draft.avgpool(
        where,
        source,
        kernel_shape,
        stride,
        around,
        ceil_mode=bool(ceil_mode),
        count_include_pad=bool(count_include_pad) or not any(around),
    )


def _global_average_pool(reader: Reader, where: str, source: Value) -> Value:
    return reader.draft.mean(where, source, range(2, source.rank), keep=True)


def _reduce_mean(
    reader: Reader,
    where: str,
    source: Value,
    axes_input: Any = None,
    *,
    axes: Any = None,
    keepdims: int = 1,
    noop_with_empty_axes: int = 0,
) -> Value:
    chosen = _numbers(axes_input, axes, "axes")
    if not chosen and noop_with_empty_axes:
        return source
    return reader.draft.mean(where, source, chosen or range(source.rank), bool(keepdims))


def _add(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.add(where, one, other)
    value, constant = (one, other) if isinstance(one, Value) else (other, one)
    return reader.draft.affine(where, value, offset=_aligned(value, constant, **old))


def _subtract(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        raise Refused(("it subtracts maps", "add them, with the sign in the layer before"))
    if isinstance(one, Value):
        return reader.draft.affine(where, one, offset=-_aligned(one, other, **old))
    return reader.draft.affine(where, other, scale=-1.0, offset=_aligned(other, one, **old))


def _multiply(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.multiply(where, one, other)
    value, constant = (one, other) if isinstance(one, Value) else (other, one)
    return reader.draft.affine(where, value, scale=_aligned(value, constant, **old))


def _divide(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    divisor = _aligned(_value(one, "dividend"), _constant(other, "divisor"), **old).astype(np.float64)
    if not divisor.all():
        raise Refused(("it divides by zero", "divide by other constants"))
    return reader.draft.affine(where, one, scale=1 / divisor)


def _aligned(value: Value, constant: np.ndarray, broadcast: int = 0, axis: int | None = None) -> np.ndarray:
    """A constant beside a value; before opset 7 its first axis was named."""
    if axis is None or not broadcast:
        return constant
    return constant.reshape(*constant.shape, *[1] * (value.rank - axis % value.rank - constant.ndim))


def _negative(reader: Reader, where: str, source: Value) -> Value:
    return reader.draft.affine(where, source, scale=-1.0)


def _sum(reader: Reader, where: str, first: Any, *others: Any) -> Any:
    total = first
    for other in others:
        constants = not isinstance(total, Value) and not isinstance(other, Value)
        total = total + other if constants else _add(reader, where, total, other)
    return total


def _concat(reader: Reader, where: str, *sources: Any, axis: int) -> Value:
    return reader.draft.concat(where, sources, axis)


def _flatten(reader: Reader, where: str, source: Value, *, axis: int = 1) -> Value:
    if axis % source.rank != 1:
        raise Refused((f"axis {axis}", "flatten from axis 1"))
    return reader.draft.reshape(where, source, (reader.draft.batch, int(np.prod(source.dims))))


def _reshape(
    reader: Reader, where: str, source: Value, target: Any = None, *, shape: Any = None, allowzero: int = 0
) -> Value:
    sizes = _numbers(target, shape, "target shape") or []
    own = [reader.draft.batch, *source.dims]
    if not allowzero:
        sizes = [own[axis] if size == 0 and axis < len(own) else size for axis, size in enumerate(sizes)]
    rest = int(np.prod([size for size in sizes if size != -1]))
    sizes = [int(np.prod(own)) // rest if size == -1 and rest else size for size in sizes]
    return reader.draft.reshape(where, source, sizes or [0])


def _squeeze(reader: Reader, where: str, source: Value, axes_input: Any = None, *, axes: Any = None) -> Value:
    return reader.draft.squeeze(where, source, _numbers(axes_input, axes, "axes"))


def _unsqueeze(
    reader: Reader, where: str, source: Value, axes_input: Any = None, *, axes: Any = None
) -> Value:
    given = _numbers(axes_input, axes, "axes") or []
    rank = source.rank + len(given)
    added = {axis % rank for axis in given}
    own = iter((reader.draft.batch, *source.dims))
    return reader.draft.reshape(where, source, [1 if axis in added else next(own) for axis in range(rank)])


def _expand(reader: Reader, where: str, source: Any, target: Any) -> Value:
    value = _value(source, "input")
    own, wanted = [reader.draft.batch, *value.dims], _numbers(target, None, "target shape") or []
    if len(wanted) > len(own):
        raise Refused((f"it adds axes to a tensor of rank {value.rank}", "reshape before it"))
    wanted = [1] * (len(own) - len(wanted)) + wanted
    return reader.draft.expand(where, value, [max(pair) for pair in zip(own, wanted, strict=True)])


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
    if training is not None and bool(_constant(training, "mode").item()):
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
    amounts = _numbers(pads_input, pads if paddings is None else paddings, "size") or []
    value = value if fill is None else float(_constant(fill, "fill").item())
    if mode != b"constant" or value != 0:
        raise Refused((f"padding is {mode.decode(errors='replace')} {value:g}", "pad with zeros"))
    chosen = _numbers(axes, range(source.rank), "axes") or []
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
    first, last = _numbers(starts_input, starts, "range") or [], _numbers(ends_input, ends, "range") or []
    chosen = _numbers(axes_input, axes, "axes")
    chosen = list(range(len(first))) if chosen is None else chosen
    steps = _numbers(steps_input, None, "step") or [1] * len(first)
    index: list[Any] = [slice(None)] * source.rank
    for axis, start, end, step in zip(chosen, first, last, steps, strict=True):
        size = (reader.draft.batch, *source.dims)[axis % source.rank]
        # An end before the front, going back, is numpy's None.
        index[axis % source.rank] = slice(start, None if step < 0 and end < -size else end, step)
    if len(range(reader.draft.batch)[index[0]]) != reader.draft.batch or (index[0].step or 1) < 0:
        raise Refused(("it takes some of the images", "keep the first axis for the images"))
    return reader.draft.take(where, source, index[1:])


def _gather(reader: Reader, where: str, source: Any, indices: Any, *, axis: int = 0) -> Value:
    value, chosen = _value(source, "data"), _constant(indices, "indices")
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
    sizes = _numbers(sizes_input, split, "sizes") or [min(wide, size - at) for at in range(0, size, wide)]
    parts, first = [], 0
    for each in sizes:
        index: list[Any] = [slice(None)] * (source.rank - 1)
        index[along] = slice(first, first + each)
        parts.append(reader.draft.take(where, source, index))
        first += each
    return parts


def _softmax(answer: Answer) -> Callable[..., Value]:
    def handler(reader: Reader, where: str, source: Value, *, axis: int | None = None) -> Value:
        if reader.opset < 13:  # over all axes from ``axis`` on
            axis = 1 if axis is None else axis
            if axis % source.rank != 1 or any(size != 1 for size in source.dims[1:]):
                raise Refused((f"it is the {answer} over all values of a map", "take it over the channels"))
        return reader.draft.answer(where, source, answer, -1 if axis is None else axis, source.dims)

    return handler


def _argmax(
    reader: Reader, where: str, source: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> Value:
    if select_last_index:
        raise Refused(("it takes the last of equal values", "take the first"))
    along = reader.draft.axis(source, axis) - 1
    dims = [1 if at == along else size for at, size in enumerate(source.dims) if keepdims or at != along]
    return reader.draft.answer(where, source, Answer.ARGMAX, axis, dims)


HANDLERS: dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_normalization,
    "Relu": _relu,
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "Gelu": _gelu,
    "Erf": _activate(activations.activation("erf")),
    "Softplus": _activate(activations.softplus()),
    "Softsign": _activate(activations.activation("softsign")),
    "Sigmoid": _activate(activations.SIGMOID),
    "Tanh": _activate(activations.TANH),
    "Mish": _activate(activations.MISH),
    "Swish": _swish,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activate(activations.HARD_SWISH),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "ReduceMean": _reduce_mean,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": _negative,
    "Sum": _sum,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
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
    "Softmax": _softmax(Answer.SOFTMAX),
    "LogSoftmax": _softmax(Answer.LOG_SOFTMAX),
    "ArgMax": _argmax,
}
