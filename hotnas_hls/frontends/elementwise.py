"""Functions of every value of a tensor: clips, activations, and products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, isfinite, isnan

import numpy as np

from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.weighted import Weighted
from hotnas_hls.network.activation import IDENTITY, SIGMOID, Activation, activation, affine
from hotnas_hls.network.graph import Grid, Node, OpKind
from hotnas_hls.network.grid import grid_of


class Elementwise(Weighted):
    """Operators that look at one value at a time."""

    def clip(self, where: str, source: Value, low: float | None, high: float | None) -> Value:
        """Values below ``low`` and above ``high`` become these; None: there is no bound. From 0 up: ReLU."""
        if low is None and high is None:
            return source
        bounds = (-inf if low is None else float(low), inf if high is None else float(high))
        if any(isnan(bound) for bound in bounds):
            raise Refused(("a bound is not a number", "give numbers as bounds"))
        if source.name in self.joins:
            return self._of_each(where, source, lambda part: self.clip(where, part, low, high))
        if not bounds[0] <= 0 <= bounds[1]:
            source = self._without_zeros(where, source)
        plain = self._plain_of(source)
        if bounds == (0, inf):
            return replace(source, name=self._add(where, OpKind.RELU, [plain], plain.shape).name)
        value = self._add(where, OpKind.CLIP, [plain], plain.shape, bounds=bounds)
        return replace(source, name=value.name)

    def rounded(self, where: str, source: Value, grid: Grid) -> Value:
        """Values clipped to a grid, which integers are rounded to; of an image the host rounds them.

        The value itself where its node lies on the grid already, and behind what the host computes.
        """
        if source.answer is not None:
            return source
        if source.name in self.joins:
            return self._of_each(where, source, lambda part: self.rounded(where, part, grid))
        self._check(source)
        node = self.nodes[source.name]
        if node.kind is OpKind.INPUT and node.grid is None:
            self.nodes[source.name] = replace(node, grid=grid)
            return replace(source)  # it is the image as the host prepares it no more
        before = grid_of(self.nodes, source.name)
        if before is not None and before.frac_bits == grid.frac_bits:
            if grid.low <= before.low and before.high <= grid.high:
                return source
        low, high = node.limits
        value = self.clip(where, source, grid.low, grid.high)
        grid = replace(grid, low=max(low, grid.low), high=min(high, grid.high))
        self.nodes[value.name] = replace(self.nodes[value.name], grid=grid)
        return value

    def activate(self, where: str, source: Value, function: Activation) -> Value:
        """``function`` of every value."""
        with np.errstate(all="ignore"):
            zero, *others = function(np.array([0.0, -4.0, -0.5, 0.5, 4.0])).tolist()
        if not all(isfinite(value) for value in (zero, *others)):
            raise Refused(("its values are not finite", "give finite parameters"))
        if source.name in self.joins:
            return self._of_each(where, source, lambda part: self.activate(where, part, function))
        if zero != 0:
            source = self._without_zeros(where, source)
        plain = self._plain_of(source)
        value = self._add(where, OpKind.ACTIVATION, [plain], plain.shape, activation=function)
        return replace(source, name=value.name)

    def _of_each(self, where: str, source: Value, function: Callable[[Value], Value]) -> Value:
        """Maps side by side, ``function`` of each: of every value, as long as no zeros lie between them."""
        self._check(source, joins=bool((source.elements >= 0).all()))
        parts = tuple(function(part) for part in self.joins[source.name])
        if all(made.name == part.name for made, part in zip(parts, self.joins[source.name], strict=True)):
            return source
        name = self._unique(where)
        self.joins[name] = parts
        return replace(source, name=name)

    def prelu(self, where: str, source: Value, slopes: np.ndarray) -> Value:
        """Values below 0 times the slope of their channel: x + (1 - slope) * max(-x, 0)."""
        if slopes.size == 1:
            return self.activate(where, source, activation("leaky_relu", slopes.item()))
        negative = self.clip(where, self.affine(where, source, scale=-1.0), 0, None)
        return self.add(where, source, self.affine(where, negative, scale=1.0 - slopes.astype(np.float64)))

    def multiply(self, where: str, one: Value, other: Value) -> Value:
        """Product of two tensors; an activation where both are functions of each value of the same map."""
        for source in (one, other):
            self._check(source)
        if one.dims == other.dims and self._alike(one, other):
            ways = dict(self._ways_to(one.name))
            for name, way in self._ways_to(other.name):
                if name in ways:
                    base = replace(one, name=name)
                    return self.activate(where, base, ways[name].times(way))
        return self._two_maps(where, OpKind.MULTIPLY, one, other)

    def glu(self, where: str, source: Value, axis: int) -> Value:
        """The first half along ``axis`` times the sigmoid of the second."""
        along = self.axis(source, axis) - 1
        half = source.dims[along] // 2
        before = [slice(None)] * along
        value, gate = (source.taken((*before, part), where) for part in (slice(half), slice(half, 2 * half)))
        return self.multiply(where, value, self.activate(f"{where}.gate", gate, SIGMOID))

    def extreme(self, where: str, one: Value, other: Value, largest: bool) -> Value:
        """The larger of two tensors, or the smaller, value by value: one + max(other - one, 0)."""
        signs = (other, one) if largest else (one, other)
        beyond = self.clip(f"{where}.beyond", self.subtract(f"{where}.beyond", *signs), 0, None)
        return (self.add if largest else self.subtract)(where, one, beyond)

    def _ways_to(self, name: str) -> Iterator[tuple[str, Activation]]:
        """Maps that a node is a function of, value by value, and that function; itself first."""
        way = IDENTITY
        yield name, way
        while (step := function_of(self.nodes[name])) is not None and not way.multiplies:
            name, way = self.nodes[name].inputs[0], step.then(way)
            yield name, way


def function_of(node: Node) -> Activation | None:
    """What a node makes of each value; None where that is not the same for all."""
    if node.kind is OpKind.RELU:
        return activation("clip", 0, inf)
    if node.kind is OpKind.CLIP:
        return None if node.grid else activation("clip", *node.bounds)
    if node.kind is OpKind.BATCHNORM and all(np.ptp(values) == 0 for values in node.parameters.values()):
        of = {role: float(values[0]) for role, values in node.parameters.items()}
        scale = of["weight"] / np.sqrt(of["var"] + node.epsilon)
        return affine(scale, of["bias"] - of["mean"] * scale)
    return node.activation
