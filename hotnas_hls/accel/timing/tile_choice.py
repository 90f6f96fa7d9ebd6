"""The tile of a layer: those worth trying, and the fastest of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import KNOWN, Tile, ceil_div, plan_layer
from hotnas_hls.accel.timing.latency import ALONE, Place, layer_latency, places, timed_alike
from hotnas_hls.accel.timing.memory_timing import MemoryTiming


def candidate_tiles(layer: Layer, accel: Accelerator) -> list[Tile]:
    """Tiles worth trying: every even split of rows and columns that the buffers hold.

    For each split of the columns only the three tallest tiles that fit are kept: shorter ones reload
    more halo and weights.
    """
    found: list[Tile] = []
    for parts_c in range(1, layer.out_columns + 1):
        tc = ceil_div(layer.out_columns, parts_c)
        if ceil_div(layer.out_columns, tc) != parts_c:
            continue
        fitting = 0
        for parts_r in range(1, layer.out_rows + 1):
            tr = ceil_div(layer.out_rows, parts_r)
            if ceil_div(layer.out_rows, tr) != parts_r or tr * tc > accel.ofm_depth:
                continue
            plan = plan_layer(layer, accel, Tile(tr, tc))
            if plan.slices * plan.slice_px > accel.ifm_depth:
                continue
            found.append(Tile(tr, tc))
            fitting += 1
            if fitting == 3:
                break
        if len(found) >= 9:
            break
    return found


def best_tile(layer: Layer, accel: Accelerator, memory: MemoryTiming, place: Place = ALONE) -> Tile | None:
    """The candidate tile with the fewest cycles (the first of equals), or None when nothing fits."""
    return _known_best_tile(layer.unnamed(), timed_alike(accel), memory, place)


@functools.lru_cache(maxsize=KNOWN)
def _known_best_tile(layer: Layer, accel: Accelerator, memory: MemoryTiming, place: Place) -> Tile | None:
    tiles = candidate_tiles(layer, accel)
    return min(tiles, key=lambda tile: layer_latency(layer, accel, tile, memory, place).cycles, default=None)


def best_tiles(layers: Sequence[Layer], accel: Accelerator, memory: MemoryTiming) -> dict[str, Tile | None]:
    """The fastest tile of every layer of a network, None where nothing fits."""
    found = zip(layers, places(layers, accel.shared_bus), strict=True)
    return {layer.name: best_tile(layer, accel, memory, place) for layer, place in found}
