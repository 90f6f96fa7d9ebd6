"""What the host does before and behind the network: it prepares the image and takes the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import networkx as nx
import numpy as np

from hotnas_hls.accel.host_work import SOLE, Answer, HostWork, Output, Preparation
from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.frontends.constants import parameters_of
from hotnas_hls.frontends.nodes import IMAGES_FIRST
from hotnas_hls.frontends.reading import MapReader
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network.activation import SIGMOID
from hotnas_hls.network.graph import Graph, OpKind, Shape


class HostSteps(MapReader):
    """From the image that the host prepares to the answer that it takes."""

    def __init__(self, name: str, batch: int) -> None:
        """batch: images of the run that is read."""
        super().__init__(name, batch)
        self._image = Value("", (1, 1, 1), (1, 1, 1))  # as the host prepares it so far
        self._raw: Shape = (1, 1, 1)
        self._axes: tuple[int, ...] = (0, 1, 2)  # of the raw image, as channels, rows and columns
        self._scale, self._offset = np.ones((1, 1, 1)), np.zeros((1, 1, 1))

    def input(self, dims: Sequence[int], name: str = "input") -> Value:
        """The image: (channels, rows, columns), one row as (channels, columns), a vector as (features,)."""
        shape = _map_shape(dims)
        self._image = replace(self._add(name, OpKind.INPUT, (), shape), dims=tuple(dims))
        self._raw = shape
        return self._image

    def stand_in(self, dims: Sequence[int]) -> Value:
        """What a reader goes on with behind a refused operator: a value of these dimensions."""
        return Value(
            self._image.name, _map_shape(dims or (1,)) if len(dims) < 4 else (prod(dims), 1, 1), tuple(dims)
        )

    def permute(self, where: str, source: Value, axes: Sequence[int]) -> Value:
        """Axes in another order; of the untouched image the host does it."""
        if len(axes) != source.rank or axes[0] % source.rank != 0:
            raise Refused((f"it orders the axes {times(axes)}, mixing images", IMAGES_FIRST))
        order = [axis % source.rank - 1 for axis in axes[1:]]
        if order == list(range(len(order))):
            return source
        if len(order) == 3 and self._is_untouched(source) and source.is_plain:
            self._axes = tuple(self._axes[axis] for axis in order)
            self._scale, self._offset = self._scale.transpose(order), self._offset.transpose(order)
            shape = tuple(source.shape[axis] for axis in order)
            return self._prepare(where, shape=shape, dims=shape)
        return source.permuted(order, where)

    def answer(self, where: str, source: Value, answer: Answer, axis: int, dims: Sequence[int]) -> Value:
        """Softmax and the like over ``axis``, which the host computes behind the network, as ``dims``."""
        once = answer is Answer.ARGMAX and source.answer in (Answer.SOFTMAX, Answer.LOG_SOFTMAX)
        value = replace(source, answer=None) if once else source
        self._check(value)
        axis = self.axis(value, axis) - 1
        classes = value.dims[axis]
        vector = value.shape[1:] == (1, 1) and prod(value.dims) == value.dims[axis]
        over_channels = value.is_plain and axis == 0
        if not (vector or over_channels) or classes != value.shape[0]:
            if answer is Answer.SOFTMAX and classes == 2 and value.shape[1:] == (1, 1):
                return self._softmax_of_two(where, value, axis).reshaped(dims)
            raise Refused(
                (
                    f"it is the {answer} over axis {axis + 1} of {times(value.dims)}",
                    "take it over the channels",
                )
            )
        if vector:
            value = self._whole(where, value.reshaped((classes,)))
        return Value(value.name, value.shape, tuple(dims), None, where, answer)

    def _softmax_of_two(self, where: str, source: Value, axis: int) -> Value:
        """Softmax over an axis of two values of a vector: the sigmoid of their difference."""
        size = prod(source.shape)
        other = np.flip(source.elements, axis=axis).reshape(-1)
        weight = np.zeros((other.size, size))
        weight[np.arange(other.size), source.elements.reshape(-1)] += 1
        weight[np.arange(other.size), other] -= 1
        shape = (other.size, 1, 1)
        plain, parameters = self._plain_of(source), parameters_of(weight=weight)
        apart = self._add(where, OpKind.LINEAR, [plain], shape, parameters=parameters)
        found = self._add(where, OpKind.ACTIVATION, [apart], shape, activation=SIGMOID)
        return found.reshaped(source.dims, where)

    def finish(self, outputs: Mapping[str, Value]) -> Graph:
        """The graph of everything the outputs depend on; UnsupportedNetwork listing all refusals, if any.

        outputs: by their names; the only one is called "logits" whatever its name.
        """
        found = [] if self.violations else [self._finished(*named, outputs) for named in outputs.items()]
        raise_all(
            UnsupportedNetwork, f"{self.name}: the accelerator cannot run this network", self.violations
        )
        edges = nx.DiGraph((source, node.name) for node in self.nodes.values() for source in node.inputs)
        read = {output.map for output in found if output is not None}
        needed = read.union(*(nx.ancestors(edges, name) for name in read))
        nodes = [node for node in self.nodes.values() if node.name in needed]
        return Graph(self.name, nodes, HostWork(self._preparation(), tuple(filter(None, found))))

    def _finished(self, name: str, output: Value, outputs: Mapping[str, Value]) -> Output | None:
        """What the host reads for an output; None, and a violation, where that cannot be."""
        place = "output" if len(outputs) == 1 else f"output {name}"
        if self._is_the_input(output):
            self.violations.append(f"{place}: it is the input itself; there is nothing to accelerate")
            return None
        try:
            output = self._output(self._before_sigmoid(output))
        except Refused as refused:
            self.refuse(place, output.step or "output", _reordered(output) or refused)
            return None
        answer = None if output.answer is None else Answer(output.answer)
        return Output(output.name, SOLE if len(outputs) == 1 else name, answer)

    def _is_the_input(self, output: Value) -> bool:
        return self.nodes[output.name].kind is OpKind.INPUT and output.order is None and len(output.dims) > 1

    def _before_sigmoid(self, output: Value) -> Value:
        """The output without a sigmoid at its end, which the host takes; the largest value is the largest."""
        node = self.nodes[output.name]
        whole = output.order is None or bool((output.elements >= 0).all())
        last = node.activation == SIGMOID and whole and output.answer in (None, Answer.ARGMAX)
        if not last or self.nodes[node.inputs[0]].kind is OpKind.INPUT:
            return output
        return replace(output, name=node.inputs[0], answer=output.answer or Answer.SIGMOID)

    def _output(self, output: Value) -> Value:
        """The result as a node of its own shape, channels and pixels in order."""
        value = replace(output, answer=None)
        if value.order is not None or len(value.dims) == 1:
            value = self._whole(value.step or "output", value)
        return replace(value, answer=output.answer)

    def _prepare(self, where: str, **changed: Any) -> Value:
        """The image after one more step of the host; the image before it is known no more."""
        (node,) = self.nodes.values()
        self.left.add(node.name)
        name = self._unique(where)
        self._image = replace(self._image, name=name, **changed)
        self.nodes = {name: replace(node, name=name, shape=self._image.shape)}
        return self._image

    def _is_untouched(self, value: Value) -> bool:
        """True for the image while nothing on the accelerator reads it."""
        return len(self.nodes) == 1 and value is self._image

    def _preparation(self) -> Preparation | None:
        channels = self._image.shape[0]
        if self._axes == (0, 1, 2) and (self._scale == 1).all() and (self._offset == 0).all():
            return None
        scale, offset = (
            tuple(np.broadcast_to(values, (channels, 1, 1)).reshape(-1).tolist())
            for values in (self._scale, self._offset)
        )
        first, second, third = self._axes
        return Preparation(self._raw, (first, second, third), scale, offset)


def _reordered(output: Value) -> Refused | None:
    """What there is to say of a whole map in another order; None for anything else."""
    if not np.array_equal(np.sort(output.elements, axis=None), np.arange(prod(output.shape))):
        return None
    kind = f"it is a map of {times(output.shape)} as {times(output.dims)}, in another order"
    return Refused((kind, "return the map itself, and reorder what the host reads of it"))


def _map_shape(dims: Sequence[int]) -> Shape:
    """(channels, rows, columns) of a tensor without the images' axis."""
    channels, *sides = dims
    rows, columns = (1, 1, *sides)[-2:]
    return channels, rows, columns
