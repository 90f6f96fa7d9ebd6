"""Torch functions to calls of Draft: (draft, where, result, *the function's own arguments) -> Value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value, value_of
from hotnas_hls.frontends.torch_activations import ACTIVATIONS
from hotnas_hls.frontends.torch_arguments import (
    axes_of,
    constant_of,
    named,
    optional_of,
    sizes_of,
    zeros_around,
)
from hotnas_hls.frontends.torch_shapes import SHAPES
from hotnas_hls.network.graph import Node


def _conv(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
) -> Value:
    arrays = constant_of(weight, "weight"), optional_of(bias, "bias")
    input = value_of(input, "input")
    gaps = sizes_of(dilation, input)
    if padding == "same":
        total = [gap * (side - 1) for gap, side in zip(gaps, weight.shape[2:], strict=True)]
        around = [size // 2 for size in total] + [size - size // 2 for size in total]
    else:
        around = zeros_around(0 if padding == "valid" else padding, input)
    return draft.conv(where, input, *arrays, sizes_of(stride, input), around, gaps, groups)


def _conv_transpose(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Value:
    arrays = constant_of(weight, "weight"), optional_of(bias, "bias")
    input = value_of(input, "input")
    step, more, gaps = (sizes_of(sizes, input) for sizes in (stride, output_padding, dilation))
    return draft.conv_transpose(
        where, input, *arrays, step, zeros_around(padding, input), more, gaps, groups
    )


def _linear(draft: Draft, where: str, result: Tensor, input: Value, weight: Any, bias: Any = None) -> Value:
    return draft.linear(where, input, constant_of(weight, "weight"), optional_of(bias, "bias"))


def _matmul(draft: Draft, where: str, result: Tensor, input: Any, other: Any) -> Value:
    return draft.linear(where, value_of(input, "first input"), constant_of(other, "second input").T, None)


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
    mean, var = constant_of(running_mean, "mean"), constant_of(running_var, "variance")
    scale, offset = optional_of(weight, "weight"), optional_of(bias, "bias")
    return draft.batchnorm(where, input, mean, var, scale, offset, eps)


def _max_pool(
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
    kernel = sizes_of(kernel_size, input)
    step = kernel if stride in (None, (), []) else sizes_of(stride, input)
    around, gaps = zeros_around(padding, input), sizes_of(dilation, input)
    return draft.maxpool(where, input, kernel, step, around, gaps, ceil_mode)


def _avg_pool(
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
    kernel = sizes_of(kernel_size, input)
    if divisor_override not in (None, np.prod(kernel)):
        raise Refused((f"divisor_override={divisor_override}", "leave it out"))
    step = kernel if stride in (None, (), []) else sizes_of(stride, input)
    return draft.avgpool(
        where,
        input,
        kernel,
        step,
        zeros_around(padding, input),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def _adaptive_avg_pool(draft: Draft, where: str, result: Tensor, input: Value, output_size: Any) -> Value:
    given = [output_size] if isinstance(output_size, int) else output_size
    wanted = list(given) * (input.rank - 2 if len(given) == 1 else 1)
    size = [side if want is None else want for want, side in zip(wanted, input.dims[1:], strict=True)]
    return draft.adaptive_avgpool(where, input, size)


def _adaptive_max_pool(
    draft: Draft, where: str, result: Tensor, input: Value, output_size: Any, return_indices: bool = False
) -> Value:
    return draft.adaptive_maxpool(where, input, list(result.shape[2:]))


def _amax(
    draft: Draft, where: str, result: Tensor, input: Value, dim: Any = (), keepdim: bool = False
) -> Value:
    return draft.largest(where, input, axes_of(dim), keepdim)


def _extreme(largest: bool) -> Callable[..., Value]:
    def handler(draft: Draft, where: str, result: Tensor, input: Any, other: Any) -> Value:
        values = value_of(input, "input"), value_of(other, "second input")
        return draft.extreme(where, *values, largest=largest)

    return handler


def _norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    p: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    **_: Any,
) -> Value:
    return draft.length(where, input, axes_of(dim), keepdim, p)


def _normalize(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    p: float = 2.0,
    dim: int = 1,
    eps: float = 1e-12,
    out: Any = None,
) -> Value:
    return draft.unit_length(where, input, dim, eps, p)


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
    return draft.mean(where, input, axes_of(axis if dim is None else dim), keepdim)


def _sum(
    draft: Draft, where: str, result: Tensor, input: Value, dim: Any = None, keepdim: bool = False, **_: Any
) -> Value:
    return draft.total(where, input, axes_of(dim), keepdim)


def _var(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> Value:
    lost = int(unbiased) if correction is None else correction
    return draft.variance(where, input, axes_of(dim), keepdim, lost)


def _pow(draft: Draft, where: str, result: Tensor, input: Any, exponent: Any) -> Value:
    return draft.raised(where, input, constant_of(exponent, "exponent"))


def _power(exponent: float) -> Callable[..., Value]:
    def handler(draft: Draft, where: str, result: Tensor, input: Value) -> Value:
        return draft.power(where, input, exponent)

    return handler


def _layer_norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *_: Any,
) -> Value:
    constants = (optional_of(weight, "weight"), optional_of(bias, "bias"))
    return draft.layer_norm(where, input, list(normalized_shape), *constants, eps)


def _group_norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *_: Any,
) -> Value:
    constants = (optional_of(weight, "weight"), optional_of(bias, "bias"))
    return draft.group_norm(where, input, num_groups, *constants, eps)


def _instance_norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if not use_input_stats:
        return _batch_norm(draft, where, result, input, running_mean, running_var, weight, bias, eps=eps)
    constants = (optional_of(weight, "weight"), optional_of(bias, "bias"))
    return draft.group_norm(where, input, input.dims[0], *constants, eps)


def _local_response_norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Value:
    return draft.local_response_norm(where, input, (size // 2, (size - 1) // 2), alpha, beta, k)


def _add(draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, alpha: float = 1) -> Value:
    if isinstance(input, Value) and isinstance(other, Value):
        if alpha != 1:
            raise Refused((f"alpha={alpha}", "add without a factor"))
        return draft.add(where, input, other)
    if isinstance(input, Value):
        return draft.affine(where, input, offset=constant_of(other, "constant") * alpha)
    return draft.affine(where, other, scale=alpha, offset=constant_of(input, "constant"))


def _subtract(draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, alpha: float = 1) -> Value:
    if isinstance(input, Value) and isinstance(other, Value):
        if alpha != 1:
            raise Refused((f"alpha={alpha}", "subtract without a factor"))
        return draft.subtract(where, input, other)
    return (
        _add(draft, where, result, input, other, alpha=-alpha)
        if isinstance(input, Value)
        else (draft.affine(where, other, scale=-alpha, offset=constant_of(input, "constant")))
    )


def _reverse_subtract(draft: Draft, where: str, result: Tensor, input: Value, other: Any) -> Value:
    return draft.affine(where, input, scale=-1.0, offset=constant_of(other, "constant"))


def _multiply(draft: Draft, where: str, result: Tensor, input: Any, other: Any) -> Value:
    if isinstance(input, Value) and isinstance(other, Value):
        return draft.multiply(where, input, other)
    value, constant = (input, other) if isinstance(input, Value) else (other, input)
    return draft.affine(where, value, scale=constant_of(constant, "constant"))


def _divide(
    draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, rounding_mode: Any = None
) -> Value:
    if rounding_mode is not None:
        raise Refused(("it rounds what it divides", "do not round"))
    dividend = input if isinstance(input, Value) else constant_of(input, "dividend")
    divisor = other if isinstance(other, Value) else constant_of(other, "divisor")
    return draft.quotient(where, dividend, divisor)


def _reverse_divide(draft: Draft, where: str, result: Tensor, input: Value, other: Any) -> Value:
    return _divide(draft, where, result, other, input)


def _addcmul(
    draft: Draft, where: str, result: Tensor, input: Any, tensor1: Any, tensor2: Any, *, value: float = 1
) -> Value:
    product = _multiply(draft, f"{where}.product", result, tensor1, tensor2)
    return _add(draft, where, result, input, draft.affine(f"{where}.product", product, scale=value))


def _negative(draft: Draft, where: str, result: Tensor, input: Value) -> Value:
    return draft.affine(where, input, scale=-1.0)


def _graph_operator(draft: Draft, where: str, result: Tensor, node: Node, *inputs: Value) -> Value:
    """A node as it is, its shape that of what torch computed."""
    channels, rows, columns = result.shape[1:]
    return draft.node(where, node, inputs, (channels, rows, columns))


def _answer(answer: Answer) -> Callable[..., Value]:
    def handler(
        draft: Draft, where: str, result: Tensor, input: Value, dim: Any = None, *_: Any, **__: Any
    ) -> Value:
        axis = 1 if dim is None else dim
        return draft.answer(where, input, answer, axis, tuple(result.shape[1:]))

    return handler


HANDLERS: dict[str, Callable[..., Any]] = {
    **named("conv1d", "conv2d", handler=_conv),
    **named("conv_transpose1d", "conv_transpose2d", handler=_conv_transpose),
    "linear": _linear,
    "matmul": _matmul,
    "batch_norm": _batch_norm,
    **ACTIVATIONS,
    **named("max_pool1d", "max_pool2d", handler=_max_pool),
    **named("avg_pool1d", "avg_pool2d", handler=_avg_pool),
    **named("adaptive_avg_pool1d", "adaptive_avg_pool2d", handler=_adaptive_avg_pool),
    **named("adaptive_max_pool1d", "adaptive_max_pool2d", handler=_adaptive_max_pool),
    "amax": _amax,
    "maximum": _extreme(largest=True),
    "minimum": _extreme(largest=False),
    **named("norm", "vector_norm", "linalg_vector_norm", handler=_norm),
    "normalize": _normalize,
    "reciprocal": _power(-1),
    "mean": _mean,
    "sum": _sum,
    "var": _var,
    "pow": _pow,
    "square": _power(2),
    "sqrt": _power(0.5),
    "rsqrt": _power(-0.5),
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "local_response_norm": _local_response_norm,
    **named("add", "iadd", "radd", handler=_add),
    **named("sub", "isub", "subtract", handler=_subtract),
    "rsub": _reverse_subtract,
    **named("mul", "imul", "rmul", "multiply", handler=_multiply),
    **named("div", "truediv", "itruediv", "idiv", "divide", handler=_divide),
    **named("rdiv", "rtruediv", handler=_reverse_divide),
    "neg": _negative,
    "addcmul": _addcmul,
    "softmax": _answer(Answer.SOFTMAX),
    "log_softmax": _answer(Answer.LOG_SOFTMAX),
    "argmax": _answer(Answer.ARGMAX),
    "graph_operator": _graph_operator,
    **SHAPES,
}
