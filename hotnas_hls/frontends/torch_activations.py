"""Torch's activations, functions of every value; see :mod:`.torch_operators`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.torch_arguments import constant_of, named
from hotnas_hls.network import activation as activations
from hotnas_hls.network.activation import Activation


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
    slopes = constant_of(weight, "slope").reshape(-1)
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


def _glu(draft: Draft, where: str, result: Tensor, input: Value, dim: int = -1) -> Value:
    return draft.glu(where, input, dim)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    **named("clamp", "clip", "clamp_min", handler=_clamp),
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
    **named("silu", "swish", handler=_activate(activations.SILU)),
    "mish": _activate(activations.MISH),
    "softsign": _activate(activations.activation("softsign")),
    "hardsigmoid": _activate(activations.hard_sigmoid()),
    "hardswish": _activate(activations.HARD_SWISH),
    "abs": _activate(activations.ABS),
    **named("logsigmoid", "log_sigmoid", handler=_activate(activations.LOG_SIGMOID)),
    "glu": _glu,
}
