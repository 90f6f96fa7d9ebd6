"""Neighbouring pixels as more channels: an exact rewrite of the layers at high resolution.

A layer with fewer channels than the array has lanes wastes the rest, pixel after pixel. On packed maps of C
channels that hold H x W pixels as one, channel (W i + j) C + c of pixel (r, k) is channel c of pixel
(H r + i, W k + j). Pixels are packed in one of two shapes:

    squares   2 x 2 at every packed resolution
    rows      1 x W, W twice that of the next smaller resolution, whose maps are packed 1 x 2 or not at all

A 3 x 3 convolution with padding 1 of N -> M channels becomes one of fewer pixels::

    squares   packed -> packed, stride 1   3 x 3, stride 1,      4 N -> 4 M
              packed -> packed, stride 2   3 x 3, stride 2,      4 N -> 4 M
              packed -> plain,  stride 2   2 x 2, stride 1,      4 N ->   M
              plain  -> packed, stride 1   4 x 4, stride 2,        N -> 4 M   the stem
    rows      packed -> packed, stride 1   3 x 3, stride 1,      W N -> W M
              packed -> half,   stride 2   3 x 2, stride 2 x 1,  W N -> W/2 M
              plain  -> packed, stride 1   3 x (W + 2), stride 1 x W, N -> W M   the stem

The image may be re-laid for the stem. Between packed maps a pixel reaches few cells of the kernel from each
pixel of a packed neighbour: every kernel lies in one of at most four patterns, so that, as a pattern-pruned
layer, it takes fewer than all positions. Of 3 x 3 that is 4 of 9 between squares, 3 of 9 between rows of four
and 6 of 9 between pairs. The integers are those of the plain network and every sum has the same terms: the
outputs are equal bit for bit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.accel.packed_patterns import NOWHERE, Moves, Spread

SQUARE = 2  # pixels packed in each direction
PRUNABLE = (3, 3)  # kernels that may be pattern-pruned on packed maps
PACKINGS: tuple[Literal[0, 1, 2], ...] = (0, 1, 2)  # numbers of resolutions that are tried
PackingChoice = Literal[0, 1, 2, "best"]  # best: the fastest that can be

Reads = list[list[tuple[int, int]]]  # [packed pixel, in one direction][kernel row] -> cell and pixel there
Sides = tuple[int, int]  # pixels packed down and across
PLAIN_SIDES: Sides = (1, 1)


@dataclass(frozen=True)
class Packing:
    """The feature maps that are packed, by name, and the stem the image is laid for."""

    maps: Mapping[str, Sides]
    image: str
    stem: Stem = Stem.PLAIN

    def layers(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The layers as they run on packed maps."""
        return tuple(_packed(self._rewritten(layer)) for layer in layers)

    def spreads(self, layers: Sequence[Layer]) -> dict[str, Spread]:
        """How kernels lie in those on packed maps, of the layers that read or write some."""
        rewritten = (self._rewritten(layer) for layer in layers)
        return {one.plain.name: _spread(one.rows, one.columns) for one in rewritten if one.packed}

    def network(self, net: IntegerNetwork) -> IntegerNetwork:
        """The same integers on packed maps; the stem of ``net`` is plain."""
        return replace(
            net,
            feature_maps=self.feature_maps(net.feature_maps, net.layers),
            layers=self.layers(net.layers),
            numbers={
                layer.name: self._rewritten(layer).numbers(net.numbers[layer.name]) for layer in net.layers
            },
            image_layout=self.layout(net.layers),
        )

    def feature_maps(self, maps: Mapping[str, FeatureMap], layers: Sequence[Layer]) -> dict[str, FeatureMap]:
        """The feature maps of the plain network as they lie in memory."""
        packed = {name: self._map(fm) for name, fm in maps.items()}
        layout = self.layout(layers)
        if layout is not None:
            channels, rows, columns = layout.target
            packed[self.image] = replace(packed[self.image], channels=channels, rows=rows, columns=columns)
        return packed

    def layout(self, layers: Sequence[Layer]) -> ImageLayout | None:
        """How the host lays the image; None: as it is."""
        return next((self._layout(layer) for layer in layers if layer.source == self.image), None)

    def _map(self, fm: FeatureMap) -> FeatureMap:
        down, across = self._sides(fm.name)
        channels = down * across * fm.channels
        return replace(fm, channels=channels, rows=fm.rows // down, columns=fm.columns // across)

    def _sides(self, name: str) -> Sides:
        return self.maps.get(name, PLAIN_SIDES)

    def _rewritten(self, layer: Layer) -> _Rewritten:
        layout = self._layout(layer) if layer.source == self.image else None
        return _Rewritten(layer, self._sides(layer.source), self._sides(layer.target), layout)

    def _layout(self, layer: Layer) -> ImageLayout | None:
        """How the host lays the image for ``layer``, which reads it."""
        if self.stem is Stem.PLAIN:
            return None
        packed = _Rewritten(layer, PLAIN_SIDES, self._sides(layer.target), None).layer
        return packed.image_layout(self.stem, (layer.n, layer.in_rows, layer.in_columns))


@dataclass(frozen=True)
class _Axis:
    """A kernel along rows or columns, on maps that pack ``inputs`` and ``outputs`` pixels that way."""

    kernel: int
    pad: int
    stride: int
    inputs: int
    outputs: int

    @property
    def reads(self) -> Reads:
        return [
            [divmod(self.stride * pixel + row - self.pad, self.inputs) for row in range(self.kernel)]
            for pixel in range(self.outputs)
        ]

    @property
    def step(self) -> int:
        """The stride of the new kernel."""
        return self.stride * self.outputs // self.inputs

    @property
    def first(self) -> int:
        return min(cell for reads in self.reads for cell, _ in reads)

    @property
    def cells(self) -> int:
        """Cells of the new kernel."""
        return max(cell for reads in self.reads for cell, _ in reads) - self.first + 1

    def places(self, output: int, pixel: int) -> Moves:
        """The cell of the new kernel by that of the plain one, for a pair of pixels; NOWHERE: not read."""
        return tuple(cell - self.first if read == pixel else NOWHERE for cell, read in self.reads[output])


@functools.lru_cache(maxsize=1 << 10)
def _spread(rows: _Axis, columns: _Axis) -> Spread:
    """Where the cells of a kernel of these axes lie in the one on packed maps."""
    outputs = list(product(range(rows.outputs), range(columns.outputs)))
    inputs = list(product(range(rows.inputs), range(columns.inputs)))

    def moves(down: Moves, across: Moves) -> Moves:
        return tuple(
            NOWHERE if NOWHERE in (row, column) else row * columns.cells + column
            for row, column in product(down, across)
        )

    return Spread(
        rows.cells * columns.cells,
        tuple(
            tuple(moves(rows.places(i, above), columns.places(j, left)) for above, left in inputs)
            for i, j in outputs
        ),
    )


@dataclass(frozen=True)
class _Rewritten:
    """A layer of plain maps on maps that pack ``inputs`` and ``outputs`` pixels."""

    plain: Layer
    inputs: Sides
    outputs: Sides
    layout: ImageLayout | None

    @property
    def rows(self) -> _Axis:
        plain = self.plain
        return _Axis(plain.kernel_rows, plain.pad_top, plain.strides[0], self.inputs[0], self.outputs[0])

    @property
    def columns(self) -> _Axis:
        plain = self.plain
        return _Axis(plain.kernel_columns, plain.pad_left, plain.strides[1], self.inputs[1], self.outputs[1])

    @property
    def packed(self) -> bool:
        """Whether a map it reads or writes is."""
        return (self.inputs, self.outputs) != (PLAIN_SIDES, PLAIN_SIDES)

    @property
    def channelwise(self) -> bool:
        """True while every packed channel still has its own input only."""
        channelwise = self.plain.kind is not LayerKind.CONV
        return channelwise and self.inputs == self.outputs and self.plain.strides == (1, 1)

    @property
    def ones(self) -> int | None:
        """Ones of the patterns; None where there are too many, or no fewer than all cells."""
        plain = self.plain
        inner = PLAIN_SIDES not in (self.inputs, self.outputs) or plain.pattern_ones is not None
        if not inner or self.channelwise or self.layout is not None:
            return None
        ones = _spread(self.rows, self.columns).ones(plain.positions)
        return ones if ones is not None and ones < self.rows.cells * self.columns.cells else None

    @property
    def layer(self) -> Layer:
        plain, rows, columns = self.plain, self.rows, self.columns
        if not self.packed:
            return plain
        if self.layout is not None:
            channels, in_rows, in_columns = self.layout.target
            kernel_rows, kernel_columns = self.layout.target_kernel
            pad_top = pad_left = 0
            down = across = 1
        else:
            channels = plain.n * math.prod(self.inputs)
            in_rows, in_columns = plain.in_rows // self.inputs[0], plain.in_columns // self.inputs[1]
            kernel_rows, kernel_columns = rows.cells, columns.cells
            pad_top, pad_left = -rows.first, -columns.first
            down, across = rows.step, columns.step
        return replace(
            plain,
            kind=plain.kind if self.channelwise else LayerKind.CONV,
            n=channels,
            m=plain.m * math.prod(self.outputs),
            in_rows=in_rows,
            in_columns=in_columns,
            out_rows=plain.out_rows // self.outputs[0],
            out_columns=plain.out_columns // self.outputs[1],
            kernel_rows=kernel_rows,
            kernel_columns=kernel_columns,
            stride=across,
            row_stride=None if down == across else down,
            pad_top=pad_top,
            pad_left=pad_left,
            pattern_ones=self.ones,
            pattern_rows=self._pattern_rows,
            needed_macs=plain.macs,
        )

    @property
    def _pattern_rows(self) -> int:
        """Output channels in a row that share patterns: of a pixel all, or as many as in the plain layer."""
        plain = self.plain
        if self.ones is None:
            return 1
        return plain.m if plain.pattern_ones is None else math.gcd(plain.pattern_rows, plain.m)

    def numbers(self, numbers: LayerNumbers) -> LayerNumbers:
        plain = self.plain
        if not self.packed:
            return numbers
        pixels = math.prod(self.outputs)
        bias = np.tile(numbers.bias, pixels)
        if self.channelwise:
            return replace(numbers, weights=np.tile(numbers.weights, (pixels, 1, 1, 1)), bias=bias)
        weights = self._weights(self._dense(numbers.weights))
        if self.layout is not None:
            weights = self.layout.lay_weights(weights)
        found = replace(numbers, weights=weights, bias=bias, pattern_index=None, patterns=None)
        if self.ones is None:
            return found
        masks, index = numbers.patterns, numbers.pattern_index
        if masks is None or index is None:
            masks = np.ones((1, plain.kernel_rows, plain.kernel_columns), dtype=np.uint8)
            index = np.zeros((plain.m, plain.n), dtype=np.uint8)
        spread, kernel = _spread(self.rows, self.columns), (self.rows.cells, self.columns.cells)
        patterns = spread.patterns(masks, self.ones, kernel)
        return replace(found, pattern_index=spread.index(masks, index, patterns), patterns=patterns)

    def _dense(self, weights: np.ndarray) -> np.ndarray:
        """Weights (M, N, kh, kw), also of a layer that kept its channels apart."""
        if self.plain.kind is LayerKind.CONV:
            return weights
        dense = np.zeros((self.plain.m, self.plain.n, *weights.shape[2:]), weights.dtype)
        dense[np.arange(self.plain.m), np.arange(self.plain.n)] = weights[:, 0]
        return dense

    def _weights(self, weights: np.ndarray) -> np.ndarray:
        """Weights (M, N, kh, kw) for the packed maps."""
        m, n, _, _ = weights.shape
        rows, columns = self.rows, self.columns
        shape = (*self.outputs, m, *self.inputs, n, rows.cells, columns.cells)
        cells = np.zeros(shape, weights.dtype)
        for i, row_reads in enumerate(rows.reads):
            for j, column_reads in enumerate(columns.reads):
                for row, (y, above) in enumerate(row_reads):
                    for column, (x, left) in enumerate(column_reads):
                        at = (y - rows.first, x - columns.first)
                        cells[i, j, :, above, left, :, *at] = weights[:, :, row, column]
        outputs, inputs = math.prod(self.outputs), math.prod(self.inputs)
        return cells.reshape(outputs * m, inputs * n, rows.cells, columns.cells)


@functools.lru_cache(maxsize=1 << 14)
def _packed(rewritten: _Rewritten) -> Layer:
    """The layer that it runs as; remembered, since searches ask for it again and again."""
    return rewritten.layer


def sides_of(resolutions: int, across: bool) -> list[Sides]:
    """Pixels packed at each of so many resolutions, the image's first."""
    if not across:
        return [(SQUARE, SQUARE)] * resolutions
    return [(1, 1 << (resolutions - step)) for step in range(resolutions)]


def packing(
    layers: Sequence[Layer], image: str, resolutions: int, stem: Stem = Stem.PLAIN, across: bool = False
) -> Packing | None:
    """Packs the maps of the image's size, and of halves of it, ``resolutions`` sizes in all.

    across: pixels of a row, not squares. None where a layer that reads or writes such a map has no packed
    form, nothing reads one (the output leaves the accelerator as it is), or no layer writes maps of the
    smallest of these sizes. ``layers`` have a plain stem.
    """
    first = next((layer for layer in layers if layer.source == image), None)
    if first is None or resolutions < 1:
        return None
    halves = ((first.in_rows >> step, first.in_columns >> step) for step in range(resolutions))
    sides = dict(zip(halves, sides_of(resolutions, across), strict=True))
    written = {layer.target: (layer.out_rows, layer.out_columns) for layer in layers}
    maps = {name: sides[size] for name, size in written.items() if size in sides}
    if list(sides)[-1] not in written.values():
        return None
    readers = [layer for layer in layers if image in (layer.source, layer.residual)]
    read = {name for layer in layers for name in (layer.source, layer.residual)}
    obstacles = not maps.keys() <= read or any(_obstacle(layer, maps) for layer in layers)
    if len(readers) > 1 or first.kind is not LayerKind.CONV or obstacles:
        return None
    return Packing(maps, image, stem)


def prunable(layer: Layer) -> bool:
    """Whether its kernels may be pattern-pruned on packed maps."""
    return layer.kind is LayerKind.CONV and (layer.kernel_rows, layer.kernel_columns) == PRUNABLE


def _obstacle(layer: Layer, maps: Mapping[str, Sides]) -> bool:
    """True for a layer that touches ``maps`` and has no packed form."""
    inputs, outputs = maps.get(layer.source, PLAIN_SIDES), maps.get(layer.target, PLAIN_SIDES)
    if layer.residual is not None and maps.get(layer.residual, PLAIN_SIDES) != outputs:
        return True
    if (inputs, outputs) == (PLAIN_SIDES, PLAIN_SIDES):
        return False
    if layer.target_rows > 1 or min(layer.pad_top, layer.pad_left) < 0:
        return True
    read, written = (layer.in_rows, layer.in_columns), (layer.out_rows, layer.out_columns)
    odd = any(size % side for size, side in zip(read + written, inputs + outputs, strict=True))
    wide = layer.kind is LayerKind.DEPTHWISE and (layer.kernel_rows > 1 or layer.kernel_columns > 1)
    stuck = any(stride * out % into for stride, out, into in zip(layer.strides, outputs, inputs, strict=True))
    pruned = layer.pattern_ones is not None and not prunable(layer)
    return bool(layer.kind is LayerKind.MAXPOOL or pruned or odd or wide or stuck)
