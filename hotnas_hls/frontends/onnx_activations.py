"""ONNX's activations, functions of every value; see :mod:`.onnx_operators`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hotnas_hls.frontends.onnx_arguments import Reader, constant_of
from hotnas_hls.frontends.tensor import Value, value_of
from hotnas_hls.network import activation as activations
from hotnas_hls.network.activation import Activation

WIDEST = float(np.finfo(np.float32).max)  # as a bound: none


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
    low = min if low is None else constant_of(low, "lower bound").item()
    high = max if high is None else constant_of(high, "upper bound").item()
    low = None if low is not None and low <= -WIDEST else low
    high = None if high is not None and high >= WIDEST else high
    return reader.draft.clip(where, value_of(source, "input"), low, high)


def _activate(function: Activation) -> Callable[..., Value]:
    def handler(reader: Reader, where: str, source: Value) -> Value:
        return reader.draft.activate(where, source, function)

    return handler


def _leaky_relu(reader: Reader, where: str, source: Value, *, alpha: float = 0.01) -> Value:
    return reader.draft.activate(where, source, activations.activation("leaky_relu", alpha))


def _prelu(reader: Reader, where: str, source: Any, slope: Any) -> Value:
    return reader.draft.prelu(where, value_of(source, "input"), constant_of(slope, "slope"))


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


ACTIVATIONS: dict[str, Callable[..., Any]] = {
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
    "Abs": _activate(activations.ABS),
}
