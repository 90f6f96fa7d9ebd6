"""Torch functions to calls of Draft: (draft, where, result, *the function's own arguments) -> Value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network import activation as activations
from hotnas_hls.network.activation import Activation
from hotnas_hls.network.graph import Node


def _sizes(size: Any, value: Value) -> list[int]:
    """One number for every side of a map, from one for all of them."""
    given = [size] if isinstance(size, int) else list(size)
    return [int(each) for each in (given * (value.rank - 2) if len(given) == 1 else given)]


def _around(padding: Any, value: Value) -> list[int]:
    """The same on both ends of every side."""
    return _sizes(padding, value) * 2


def _constant(item: Any, role: str) -> np.ndarray:
    """A constant as float32."""
    if isinstance(item, int | float):
        return np.float32(item)  # type: ignore[return-value]
    if not isinstance(item, Tensor):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return item.detach().cpu().float().numpy()


def _optional(tensor: Any, role: str) -> np.ndarray | None:
    """A constant that may be left out."""
    return None if tensor is None else _constant(tensor, role)


def _value(item: Any, role: str) -> Value:
    if not isinstance(item, Value):
        raise Refused((f"its {role} is a constant", "use it on computed maps"))
    return item


def _axes(dim: Any) -> list[int]:
    return [] if dim is None else [dim] if isinstance(dim, int) else list(dim)


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
    arrays = _constant(weight, "weight"), _optional(bias, "bias")
    input = _value(input, "input")
    gaps = _sizes(dilation, input)
    if padding == "same":
        total = [gap * (side - 1) for gap, side in zip(gaps, weight.shape[2:], strict=True)]
        around = [size // 2 for size in total] + [size - size // 2 for size in total]
    else:
        around = _around(0 if padding == "valid" else padding, input)
    return draft.conv(where, input, *arrays, _sizes(stride, input), around, gaps, groups)


def _linear(draft: Draft, where: str, result: Tensor, input: Value, weight: Any, bias: Any = None) -> Value:
    return draft.linear(where, input, _constant(weight, "weight"), _optional(bias, "bias"))


def _matmul(draft: Draft, where: str, result: Tensor, input: Any, other: Any) -> Value:
    return draft.linear(where, _value(input, "first input"), _constant(other, "second input").T, None)


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
    mean, var = _constant(running_mean, "mean"), _constant(running_var, "variance")
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
        raise Refused(("its bounds are tensors", "use numbers"))
    return draft.clip(where, input, min, max)


def _clamp_max(draft: Draft, where: str, result: Tensor, input: Value, max: Any) -> Value:
    return _clamp(draft, where, result, input, None, max)


def _activate(function: Activation) -> Callable[..., Value]:
    def handler(draft: Draft, where: str, result: Tensor, input: Value, inplace: bool = False) -> Value:
        return draft.activate(where, input, function)

    return handler


def _leaky_relu(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    negative_slope: float = 0.01,
    inplace: bool = False,
) -> Value:
    return draft.activate(where, input, activations.activation("leaky_relu", negative_slope))


def _rrelu(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Value:
    if training:
        raise Refused(("it draws its slope", "use it in evaluation"))
    return draft.activate(where, input, activations.activation("leaky_relu", (lower + upper) / 2))


def _prelu(draft: Draft, where: str, result: Tensor, input: Value, weight: Any) -> Value:
    slopes = _constant(weight, "slope").reshape(-1)
    return draft.prelu(where, input, slopes.reshape(-1, *[1] * (input.rank - 2)))


def _elu(
    draft: Draft, where: str, result: Tensor, input: Value, alpha: float = 1.0, inplace: bool = False
) -> Value:
    return draft.activate(where, input, activations.activation("elu", alpha))


def _celu(
    draft: Draft, where: str, result: Tensor, input: Value, alpha: float = 1.0, inplace: bool = False
) -> Value:
    return draft.activate(where, input, activations.celu(alpha))


def _gelu(draft: Draft, where: str, result: Tensor, input: Value, approximate: str = "none") -> Value:
    function = activations.GELU if approximate == "none" else activations.GELU_BY_TANH
    return draft.activate(where, input, function)


def _softplus(
    draft: Draft, where: str, result: Tensor, input: Value, beta: float = 1.0, threshold: float = 20.0
) -> Value:
    return draft.activate(where, input, activations.softplus(beta))


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
    kernel = _sizes(kernel_size, input)
    step = kernel if stride in (None, (), []) else _sizes(stride, input)
    around, gaps = _around(padding, input), _sizes(dilation, input)
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
    kernel = _sizes(kernel_size, input)
    if divisor_override not in (None, np.prod(kernel)):
        raise Refused((f"divisor_override={divisor_override}", "leave it out"))
    step = kernel if stride in (None, (), []) else _sizes(stride, input)
    return draft.avgpool(
        where,
        input,
        kernel,
        step,
        _around(padding, input),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def _adaptive_avg_pool(draft: Draft, where: str, result: Tensor, input: Value, output_size: Any) -> Value:
    given = [output_size] if isinstance(output_size, int) else output_size
    wanted = list(given) * (input.rank - 2 if len(given) == 1 else 1)
    size = [side if want is None else want for want, side in zip(wanted, input.dims[1:], strict=True)]
    return draft.adaptive_avgpool(where, input, size)


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
    return draft.mean(where, input, _axes(axis if dim is None else dim), keepdim)


def _add(draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, alpha: float = 1) -> Value:
    if isinstance(input, Value) and isinstance(other, Value):
        if alpha != 1:
            raise Refused((f"alpha={alpha}", "add without a factor"))
        return draft.add(where, input, other)
    if isinstance(input, Value):
        return draft.affine(where, input, offset=_constant(other, "constant") * alpha)
    return draft.affine(where, other, scale=alpha, offset=_constant(input, "constant"))


def _subtract(draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, alpha: float = 1) -> Value:
    if isinstance(input, Value) and isinstance(other, Value):
        raise Refused(("it subtracts maps", "add them, with the sign in the layer before"))
    return (
        _add(draft, where, result, input, other, alpha=-alpha)
        if isinstance(input, Value)
        else (draft.affine(where, other, scale=-alpha, offset=_constant(input, "constant")))
    )


def _reverse_subtract(draft: Draft, where: str, result: Tensor, input: Value, other: Any) -> Value:
    return draft.affine(where, input, scale=-1.0, offset=_constant(other, "constant"))


def _multiply(draft: Draft, where: str, result: Tensor, input: Any, other: Any) -> Value:
    if isinstance(input, Value) and isinstance(other, Value):
        return draft.multiply(where, input, other)
    value, constant = (input, other) if isinstance(input, Value) else (other, input)
    return draft.affine(where, value, scale=_constant(constant, "constant"))


def _divide(
    draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, rounding_mode: Any = None
) -> Value:
    if rounding_mode is not None or not isinstance(input, Value) or isinstance(other, Value):
        raise Refused(("it divides by a map, or rounds", "divide by constants"))
    divisor = _constant(other, "divisor").astype(np.float64)
    if not divisor.all():
        raise Refused(("it divides by zero", "divide by other constants"))
    return draft.affine(where, input, scale=1 / divisor)


def _negative(draft: Draft, where: str, result: Tensor, input: Value) -> Value:
    return draft.affine(where, input, scale=-1.0)


def _cat(draft: Draft, where: str, result: Tensor, tensors: Any, dim: Any = 0, *, axis: Any = None) -> Value:
    sources = [item if isinstance(item, Value) else _constant(item, "part") for item in tensors]
    return draft.concat(where, sources, dim if axis is None else axis)


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


def _names(*names: Sequence[str], handler: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {str(name): handler for name in names}


HANDLERS: dict[str, Callable[..., Any]] = {
    **_names("conv1d", "conv2d", handler=_conv),
    "linear": _linear,
    "matmul": _matmul,
    "batch_norm": _batch_norm,
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    **_names("clamp", "clip", "clamp_min", handler=_clamp),
    "clamp_max": _clamp_max,
    "leaky_relu": _leaky_relu,
    "rrelu": _rrelu,
    "prelu": _prelu,
    "elu": _elu,
    "celu": _celu,
    "selu": _activate(activations.selu()),
    "gelu": _gelu,
    "softplus": _softplus,
    "sigmoid": _activate(activations.SIGMOID),
    "tanh": _activate(activations.TANH),
    "erf": _activate(activations.activation("erf")),
    **_names("silu", "swish", handler=_activate(activations.SILU)),
    "mish": _activate(activations.MISH),
    "softsign": _activate(activations.activation("softsign")),
    "hardsigmoid": _activate(activations.hard_sigmoid()),
    "hardswish": _activate(activations.HARD_SWISH),
    **_names("max_pool1d", "max_pool2d", handler=_max_pool),
    **_names("avg_pool1d", "avg_pool2d", handler=_avg_pool),
    **_names("adaptive_avg_pool1d", "adaptive_avg_pool2d", handler=_adaptive_avg_pool),
    "mean": _mean,
    **_names("add", "iadd", "radd", handler=_add),
    **_names("sub", "isub", "subtract", handler=_subtract),
    "rsub": _reverse_subtract,
    **_names("mul", "imul", "rmul", "multiply", handler=_multiply),
    **_names("div", "truediv", "itruediv", "idiv", "divide", handler=_divide),
    "neg": _negative,
    **_names("cat", "concat", "concatenate", handler=_cat),
    **_names("flatten", "view", "reshape", "squeeze", "unsqueeze", "unflatten", handler=_reshape),
    **_names("expand", "expand_as", "broadcast_to", handler=_expand),
    "permute": _permute,
    **_names("channel_shuffle", "native_channel_shuffle", handler=_channel_shuffle),
    **_names("transpose", "swapaxes", handler=_transpose),
    **_names("chunk", "split", handler=_chunk),
    **_names("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout", handler=_dropout),
    "pad": _pad,
    "getitem": _getitem,
    "softmax": _answer(Answer.SOFTMAX),
    "log_softmax": _answer(Answer.LOG_SOFTMAX),
    "argmax": _answer(Answer.ARGMAX),
    "graph_operator": _graph_operator,
}
