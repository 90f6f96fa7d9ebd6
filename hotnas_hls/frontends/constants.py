"""Constants of operators: whether they fit, and as the channels of a node's map have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import OUTSIDE, Value


def misfits(array: np.ndarray | None, channels: int, role: str) -> list[tuple[str, str]]:
    """A parameter that has not one value for every channel."""
    if array is None or array.shape == (channels,):
        return []
    shape = times(array.shape) or "a scalar"
    return [(f"its {role} is {shape}, there are {channels} channels", "give one value for every channel")]


def not_finite(parameters: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """Parameters that hold NaN or infinity."""
    return [
        (
            f"{array.size - np.count_nonzero(np.isfinite(array))} of {array.size} values of its {role} "
            f"are not finite, the first is [{', '.join(map(str, np.argwhere(~np.isfinite(array))[0]))}]",
            "load other weights, or train it again",
        )
        for role, array in parameters.items()
        if not np.isfinite(array).all()
    ]


def parameters_of(**arrays: np.ndarray | None) -> dict[str, np.ndarray]:
    return {
        role: np.array(array, dtype=np.float32, order="C")
        for role, array in arrays.items()
        if array is not None
    }


def onto(weight: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """``weight`` (out, in, ...) for an input of ``count`` channels, of which in's i-th is ``numbers[i]``."""
    if len(numbers) == count and np.array_equal(numbers, np.arange(count)):
        return weight
    found = np.zeros((len(weight), count, *weight.shape[2:]))
    inside = numbers != OUTSIDE
    np.add.at(found.swapaxes(0, 1), numbers[inside], weight[:, inside].swapaxes(0, 1))
    return found


def by_map_channel(values: Any, channels: np.ndarray) -> Any:
    """Values of each tensor channel as those of each channel of the map; None stays None."""
    return None if values is None else values[np.argsort(channels)]


def without_images(constant: np.ndarray, source: Value) -> np.ndarray:
    """A constant that is added to or multiplies a tensor, without the axis of the images."""
    if constant.ndim == source.rank and constant.shape[0] == 1:
        constant = constant[0]
    constant = constant.reshape(*[1] * (len(source.dims) - constant.ndim), *constant.shape)
    fits = constant.ndim == len(source.dims) and all(
        size in (1, own) for size, own in zip(constant.shape, source.dims, strict=True)
    )
    if not fits:
        raise Refused(
            (
                f"its constant is {times(constant.shape)}, the tensor {times(source.dims)}",
                "give one value for every channel",
            )
        )
    return constant


def by_one_axis(constant: np.ndarray) -> bool:
    """True for one value, or one for each index of one axis."""
    return sum(size > 1 for size in constant.shape) <= 1
