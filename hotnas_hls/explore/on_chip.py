"""What a design gains when the block RAM or UltraRAM it leaves free keeps maps and weights on chip."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS, Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.residency import keep_maps, keep_weights, planes_of
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import best_tiles, network_latency

LEAST_WORDS = 256  # of maps on chip that are tried; then twice as many, and so on


def kept_on_chip(point: DesignPoint) -> DesignPoint:
    """The fastest design on the array, buffers and ports of ``point`` that keeps what its board has room for.

    Widths of words and planes and the words for maps are tried; weights get what is left. ``point`` itself
    where nothing is faster, as on a shared bus. Tiles are chosen anew. ``predicted_cycles`` of what is found
    are those of the ideal memory.
    """
    layers = [entry.layer for entry in point.layers]
    best, least = point, _cycles(layers, point.accelerator, point.tiles, point)
    if point.accelerator.shared_bus:
        return best
    for accel in _designs(point):
        tried = _with(point, accel)
        if tried is not None and tried.predicted_cycles is not None and tried.predicted_cycles < least:
            best, least = tried, tried.predicted_cycles
    return best


def _cycles(
    layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile], point: DesignPoint
) -> int:
    return network_latency(layers, accel, tiles, point.memory).cycles


def _designs(point: DesignPoint) -> Iterator[Accelerator]:
    """``point``'s accelerator with wider words and planes, and words for maps, as far as they fit."""
    accel = point.accelerator
    for word_bits in (bits for bits in LEGAL_PORT_BITS if bits >= max(accel.ifm_bits, accel.ofm_bits)):
        for plane_bits in (bits for bits in LEGAL_PORT_BITS if bits >= accel.wgt_bits):
            for ultra_ram in (False, True) if point.board.uram else (False,):
                wide = dataclasses.replace(
                    accel, word_bits=word_bits, plane_bits=plane_bits, ultra_ram=ultra_ram
                )
                words = 0
                while not wide.violations() and _fits(dataclasses.replace(wide, map_words=words), point):
                    yield dataclasses.replace(wide, map_words=words)
                    words = 2 * words or LEAST_WORDS


def _with(point: DesignPoint, accel: Accelerator) -> DesignPoint | None:
    """``point`` on ``accel``, with room for all weights or as many as fit; None where it cannot run."""
    shapes = [entry.layer for entry in point.layers]
    layers: tuple[Layer, ...] = keep_maps(shapes, point.feature_maps, point.image, point.logits, accel)
    found = best_tiles(layers, accel, point.memory)
    tiles = {name: tile for name, tile in found.items() if tile is not None}
    if len(tiles) < len(layers):
        return None
    accel = dataclasses.replace(accel, weight_planes=_planes(point, accel, layers))
    layers = keep_weights(layers, accel, tiles, point.memory)
    kept = sum(planes_of(layer, accel) for layer in layers if layer.weights_on_chip)
    accel = dataclasses.replace(accel, weight_planes=kept)
    tried = dataclasses.replace(
        point,
        accelerator=accel,
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in layers),
        predicted_cycles=_cycles(layers, accel, tiles, point),
    )
    return None if tried.violations() else tried


def _planes(point: DesignPoint, accel: Accelerator, layers: tuple[Layer, ...]) -> int:
    """Planes of weights that fit the board: those of all layers, or the most, found by halving."""
    low, high = 0, sum(planes_of(layer, accel) for layer in layers)
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(dataclasses.replace(accel, weight_planes=middle), point):
            low = middle
        else:
            high = middle - 1
    return low


def _fits(accel: Accelerator, point: DesignPoint) -> bool:
    return not violations(accelerator_resources(accel, len(point.layers)), point.board)
