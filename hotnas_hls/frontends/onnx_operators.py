"""ONNX operators to calls of Draft: (reader, where, *inputs, **attributes) -> Value.

A handler returns an array where its result is a constant (a shape), and a list where it has several. Inputs
are values, or arrays where they are constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.frontends.onnx_activations import ACTIVATIONS
from hotnas_hls.frontends.onnx_arguments import Reader, constant_of, numbers_of, sides, zeros_around
from hotnas_hls.frontends.onnx_shapes import SHAPES
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value, value_of


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
    source, weight = value_of(source, "input"), constant_of(weight, "weight")
    kernel, stride, gaps = weight.shape[2:], sides(source, strides, 1), sides(source, dilations, 1)
    if kernel_shape is not None and tuple(kernel_shape) != kernel:
        asked, own = ("x".join(map(str, sizes)) for sizes in (kernel_shape, kernel))
        raise Refused((f"kernel_shape is {asked}, its weights have {own}", "give the shape of the weights"))
    around = zeros_around(source, kernel, stride, pads, auto_pad, gaps)
    bias = None if bias is None else constant_of(bias, "bias")
    return reader.draft.conv(where, source, weight, bias, stride, around, gaps, group)


def _conv_transpose(
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
    output_padding: Any = None,
    output_shape: Any = None,
    group: int = 1,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    source, weight = value_of(source, "input"), constant_of(weight, "weight")
    stride, gaps, more = (
        sides(source, given, default)
        for given, default in ((strides, 1), (dilations, 1), (output_padding, 0))
    )
    if auto_pad != b"NOTSET" or output_shape is not None:
        raise Refused(("its padding follows from its output", "give pads and output_padding"))
    around = [0] * 2 * len(stride) if pads is None else list(pads)
    bias = None if bias is None else constant_of(bias, "bias")
    return reader.draft.conv_transpose(where, source, weight, bias, stride, around, more, gaps, group)


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
    weight = constant_of(weight, "weight") * np.float32(alpha)
    weight = weight if transB else weight.T
    if bias is not None:
        bias = constant_of(bias, "bias") * np.float32(beta)
        if bias.size not in (1, len(weight)) or bias.shape[-1:] not in ((), (1,), (len(weight),)):
            shape = "x".join(map(str, bias.shape))
            raise Refused((f"its bias is {shape}, for {len(weight)} outputs", "give one value for each"))
        bias = np.broadcast_to(bias.reshape(-1), (len(weight),))
    return reader.draft.linear(where, value_of(source, "first input"), weight, bias)


def _matmul(reader: Reader, where: str, source: Any, weight: Any) -> Value:
    weight = constant_of(weight, "second input")
    return reader.draft.linear(where, value_of(source, "first input"), weight.T, None)


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
    weight, bias, mean, var = (constant_of(item, "parameter") for item in parameters)
    return reader.draft.batchnorm(where, value_of(source, "input"), mean, var, weight, bias, epsilon)


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
    stride, gaps = sides(source, strides, 1), sides(source, dilations, 1)
    around = zeros_around(source, kernel_shape, stride, pads, auto_pad, gaps)
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
    stride, gaps = sides(source, strides, 1), sides(source, dilations, 1)
    if max(gaps) > 1:
        raise Refused((f"dilation {'x'.join(map(str, gaps))}", "use dilation 1"))
    around = zeros_around(source, kernel_shape, stride, pads, auto_pad, gaps)
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


def _reduce(method: str) -> Callable[..., Value]:
    def handler(
        reader: Reader,
        where: str,
        source: Value,
        axes_input: Any = None,
        *,
        axes: Any = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Value:
        chosen = numbers_of(axes_input, axes, "axes")
        if not chosen and noop_with_empty_axes:
            return source
        reduced: Value = getattr(reader.draft, method)(
            where, source, chosen or range(source.rank), bool(keepdims)
        )
        return reduced

    return handler


def _global_max_pool(reader: Reader, where: str, source: Value) -> Value:
    return reader.draft.largest(where, source, range(2, source.rank), keep=True)


def _pow(reader: Reader, where: str, source: Any, exponent: Any) -> Value:
    power = constant_of(exponent, "exponent")
    return reader.draft.raised(where, value_of(source, "base"), power)


def _power(exponent: float) -> Callable[..., Value]:
    def handler(reader: Reader, where: str, source: Value) -> Value:
        return reader.draft.power(where, source, exponent)

    return handler


def _extreme(largest: bool) -> Callable[..., Value]:
    """Of a map and a number a clip, of maps one after the other what is beyond the first."""

    def handler(reader: Reader, where: str, *inputs: Any) -> Value:
        found, *others = sorted(inputs, key=lambda item: not isinstance(item, Value))
        for other in others:
            if isinstance(other, Value):
                found = reader.draft.extreme(where, found, other, largest)
            elif other.size != 1:
                raise Refused(("its constant has several values", "give one number"))
            else:
                bounds = (other.item(), None) if largest else (None, other.item())
                found = reader.draft.clip(where, found, *bounds)
        return found

    return handler


def _lp_normalization(reader: Reader, where: str, source: Value, *, axis: int = -1, p: int = 2) -> Value:
    return reader.draft.unit_length(where, source, axis, 1e-12, p)


def _add(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.add(where, one, other)
    value, constant = (one, other) if isinstance(one, Value) else (other, one)
    return reader.draft.affine(where, value, offset=_aligned(value, constant, **old))


def _subtract(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.subtract(where, one, other)
    if isinstance(one, Value):
        return reader.draft.affine(where, one, offset=-_aligned(one, other, **old))
    return reader.draft.affine(where, other, scale=-1.0, offset=_aligned(other, one, **old))


def _multiply(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.multiply(where, one, other)
    value, constant = (one, other) if isinstance(one, Value) else (other, one)
    return reader.draft.affine(where, value, scale=_aligned(value, constant, **old))


def _divide(reader: Reader, where: str, one: Any, other: Any, **old: Any) -> Value:
    dividend = one if isinstance(one, Value) else _aligned(other, one, **old)
    divisor = other if isinstance(other, Value) else _aligned(one, constant_of(other, "divisor"), **old)
    return reader.draft.quotient(where, dividend, divisor)


def _aligned(value: Value, constant: np.ndarray, broadcast: int = 0, axis: int | None = None) -> np.ndarray:
    """A constant beside a value; before opset 7 its first axis was named."""
    if axis is None or not broadcast:
        return constant
    return constant.reshape(*constant.shape, *[1] * (value.rank - axis % value.rank - constant.ndim))


def _negative(reader: Reader, where: str, source: Value) -> Value:
    return reader.draft.affine(where, source, scale=-1.0)


def _lrn(
    reader: Reader,
    where: str,
    source: Value,
    *,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
) -> Value:
    return reader.draft.local_response_norm(
        where, source, ((size - 1) // 2, size // 2), alpha, beta, bias
    )


def _layer_normalization(
    reader: Reader,
    where: str,
    source: Value,
    scale: Any = None,
    bias: Any = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Value:
    sizes = source.dims[reader.draft.axis(source, axis) - 1 :]
    weight, offset = (
        None if item is None else constant_of(item, "scale or bias") for item in (scale, bias)
    )
    return reader.draft.layer_norm(where, source, sizes, weight, offset, epsilon)


def _instance_normalization(
    reader: Reader, where: str, source: Value, scale: Any, bias: Any, *, epsilon: float = 1e-5
) -> Value:
    constants = constant_of(scale, "scale"), constant_of(bias, "bias")
    return reader.draft.group_norm(where, source, source.dims[0], *constants, epsilon)


def _group_normalization(
    reader: Reader,
    where: str,
    source: Value,
    scale: Any,
    bias: Any,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Value:
    weight, offset = constant_of(scale, "scale"), constant_of(bias, "bias")
    if reader.opset < 21:  # one for each group
        weight, offset = (item.repeat(source.dims[0] // item.size) for item in (weight, offset))
    return reader.draft.group_norm(where, source, num_groups, weight, offset, epsilon)


def _sum(reader: Reader, where: str, first: Any, *others: Any) -> Any:
    total = first
    for other in others:
        constants = not isinstance(total, Value) and not isinstance(other, Value)
        total = total + other if constants else _add(reader, where, total, other)
    return total


def _softmax(answer: Answer) -> Callable[..., Value]:
    def handler(reader: Reader, where: str, source: Value, *, axis: int | None = None) -> Value:
        if reader.opset < 13:  # over all axes from ``axis`` on
            axis = 1 if axis is None else axis
            if any(size != 1 for size in source.dims[axis % source.rank :]):
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
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_normalization,
    **ACTIVATIONS,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("total"),
    "ReduceL2": _reduce("length"),
    "ReduceMax": _reduce("largest"),
    "Max": _extreme(largest=True),
    "Min": _extreme(largest=False),
    "Pow": _pow,
    "Sqrt": _power(0.5),
    "Reciprocal": _power(-1.0),
    "LpNormalization": _lp_normalization,
    "LRN": _lrn,
    "LayerNormalization": _layer_normalization,
    "InstanceNormalization": _instance_normalization,
    "GroupNormalization": _group_normalization,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": _negative,
    "Sum": _sum,
    "Softmax": _softmax(Answer.SOFTMAX),
    "LogSoftmax": _softmax(Answer.LOG_SOFTMAX),
    "ArgMax": _argmax,
    **SHAPES,
}
