"""The first tile of a layer that comes ahead: how much is read, and how far behind the layer before.

Where a layer reads on chip its first tile is loaded while the layer before is in work (``tile_ahead.sv``).
That one may be writing the very map: then a word is read once it is written. Both orders are fixed by the two
tiles, so that one number says how they fit: ``after`` words are written before the first one is read, and one
more for each behind it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import LayerPlan, Tile, ceil_div, plan_layer


class FirstTile(NamedTuple):
    """What load_ifm reads of a layer's first tile, and when it may."""

    words: int  # inside the map, all channel blocks
    after: int  # words the layer before writes before the first of them is read; 0: it writes none of them


def first_tiles(
    layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile]
) -> list[FirstTile | None]:
    """The first tile of every layer, None where it does not come ahead."""
    found: list[FirstTile | None] = [None]
    written: set[str] = set()  # by layers before the one before
    for before, layer in zip(layers, layers[1:], strict=False):
        if layer.ifm_on_chip and not accel.shared_bus:
            at = (accel, tiles[before.name], tiles[layer.name])
            words = _tile_words(layer.unnamed(), accel, tiles[layer.name])
            if before.target == layer.source:
                after = _words_before(before.unnamed(), layer.unnamed(), *at)
            elif layer.source in written or not before.ofm_on_chip:
                after = 0
            else:  # of a concatenation, which the layer before may complete
                after = ceil_div(before.m, accel.channel_block) * before.out_rows * before.out_columns
            found.append(FirstTile(words, after))
        else:
            found.append(None)
        written.add(before.target)
    return found


def _reads(layer: Layer, plan: LayerPlan) -> tuple[int, int]:
    """Rows and columns of the first tile's footprint inside the map."""
    rows = plan.th_last if plan.tiles_r == 1 else plan.th
    columns = plan.tw_last if plan.tiles_c == 1 else plan.tw
    top, left = layer.padding
    return min(rows - top, layer.read_rows), min(columns - left, layer.read_columns)


@functools.lru_cache(maxsize=1 << 12)
def _tile_words(layer: Layer, accel: Accelerator, tile: Tile) -> int:
    rows, columns = _reads(layer, plan_layer(layer, accel, tile))
    return ceil_div(layer.n, accel.channel_block) * rows * columns


@functools.lru_cache(maxsize=1 << 12)
def _words_before(before: Layer, layer: Layer, accel: Accelerator, tile_before: Tile, tile: Tile) -> int:
    """Words of its map written before the first tile is read, if every one behind waits for one more."""
    rows, columns = _reads(layer, plan_layer(layer, accel, tile))
    written = _order_written(before, plan_layer(before, accel, tile_before), accel)
    written = written.reshape(len(written), layer.in_rows, layer.in_columns)
    row, column = layer.first_pixel
    needed = written[:, row:, column : column + columns][:, : rows * layer.row_step : layer.row_step].ravel()
    return int((needed - np.arange(needed.size)).max()) + 1


def _order_written(layer: Layer, plan: LayerPlan, accel: Accelerator) -> np.ndarray:
    """The place of every word of a layer's map in the order they are written: (blocks, rows, columns)."""
    blocks = ceil_div(layer.m, accel.channel_block)
    block = np.arange(blocks)[:, None, None]
    row, column = np.arange(layer.out_rows)[None, :, None], np.arange(layer.out_columns)[None, None, :]
    tile_rows = np.minimum(plan.tr, layer.out_rows - row // plan.tr * plan.tr)
    tile_columns = np.minimum(plan.tc, layer.out_columns - column // plan.tc * plan.tc)
    top, left = row // plan.tr * plan.tr, column // plan.tc * plan.tc
    before = blocks * (top * layer.out_columns + left * tile_rows)  # words of the tiles before
    return before + (block * tile_rows + row - top) * tile_columns + column - left
