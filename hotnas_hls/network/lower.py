"""Graph to layers: what is fused, what becomes a layer of its own, and where concatenated channels lie.

A layer is a weighted sum (convolution, linear layer, average pooling, a batch norm that could not be folded,
an addition, a product, a copy) or a maximum, with whatever can follow it for free: one addition, then ReLU or
any other clip, then one more activation; or instead of the addition a product behind the others.
Feature maps bear the name of the graph node whose value they hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS
from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.layer import LARGEST_KERNEL, FeatureMap, Layer, LayerKind
from hotnas_hls.accel.layer_checks import only_an_input
from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.network.activation import Activation
from hotnas_hls.network.graph import UNBOUNDED, Bounds, Graph, Node, OpKind, Shape
from hotnas_hls.network.grid import grid_of
from hotnas_hls.network.lowered import LoweredLayer, LoweredNetwork, Weights
from hotnas_hls.network.parts import parts_of
from hotnas_hls.network.placement import Placement, place_concatenations

ACTIVATIONS = (OpKind.RELU, OpKind.CLIP, OpKind.ACTIVATION)
NO_WEIGHT_BITS = 2  # of a maximum, which has no weights: it must not widen a design's
ALIASES = (OpKind.FLATTEN, OpKind.PIXELS)  # the same numbers under another shape


def lower(graph: Graph, stem: Stem | str = Stem.PLAIN, weight_bits: int = 16) -> LoweredNetwork:
    """Layers and feature maps of ``graph``, whose batch norms are folded where that is possible.

    ``stem`` says how the convolution that reads the image runs (see ``accel.image_layout``); all layers with
    weights get ``weight_bits``. Raises UnsupportedNetwork with everything that the accelerator does not have.
    """
    lowering = _Lowering(graph)
    for node in graph:
        lowering.take(node)
    lowering.rewrite_stem(Stem(stem))
    if not lowering.drafts and not lowering.violations:
        lowering.violations.append(f"{graph.name}: the network computes nothing; give it a layer")
    raise_all(
        UnsupportedNetwork, f"{graph.name}: the accelerator cannot run this network", lowering.violations
    )
    return lowering.finish(weight_bits)


def concat_alignment(lowered: LoweredNetwork) -> int:
    """The channel blocks a network's concatenations allow are those that divide this; 0 where it has none."""
    return math.gcd(*(fm.concat_offset for fm in lowered.feature_maps.values()))


def channel_blocks(act_bits: int, alignment: int) -> tuple[int, ...]:
    """Channels of one word of every legal port on whose multiples concatenated maps begin."""
    blocks = sorted({bits // act_bits for bits in LEGAL_PORT_BITS})
    return tuple(block for block in blocks if alignment % block == 0)


@dataclass
class _Draft:
    """A layer while more may still be fused into it; ``value`` is the node whose output it makes."""

    layer: Layer  # its source is a value, its target not yet known
    weights: Weights
    node: str
    value: str
    target: str = ""  # the map some rows of which it writes; empty: it makes a whole one
    clamp: Bounds = UNBOUNDED
    activation: Activation | None = None
    argument: str = ""
    multiplied: str = ""
    channel_pad: tuple[int, int] = (0, 0)
    stem: ImageLayout | None = None
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def takes_addend(self) -> bool:
        """True while an addition can be fused: before rounding, so not behind an activation."""
        return (
            self.layer.kind is not LayerKind.MAXPOOL
            and self.layer.residual is None
            and self.clamp == UNBOUNDED
            and self.activation is None
        )

    @property
    def takes_activation(self) -> bool:
        """True while an activation can be fused: before a product."""
        return self.activation is None and not self.layer.residual_multiplies


class _Lowering:
    """Walks the graph in definition order and collects layers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.positions = {node.name: position for position, node in enumerate(graph)}
        self.value_of: dict[str, str] = {}  # node -> the node whose feature map holds its output
        self.shapes: dict[str, Shape] = {}  # of values, as their maps are stored
        self.seen: dict[str, Shape] = {}  # of nodes, as their readers see them
        self.drafts: dict[str, _Draft] = {}  # by the value they make
        self.joins: dict[str, tuple[str, ...]] = {}  # concatenation -> the values it joins
        self.violations: list[str] = []
        self.layout: ImageLayout | None = None

    def take(self, node: Node) -> None:
        """Fuse ``node`` into a layer that exists, or begin one."""
        inputs = tuple(self.value_of[source] for source in node.inputs)
        self.value_of[node.name] = node.name
        self.shapes[node.name] = self.seen[node.name] = node.shape
        if node.kind is OpKind.INPUT:
            return
        if node.kind in ALIASES or (node.kind is OpKind.CONCAT and len(inputs) == 1):
            self._alias(node, inputs[0])
        elif node.kind in ACTIVATIONS:
            self._activation(node, inputs[0])
        elif node.kind in (OpKind.ADD, OpKind.MULTIPLY):
            self._two_maps(node, *inputs)
        elif node.kind is OpKind.CONCAT:
            self._join(node, inputs)
        elif node.kind is OpKind.ROWS:
            self._rows(node, inputs)
        else:
            self._begin(node, inputs[0])

    # --- fusing ---------------------------------------------------------------------------------------

    def _alias(self, node: Node, source: str) -> None:
        """The same map; its pixels as other rows and columns where those alone are read, or seen so."""
        self.value_of[node.name] = source
        if node.kind is not OpKind.PIXELS:
            self.seen[node.name] = self.seen[node.inputs[0]]
        elif self.graph[source].kind is not OpKind.INPUT and self.graph.readers(node.inputs[0]) == 1:
            self.shapes[source] = node.shape

    def _activation(self, node: Node, source: str) -> None:
        shape = self.seen[node.inputs[0]]  # elementwise: also right behind a flattening
        self.shapes[node.name] = self.seen[node.name] = shape
        draft = self.drafts.get(source)
        fuses = draft is not None and draft.takes_activation and not self._rounds_again(node, source)
        if draft is not None and fuses and self._is_sole_reader(node, source):
            self._rename(draft, node.name)
        else:
            draft = self._copy(node.name, source, shape)
        if node.activation is not None:
            draft.activation, draft.argument = node.activation, source
            draft.layer = replace(draft.layer, activation_lines=True)
            return
        low, high = node.limits
        lowest, highest = (min(max(bound, low), high) for bound in draft.clamp)
        draft.clamp = (lowest, highest)

    def _rounds_again(self, node: Node, source: str) -> bool:
        """True for values on a grid that are to be rounded to another one: two roundings are not one."""
        before, after = grid_of(self.graph, source), node.grid
        return before is not None and after is not None and before.frac_bits != after.frac_bits

    def _two_maps(self, node: Node, one: str, other: str) -> None:
        """A sum or a product, whose second map may be a vector: the other one is a layer's residual."""
        multiplies = node.kind is OpKind.MULTIPLY
        shape, second = (self.seen[name] for name in node.inputs)
        vector = shape != second
        if vector and second != (shape[0], 1, 1):
            does = "multiplies" if multiplies else "adds"
            self._refuse(
                node,
                f"{does} maps of {_by(shape)} and {_by(second)}",
                "take equal shapes, or one pixel of as many channels as the second",
            )
            return
        self.shapes[node.name] = self.seen[node.name] = shape
        hosts = [
            self.drafts[value]
            for value in dict.fromkeys((one,) if vector else (one, other))
            if value in self.drafts and self._can_host(self.drafts[value], node)
        ]
        if one != other and hosts:
            # The larger one hides the residual's traffic behind its multiplications.
            host = max(hosts, key=lambda draft: (draft.layer.macs, self.positions[draft.value]))
            made, residual = host.value, other if host.value == one else one
            self._rename(host, node.name)
        else:
            finer = not vector and self._is_finer(other, one)  # an addend is shifted left, never right
            made, residual = (other, one) if finer else (one, other)
            host = self._copy(node.name, made, shape)
        host.multiplied = made if multiplies else ""
        host.layer = replace(
            host.layer, residual=residual, residual_multiplies=multiplies, residual_vector=vector
        )

    def _is_finer(self, one: str, other: str) -> bool:
        """True where both maps lie on grids and the first on a finer one."""
        first, second = grid_of(self.graph, one), grid_of(self.graph, other)
        return first is not None and second is not None and first.frac_bits > second.frac_bits

    def _can_host(self, draft: _Draft, node: Node) -> bool:
        """True if ``draft`` can take in a sum or a product, behind all it does."""
        free = draft.layer.residual is None if node.kind is OpKind.MULTIPLY else draft.takes_addend
        return free and self._is_sole_reader(node, draft.value)

    def _join(self, node: Node, inputs: tuple[str, ...]) -> None:
        areas = {self.seen[name][1:] for name in node.inputs}
        if areas != {node.shape[1:]}:
            self._refuse(
                node, "joins maps of different size, or flattened ones", "join channels of equal maps"
            )
        self.joins[node.name] = inputs

    def _rows(self, node: Node, inputs: tuple[str, ...]) -> None:
        """Layers that write their rows between those of others: those that make the maps, or copies."""
        for row, (name, source) in enumerate(zip(node.inputs, inputs, strict=True)):
            draft, own, shape = self.drafts.get(source), f"{node.name}.row{row}", self.seen[name]
            writes = draft is not None and draft.layer.residual is None and draft.groups == 1
            if draft is not None and writes and self._makes_rows_of(draft, node, source, shape):
                self._rename(draft, own)
            else:
                draft = self._copy(own, source, shape)
            draft.target = node.name
            draft.layer = replace(draft.layer, target_rows=len(inputs), target_row=row)

    def _makes_rows_of(self, draft: _Draft, node: Node, source: str, shape: Shape) -> bool:
        """True where a layer's own rows are those of the map, which ``node`` alone reads, once."""
        sides = (draft.layer.out_rows, draft.layer.out_columns)
        once = [self.value_of[name] for name in node.inputs].count(source) == 1
        return sides == shape[1:] and once and self._is_sole_reader(node, source)

    def _rename(self, draft: _Draft, value: str) -> None:
        del self.drafts[draft.value]
        draft.value = value
        self.drafts[value] = draft

    def _is_sole_reader(self, node: Node, value: str) -> bool:
        """True if nothing but ``node`` reads ``value``, under any of its names."""
        names = [name for name, held in self.value_of.items() if held == value]
        readers = {reader.name for name in names for reader in self.graph.consumers(name)} - set(names)
        return readers == {node.name} and not {*names} & {*self.graph.host.maps}

    # --- layers of their own --------------------------------------------------------------------------

    def _copy(self, value: str, source: str, shape: Shape) -> _Draft:
        """A layer that hands ``source``, seen as ``shape``, on unchanged."""
        channels, rows, columns = shape
        layer = Layer(
            value, LayerKind.DEPTHWISE, source, value, channels, channels, rows, columns, rows, columns, 1, 1
        )
        return self._add(_Draft(layer, Weights.COPY, value, value))

    def _begin(self, node: Node, source: str) -> None:
        before = len(self.violations)
        kernel, padding = node.kernel, node.padding
        in_channels, in_rows, in_columns = self.seen[node.inputs[0]]
        kind, weights = LayerKind.DEPTHWISE, Weights.NODE
        ones = None
        if node.kind is OpKind.CONV:
            kind, kernel = self._convolution_kind(node, in_channels), node.reach
            if kind is LayerKind.CONV and node.dilation != (1, 1):  # a pattern: zeros are not computed
                ones = node.kernel[0] * node.kernel[1]
        elif node.kind is OpKind.LINEAR:
            kind, kernel = LayerKind.CONV, (in_rows, in_columns)
        elif node.kind is OpKind.BATCHNORM:
            weights = Weights.BATCHNORM
            if node.shape[0] != in_channels:
                self._refuse(node, "normalises a flattened map", "normalise before flattening")
        elif node.kind is OpKind.MAXPOOL:
            kind, weights = LayerKind.MAXPOOL, Weights.NONE
        elif node.kind is OpKind.AVGPOOL:
            weights = Weights.MEAN
        else:  # SUBSAMPLE
            weights = Weights.SUBSAMPLE if any(node.channel_pad) else Weights.COPY
            kind = LayerKind.CONV if any(node.channel_pad) else LayerKind.DEPTHWISE
        if max(kernel) > LARGEST_KERNEL:
            self._refuse(
                node,
                f"has a kernel of {kernel[0]} x {kernel[1]}",
                f"use at most {LARGEST_KERNEL} x {LARGEST_KERNEL}, or pool in two steps",
            )
        if len(self.violations) > before:
            return
        down, across = _strides(node)
        layer = Layer(
            name=node.name,
            kind=kind,
            source=source,
            target=node.name,
            n=in_channels,
            m=node.shape[0],
            in_rows=in_rows,
            in_columns=in_columns,
            out_rows=node.shape[1],
            out_columns=node.shape[2],
            kernel_rows=kernel[0],
            kernel_columns=kernel[1],
            stride=across,
            row_stride=None if down == across else down,
            pad_top=padding[0],
            pad_left=padding[1],
            pattern_ones=ones,
            pattern_rows=1 if ones is None else node.shape[0],
        )
        groups = node.groups if kind is LayerKind.CONV else 1
        draft = _Draft(layer, weights, node.name, node.name, groups=groups)
        draft.channel_pad, draft.dilation = node.channel_pad, node.dilation
        self._add(draft)

    def _add(self, draft: _Draft) -> _Draft:
        self.drafts[draft.value] = draft
        return draft

    def _convolution_kind(self, node: Node, channels: int) -> LayerKind:
        if node.is_depthwise and node.groups != channels:
            self._refuse(
                node,
                f"convolves {channels} to {node.shape[0]} channels in {node.groups} groups",
                "use fewer groups, or as many as input and output channels",
            )
        return LayerKind.DEPTHWISE if node.is_depthwise else LayerKind.CONV

    def _refuse(self, node: Node, what: str, cure: str) -> None:
        self.violations.append(f"{node.name} ({node.kind}): {what}; {cure}")

    # --- the stem -------------------------------------------------------------------------------------

    def rewrite_stem(self, stem: Stem) -> None:
        """Let the convolution that reads the image read a re-laid one."""
        image = self.graph.input.name
        if stem is Stem.PLAIN or self.violations:
            return
        readers = [
            draft for draft in self.drafts.values() if image in (draft.layer.source, draft.layer.residual)
        ]
        joined = any(image in values for values in self.joins.values())
        draft = readers[0] if len(readers) == 1 and not joined else None
        plain = draft is not None and draft.layer.kind is LayerKind.CONV and draft.groups == 1
        if draft is None or not plain or draft.layer.residual == image:
            self.violations.append(
                f"stem = {stem}: the image must be read by one convolution of one group and nothing else; "
                "use stem = plain"
            )
            return
        layer = draft.layer
        layout = layer.image_layout(stem, self.graph.input.shape)
        channels, rows, columns = self.shapes[image] = layout.target
        kernel_rows, kernel_columns = layout.target_kernel
        self.layout = draft.stem = layout
        draft.layer = replace(
            layer,
            n=channels,
            in_rows=rows,
            in_columns=columns,
            kernel_rows=kernel_rows,
            kernel_columns=kernel_columns,
            stride=1,
            pad_top=0,
            pad_left=0,
            pattern_ones=None,
            pattern_rows=1,
        )

    # --- the result -----------------------------------------------------------------------------------

    def finish(self, weight_bits: int) -> LoweredNetwork:
        """Place the concatenations and put the layers in order."""
        image, host = self.graph.input.name, self.graph.host.renamed(self.value_of)
        channels = {value: shape[0] for value, shape in self.shapes.items()}
        placement = place_concatenations(self.joins, channels, fixed=(image, *host.maps))
        order = {name: (position, False, 0) for name, position in self.positions.items()}
        for copy in placement.copies:  # as soon as all of the member is there: any concatenation may need it
            self.shapes[copy.name] = self.shapes[copy.member]
            self._copy(copy.name, copy.member, self.shapes[copy.member])
            order[copy.name] = (self.positions[copy.member], True, 0)
        for draft in self.drafts.values():
            if draft.target:
                order[draft.value] = (self.positions[draft.target], False, draft.layer.target_row)
        layers: list[LoweredLayer] = []
        maps = self._feature_maps(placement, order)
        slices: dict[str, str] = {}
        for value in sorted(self.drafts, key=lambda value: order[value]):
            draft = self.drafts[value]
            bits = NO_WEIGHT_BITS if draft.weights is Weights.NONE else weight_bits
            layer = replace(draft.layer, target=draft.target or value, weight_bits=bits)
            lowered = LoweredLayer(
                layer, draft.weights, draft.node, draft.clamp, draft.activation, draft.argument,
                draft.multiplied, draft.channel_pad, draft.stem, draft.dilation,
            )  # fmt: skip
            layers += [lowered] if draft.groups == 1 else _in_parts(lowered, draft.groups, maps, slices)
        if only_an_input(maps[image], maps.values(), [one.layer for one in layers], host.maps):
            maps[image] = replace(maps[image], trimmed=True)
            layers = [_of_trimmed(one, image) for one in layers]
        return LoweredNetwork(
            name=self.graph.name,
            feature_maps=maps,
            layers=tuple(layers),
            image=image,
            host=host,
            image_layout=self.layout,
            copies={copy.name: copy.member for copy in placement.copies} | slices,
        )

    def _feature_maps(
        self, placement: Placement, order: Mapping[str, tuple[int, bool, int]]
    ) -> dict[str, FeatureMap]:
        """The image, the concatenations and what the layers write, in the order they appear."""
        copies = {copy.name: copy for copy in placement.copies}
        written = {draft.target or value for value, draft in self.drafts.items()}
        names = sorted({self.graph.input.name, *self.joins, *written}, key=lambda name: order[name])
        maps = {}
        for name in names:
            place = copies.get(name) or placement.places.get(name)
            maps[name] = FeatureMap(
                name,
                *self.shapes[name],
                concat_of=place.root if place else None,
                concat_offset=place.offset if place else 0,
            )
        return maps


def _of_trimmed(lowered: LoweredLayer, image: str) -> LoweredLayer:
    """The layer, which knows whether it reads the image, a trimmed map."""
    return replace(lowered, layer=replace(lowered.layer, ifm_trimmed=lowered.layer.source == image))


def _in_parts(
    lowered: LoweredLayer, groups: int, maps: dict[str, FeatureMap], slices: dict[str, str]
) -> list[LoweredLayer]:
    """A grouped convolution as plain ones; ``maps`` and ``slices`` get the slices they read and write."""
    layer = lowered.layer
    parts = parts_of(groups, layer.n, layer.m)
    inputs, outputs = layer.n // parts, layer.m // parts

    def cut(name: str, channels: int, part: int) -> str:
        """Channels ``part * channels`` and up of a map."""
        if parts == 1:
            return name
        whole, first = maps[name], part * channels
        found = replace(
            whole,
            name=f"{name}.{first}to{first + channels - 1}",
            channels=channels,
            concat_of=whole.concat_of or name,
            concat_offset=whole.concat_offset + first,
        )
        maps[found.name], slices[found.name] = found, name
        return found.name

    found = []
    for part in range(parts):
        small = replace(
            layer,
            name=layer.name if parts == 1 else f"{layer.name}.part{part}",
            source=cut(layer.source, inputs, part),
            target=cut(layer.target, outputs, part),
            residual=layer.residual and cut(layer.residual, outputs, part),
            n=inputs,
            m=outputs,
            pattern_rows=layer.pattern_rows // parts or 1,
        )
        needed = None if parts == groups else small.macs * parts // groups
        found.append(replace(lowered, layer=replace(small, needed_macs=needed), part=part, parts=parts))
    return found


def _strides(node: Node) -> tuple[int, int]:
    """Down and across; one that is never taken (a single output row or column) is as the other."""
    (down, across), (rows, columns) = node.stride, node.shape[1:]
    if rows == columns == 1:
        return 1, 1
    return (across if rows == 1 else down), (down if columns == 1 else across)


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape))
