"""Four neighbouring pixels as four times the channels: an exact rewrite of the layers at high resolution.

A layer with fewer channels than the array has lanes wastes the rest, pixel after pixel. On packed maps of C
channels, channel (2 i + j) C + c of pixel (r, k) is channel c of pixel (2 r + i, 2 k + j). A 3 x 3
convolution with padding 1 of N -> M channels becomes one of a quarter of the pixels::

    packed -> packed, stride 1   3 x 3, stride 1, 4 N -> 4 M
    packed -> packed, stride 2   3 x 3, stride 2, 4 N -> 4 M
    packed -> plain,  stride 2   2 x 2, stride 1, 4 N ->   M
    plain  -> packed, stride 1   4 x 4, stride 2,   N -> 4 M   the stem; its image may be re-laid

Between packed maps, pixel (i, j) of four reaches rows i - 1 and i and columns j - 1 and j of its packed
neighbours only: every kernel lies in one of four patterns of 2 x 2 cells, so that, as a pattern-pruned
layer, it takes 4 of the 9 positions. The integers are those of the plain network and every sum has the same
terms: the outputs are equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers

SIDE = 2  # pixels packed in each direction
PACKINGS: tuple[Literal[0, 1, 2], ...] = (0, 1, 2)  # numbers of resolutions that are tried
PackingChoice = Literal[0, 1, 2, "best"]  # best: the fastest that can be

Reads = list[list[tuple[int, int]]]  # [pixel of four, in one direction][kernel row] -> cell and pixel there


@dataclass(frozen=True)
class Packing:
    """The feature maps that are packed, and the stem the image is laid for."""

    maps: frozenset[str]
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
        side = self._side(fm.name)
        channels = side * side * fm.channels
        return replace(fm, channels=channels, rows=fm.rows // side, columns=fm.columns // side)

    def _side(self, name: str) -> int:
        return SIDE if name in self.maps else 1

    def _rewritten(self, layer: Layer) -> _Rewritten:
        layout = self._layout(layer) if layer.source == self.image else None
        return _Rewritten(layer, self._side(layer.source), self._side(layer.target), layout)

    def _layout(self, layer: Layer) -> ImageLayout | None:
        """How the host lays the image for ``layer``, which reads it."""
        if self.stem is Stem.PLAIN:
            return None
        packed = _Rewritten(layer, 1, self._side(layer.target), None).layer
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
    def spans(self) -> list[tuple[int, int]]:
        """First and last cell of each output pixel."""
        return [(min(cells)[0], max(cells)[0]) for cells in self.reads]

    @property
    def first(self) -> int:
        return min(first for first, _ in self.spans)

    @property
    def cells(self) -> int:
        """Cells of the new kernel."""
        return max(last for _, last in self.spans) - self.first + 1

    @property
    def window(self) -> int:
        """Cells any one output pixel needs."""
        return max(last - first + 1 for first, last in self.spans)

    def begin(self, pixel: int) -> int:
        """The first cell of the window of an output pixel."""
        return min(self.spans[pixel][0] - self.first, self.cells - self.window)


@dataclass(frozen=True)
class _Rewritten:
    """A layer of plain maps on maps of ``inputs`` and ``outputs`` pixels a side."""

    plain: Layer
    inputs: int
    outputs: int
    layout: ImageLayout | None

    @property
    def rows(self) -> _Axis:
        return _Axis(self.plain.kernel_rows, self.plain.pad_top, self.plain.stride, self.inputs, self.outputs)

    @property
    def columns(self) -> _Axis:
        return _Axis(
            self.plain.kernel_columns, self.plain.pad_left, self.plain.stride, self.inputs, self.outputs
        )

    @property
    def channelwise(self) -> bool:
        """True while every packed channel still has its own input only."""
        channelwise = self.plain.kind is not LayerKind.CONV
        return channelwise and self.inputs == self.outputs and self.plain.stride == 1

    @property
    def window(self) -> int | None:
        """Ones of the patterns; None where every output pixel needs the whole kernel."""
        rows, columns = self.rows, self.columns
        ones = rows.window * columns.window
        return ones if ones < rows.cells * columns.cells and self.layout is None and self._patterned else None

    @property
    def _patterned(self) -> bool:
        return self.inputs == self.outputs == SIDE

    @property
    def layer(self) -> Layer:
        plain, rows, columns = self.plain, self.rows, self.columns
        if self.inputs == self.outputs == 1:
            return plain
        stride = plain.stride * self.outputs // self.inputs
        if self.layout is not None:
            channels, in_rows, in_columns = self.layout.target
            kernel_rows, kernel_columns = self.layout.target_kernel
            stride = pad_top = pad_left = 0
            stride = 1
        else:
            channels = plain.n * self.inputs**2
            in_rows, in_columns = plain.in_rows // self.inputs, plain.in_columns // self.inputs
            kernel_rows, kernel_columns = rows.cells, columns.cells
            pad_top, pad_left = -rows.first, -columns.first
        return replace(
            plain,
            kind=plain.kind if self.channelwise else LayerKind.CONV,
            n=channels,
            m=plain.m * self.outputs**2,
            in_rows=in_rows,
            in_columns=in_columns,
            out_rows=plain.out_rows // self.outputs,
            out_columns=plain.out_columns // self.outputs,
            kernel_rows=kernel_rows,
            kernel_columns=kernel_columns,
            stride=stride,
            pad_top=pad_top,
            pad_left=pad_left,
            pattern_ones=self.window,
            pattern_rows=1 if self.window is None else plain.m,
            needed_macs=plain.macs,
        )

    def numbers(self, numbers: LayerNumbers) -> LayerNumbers:
        if self.inputs == self.outputs == 1:
            return numbers
        bias = np.tile(numbers.bias, self.outputs**2)
        if self.channelwise:
            return replace(numbers, weights=np.tile(numbers.weights, (self.outputs**2, 1, 1, 1)), bias=bias)
        weights = self._weights(self._dense(numbers.weights))
        if self.layout is not None:
            weights = self.layout.lay_weights(weights)
        if self.window is None:
            return replace(numbers, weights=weights, bias=bias)
        pixels = np.arange(self.outputs**2, dtype=np.uint8).repeat(self.plain.m)
        index = np.broadcast_to(pixels[:, None], weights.shape[:2]).copy()
        return replace(numbers, weights=weights, bias=bias, pattern_index=index, patterns=self._patterns())

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
        outputs, inputs = self.outputs, self.inputs
        cells = np.zeros((outputs, outputs, m, inputs, inputs, n, rows.cells, columns.cells), weights.dtype)
        for i, row_reads in enumerate(rows.reads):
            for j, column_reads in enumerate(columns.reads):
                for row, (y, above) in enumerate(row_reads):
                    for column, (x, left) in enumerate(column_reads):
                        at = (y - rows.first, x - columns.first)
                        cells[i, j, :, above, left, :, *at] = weights[:, :, row, column]
        return cells.reshape(outputs**2 * m, inputs**2 * n, rows.cells, columns.cells)

    def _patterns(self) -> np.ndarray:
        """The four masks uint8 (4, kh, kw): cells that output pixel (i, j) of four may read."""
        rows, columns = self.rows, self.columns
        masks = np.zeros((SIDE, SIDE, rows.cells, columns.cells), dtype=np.uint8)
        for i in range(SIDE):
            for j in range(SIDE):
                top, left = rows.begin(i), columns.begin(j)
                masks[i, j, top : top + rows.window, left : left + columns.window] = 1
        return masks.reshape(SIDE * SIDE, rows.cells, columns.cells)


def packing(layers: Sequence[Layer], image: str, resolutions: int, stem: Stem = Stem.PLAIN) -> Packing | None:
    """Packs the maps of the image's size, and of halves of it, ``resolutions`` sizes in all.

    None where a layer that reads or writes such a map has no packed form, nothing reads one (the output
    leaves the accelerator as it is), or no layer writes maps of the smallest of these sizes. ``layers`` have
    a plain stem.
    """
    first = next((layer for layer in layers if layer.source == image), None)
    if first is None or resolutions < 1:
        return None
    sizes = [(first.in_rows >> step, first.in_columns >> step) for step in range(resolutions)]
    maps = {layer.target for layer in layers if (layer.out_rows, layer.out_columns) in sizes}
    if sizes[-1] not in {(layer.out_rows, layer.out_columns) for layer in layers}:
        return None
    readers = [layer for layer in layers if image in (layer.source, layer.residual)]
    read = {name for layer in layers for name in (layer.source, layer.residual)}
    obstacles = not maps <= read or any(_obstacle(layer, maps) for layer in layers)
    if len(readers) > 1 or first.kind is not LayerKind.CONV or obstacles:
        return None
    return Packing(frozenset(maps), image, stem)


def _obstacle(layer: Layer, maps: set[str]) -> bool:
    """True for a layer that touches ``maps`` and has no packed form."""
    inside, outside = layer.source in maps, layer.target in maps
    if layer.residual is not None and (layer.residual in maps) != outside:
        return True
    if not inside and not outside:
        return False
    if layer.target_rows > 1:
        return True
    odd = layer.out_rows % SIDE or layer.out_columns % SIDE if outside else 0
    odd = odd or (layer.in_rows % SIDE or layer.in_columns % SIDE if inside else 0)
    wide = layer.kind is LayerKind.DEPTHWISE and (layer.kernel_rows > 1 or layer.kernel_columns > 1)
    stuck = inside and (layer.stride * (SIDE if outside else 1)) % SIDE
    return bool(layer.kind is LayerKind.MAXPOOL or layer.pattern_ones is not None or odd or wide or stuck)
