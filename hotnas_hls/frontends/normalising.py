"""Norms by statistics of the image itself: sums, products and a function of each value.

Variance is the mean of squares of what is left without the mean; its inverse root is an activation. Means
over channels are convolutions of one pixel, means over pixels those of pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from hotnas_hls.frontends.elementwise import function_of
from hotnas_hls.frontends.enlarging import Enlarging
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network.activation import Step, activation

EUCLIDEAN = (2, "fro", None)  # orders of a norm that are the root of the sum of squares


class Normalising(Enlarging):
    """Norms over channels, over pixels, and over groups of channels."""

    def weighed(self, where: str, source: Value, weight: np.ndarray) -> Value:
        """Channels of every pixel of a map weighed and summed: ``weight`` is (out, in)."""
        ones, none = (1, 1), (0, 0, 0, 0)
        return self.conv(where, source, weight[:, :, None, None], None, ones, none, ones, 1)

    def power(self, where: str, source: Value, exponent: float, offset: float = 0.0) -> Value:
        """(x + offset) ** exponent of every value x from 0 on."""
        if exponent == 1 and offset == 0:
            return source
        self._check(source)
        if exponent == 2 and offset == 0:
            return self.multiply(where, source, source)
        added = self._added(source.name) if offset == 0 else None
        if added is not None:  # which keeps it from the power of 0
            source, offset = replace(source, name=self.nodes[source.name].inputs[0]), added
        function = activation("power", exponent, offset)
        for name, way in self._ways_to(source.name):
            with np.errstate(all="ignore"):
                if np.isfinite(way.then(function)(np.array([-4.0, 0.0, 4.0]))).all():
                    return self.activate(where, replace(source, name=name), way.then(function))
        raise Refused((f"it takes the power {exponent:g} of 0", "add a small number before"))

    def raised(self, where: str, base: Any, exponent: np.ndarray) -> Value:
        """:meth:`power` of a tensor by a constant, as operators give it."""
        if exponent.size != 1 or not isinstance(base, Value):
            raise Refused(("its exponent differs from value to value", "use one number"))
        return self.power(where, base, float(exponent.item()))

    def quotient(self, where: str, dividend: Value | np.ndarray, divisor: Value | np.ndarray) -> Value:
        """Tensors divided value by value; one of the two may be constants."""
        if isinstance(divisor, Value):
            inverse = self.power(where, divisor, -1.0)
            if isinstance(dividend, Value):
                return self.multiply(where, dividend, inverse)
            return self.affine(where, inverse, scale=dividend)
        assert isinstance(dividend, Value)
        constants = divisor.astype(np.float64)
        if not constants.all():
            raise Refused(("it divides by zero", "divide by other constants"))
        return self.affine(where, dividend, scale=1 / constants)

    def _added(self, name: str) -> float | None:
        """What a node adds to every value, where it does nothing else and that is not below 0."""
        function = function_of(self.nodes[name])
        step = function.steps[0] if function is not None and len(function.steps) == 1 else None
        if not isinstance(step, Step) or step.name != "affine":
            return None
        scale, offset = step.parameters
        return offset if scale == 1 and offset >= 0 else None

    def total(self, where: str, source: Value, axes: Sequence[int], keep: bool) -> Value:
        """The sum over channels, or over what a mean can be taken of."""
        gone = [self.axis(source, axis) for axis in axes]
        if len(source.dims) < 3 or gone != [1]:
            mean = self.mean(f"{where}.mean", source, axes, keep)
            return self.affine(where, mean, scale=float(prod(source.dims[axis - 1] for axis in gone)))
        count, *others, rows, columns = source.dims
        flat = source.reshaped((count * prod(others), rows, columns), where)
        found = self.weighed(where, flat, np.tile(np.eye(prod(others)), (1, count)))
        return found.reshaped(([1] if keep else []) + [*others, rows, columns], where)

    def layer_norm(
        self,
        where: str,
        source: Value,
        sizes: Sequence[int],
        weight: np.ndarray | None,
        bias: np.ndarray | None,
        epsilon: float,
    ) -> Value:
        """Over the last axes, of ``sizes``: those of all channels of a pixel, or of the whole tensor."""
        sizes = tuple(int(size) for size in sizes)
        if source.dims[len(source.dims) - len(sizes) :] != sizes:
            raise Refused((f"it normalises {times(sizes)} of {times(source.dims)}", "normalise whole axes"))
        if len(sizes) == len(source.dims) > 1 and prod(sizes[1:]) > 1:
            found = self._by_groups(where, source, 1, epsilon)
        elif len(sizes) > 1 and prod(sizes[1:]) > 1:
            raise Refused((f"it normalises {len(sizes)} axes", "normalise the channels, or the whole map"))
        else:
            found = self._by_pixels(where, source, len(source.dims) - len(sizes), epsilon)
        for constant, role in ((weight, "scale"), (bias, "offset")):
            if constant is not None:
                found = self.affine(where, found, **{role: np.broadcast_to(constant, source.dims)})
        return found

    def length(self, where: str, source: Value, axes: Sequence[int], keep: bool, order: Any = 2) -> Value:
        """The root of the sum of squares over axes, as of :meth:`total`."""
        _require_euclidean(order)
        squares = self.multiply(f"{where}.squares", source, source)
        return self.power(where, self.total(f"{where}.sum", squares, axes, keep), 0.5)

    def unit_length(self, where: str, source: Value, axis: int, epsilon: float, order: Any = 2) -> Value:
        """Each vector along ``axis``, the first, by its length; ``epsilon`` keeps that from 0."""
        _require_euclidean(order)
        if self.axis(source, axis) != 1:
            raise Refused((f"it scales vectors along axis {axis}", "take the channels: axis 1"))
        count, *sides = source.dims
        pixels = source.reshaped((count, *(1, 1, *sides)[-max(2, len(sides)) :]), where)
        squares = self.multiply(f"{where}.squares", pixels, pixels)
        lengths = self.weighed(f"{where}.sums", squares, np.ones((count, count)))
        scale = self.power(f"{where}.scale", lengths, -0.5, epsilon**2)
        return self.multiply(where, pixels, scale).reshaped(source.dims, where)

    def group_norm(
        self,
        where: str,
        source: Value,
        groups: int,
        weight: np.ndarray | None,
        bias: np.ndarray | None,
        epsilon: float,
    ) -> Value:
        """Over all pixels of each of so many groups of channels."""
        channels, *sides = source.dims
        if groups < 1 or channels % groups:
            raise Refused((f"{groups} groups of {channels} channels", "use groups of equal size"))
        found = self._by_groups(where, source, groups, epsilon)
        for constant, role in ((weight, "scale"), (bias, "offset")):
            if constant is not None:
                found = self.affine(where, found, **{role: constant.reshape(-1, *[1] * len(sides))})
        return found

    def variance(self, where: str, source: Value, axes: Sequence[int], keep: bool, lost: int) -> Value:
        """Over the channels of every pixel, or the pixels of every channel; ``lost``: degrees of freedom."""
        if sorted(self.axis(source, axis) for axis in axes) == [2, 3] and lost < prod(source.dims[1:]):
            centred = self.add(where, source, self.affine(where, self.mean(where, source, axes, True), -1.0))
            squares = self.mean(where, self.multiply(where, centred, centred), axes, keep)
            pixels = prod(source.dims[1:])
            return self.affine(where, squares, pixels / (pixels - lost)) if lost else squares
        gone = [self.axis(source, axis) - 1 for axis in axes]
        if len(gone) != 1 or not 0 <= lost < source.dims[gone[0]]:
            raise Refused((f"variance over axes {[axis + 1 for axis in gone]}", "take it over the channels"))
        channels, order = source.dims[gone[0]], self._channels_first(source, gone[0])
        centred = self._centred(where, order)
        squares = self.multiply(where, centred, centred)
        found = self.weighed(where, squares, np.full((1, channels), 1 / (channels - lost)))
        dims = [1 if at == gone[0] else size for at, size in enumerate(source.dims) if keep or at != gone[0]]
        return found.reshaped(dims, where)

    # --- how ----------------------------------------------------------------------------------------------

    def _centred(self, where: str, source: Value) -> Value:
        channels = source.dims[0]
        return self.weighed(where, source, np.eye(channels) - 1 / channels)

    def _by_pixels(self, where: str, source: Value, axis: int, epsilon: float) -> Value:
        """Over the channels, along ``axis``, of every pixel."""
        source = source.reshaped(source.dims[: axis + 1])  # axes of one value behind it
        channels = source.dims[axis]
        centred = self._centred(where, self._channels_first(source, axis))
        squares = self.multiply(where, centred, centred)
        variance = self.weighed(where, squares, np.full((channels, channels), 1 / channels))
        found = self.multiply(where, centred, self.power(where, variance, -0.5, epsilon))
        others = [size for at, size in enumerate(source.dims) if at != axis]
        back = [*range(1, axis + 1), 0, *range(axis + 1, len(source.dims))]
        return found.reshaped((channels, *others)).permuted(back, where)

    def _by_groups(self, where: str, source: Value, groups: int, epsilon: float) -> Value:
        """Over all pixels of groups of channels."""
        dims = source.dims
        source = source.reshaped((dims[0], *([1, 1, *dims[1:]][-2:])))
        each = dims[0] // groups
        averaged = np.kron(np.eye(groups), np.full((each, each), 1 / each))
        means = self.mean(where, source, (2, 3), True)
        centred = self.add(where, source, self.weighed(where, means, -averaged))
        squares = self.mean(where, self.multiply(where, centred, centred), (2, 3), True)
        scale = self.power(where, self.weighed(where, squares, averaged), -0.5, epsilon)
        return self.multiply(where, centred, scale).reshaped(dims, where)

    def local_response_norm(
        self, where: str, source: Value, reach: tuple[int, int], alpha: float, beta: float, bias: float
    ) -> Value:
        """x / (bias + alpha * mean of squares of the channels around) ** beta, zeros beside the last.

        reach: channels before and behind.
        """
        channels = np.arange(source.dims[0])
        apart = channels[None, :] - channels[:, None]
        near = (apart >= -reach[0]) & (apart <= reach[1])
        squares = self.multiply(where, source, source)
        sums = self.weighed(where, squares, near * (alpha / (sum(reach) + 1)))
        return self.multiply(where, source, self.power(where, sums, -beta, bias))


def _require_euclidean(order: Any) -> None:
    """Refused for a norm of another order."""
    if order not in EUCLIDEAN:
        told = f"{order:g}" if isinstance(order, int | float) else order
        raise Refused((f"it takes the norm of order {told}", "take that of order 2"))
