"""What flows between operators: the map that a node makes, seen as a tensor of any shape.

Reshapes, transpositions, slices, channel shuffles and zeros around a map compute nothing: they say which
element of the map stands where. A value carries that as element numbers, and what reads it folds them in: a
convolution into its padding and the order of its weights, a linear layer into its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.network.graph import Shape

OUTSIDE = -1  # an element number of no element: a zero


@dataclass(frozen=True, eq=False)
class Axes:
    """A tensor as channels, rows and columns of its map: the number of each, or OUTSIDE; all int64."""

    channels: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Answered:
    """What the host makes of a tensor over an axis of its ``dims``."""

    answer: Answer
    of: Value
    axis: int


@dataclass(frozen=True, eq=False)
class Value:
    """The map of node ``name``, seen as a tensor of ``dims`` behind the axis of the images.

    Or several maps side by side, as ``Nodes.joins`` has them: element numbers then count through all of them.
    """

    name: str
    shape: Shape  # of the node's map; of several, as many channels of one pixel as they have elements
    dims: tuple[int, ...]
    order: np.ndarray | None = None  # int64 of shape dims: element numbers; None: all of them, in order
    step: str = ""  # the operator that rearranged it last, after which a node it needs is called
    answer: Answered | None = None  # what the host makes: the end of the network

    @property
    def rank(self) -> int:
        """Axes of the tensor, with that of the images."""
        return len(self.dims) + 1

    @property
    def numbers(self) -> np.ndarray:
        """The places of the tensor, counted in order, in its shape."""
        return np.arange(prod(self.dims)).reshape(self.dims)

    @property
    def elements(self) -> np.ndarray:
        """The element of the map at each place of the tensor."""
        return self.numbers if self.order is None else self.order

    @property
    def is_plain(self) -> bool:
        """True where the tensor is the map as it is."""
        return self.order is None and self.dims == self.shape

    def seen(self, elements: np.ndarray, step: str) -> Value:
        """The same map in another arrangement."""
        whole = np.arange(prod(self.shape))
        in_order = elements.size == whole.size and bool((elements.reshape(-1) == whole).all())
        return replace(self, dims=elements.shape, order=None if in_order else elements, step=step)

    def reshaped(self, dims: Sequence[int], step: str = "") -> Value:
        """Its elements in the same order under other dimensions, of as many elements."""
        dims = tuple(int(size) for size in dims)
        if self.order is None:
            return self if dims == self.dims else replace(self, dims=dims, step=step or self.step)
        return replace(self, dims=dims, order=self.order.reshape(dims), step=step or self.step)

    def in_rows(self, step: str = "") -> Value:
        """A tensor of channels and columns as one of a single row; any other as it is."""
        return self.reshaped((self.dims[0], 1, self.dims[1]), step) if len(self.dims) == 2 else self

    def permuted(self, axes: Sequence[int], step: str) -> Value:
        """Its axes in another order, numbered without that of the images."""
        return self.seen(self.elements.transpose(tuple(axes)), step)

    def taken(self, index: Any, step: str) -> Value:
        """What numpy's ``tensor[index]`` holds, without the axis of the images."""
        return self.seen(self.elements[index], step)

    def picked(self, places: np.ndarray, step: str) -> Value:
        """The elements of these numbers, counted in order, in the shape of ``places``."""
        return self.seen(self.elements.reshape(-1)[places], step)

    def padded(self, before: Sequence[int], after: Sequence[int], step: str) -> Value:
        """With zeros before and after on every axis; a negative number cuts."""
        cut = tuple(
            slice(max(0, -b), size - max(0, -a)) for b, a, size in zip(before, after, self.dims, strict=True)
        )
        around = [(max(0, b), max(0, a)) for b, a in zip(before, after, strict=True)]
        return self.seen(np.pad(self.elements[cut], around, constant_values=OUTSIDE), step)

    def map_of(self, tensors: np.ndarray) -> np.ndarray | None:
        """The maps (B, *shape) that are seen as ``tensors`` (B, *dims); None where those lack a part."""
        if self.answer is not None:
            return None
        if self.order is None:
            return tensors.reshape(len(tensors), *self.shape)
        size, order = prod(self.shape), self.order.reshape(-1)
        inside, known = order >= 0, np.zeros(size, dtype=bool)
        known[order[inside]] = True
        if not known.all():
            return None
        maps = np.empty((len(tensors), size), dtype=tensors.dtype)
        maps[:, order[inside]] = tensors.reshape(len(tensors), -1)[:, inside]
        return maps.reshape(len(tensors), *self.shape)

    def axes(self) -> Axes | None:
        """A tensor of three dimensions as channels, rows, columns of its map; None where it is not that."""
        _, rows, columns = self.shape
        if len(self.dims) != 3:
            return None
        if self.is_plain:
            return Axes(*(np.arange(size) for size in self.shape))
        elements = self.elements
        inside = elements >= 0
        parts = (elements // (rows * columns), elements // columns % rows, elements % columns)
        numbers = [
            np.where(inside, part, OUTSIDE).max(axis=tuple({0, 1, 2} - {axis}))
            for axis, part in enumerate(parts)
        ]
        channel, row, column = np.ix_(*numbers)
        expected = (channel * rows + row) * columns + column
        expected = np.where((channel < 0) | (row < 0) | (column < 0), OUTSIDE, expected)
        return Axes(*numbers) if bool((expected == elements).all()) else None


def value_of(item: Any, role: str) -> Value:
    """An argument that must be computed; Refused where it is a constant."""
    if not isinstance(item, Value):
        raise Refused((f"its {role} is a constant", "use it on computed maps"))
    return item
