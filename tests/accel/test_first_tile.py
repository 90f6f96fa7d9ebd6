"""How far a first tile is behind the layer that writes it, against the loops of both, word by word."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import Tile, plan_layer
from hotnas_hls.accel.timing.first_tile import FirstTile, first_tiles

ACCEL = Accelerator(8, 8, 8, 8, 64, 64, 64, 400, 9, 9, map_words=999)  # four channels a word
BLOCK = 4


def written(layer: Layer, tile: Tile) -> list[tuple[int, int, int]]:
    """(block, row, column) of every word in the order ofm_store writes them."""
    plan = plan_layer(layer, ACCEL, tile)
    words = []
    for top in range(0, layer.out_rows, plan.tr):
        for left in range(0, layer.out_columns, plan.tc):
            for first in range(0, -(-layer.m // BLOCK), plan.m_blocks):
                for block in range(first, min(first + plan.m_blocks, -(-layer.m // BLOCK))):
                    for row in range(top, min(top + plan.tr, layer.out_rows)):
                        words += [
                            (block, row, column)
                            for column in range(left, min(left + plan.tc, layer.out_columns))
                        ]
    return words


def read(layer: Layer, tile: Tile) -> list[tuple[int, int, int]]:
    """The same of what load_ifm reads of the first tile."""
    rows = {
        y * layer.stride + k - layer.pad_top
        for y in range(min(tile.tr, layer.out_rows))
        for k in range(layer.kernel_rows)
    }
    last = (min(tile.tc, layer.out_columns) - 1) * layer.stride + layer.kernel_columns - layer.pad_left
    return [
        (block, row, column)
        for block in range(-(-layer.n // BLOCK))
        for row in sorted(rows)
        if 0 <= row < layer.in_rows
        for column in range(min(last, layer.in_columns))
    ]


@pytest.mark.parametrize("seed", range(40))
def test_a_word_is_never_read_before_it_is_written_and_one_waits_for_no_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, channels = (int(rng.integers(3, 12)) for _ in range(3))
    kernel, stride = int(rng.choice([1, 3])), int(rng.integers(1, 3))
    pad = kernel // 2
    out = ((rows + 2 * pad - kernel) // stride + 1, (columns + 2 * pad - kernel) // stride + 1)
    before = Layer(
        "before", LayerKind.CONV, "in", "map", 4, 2 * channels, rows, columns, rows, columns, 1, 1,
        ofm_on_chip=True,
    )  # fmt: skip
    layer = Layer(
        "layer", LayerKind.CONV, "map", "out", 2 * channels, 4, rows, columns, *out, kernel, kernel, stride,
        pad, pad, ifm_on_chip=True,
    )  # fmt: skip
    tiles = {name: Tile(*(int(side) for side in rng.integers(1, 7, size=2))) for name in ("before", "layer")}
    _, found = first_tiles([before, layer], ACCEL, tiles)
    assert found is not None
    places = {word: place for place, word in enumerate(written(before, tiles["before"]))}
    words = read(layer, tiles["layer"])
    assert len(places) == len(written(before, tiles["before"])) and found.words == len(words)
    spare = [found.after + index - 1 - places[word] for index, word in enumerate(words)]
    assert min(spare) == 0


def test_a_map_of_another_layer_is_read_at_once_and_one_with_parts_behind_all_of_the_layer_before() -> None:
    sides = (8, 8, 8, 8, 1, 1)
    chip = {"ifm_on_chip": True, "ofm_on_chip": True}
    layers = [
        Layer("a", LayerKind.CONV, "in", "a.out", 4, 4, *sides, ofm_on_chip=True),
        Layer("b", LayerKind.CONV, "a.out", "b.out", 4, 8, *sides, **chip),
        Layer("c", LayerKind.CONV, "a.out", "c.out", 4, 8, *sides, **chip),
        Layer("d", LayerKind.CONV, "b.out and c.out", "d.out", 16, 4, *sides, **chip),
        Layer("e", LayerKind.CONV, "dram", "e.out", 4, 4, *sides),
        Layer("f", LayerKind.CONV, "d.out", "f.out", 4, 4, *sides, ifm_on_chip=True),
    ]
    tiles = {layer.name: Tile(8, 8) for layer in layers}
    assert first_tiles(layers, ACCEL, tiles) == [
        None, FirstTile(64, 1), FirstTile(64, 0), FirstTile(256, 128), None, FirstTile(64, 0),
    ]  # fmt: skip
    shared = dataclasses.replace(ACCEL, shared_bus=True)
    assert first_tiles(layers, shared, tiles) == [None] * 6
