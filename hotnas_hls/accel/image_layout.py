"""How the host lays the image before the first layer reads it: pure data movement, stated as index maps.

A stem convolution has few input channels, so most of Tn would idle. The image may be re-laid such that
the same sums are a convolution with more channels and fewer kernel positions::

    out[m, r, c] = sum over n, i, j of  w[m, n, i, j] * image[n, r*S + i - top, c*S + j - left]

    space to depth   channels (n, i % S, j % S), kernel (i // S, j // S), stride 1
    unfolded         channels (n, i % S, j),     kernel (i // S, 0),      stride 1

The padding is laid as zeros, so the new layer has none. 7 x 7, stride 2 on 3 channels becomes 4 x 4 on 12
(space to depth) or 4 x 1 on 42 (unfolded).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

Shape = tuple[int, int, int]  # (channels, rows, columns)
OUTSIDE = -1  # in an index map: no element, a zero


class Stem(StrEnum):
    """Ways to run the first convolution."""

    PLAIN = "plain"
    SPACE_TO_DEPTH = "space_to_depth"
    UNFOLDED = "unfolded"


@dataclass(frozen=True)
class ImageLayout:
    """The re-laid image of a stem convolution; every field but ``stem`` is the original convolution's."""

    stem: Stem
    source: Shape  # the image as the network defines it
    kernel: tuple[int, int]
    stride: int
    pad_top: int
    pad_left: int
    out_rows: int
    out_columns: int

    @property
    def target_kernel(self) -> tuple[int, int]:
        """Kernel of the convolution on the re-laid image."""
        if self.stem is Stem.PLAIN:
            return self.kernel
        rows = -(-self.kernel[0] // self.stride)
        return rows, (1 if self.stem is Stem.UNFOLDED else -(-self.kernel[1] // self.stride))

    @property
    def target(self) -> Shape:
        """Shape of the image feature map."""
        if self.stem is Stem.PLAIN:
            return self.source
        rows, columns = self.target_kernel
        return len(self._taps()), self.out_rows + rows - 1, self.out_columns + columns - 1

    def index_map(self) -> np.ndarray:
        """int64 of shape ``target``: the element of the flattened (C, H, W) image that goes there, or -1."""
        channels, rows, columns = self.source
        if self.stem is Stem.PLAIN:
            return np.arange(channels * rows * columns).reshape(self.source)
        taps = self._taps()
        _, target_rows, target_columns = self.target
        row = self.stride * np.arange(target_rows) + taps[:, 1, None] - self.pad_top  # (C', H')
        column = self.stride * np.arange(target_columns) + taps[:, 2, None] - self.pad_left  # (C', W')
        inside = ((row >= 0) & (row < rows))[:, :, None] & ((column >= 0) & (column < columns))[:, None, :]
        flat = (taps[:, 0, None, None] * rows + row[:, :, None]) * columns + column[:, None, :]
        return np.where(inside, flat, OUTSIDE)

    def kernel_map(self) -> np.ndarray:
        """int64 (C', kh', kw'): the element of a flattened (C, kh, kw) filter that goes there, or -1."""
        rows, columns = self.kernel
        if self.stem is Stem.PLAIN:
            return np.arange(self.source[0] * rows * columns).reshape(self.source[0], rows, columns)
        taps = self._taps()
        target_rows, target_columns = self.target_kernel
        row = (self.stride * np.arange(target_rows) + taps[:, 1, None])[:, :, None]  # (C', kh', 1)
        column = (self.stride * np.arange(target_columns) + taps[:, 2, None])[:, None, :]  # (C', 1, kw')
        flat = (taps[:, 0, None, None] * rows + row) * columns + column
        return np.where((row < rows) & (column < columns), flat, OUTSIDE)

    def lay(self, images: np.ndarray) -> np.ndarray:
        """Images (..., C, H, W), floats or integers, as the image feature map (..., C', H', W')."""
        if images.shape[-3:] != self.source:
            raise ValueError(f"the image is {images.shape[-3:]}, the network reads {self.source}")
        return images if self.stem is Stem.PLAIN else _gather(images, self.index_map())

    def lay_weights(self, weights: np.ndarray) -> np.ndarray:
        """Filters (M, C, kh, kw) for the re-laid image: (M, C', kh', kw'); the same sums, term by term."""
        return _gather(weights, self.kernel_map())

    def _taps(self) -> np.ndarray:
        """(channel, row offset, column offset) of each channel of the re-laid image: int64 (C', 3)."""
        columns = self.kernel[1] if self.stem is Stem.UNFOLDED else min(self.stride, self.kernel[1])
        rows = min(self.stride, self.kernel[0])
        return np.indices((self.source[0], rows, columns)).reshape(3, -1).T


def _gather(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The elements ``index`` names of each flattened (C, H, W) array in ``values``, zero for -1."""
    flat = values.reshape(*values.shape[:-3], -1)
    return np.where(index == OUTSIDE, np.zeros((), values.dtype), flat[..., index])
