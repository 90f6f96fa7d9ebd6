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

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers

SQUARE = 2  # pixels packed in each direction
PATTERNS = 4  # different ones a layer may have
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
        return tuple(self._rewritten(layer).layer for layer in layers)

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

    @property
    def pairs(self) -> dict[tuple[int, int], list[int]]:
        """Cells of the new kernel that an output pixel reads of an input pixel, by (output, input)."""
        found: dict[tuple[int, int], list[int]] = {}
        for output, reads in enumerate(self.reads):
            for cell, pixel in reads:
                found.setdefault((output, pixel), []).append(cell - self.first)
        return found

    @property
    def window(self) -> int:
        """Cells that any pair of pixels needs at most."""
        return max(max(cells) - min(cells) + 1 for cells in self.pairs.values())

    @property
    def begins(self) -> list[int]:
        """First cells of the windows that pairs of pixels need."""
        return sorted({self.begin(*pair) for pair in product(range(self.outputs), range(self.inputs))})

    def begin(self, output: int, pixel: int) -> int:
        """The first cell of the window of a pair of pixels; any will do where one does not read the other."""
        cells = self.pairs.get((output, pixel))
        return min(min(cells), self.cells - self.window) if cells else min(map(min, self.pairs.values()))


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
    def window(self) -> int | None:
        """Ones of the patterns; None where there are too many, or no fewer than all cells."""
        rows, columns = self.rows, self.columns
        ones, kinds = rows.window * columns.window, len(rows.begins) * len(columns.begins)
        fewer = ones < rows.cells * columns.cells and kinds <= PATTERNS
        inner = PLAIN_SIDES not in (self.inputs, self.outputs)
        return ones if fewer and inner and not self.channelwise else None

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
            pattern_ones=self.window,
            pattern_rows=1 if self.window is None else plain.m,
            needed_macs=plain.macs,
        )

    def numbers(self, numbers: LayerNumbers) -> LayerNumbers:
        if not self.packed:
            return numbers
        pixels = math.prod(self.outputs)
        bias = np.tile(numbers.bias, pixels)
        if self.channelwise:
            return replace(numbers, weights=np.tile(numbers.weights, (pixels, 1, 1, 1)), bias=bias)
        weights = self._weights(self._dense(numbers.weights))
        if self.layout is not None:
            weights = self.layout.lay_weights(weights)
        if self.window is None:
            return replace(numbers, weights=weights, bias=bias)
        return replace(
            numbers, weights=weights, bias=bias, pattern_index=self._index(), patterns=self._patterns()
        )

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

    def _index(self) -> np.ndarray:
        """uint8 (M, N) of the packed layer: the pattern of its kernels."""
        down, across = (
            [[axis.begins.index(axis.begin(output, pixel)) for pixel in range(axis.inputs)]
             for output in range(axis.outputs)]
            for axis in (self.rows, self.columns)
        )  # fmt: skip
        kinds = np.array(down)[:, None, :, None] * len(self.columns.begins) + np.array(across)[:, None]
        kinds = kinds.reshape(math.prod(self.outputs), math.prod(self.inputs)).astype(np.uint8)
        return kinds.repeat(self.plain.m, axis=0).repeat(self.plain.n, axis=1)

    def _patterns(self) -> np.ndarray:
        """The masks uint8 (4, kh, kw): a window for each place where one begins, the last one repeated."""
        rows, columns = self.rows, self.columns
        masks = np.zeros((PATTERNS, rows.cells, columns.cells), dtype=np.uint8)
        corners = list(product(rows.begins, columns.begins))
        for mask, at in zip(masks, range(PATTERNS), strict=True):
            top, left = corners[min(at, len(corners) - 1)]
            mask[top : top + rows.window, left : left + columns.window] = 1
        return masks


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


def _obstacle(layer: Layer, maps: Mapping[str, Sides]) -> bool:
    """True for a layer that touches ``maps`` and has no packed form."""
    inputs, outputs = maps.get(layer.source, PLAIN_SIDES), maps.get(layer.target, PLAIN_SIDES)
    if layer.residual is not None and maps.get(layer.residual, PLAIN_SIDES) != outputs:
        return True
    if (inputs, outputs) == (PLAIN_SIDES, PLAIN_SIDES):
        return False
    if layer.target_rows > 1:
        return True
    read, written = (layer.in_rows, layer.in_columns), (layer.out_rows, layer.out_columns)
    odd = any(size % side for size, side in zip(read + written, inputs + outputs, strict=True))
    wide = layer.kind is LayerKind.DEPTHWISE and (layer.kernel_rows > 1 or layer.kernel_columns > 1)
    stuck = any(stride * out % into for stride, out, into in zip(layer.strides, outputs, inputs, strict=True))
    return bool(layer.kind is LayerKind.MAXPOOL or layer.pattern_ones is not None or odd or wide or stuck)
