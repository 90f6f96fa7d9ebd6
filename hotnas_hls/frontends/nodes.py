"""Nodes of a graph in the making, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

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
        while name in self.nodes or name in self.left:
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

    def _check(self, source: Value) -> None:
        """Refused for what the accelerator does not hold."""
        if source.answer is not None:
            raise Refused(
                (
                    f"it reads the {source.answer} of a map, which the host computes",
                    f"use {source.answer} at the end of the network only",
                )
            )
        if source.name not in self.nodes:
            raise Refused(
                (
                    "it reads the image as it is before the host prepares it",
                    "read the prepared image everywhere, or prepare it outside of the network",
                )
            )
