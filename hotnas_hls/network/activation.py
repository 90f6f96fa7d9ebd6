"""Activations: functions that a network applies to every value of a map."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

SELU_ALPHA, SELU_GAMMA = 1.6732632423543772, 1.0507009873554805  # by which it keeps mean and variance
Array = np.ndarray


@dataclass(frozen=True)
class Step:
    """A function of FUNCTIONS and its parameters."""

    name: str
    parameters: tuple[float, ...] = ()

    def __str__(self) -> str:
        numbers = ", ".join(f"{number:g}" for number in self.parameters)
        return f"{self.name}({numbers})" if numbers else self.name


@dataclass(frozen=True)
class Activation:
    """Steps in turn; an activation among them multiplies what they made so far by its own value."""

    steps: tuple[Step | Activation, ...] = ()

    def __call__(self, x: Array) -> Array:
        """Its values, of the shape and type of ``x``."""
        values: Array = self.computed(x, FUNCTIONS, x.dtype.type)
        return values

    def computed(
        self, x: Any, functions: Mapping[str, Callable[..., Any]], number: Callable[[float], Any]
    ) -> Any:
        """Its values for a tensor of any library: of ``functions`` by name, with parameters as ``number``."""
        value = x
        for step in self.steps:
            if isinstance(step, Activation):
                value = value * step.computed(x, functions, number)
            else:
                value = functions[step.name](value, *map(number, step.parameters))
        return value

    def __str__(self) -> str:
        told = [f"times its {step}" if isinstance(step, Activation) else str(step) for step in self.steps]
        return ", then ".join(told)

    @property
    def multiplies(self) -> bool:
        """True where a step reads the value that all of them began with."""
        return any(isinstance(step, Activation) for step in self.steps)

    def then(self, other: Activation) -> Activation:
        """``other`` of what this makes; ``other`` must not multiply."""
        return Activation(self.steps + other.steps)

    def times(self, other: Activation) -> Activation:
        """The product of both."""
        return Activation((*self.steps, other))


@numba.vectorize(cache=True)
def _erf(x: float) -> float:
    return math.erf(x)


def _elu(x: Array, scale: float) -> Array:
    return np.where(x > 0, x, scale * np.expm1(np.minimum(x, 0)))


def _gelu_by_tanh(x: Array) -> Array:
    scale, cube = (x.dtype.type(number) for number in (math.sqrt(2 / math.pi), 0.044715))
    return x * (1 + np.tanh(scale * (x + cube * x * x * x))) / 2


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "affine": lambda x, scale, offset: x * scale + offset,
    "clip": lambda x, low, high: np.clip(x, low, high),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, x * slope),
    "elu": _elu,
    "sigmoid": lambda x: (1 + np.tanh(x / 2)) / 2,
    "tanh": np.tanh,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "erf": _erf,
    "gelu_by_tanh": _gelu_by_tanh,
    "power": lambda x, exponent, offset: (np.maximum(x, 0) + offset) ** exponent,
}


def activation(name: str, *parameters: float) -> Activation:
    """One step."""
    return Activation((Step(name, tuple(float(number) for number in parameters)),))


IDENTITY = Activation()
SIGMOID = activation("sigmoid")
TANH = activation("tanh")
SILU = IDENTITY.times(SIGMOID)
MISH = IDENTITY.times(activation("softplus").then(TANH))
GELU_BY_TANH = activation("gelu_by_tanh")
ABS = activation("leaky_relu", -1)


def affine(scale: float, offset: float = 0.0) -> Activation:
    """x * scale + offset."""
    return activation("affine", scale, offset)


def hard_sigmoid(slope: float = 1 / 6, offset: float = 0.5) -> Activation:
    """x * slope + offset between 0 and 1."""
    return affine(slope, offset).then(activation("clip", 0, 1))


HARD_SWISH = IDENTITY.times(hard_sigmoid())
LOG_SIGMOID = affine(-1).then(activation("softplus")).then(affine(-1))
GELU = IDENTITY.times(affine(math.sqrt(0.5)).then(activation("erf")).then(affine(0.5, 0.5)))


def celu(alpha: float) -> Activation:
    """x above 0, alpha * (exp(x / alpha) - 1) below."""
    return affine(_inverse(alpha)).then(activation("elu", 1)).then(affine(alpha))


def selu(alpha: float = SELU_ALPHA, gamma: float = SELU_GAMMA) -> Activation:
    """gamma * x above 0, gamma * alpha * (exp(x) - 1) below."""
    return activation("elu", alpha).then(affine(gamma))


def softplus(beta: float = 1.0) -> Activation:
    """log(1 + exp(beta * x)) / beta."""
    return affine(beta).then(activation("softplus")).then(affine(_inverse(beta)))


def _inverse(number: float) -> float:
    return 1 / number if number else math.inf
