"""Weights striped over two masters or four: how they lie, what they take, what cannot be."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from small_designs import ACCEL, small_design

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.encoding.images import buffer_alignment, map_memory, striped, weight_image
from hotnas_hls.accel.encoding.seal import signature
from hotnas_hls.accel.port_plan import plan_ports, port_violations
from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.accel.timing.latency import fetch_cycles, first_job_cycles, network_latency
from hotnas_hls.accel.timing.pipeline import STRIPED_READ
from hotnas_hls.accel.traffic import network_beats
from hotnas_hls.boards.board import load_board

STRIPED = dataclasses.replace(ACCEL, max_entries=16, wgt_masters=2)
FOUR = dataclasses.replace(STRIPED, wgt_bits=ACCEL.wgt_bits // 2, wgt_masters=4)
WIDE = dataclasses.replace(ACCEL, max_entries=16, wgt_bits=2 * ACCEL.wgt_bits)  # one port as wide as all


def on(accel: Accelerator) -> DesignPoint:
    """The small design on another accelerator, its ports planned anew."""
    return dataclasses.replace(small_design(), accelerator=accel, port_plan=None, latency_bound_ms=None)


def test_a_page_of_each_master_follows_one_of_the_other_and_their_beats_join() -> None:
    image = np.random.default_rng(0).integers(0, 256, 5 * 8192, np.uint8)
    pages = np.frombuffer(striped(image.tobytes(), STRIPED), np.uint8).reshape(5, 2, 4096)
    first, second = (pages[:, master].reshape(-1, 8) for master in (0, 1))  # beats of 64 bits, in order
    assert np.array_equal(np.hstack([first, second]).ravel(), image)
    assert striped(image.tobytes(), WIDE) == image.tobytes()
    parts = np.frombuffer(striped(image[:32768].tobytes(), FOUR), np.uint8).reshape(2, 4, 4096)
    joined = [parts[:, master].reshape(-1, 4) for master in range(4)]  # beats of 32 bits
    assert np.array_equal(np.hstack(joined).ravel(), image[:32768])


def test_regions_begin_on_a_page_of_each_master_and_hold_what_one_port_would_read() -> None:
    point, wide = on(STRIPED), on(WIDE)
    net, memory = point.integer_network(), map_memory(point.integer_network(), STRIPED, point.tiles)
    assert buffer_alignment(STRIPED) == 8192 == 2 * buffer_alignment(WIDE) == buffer_alignment(FOUR) // 2
    assert all(place % 8192 == 0 for place in (*memory.weights.values(), memory.weight_bytes))
    pages = np.frombuffer(weight_image(net, STRIPED, point.tiles, memory), np.uint8).reshape(-1, 2, 512, 8)
    plain = pages.transpose(0, 2, 1, 3).tobytes()
    other = map_memory(net, WIDE, wide.tiles)
    image = weight_image(net, WIDE, wide.tiles, other)
    for layer in net.layers:
        start, there = memory.weights[layer.name], other.weights[layer.name]
        assert plain[start : start + 4096] == image[there : there + 4096]


def test_they_take_the_cycles_of_one_port_as_wide_and_one_more_a_read_and_as_many_ports() -> None:
    point = on(STRIPED)
    layers = point.integer_network().layers
    striped_cycles, four, wide, narrow = (
        network_latency(layers, accel, point.tiles, point.memory).cycles
        for accel in (STRIPED, FOUR, WIDE, dataclasses.replace(STRIPED, wgt_masters=1))
    )
    assert wide < striped_cycles == four < narrow
    for of in (fetch_cycles, first_job_cycles):
        assert of(layers[0], STRIPED, point.memory) == of(layers[0], WIDE, point.memory) + STRIPED_READ
    assert len(plan_ports(FOUR, point.board).wgt) == 4
    assert network_beats(layers, STRIPED, point.tiles) == network_beats(layers, WIDE, point.tiles)
    assert STRIPED.ports_text == "64/2 x 64/32" and STRIPED.port_bits == 224
    assert len(point.port_plan.wgt) == 2 if point.port_plan else False
    both, one = (accelerator_resources(accel) for accel in (STRIPED, WIDE))
    assert both.ff > one.ff and both.lut > one.lut


def test_what_cannot_be_striped_is_refused() -> None:
    shared = dataclasses.replace(STRIPED, ifm_bits=64, ofm_bits=64, shared_bus=True)
    for accel, problem in (
        (
            dataclasses.replace(STRIPED, wgt_masters=3),
            "wgt_masters = 3: weights are striped over 1, 2 or 4 masters",
        ),
        (
            shared,
            "wgt_masters = 2: on a shared bus all reads have one master; set shared_bus to false or "
            "wgt_masters to 1",
        ),
        (
            dataclasses.replace(STRIPED, wgt_bits=512),
            "wgt_masters = 2, wgt_bits = 512: together at most 512 bits; use narrower masters or one",
        ),
        (
            dataclasses.replace(STRIPED, plane_bits=64),
            "plane_bits = 64: a plane is as wide as the ports of the weights together or wider; "
            "use 128, 256, 512, 1024",
        ),
    ):
        assert accel.violations() == [problem]
    board = load_board("ZCU102")
    few = dataclasses.replace(board, ports=(dataclasses.replace(board.ports[0], names=("A", "B", "C")),))
    assert port_violations(STRIPED, few, 100, False) == [
        "ofm: 1 master of 32 bits, 0 ports of ZCU102 left for it; use fewer masters (a shared bus has one) "
        "or other widths"
    ]


def test_a_design_says_it_and_one_without_keeps_its_bytes(tmp_path: Path) -> None:
    assert "wgt_masters" not in json.loads(on(WIDE).to_json())["accelerator"]
    on(STRIPED).save(tmp_path)
    assert DesignPoint.load(tmp_path).accelerator == STRIPED
    assert signature(STRIPED) != signature(WIDE)


@pytest.mark.parametrize("accel", [STRIPED, FOUR, WIDE])
def test_its_ports_fit_the_board(accel: Accelerator) -> None:
    assert on(accel).violations() == []
