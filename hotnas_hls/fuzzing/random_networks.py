"""Random small networks for a given design: every operator, additions, concatenations, maps that grow.

A graph is drawn node by node, each reading any values there are, until nothing but one classifier is left
unread. Lowering, quantisation and placement are those of real networks; tiles, weight widths and patterns
are drawn too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.layer import LARGEST_KERNEL, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.plan import Tile, ceil_div, plan_violations
from hotnas_hls.accel.residency import keep_maps, keep_weights
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.errors import ConfigError
from hotnas_hls.network.activation import (
    GELU,
    HARD_SWISH,
    MISH,
    SIGMOID,
    SILU,
    TANH,
    activation,
    affine,
    hard_sigmoid,
    selu,
)
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph, Node, OpKind, Shape
from hotnas_hls.network.lower import lower
from hotnas_hls.network.lowered import LoweredNetwork, Weights
from hotnas_hls.network.parts import parts_of
from hotnas_hls.network.quantise import PATTERNS, Patterns, quantise, quantise_image

STRIDES = (1, 1, 1, 2, 3, 8)
KERNELS = (1, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16)
WINDOWS = (2, 2, 3, 3, 3, 16)  # of a pooling
GROUPS = ((2, 16), (4, 8), (2, 32), (2, 5))  # how many, and channels of each
FUNCTIONS = (
    *(activation("leaky_relu", 0.1), SIGMOID, TANH, SILU, MISH, GELU, HARD_SWISH, hard_sigmoid(), selu()),
    activation("leaky_relu", -0.5).then(affine(-2.0, 0.3)),
)
BOUNDS = ((0.0, 6.0), (-1.0, 1.0), (-math.inf, 0.7), (-0.3, 2.5))
LARGEST_SIDE = 24  # rows and columns of an image
LARGEST_CLASSES = 12


@dataclass(frozen=True)
class RandomNetwork:
    """A network, how a design runs it, and an image."""

    graph: Graph
    net: IntegerNetwork
    tiles: dict[str, Tile]
    image: np.ndarray  # integers (C, H, W)


def random_network(rng: np.random.Generator, accel: Accelerator, name: str) -> RandomNetwork:
    """A network that ``accel`` can run, of up to a dozen operators and its classifier."""
    while True:
        with contextlib.suppress(ConfigError):  # its values have no format in the bits that were drawn
            return _drawn(rng, accel, name)


def _drawn(rng: np.random.Generator, accel: Accelerator, name: str) -> RandomNetwork:
    graph = fold_batchnorm(_Drawing(rng, accel).graph(name))
    lowered = lower(graph)
    weight_bits = {
        item.layer.name: int(rng.integers(2, accel.weight_bits + 1))
        for item in lowered.layers
        if item.weights is not Weights.NONE
    }
    images = 2 * rng.standard_normal((2, *graph.input.shape)).astype(np.float32)
    patterns = _random_patterns(rng, accel, lowered)
    net = quantise(graph, lowered, images, accel.act_bits, weight_bits, patterns)
    tiles = {layer.name: _random_tile(rng, layer, accel) for layer in net.layers}
    kept = keep_maps(net.layers, tuple(net.feature_maps.values()), net.image, net.host.maps, accel)
    net = dataclasses.replace(net, layers=keep_weights(kept, accel, tiles, MemoryTiming()))
    return RandomNetwork(graph, net, tiles, quantise_image(net, images[0]))


def _random_patterns(rng: np.random.Generator, accel: Accelerator, lowered: LoweredNetwork) -> Patterns:
    """Patterns for some of the convolutions whose kernels leave a choice."""
    patterns = {}
    for item in lowered.layers:
        layer = item.layer
        positions = layer.kernel_rows * layer.kernel_columns
        dense = layer.kind is LayerKind.CONV and layer.pattern_ones is None
        if not dense or item.weights is not Weights.NODE or positions < 4:
            continue
        if not accel.patterns or rng.integers(2):
            continue
        ones = int(rng.integers(1, min(positions, accel.wgt_entries + 1)))
        masks = np.zeros((PATTERNS, positions), dtype=np.uint8)
        for mask in masks:
            mask[rng.permutation(positions)[:ones]] = 1
        rows = accel.rows_per_dsp  # that share their patterns
        groups = rng.integers(PATTERNS, size=(ceil_div(layer.m, rows), layer.n), dtype=np.uint8)
        index = groups.repeat(rows, axis=0)[: layer.m]
        patterns[layer.name] = index, masks.reshape(PATTERNS, layer.kernel_rows, layer.kernel_columns)
    return patterns


def _random_tile(rng: np.random.Generator, layer: Layer, accel: Accelerator) -> Tile:
    """A random tile of those whose footprint fits the buffers."""
    rows = int(rng.integers(1, min(accel.tr, layer.out_rows) + 1))
    columns = int(rng.integers(1, min(accel.tc, layer.out_columns) + 1))
    while problems := plan_violations(layer, accel, Tile(rows, columns)):
        if rows == columns == 1:
            raise AssertionError(f"the generator drew a layer that the design cannot hold: {problems}")
        rows, columns = (rows, columns - 1) if columns >= rows else (rows - 1, columns)
    return Tile(rows, columns)


class _Drawing:
    """A graph while it is drawn: its nodes, and what may still be read."""

    def __init__(self, rng: np.random.Generator, accel: Accelerator) -> None:
        self.rng = rng
        self.accel = accel
        self.block = accel.channel_block
        self.nodes: list[Node] = []
        self.unread: dict[str, Node] = {}

    def graph(self, name: str) -> Graph:
        """A whole network."""
        rng = self.rng
        side = int(rng.integers(4, LARGEST_SIDE + 1))
        channels = self.some_channels() if rng.integers(3) == 0 else int(rng.integers(1, 5))
        self.add(OpKind.INPUT, (), (channels, side, max(4, side - int(rng.integers(4)))))
        steps: list[Callable[[Node], Node]] = [
            *[self.convolution] * 4,
            self.depthwise,
            self.grouped,
            self.max_pooling,
            self.average_pooling,
            self.preactivation,
            self.activation,
            self.activation,
            self.addition,
            self.addition,
            self.concatenation,
            self.concatenation,
            self.shortcut,
            self.enlarging,
        ]
        if self.accel.products:
            steps += [self.product, self.product, *[self.gate] * 4]
        for _ in range(int(rng.integers(4, 12))):
            steps[rng.integers(len(steps))](self.any_value())
        self.classifier()
        host = HostWork.reading(*self.some_outputs(), self.nodes[-1].name)
        return Graph(name, self.nodes, host)

    def some_outputs(self) -> list[str]:
        """Maps that the host reads beside the classifier's: in most networks none."""
        computed = [node.name for node in self.nodes[1:-1]]
        count = max(0, int(self.rng.integers(6)) - 3)
        return sorted(self.rng.permutation(computed)[:count].tolist())

    # --- what is drawn --------------------------------------------------------------------------------

    def pick(self, options: list[Node]) -> Node:
        return options[self.rng.integers(len(options))]

    def any_value(self) -> Node:
        """A value to read: mostly one that nobody reads yet."""
        unread = list(self.unread.values())
        return self.pick(unread if unread and self.rng.integers(4) else self.nodes)

    def some_channels(self) -> int:
        """A number of channels; whole channel blocks more often than not, so that maps can be joined."""
        largest = 2 * max(self.accel.tn, self.accel.tm)
        if self.rng.integers(3):
            return self.block * int(self.rng.integers(1, max(1, largest // self.block) + 1))
        return int(self.rng.integers(1, largest + 1))

    def holds(self, channels: int, kernel: tuple[int, int], channelwise: bool) -> bool:
        """Whether IFM buffer (at one output pixel) and entry table have room for a kernel."""
        positions = kernel[0] * kernel[1]
        entries = ceil_div(positions, self.accel.taps) if channelwise else positions
        width = self.accel.td if channelwise else self.accel.tn
        slices = ceil_div(channels, width)
        return (
            max(kernel) <= LARGEST_KERNEL
            and entries <= self.accel.max_entries
            and slices * positions <= self.accel.ifm_depth
        )

    def add(self, kind: OpKind, sources: tuple[Node, ...], shape: Shape, **settings: object) -> Node:
        """One more node."""
        names = tuple(source.name for source in sources)
        node = Node(f"{kind}{len(self.nodes)}", kind, names, shape, **settings)  # type: ignore[arg-type]
        self.nodes.append(node)
        self.unread[node.name] = node
        for name in names:
            self.unread.pop(name, None)
        return node

    # --- operators ------------------------------------------------------------------------------------

    def window(self, source: Node, kernels: tuple[int, ...], channelwise: bool) -> dict[str, object] | None:
        """Kernel, stride and padding for a map, and the size of what comes out; None where none fits."""
        rng = self.rng
        channels, rows, columns = source.shape
        kernel_rows = kernels[rng.integers(len(kernels))]
        kernel_columns = kernel_rows if rng.integers(5) else kernels[rng.integers(len(kernels))]
        stride = STRIDES[rng.integers(len(STRIDES))]
        (apart,) = rng.spawn(1)  # which moves no other draw
        strides = (stride, stride) if apart.integers(5) else (STRIDES[apart.integers(len(STRIDES))], stride)
        usual = rng.integers(2)
        pads = [
            (kernel // 2, (kernel - 1) // 2) if usual else tuple(rng.integers(0, kernel, size=2).tolist())
            for kernel in (kernel_rows, kernel_columns)
        ]
        pads = [
            (-int(apart.integers(side)), pad[1]) if cut else pad
            for side, pad, cut in zip((rows, columns), pads, apart.integers(5, size=2) == 0, strict=True)
        ]
        out = [
            (side + sum(pad) - kernel) // step + 1
            for side, pad, kernel, step in zip(
                (rows, columns), pads, (kernel_rows, kernel_columns), strides, strict=True
            )
        ]
        reaches = any(
            (size - 1) * step - pad[0] >= side
            for size, pad, side, step in zip(out, pads, (rows, columns), strides, strict=True)
        )
        if min(out) < 1 or reaches or not self.holds(channels, (kernel_rows, kernel_columns), channelwise):
            return None
        return {
            "kernel": (kernel_rows, kernel_columns),
            "stride": strides,
            "padding": (pads[0][0], pads[1][0], pads[0][1], pads[1][1]),
            "out": tuple(out),
        }

    def convolution(self, source: Node) -> Node:
        window = self.window(source, KERNELS, channelwise=False)
        if window is None:
            return self.pointwise(source, self.some_channels())
        out = window.pop("out")
        return self.weighted(source, self.some_channels(), out, window)  # type: ignore[arg-type]

    def pointwise(self, source: Node, channels: int) -> Node:
        return self.weighted(source, channels, source.shape[1:], {"kernel": (1, 1)})

    def weighted(
        self, source: Node, channels: int, out: tuple[int, int], settings: dict[str, object], groups: int = 1
    ) -> Node:
        """A convolution, or one and its norm."""
        kernel = settings["kernel"]
        assert isinstance(kernel, tuple)
        weight = self.weights((channels, source.shape[0] // groups, *kernel))
        parameters = {"weight": weight}
        if self.rng.integers(2):
            parameters["bias"] = self.rng.standard_normal(channels).astype(np.float32) / 4
        node = self.add(
            OpKind.CONV, (source,), (channels, *out), groups=groups, parameters=parameters, **settings
        )
        return self.norm(node) if self.rng.integers(3) == 0 else node

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """Weights under which signals neither vanish nor explode: at most 1, which 2 bits can hold."""
        scale = 1.5 / np.sqrt(np.prod(shape[1:]))
        return np.clip(scale * self.rng.standard_normal(shape), -1, 1).astype(np.float32)

    def enlarging(self, source: Node) -> Node:
        """Rows of several maps in turn, and several columns of each pixel."""
        down, across = (int(self.rng.integers(1, 4)) for _ in range(2))
        channels, rows, columns = source.shape
        if max(down * rows, across * columns) > LARGEST_SIDE or not self.holds(channels, (1, across), False):
            return source
        if down > 1:
            maps = tuple(
                self.pointwise(source, channels) if self.rng.integers(2) else source for _ in range(down)
            )
            source = self.add(OpKind.ROWS, maps, (channels, down * rows, columns))
        if across == 1:
            return source
        pixels = down * rows * columns
        single = self.add(OpKind.PIXELS, (source,), (channels, pixels, 1))
        groups = channels if self.rng.integers(2) and channels > 1 else 1
        several = self.add(
            OpKind.CONV,
            (single,),
            (channels, pixels, across),
            kernel=(1, across),
            padding=(0, across - 1, 0, across - 1),
            groups=groups,
            parameters={"weight": self.weights((channels, channels // groups, 1, across))},
        )
        return self.add(OpKind.PIXELS, (several,), (channels, down * rows, across * columns))

    def depthwise(self, source: Node) -> Node:
        window = self.window(source, KERNELS, channelwise=True)
        channels = source.shape[0]
        if window is None or channels == 1:
            return self.activation(source)
        out = window.pop("out")
        return self.weighted(source, channels, out, window, groups=channels)  # type: ignore[arg-type]

    def grouped(self, source: Node) -> Node:
        """A convolution of several groups, whose slices are whole channel blocks of the design."""
        block = self.accel.channel_block
        fitting = [(groups, each) for groups, each in GROUPS if _fit_slices(groups, each, block)]
        groups, each = fitting[self.rng.integers(len(fitting))]
        source = self.pointwise(source, groups * each)
        window = self.window(source, KERNELS, channelwise=False)
        if window is None:
            return source
        out, channels = window.pop("out"), groups * each * int(self.rng.integers(1, 3))
        return self.weighted(source, channels, out, window, groups=groups)  # type: ignore[arg-type]

    def norm(self, source: Node) -> Node:
        channels = source.shape[0]
        drawn = {
            role: self.rng.uniform(low, high, channels).astype(np.float32)
            for role, low, high in (
                ("weight", 0.5, 1.0),
                ("bias", -0.3, 0.3),
                ("mean", -0.3, 0.3),
                ("var", 1.0, 2.0),
            )
        }
        return self.add(OpKind.BATCHNORM, (source,), source.shape, parameters=drawn)

    def preactivation(self, source: Node) -> Node:
        """A batch norm and its ReLU that nothing can take in."""
        return self.add(OpKind.RELU, (self.norm(source),), source.shape)

    def activation(self, source: Node) -> Node:
        if self.accel.activation_lines and self.rng.integers(2):
            drawn = FUNCTIONS[self.rng.integers(len(FUNCTIONS))]
            return self.add(OpKind.ACTIVATION, (source,), source.shape, activation=drawn)
        if self.rng.integers(2):
            return self.add(OpKind.RELU, (source,), source.shape)
        return self.add(OpKind.CLIP, (source,), source.shape, bounds=BOUNDS[self.rng.integers(len(BOUNDS))])

    def max_pooling(self, source: Node) -> Node:
        return self.pooling(OpKind.MAXPOOL, source)

    def average_pooling(self, source: Node) -> Node:
        return self.pooling(OpKind.AVGPOOL, source)

    def pooling(self, kind: OpKind, source: Node) -> Node:
        window = self.window(source, WINDOWS, channelwise=True)
        if window is None:
            return self.activation(source)
        out = window.pop("out")
        return self.add(kind, (source,), (source.shape[0], *out), **window)  # type: ignore[misc]

    def shortcut(self, source: Node) -> Node:
        """Every second row and column, zero channels beside (the parameterless shortcut of a ResNet)."""
        channels, rows, columns = source.shape
        if min(rows, columns) < 2:
            return self.activation(source)
        before, after = self.rng.integers(0, 4, size=2).tolist()
        shape = (before + channels + after, ceil_div(rows, 2), ceil_div(columns, 2))
        return self.add(OpKind.SUBSAMPLE, (source,), shape, stride=(2, 2), channel_pad=(before, after))

    def addition(self, source: Node) -> Node:
        """Of two maps of one shape, drawn beside the first where there is none."""
        return self.of_two(OpKind.ADD, source)

    def of_two(self, kind: OpKind, source: Node) -> Node:
        alike = [node for node in self.nodes if node.shape == source.shape and node is not source]
        other = self.pick(alike) if alike and self.rng.integers(3) else None
        return self.add(kind, (source, other or self.pointwise(source, source.shape[0])), source.shape)

    def product(self, source: Node) -> Node:
        """Of two maps of one shape, drawn as those of an addition."""
        return self.of_two(OpKind.MULTIPLY, source)

    def gate(self, source: Node) -> Node:
        """A map times a value for each channel, made of its mean; seldom plus it."""
        if min(source.shape[1:]) < 2 or not self.holds(source.shape[0], source.shape[1:], channelwise=True):
            return self.product(source)
        vector = self.activation(self.pointwise(self.averaged(source), source.shape[0]))
        kind = OpKind.MULTIPLY if self.rng.integers(4) else OpKind.ADD
        return self.add(kind, (source, vector), source.shape)

    def concatenation(self, source: Node) -> Node:
        """Of two or three maps of one size, whole channel blocks each."""
        members = [self.blocks_of(source)]
        for _ in range(int(self.rng.integers(1, 3))):
            fitting = [
                node
                for node in self.nodes
                if node.shape[1:] == source.shape[1:]
                and node.shape[0] % self.block == 0
                and node not in members
            ]
            branch = self.block * int(self.rng.integers(1, 3))
            drawn = self.pick(fitting) if fitting and self.rng.integers(2) else None
            members.append(drawn or self.pointwise(source, branch))
        return self.joined(members)

    def blocks_of(self, source: Node) -> Node:
        """``source``, or a map of its size with whole channel blocks."""
        return source if source.shape[0] % self.block == 0 else self.pointwise(source, self.block)

    def joined(self, members: list[Node]) -> Node:
        shape = (sum(node.shape[0] for node in members), *members[0].shape[1:])
        return self.add(OpKind.CONCAT, tuple(members), shape)

    # --- the end --------------------------------------------------------------------------------------

    def classifier(self) -> Node:
        """All that nobody reads, averaged and joined, and a fully connected layer over it."""
        ends = [self.small(node) for node in list(self.unread.values())]
        if len(ends) > 1 or self.rng.integers(2):
            ends = [self.averaged(self.blocks_of(node) if len(ends) > 1 else node) for node in ends]
        last = self.joined(ends) if len(ends) > 1 else ends[0]
        channels, rows, columns = last.shape
        if not self.holds(channels, (rows, columns), channelwise=False):
            last = self.averaged(last)
            channels, rows, columns = last.shape
        features = channels * rows * columns
        flat = self.add(OpKind.FLATTEN, (last,), (features, 1, 1))
        classes = int(self.rng.integers(2, LARGEST_CLASSES + 1))
        weight = self.weights((classes, features))
        return self.add(OpKind.LINEAR, (flat,), (classes, 1, 1), parameters={"weight": weight})

    def small(self, source: Node) -> Node:
        """A map small enough to be averaged as a whole."""
        while not self.holds(source.shape[0], source.shape[1:], channelwise=True):
            channels, rows, columns = source.shape
            shape = (channels, ceil_div(rows, 2), ceil_div(columns, 2))
            source = self.add(OpKind.SUBSAMPLE, (source,), shape, stride=(2, 2))
        return source

    def averaged(self, source: Node) -> Node:
        channels, rows, columns = source.shape
        if rows == columns == 1:
            return source
        return self.add(OpKind.AVGPOOL, (source,), (channels, 1, 1), kernel=(rows, columns))


def _fit_slices(groups: int, each: int, block: int) -> bool:
    """Whether the slices of a grouped convolution are whole blocks of so many channels."""
    channels = groups * each
    parts = parts_of(groups, channels, channels)
    return parts == 1 or channels // parts % block == 0
