"""How the host lays the image before the first layer reads it: pure data movement, stated as index maps.

A stem convolution has few input channels, so most of Tn would idle. The image may be re-laid such that
the same sums are a convolution with more channels and fewer kernel positions::

    out[m, r, c] = sum over n, i, j of  w[m, n, i, j] * image[n, r*S + i - top, c*S + j - left]

    space to depth   channels (n, i % S, j % S), kernel (i // S, j // S), stride 1
    unfolded         channels (n, i % S, j),     kernel (i // S, 0),      stride 1
    patches          channels (n, i, j),         kernel (0, 0),           stride 1

S is the stride, down for rows and across for columns. The padding is laid as zeros, so the new layer has
none. 7 x 7, stride 2 on 3 channels becomes 4 x 4 on 12 (space to depth), 4 x 1 on 42 (unfolded) or 1 x 1 on
147 (patches). A plain stem has no layout (``None``): the image lies as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, get_args

import numpy as np

from hotnas_hls.base.records import LATER

Shape = tuple[int, int, int]  # (channels, rows, columns)
OUTSIDE = -1  # in an index map: no element, a zero


class Stem(StrEnum):
    """Ways to run the first convolution."""

    PLAIN = "plain"
    SPACE_TO_DEPTH = "space_to_depth"
    UNFOLDED = "unfolded"
    PATCHES = "patches"


StemChoice = Literal["plain", "space_to_depth", "unfolded", "patches", "best"]  # best: the fastest
BEST: Literal["best"] = "best"
STEM_CHOICES: tuple[StemChoice, ...] = get_args(StemChoice)


@dataclass(frozen=True)
class ImageLayout:
    """The re-laid image of a stem convolution; every field but ``stem`` is the original convolution's."""

    stem: Stem  # never plain
    source: Shape  # the image as the network defines it
    kernel: tuple[int, int]
    stride: int  # across, and down too unless row_stride says another
    pad_top: int
    pad_left: int
    out_rows: int
    out_columns: int
    row_stride: int | None = field(default=None, metadata=LATER)  # down; None: as across

    @property
    def target_kernel(self) -> tuple[int, int]:
        """Kernel of the convolution on the re-laid image."""
        return -(-self.kernel[0] // self.tap_rows), -(-self.kernel[1] // self.tap_columns)

    @property
    def strides(self) -> tuple[int, int]:
        """Pixels of the source from a row of outputs to the one below, and from a column to the next."""
        return self.stride if self.row_stride is None else self.row_stride, self.stride

    @property
    def target(self) -> Shape:
        """Shape of the image feature map."""
        rows, columns = self.target_kernel
        taps = self.source[0] * self.tap_rows * self.tap_columns
        return taps, self.out_rows + rows - 1, self.out_columns + columns - 1

    @property
    def tap_rows(self) -> int:
        """Rows of the source that lie side by side as channels."""
        return self.kernel[0] if self.stem is Stem.PATCHES else min(self.strides[0], self.kernel[0])

    @property
    def tap_columns(self) -> int:
        """Columns of the source that lie side by side as channels."""
        whole = self.stem in (Stem.UNFOLDED, Stem.PATCHES)
        return self.kernel[1] if whole else min(self.strides[1], self.kernel[1])

    @property
    def filter_weights(self) -> int:
        """Weights of one filter of the original convolution: the re-laid one holds zeros beside them."""
        return self.source[0] * self.kernel[0] * self.kernel[1]

    def index_map(self) -> np.ndarray:
        """int64 of shape ``target``: the element of the flattened (C, H, W) image that goes there, or -1."""
        _, rows, columns = self.source
        taps = self._taps()
        _, target_rows, target_columns = self.target
        down, across = self.strides
        row = down * np.arange(target_rows) + taps[:, 1, None] - self.pad_top  # (C', H')
        column = across * np.arange(target_columns) + taps[:, 2, None] - self.pad_left  # (C', W')
        inside = ((row >= 0) & (row < rows))[:, :, None] & ((column >= 0) & (column < columns))[:, None, :]
        flat = (taps[:, 0, None, None] * rows + row[:, :, None]) * columns + column[:, None, :]
        return np.where(inside, flat, OUTSIDE)

    def kernel_map(self) -> np.ndarray:
        """int64 (C', kh', kw'): the element of a flattened (C, kh, kw) filter that goes there, or -1."""
        rows, columns = self.kernel
        taps = self._taps()
        target_rows, target_columns = self.target_kernel
        down, across = self.strides
        row = (down * np.arange(target_rows) + taps[:, 1, None])[:, :, None]  # (C', kh', 1)
        column = (across * np.arange(target_columns) + taps[:, 2, None])[:, None, :]  # (C', 1, kw')
        flat = (taps[:, 0, None, None] * rows + row) * columns + column
        return np.where((row < rows) & (column < columns), flat, OUTSIDE)

    def lay(self, images: np.ndarray) -> np.ndarray:
        """Images (..., C, H, W), floats or integers, as the image feature map (..., C', H', W')."""
        if images.shape[-3:] != self.source:
            raise ValueError(f"the image is {images.shape[-3:]}, the network reads {self.source}")
        return _gather(images, self.index_map())

    def lay_weights(self, weights: np.ndarray) -> np.ndarray:
        """Filters (M, C, kh, kw) for the re-laid image: (M, C', kh', kw'); the same sums, term by term."""
        return _gather(weights, self.kernel_map())

    def _taps(self) -> np.ndarray:
        """(channel, row offset, column offset) of each channel of the re-laid image: int64 (C', 3)."""
        return np.indices((self.source[0], self.tap_rows, self.tap_columns)).reshape(3, -1).T


def _gather(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The elements ``index`` names of each flattened (C, H, W) array in ``values``, zero for -1."""
    flat = values.reshape(*values.shape[:-3], -1)
    return np.where(index == OUTSIDE, np.zeros((), values.dtype), flat[..., index])
