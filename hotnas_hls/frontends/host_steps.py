"""What the host does before and behind the network: it prepares the image and takes the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import networkx as nx
import numpy as np

from hotnas_hls.accel.host_work import SOLE, Answer, HostWork, Output, Preparation, View
from hotnas_hls.accel.pieces import MOST_PIECES, pieces_of
from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.frontends.constants import parameters_of
from hotnas_hls.frontends.nodes import IMAGES_FIRST
from hotnas_hls.frontends.reading import MapReader
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.tensor import Answered, Value
from hotnas_hls.network.activation import SIGMOID
from hotnas_hls.network.graph import Graph, OpKind, Shape


@dataclass(frozen=True, eq=False)
class _Returned:
    """An output of the network: a tensor, and the answer over one of its axes."""

    name: str
    tensor: Value
    answer: Answer | None
    axis: int
    is_map: bool  # the map of a node as it is, the answer over its channels


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
        axis = self.axis(source, axis) - 1
        value = self._before_softmax(source, axis) if answer is Answer.ARGMAX else source
        self._check(value, joins=True)
        classes, of_pixel = value.dims[axis], value.shape[1:] == (1, 1) and value.name not in self.joins
        if of_pixel and prod(value.dims) == classes == value.shape[0]:
            value, axis = self._whole(where, value.reshaped((classes,))), 0
        elif answer is Answer.SOFTMAX and classes == 2 and of_pixel:
            return self._softmax_of_two(where, value, axis).reshaped(dims)
        return Value(value.name, value.shape, tuple(dims), None, where, Answered(answer, value, axis))

    @staticmethod
    def _before_softmax(value: Value, axis: int) -> Value:
        """The tensor without a softmax over the same axis: the largest value is the largest."""
        made = value.answer
        if made is None or made.answer not in (Answer.SOFTMAX, Answer.LOG_SOFTMAX) or value.order is not None:
            return value
        groups = [
            (prod(dims[:at]), dims[at]) for dims, at in ((value.dims, axis), (made.of.dims, made.axis))
        ]
        return made.of.reshaped(value.dims) if groups[0] == groups[1] else value

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
        found = [] if self.violations else [self._returned(*named, outputs) for named in outputs.items()]
        returned = [each for each in found if each is not None]
        maps = tuple(dict.fromkeys(part.name for each in returned for part in self.parts(each.tensor)))
        read = tuple(Output(each.tensor.name, each.name, each.answer) for each in returned)
        views: tuple[View, ...] = ()
        if not all(each.is_map for each in returned):
            read = HostWork.reading(*maps).outputs
            views = tuple(self._view(each, {output.map: output.name for output in read}) for each in returned)
        raise_all(
            UnsupportedNetwork, f"{self.name}: the accelerator cannot run this network", self.violations
        )
        host = HostWork(self._preparation(), read, views)
        edges = nx.DiGraph((source, node.name) for node in self.nodes.values() for source in node.inputs)
        needed = {*maps}.union(*(nx.ancestors(edges, name) for name in maps))
        nodes = [node for node in self.nodes.values() if node.name in needed]
        return Graph(self.name, nodes, host)

    def _returned(self, name: str, output: Value, outputs: Mapping[str, Value]) -> _Returned | None:
        """What the host makes an output of; None, and a violation, where that cannot be."""
        place = "output" if len(outputs) == 1 else f"output {name}"
        if self._is_the_input(output):
            self.violations.append(f"{place}: it is the input itself; there is nothing to accelerate")
            return None
        try:
            return self._tensor(SOLE if len(outputs) == 1 else name, self._before_sigmoid(output))
        except Refused as refused:
            self.refuse(place, output.step or "output", refused)
            return None

    def _is_the_input(self, output: Value) -> bool:
        is_input = output.name in self.nodes and self.nodes[output.name].kind is OpKind.INPUT
        return is_input and output.order is None and len(output.dims) > 1

    def _before_sigmoid(self, output: Value) -> Value:
        """The output without a sigmoid at its end, which the host takes; the largest value is the largest."""
        made = output.answer
        tensor = output if made is None else made.of
        self._check(tensor, joins=True)
        nodes = [self.nodes[part.name] for part in self.parts(tensor)]
        last = all(
            node.activation == SIGMOID and self.nodes[node.inputs[0]].kind is not OpKind.INPUT
            for node in nodes
        )
        zeros = tensor.order is not None and (tensor.order < 0).any()
        again = len({node.inputs[0] for node in nodes if node.inputs}) < len(nodes)
        if not last or zeros or again or (made is not None and made.answer is not Answer.ARGMAX):
            return output
        name = nodes[0].inputs[0]
        if tensor.name in self.joins:
            name = self._unique(tensor.name)
            self.joins[name] = tuple(Value(node.inputs[0], node.shape, node.shape) for node in nodes)
        tensor = replace(tensor, name=name)
        answered = Answered(Answer.SIGMOID, tensor, 0) if made is None else replace(made, of=tensor)
        return Value(name, tensor.shape, output.dims, None, output.step, answered)

    def _tensor(self, name: str, output: Value) -> _Returned:
        """An output as a node of its own shape, channels and pixels in order, where it can be one."""
        made, where = output.answer, output.step or "output"
        tensor, answer, axis = (output, None, 0) if made is None else (made.of, made.answer, made.axis)
        if made is not None and output.order is not None:
            raise Refused((f"it rearranges the {answer} of a map", f"rearrange before the {answer}"))
        over_channels = tensor.order is None and axis == 0 and tensor.dims[:1] == tensor.shape[:1]
        if (answer in (None, Answer.SIGMOID) or over_channels) and tensor.name not in self.joins:
            try:
                if answer is None and self._is_part(tensor):
                    raise Refused(("it takes a part of a map", "let the host take it"))
                if tensor.order is not None or len(tensor.dims) == 1:
                    tensor = self._whole(tensor.step or where, tensor)
                return _Returned(name, tensor, answer, axis, is_map=True)
            except Refused:
                if (tensor.elements < 0).any():
                    raise
        if any(self.nodes[part.name].kind is OpKind.INPUT for part in self.parts(tensor)):
            raise Refused(("it holds the input itself", "return what is computed only"))
        return _Returned(name, tensor, answer, axis, is_map=False)

    def _view(self, returned: _Returned, names: Mapping[str, str]) -> View:
        """How the host puts an output together of its maps; ``names``: of the outputs, by their maps."""
        tensor = returned.tensor
        outputs = {names[part.name]: prod(part.shape) for part in self.parts(tensor)}
        pieces = pieces_of(tensor.elements.reshape(-1), outputs)
        if pieces is None:
            kind = f"it is maps as {times(tensor.dims)} in an order of more than {MOST_PIECES} pieces"
            cure = "return the maps themselves, and reorder what the host reads of them"
            place = "output" if returned.name == SOLE else f"output {returned.name}"
            self.refuse(place, tensor.step or "output", Refused((kind, cure)))
        return View(returned.name, tensor.dims or (1,), pieces or (), returned.answer, returned.axis)

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


def _map_shape(dims: Sequence[int]) -> Shape:
    """(channels, rows, columns) of a tensor without the images' axis."""
    channels, *sides = dims
    rows, columns = (1, 1, *sides)[-2:]
    return channels, rows, columns
