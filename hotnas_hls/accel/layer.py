"""What the accelerator executes: feature maps, layers, and the integers of a quantised layer."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.image_layout import ImageLayout, Shape, Stem
from hotnas_hls.accel.integers.activation import activated
from hotnas_hls.base.records import LATER

LARGEST_KERNEL = 16  # rows or columns: 4 bits number them, and 8 bits the positions
LARGEST_STRIDE = 255
LARGEST_SIDE = 65_000  # rows or columns of a map: with its padding, which is counted in 16 bits


class LayerKind(StrEnum):
    """Compute modes of the accelerator."""

    CONV = "conv"  # every output channel sums over every input channel (fully connected included)
    DEPTHWISE = "depthwise"  # every channel for itself: depthwise conv, average pooling, scaling
    MAXPOOL = "maxpool"  # every channel for itself, maximum instead of sum


@dataclass(frozen=True)
class FeatureMap:
    """A tensor in DRAM.

    ``concat_of`` names the wider tensor this one is a channel range of (concatenation by
    placement); ``concat_offset`` is its first channel there. One that is ``trimmed`` has of each word
    only the beats of the IFM port that hold a channel: the image, where layers read it and nothing else does.
    """

    name: str
    channels: int
    rows: int
    columns: int
    frac_bits: int = 0  # value = integer * 2**-frac_bits
    concat_of: str | None = None
    concat_offset: int = 0
    trimmed: bool = field(default=False, metadata=LATER)

    @property
    def values(self) -> int:
        """How many it holds."""
        return self.channels * self.rows * self.columns


@dataclass(frozen=True)
class Layer:
    """One pass over the accelerator: shapes and compression, no numbers.

    ``residual`` is a feature map of the output's shape, or a vector: of its channels, with one pixel that
    every pixel takes. It is added before rounding and clamping, or multiplies what comes behind them.
    A fully connected layer on an H x W map is a CONV with that kernel, no padding, 1 x 1 output.

    Padding of less than none leaves out the first rows or columns of the map, as few outputs do the last.

    A layer may see the pixels of a map, which lie one after the other, as other rows and columns. One with
    ``target_rows`` of more than 1 writes every so many rows of its target, from ``target_row`` on.
    """

    name: str
    kind: LayerKind
    source: str  # feature map read
    target: str  # feature map written
    n: int  # input channels (N)
    m: int  # output channels (M); equals n unless CONV
    in_rows: int
    in_columns: int
    out_rows: int  # R
    out_columns: int  # C
    kernel_rows: int
    kernel_columns: int
    stride: int = 1  # across, and down too unless row_stride says another
    pad_top: int = 0
    pad_left: int = 0
    residual: str | None = None
    weight_bits: int = 16
    pattern_ones: int | None = None  # ones per 2-D kernel when pattern pruned, None when dense
    pattern_rows: int = 1  # output channels in a row that share their patterns
    needed_macs: int | None = None  # of the layer this is an exact rewrite of; None: all of its own
    ifm_on_chip: bool = False  # the map read lies on chip
    residual_on_chip: bool = False
    ofm_on_chip: bool = False
    weights_on_chip: bool = False  # loaded once, before the layer first runs
    activation_lines: bool = False  # its activation is one of lines, not a clamp alone
    residual_multiplies: bool = field(default=False, metadata=LATER)
    residual_vector: bool = field(default=False, metadata=LATER)
    target_rows: int = field(default=1, metadata=LATER)  # every how many rows of its target it writes one
    target_row: int = field(default=0, metadata=LATER)  # the first of them
    row_stride: int | None = field(default=None, metadata=LATER)  # down; None: as across
    ifm_trimmed: bool = field(default=False, metadata=LATER)  # the map read is trimmed

    def widened(self, n: int, m: int) -> Layer:
        """The layer with other channels."""
        return replace(self, n=n, m=m)

    def grown(self) -> Layer:
        """The layer with a kernel that is larger by a weight on each side."""
        return replace(
            self,
            kernel_rows=self.kernel_rows + 2,
            kernel_columns=self.kernel_columns + 2,
            pad_top=self.pad_top + 1,
            pad_left=self.pad_left + 1,
        )

    def narrowed(self, weight_bits: int) -> Layer:
        """The layer with weights of other widths; a maximum has none."""
        return self if self.kind is LayerKind.MAXPOOL else replace(self, weight_bits=weight_bits)

    def reading(self, act_bits: int) -> Layer:
        """The same: the accelerator's maps have one width."""
        return self

    def pruned(self, ones: int, rows: int) -> Layer:
        """The layer with ``ones`` weights a kernel, which ``rows`` output channels in a row share."""
        return replace(self, pattern_ones=ones, pattern_rows=rows)

    def unnamed(self) -> Layer:
        """The layer without its names: equal for layers that cost the same."""
        return _unnamed(self)

    def streamed(self) -> Layer:
        """The layer with nothing on chip."""
        return replace(
            self, ifm_on_chip=False, residual_on_chip=False, ofm_on_chip=False, weights_on_chip=False
        )

    @property
    def kept(self) -> tuple[str, ...]:
        """What it has on chip: input, residual, output, weights."""
        found = (self.ifm_on_chip, self.residual_on_chip, self.ofm_on_chip, self.weights_on_chip)
        names = ("input", "residual", "output", "weights")
        return tuple(name for name, kept in zip(names, found, strict=True) if kept)

    @property
    def addend(self) -> str | None:
        """The residual, where it is added."""
        return None if self.residual_multiplies else self.residual

    @property
    def residual_shape(self) -> Shape:
        """(channels, rows, columns) of a residual."""
        return (self.m, 1, 1) if self.residual_vector else (self.m, self.out_rows, self.out_columns)

    def seen(self, source: np.ndarray) -> np.ndarray:
        """The map it reads (..., channels, rows, columns) as it sees it."""
        return source.reshape(*source.shape[:-2], self.in_rows, self.in_columns)

    def part_of(self, target: np.ndarray) -> np.ndarray:
        """The rows (..., M, R, C) that it writes of its target (..., channels, rows, columns).

        A view of ``target``.
        """
        rows = target.reshape(*target.shape[:-2], self.out_rows, self.target_rows, self.out_columns)
        return rows[..., self.target_row, :]

    @property
    def positions(self) -> int:
        """Kernel positions computed per 2-D kernel: all of them, or a pattern's ones."""
        return self.pattern_ones or self.kernel_rows * self.kernel_columns

    @property
    def pairs_channels(self) -> bool:
        """True when output channels 2k and 2k + 1 follow the same patterns: they can share DSP slices."""
        return self.pattern_ones is None or self.pattern_rows % 2 == 0 or self.pattern_rows >= self.m

    @property
    def strides(self) -> tuple[int, int]:
        """Pixels of the IFM from an output pixel to the one below, and to the one beside it."""
        return self.stride if self.row_stride is None else self.row_stride, self.stride

    @property
    def padding(self) -> tuple[int, int]:
        """Rows of padding above and columns on the left; none where it leaves out some of the map."""
        return max(0, self.pad_top), max(0, self.pad_left)

    @property
    def first_pixel(self) -> tuple[int, int]:
        """The first row and column of the IFM that it reads."""
        return max(0, -self.pad_top), max(0, -self.pad_left)

    @property
    def reads_in_line(self) -> bool:
        """The rows that it reads lie one behind the other in memory: none is left out, nor a first column."""
        return self.first_pixel[1] == 0 and self.row_step == 1

    @property
    def writes_in_line(self) -> bool:
        """The rows that it writes do."""
        return self.target_rows == 1

    @property
    def row_step(self) -> int:
        """Every how many IFM rows one is read: a kernel of a single row leaves out those between."""
        return self.strides[0] if self.kernel_rows == 1 else 1

    @property
    def read_rows(self) -> int:
        """Rows of the IFM without those left out."""
        return -(-(self.in_rows - self.first_pixel[0]) // self.row_step)

    @property
    def read_columns(self) -> int:
        """Columns of the IFM without those left out."""
        return self.in_columns - self.first_pixel[1]

    @property
    def stride_rows(self) -> int:
        """Stride down in rows that are not left out."""
        return self.strides[0] // self.row_step

    def image_layout(self, stem: Stem, source: Shape) -> ImageLayout:
        """The layout in which this layer reads the image ``source`` by ``stem``."""
        return ImageLayout(
            stem=stem,
            source=source,
            kernel=(self.kernel_rows, self.kernel_columns),
            stride=self.stride,
            row_stride=self.row_stride,
            pad_top=self.pad_top,
            pad_left=self.pad_left,
            out_rows=self.out_rows,
            out_columns=self.out_columns,
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates that remain after pruning (comparisons for MAXPOOL)."""
        inputs = self.n if self.kind is LayerKind.CONV else 1
        return self.m * inputs * self.out_rows * self.out_columns * self.positions


@functools.lru_cache(maxsize=1 << 14)
def _unnamed(layer: Layer) -> Layer:
    return replace(layer, name="", source="", target="", residual="r" if layer.residual else None)


@dataclass(frozen=True, eq=False)
class LayerNumbers:
    """The integers of a quantised layer.

    output = clamp(round_half_up((acc + residual << residual_shift) >> output_shift))
    with acc = bias + sum(weight * ifm), the clamp [clamp_low, clamp_high] holding ReLU, another
    clip or only the activation range, and round_half_up(v >> s) = (v + (1 << s-1)) >> s. Of a layer
    with ``lines`` the output is what these make of that
    (:func:`~hotnas_hls.accel.integers.activation.activated`). A residual that multiplies is not in the sum:
    the output is round_half_up(that * residual >> residual_shift), within the activation range.

    weights: CONV (M, N, kh, kw), DEPTHWISE (C, 1, kh, kw), MAXPOOL empty; int32, zero at pruned
    positions. bias: (M,) int64 that fits 32 bits, at the scale of the accumulator.
    pattern_index: (M, N) uint8 in 0..3, the same for every pattern_rows output channels of the layer, or
    None; patterns: (4, kh, kw) 0/1 masks, or None. lines: (64, 2) int32, base and rise of each
    segment, or None.
    """

    weights: np.ndarray
    bias: np.ndarray
    output_shift: int
    clamp_low: int
    clamp_high: int
    residual_shift: int = 0
    pattern_index: np.ndarray | None = None
    patterns: np.ndarray | None = None
    weight_frac_bits: int = 0
    lines: np.ndarray | None = None

    def activation_range(self, act_bits: int) -> tuple[int, int]:
        """Lowest and highest value of the output, before a residual multiplies it."""
        if self.lines is None:
            return self.clamp_low, self.clamp_high
        found = activated(np.arange(self.clamp_low, self.clamp_high + 1), self.lines, act_bits)
        return int(found.min()), int(found.max())


def pattern_rows(index: np.ndarray) -> int:
    """Output channels in a row, from the first on, that share their patterns in a pattern index (M, N)."""
    changes = np.flatnonzero((index[1:] != index[:-1]).any(axis=1)) + 1
    return math.gcd(*changes.tolist()) or len(index)


@dataclass(frozen=True)
class IntegerNetwork:
    """A network as the accelerator runs it: image feature map to the feature maps that the host reads."""

    name: str
    feature_maps: dict[str, FeatureMap]
    layers: tuple[Layer, ...]
    numbers: dict[str, LayerNumbers]  # by layer name
    image: str  # feature map the host writes
    host: HostWork  # before that, and with what it reads
    act_bits: int  # 8 or 16
    image_layout: ImageLayout | None = None  # how the host lays an image; None: as it is

    @property
    def logits(self) -> str:
        """The feature map of the only output; ValueError where there are several."""
        return self.host.logits

    @property
    def image_shape(self) -> Shape:
        """(channels, rows, columns) of an image as the network defines it, before it is laid."""
        if self.image_layout is not None:
            return self.image_layout.source
        image = self.feature_maps[self.image]
        return image.channels, image.rows, image.columns
