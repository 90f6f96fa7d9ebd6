"""A small residual network on a small accelerator, with numbers: every layer kind, simulated in a second."""

from __future__ import annotations

import dataclasses

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.weights_file import Golden
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.on_chip import kept_on_chip

ACCEL = Accelerator(
    tm=8,
    tn=4,
    tr=8,
    tc=8,
    ifm_bits=64,
    wgt_bits=64,
    ofm_bits=32,
    ifm_depth=400,
    wgt_entries=9,
    max_entries=9,
    weight_bits=8,
)
MAPS = (
    FeatureMap("image", 1, 8, 8),
    FeatureMap("stem.out", 6, 8, 8),
    FeatureMap("residual.out", 6, 8, 8),
    FeatureMap("pool.out", 6, 4, 4),
    FeatureMap("mean.out", 6, 1, 1),
    FeatureMap("logits", 10, 1, 1),
)
RESIDUAL = ("stem.out", 6, 4)  # the map added, weight bits, pattern ones
LAYERS = (
    Layer("stem", LayerKind.CONV, "image", "stem.out", 1, 6, 8, 8, 8, 8, 3, 3, 1, 1, 1, weight_bits=8),
    Layer("residual", LayerKind.CONV, "stem.out", "residual.out", 6, 6, 8, 8, 8, 8, 3, 3, 1, 1, 1, *RESIDUAL),
    Layer("pool", LayerKind.MAXPOOL, "residual.out", "pool.out", 6, 6, 8, 8, 4, 4, 2, 2, 2, weight_bits=8),
    Layer("mean", LayerKind.DEPTHWISE, "pool.out", "mean.out", 6, 6, 4, 4, 1, 1, 4, 4, weight_bits=2),
    Layer("fc", LayerKind.CONV, "mean.out", "logits", 6, 10, 1, 1, 1, 1, 1, 1, weight_bits=8),
)
TILES = {"stem": Tile(8, 8), "residual": Tile(5, 8), "pool": Tile(4, 4), "mean": Tile(1, 1), "fc": Tile(1, 1)}


def small_design(**changes) -> DesignPoint:
    """The design with seeded numbers, golden images, and a bound 25 % above its ideal latency."""
    accel = dataclasses.replace(ACCEL, max_entries=16)
    values = {
        "network": "small",
        "board": load_board("ZCU102"),
        "clock_mhz": 200.0,
        "seed": 1,
        "accelerator": accel,
        "image": "image",
        "host": HostWork.reading("logits"),
        "feature_maps": MAPS,
        "layers": tuple(DesignLayer(layer, TILES[layer.name]) for layer in LAYERS),
    }
    point = DesignPoint(**(values | changes))
    run = [entry.layer for entry in point.layers]
    predicted = network_latency(run, point.accelerator, point.tiles, point.memory).cycles
    point = dataclasses.replace(
        point,
        latency_bound_ms=changes.get("latency_bound_ms", 1.25 * predicted / 200_000),
        predicted_cycles=predicted,
        numbers=point.integer_network().numbers,
        golden=Golden(point.golden_images(3)),
    )
    assert not point.violations(), point.violations()
    return point


def on_chip_design(**changes) -> DesignPoint:
    """The same network on the same array, with what its board leaves free for maps and weights."""
    point = small_design(**changes)
    net = dataclasses.replace(point.integer_network(), numbers={})
    kept = kept_on_chip(net, point.accelerator, point.board, point.memory, point.clock_mhz)
    assert kept is not None
    layers = tuple(DesignLayer(layer, kept.resident.tiles[layer.name]) for layer in kept.resident.net.layers)
    return dataclasses.replace(
        point, accelerator=kept.resident.accel, layers=layers, predicted_cycles=kept.cycles
    )
