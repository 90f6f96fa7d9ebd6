"""Nodes of a graph in the making, and what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from math import prod
from typing import Any

import numpy as np

from hotnas_hls.accel.layer import LARGEST_SIDE
from hotnas_hls.frontends.constants import not_finite
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network.graph import Node, OpKind, Shape

PLACED = ("name", "kind", "inputs", "shape", "parameters")  # of a node, decided where it is put
MOST_VALUES = 1 << 28  # of a map: a gigabyte of float32
IMAGES_FIRST = "keep the first axis for the images"


def details_of(node: Node) -> dict[str, Any]:
    """What an operator does, without its place and its numbers."""
    given = {field.name: getattr(node, field.name) for field in fields(node)}
    return {name: value for name, value in given.items() if name not in PLACED}


class Nodes:
    """Nodes collected so far, and every refusal."""

    def __init__(self, name: str, batch: int) -> None:
        """batch: images of the run that is read."""
        self.name = name
        self.batch = batch
        self.nodes: dict[str, Node] = {}
        self.joins: dict[str, tuple[Value, ...]] = {}  # maps side by side, which no node has to hold
        self.blocked: dict[tuple[Any, ...], Value] = {}  # blocks of a map's pixels as channels, by which
        self.left: set[str] = set()  # names of steps that the host takes
        self.violations: list[str] = []

    def refuse(self, where: str, operator: str, refused: Refused) -> None:
        """Note everything wrong with one operator."""
        place = where if where.split(".")[-1] == operator else f"{where}: {operator}"
        self.violations += [f"{place}: {reason}; {cure}" for reason, cure in refused.problems]

    def axis(self, source: Value, axis: int) -> int:
        """An axis counted from the front, which is not that of the images."""
        counted = axis + source.rank if axis < 0 else axis
        if not 0 < counted < source.rank:
            raise Refused((f"it works along axis {axis} of {source.rank}", IMAGES_FIRST))
        return counted

    def _unique(self, wanted: str) -> str:
        name, count = wanted, 0
        while name in self.nodes or name in self.joins or name in self.left:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _add(self, where: str, kind: OpKind, sources: Sequence[Value], shape: Shape, **details: Any) -> Value:
        """A node that reads the maps of ``sources`` as they are."""
        for source in sources:
            self._check(source)
        if min(shape) < 1:
            raise Refused((f"its output would be {times(shape)}", "use a larger input or less stride"))
        if max(shape) > LARGEST_SIDE or prod(shape) > MOST_VALUES:
            raise Refused(
                (
                    f"its output would be {times(shape)}",
                    f"use at most {LARGEST_SIDE:,} a side and {MOST_VALUES:,} values",
                )
            )
        problems = not_finite(details.get("parameters", {}))
        if problems:
            raise Refused(*problems)
        name = self._unique(where)
        self.nodes[name] = Node(name, kind, tuple(source.name for source in sources), shape, **details)
        return Value(name, shape, shape)

    def _join(self, where: str, sources: Sequence[Value], axis: int) -> Value:
        """Tensors beside each other along ``axis`` of their dims, their maps side by side."""
        parts: dict[str, tuple[int, Value]] = {}  # by name: its first element, and itself
        total, elements = 0, []
        for source in sources:
            self._check(source, joins=True)
            own, counted = self.parts(source), 0
            shifts, ends = [], []
            for part in own:
                if part.name not in parts:
                    parts[part.name] = total, part
                    total += prod(part.shape)
                shifts.append(parts[part.name][0] - counted)
                counted += prod(part.shape)
                ends.append(counted)
            numbers = source.elements
            moved = numbers + np.array(shifts)[np.searchsorted(ends, numbers, side="right")]
            elements.append(np.where(numbers < 0, numbers, moved))
        if total > MOST_VALUES:
            raise Refused((f"it joins {total:,} values", f"use at most {MOST_VALUES:,}"))
        joined = np.concatenate(elements, axis=axis)
        if len(parts) == 1:
            return source.seen(joined, where)
        name = self._unique(where)
        self.joins[name] = tuple(part for _, part in parts.values())
        return Value(name, (total, 1, 1), (total,)).seen(joined, where)

    def parts(self, value: Value) -> tuple[Value, ...]:
        """The maps that a tensor is seen from, plain."""
        return self.joins.get(value.name) or (replace(value, dims=value.shape, order=None),)

    def told(self, tensors: Iterable[tuple[Value, Callable[[], np.ndarray]]]) -> dict[str, np.ndarray]:
        """The maps (B, *shape) of nodes, by name, that values hold whose tensors (B, *dims) a run gave."""
        found: dict[str, np.ndarray] = {}
        for value, tensor in tensors:
            parts = [part for part in self.parts(value) if part.name in self.nodes]
            if all(part.name in found for part in parts):
                continue
            whole = value.map_of(tensor())
            if whole is not None:
                ends = np.cumsum([prod(part.shape) for part in parts])[:-1]
                for part, values in zip(parts, np.split(whole.reshape(len(whole), -1), ends, 1), strict=True):
                    found.setdefault(part.name, values.reshape(-1, *part.shape))
        return found

    def _check(self, source: Value, joins: bool = False) -> None:
        """Refused for what the accelerator does not hold; ``joins``: but maps side by side may be read."""
        if source.answer is not None:
            answer = source.answer.answer
            raise Refused(
                (
                    f"it reads the {answer} of a map, which the host computes",
                    f"use {answer} at the end of the network only",
                )
            )
        if source.name in self.joins and not joins:
            raise Refused(
                (
                    f"it reads what {source.name} joins of several maps, which the host puts together",
                    "join maps along channels, or use it at the end or before a linear layer only",
                )
            )
        if source.name not in self.nodes and source.name not in self.joins:
            raise Refused(
                (
                    "it reads the image as it is before the host prepares it",
                    "read the prepared image everywhere, or prepare it outside of the network",
                )
            )
