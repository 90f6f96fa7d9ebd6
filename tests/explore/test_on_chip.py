"""A design that keeps on chip what its board has room for."""

from __future__ import annotations

import dataclasses

import pytest
from small_designs import small_design

from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.on_chip import kept_on_chip


@pytest.mark.parametrize("board", ["ZCU102", "PYNQ-Z2"])
def test_a_design_that_keeps_data_is_faster_and_fits(board: str) -> None:
    point = dataclasses.replace(small_design(), board=load_board(board), clock_mhz=40.0, port_plan=None)
    kept = kept_on_chip(point)
    assert kept.violations() == []
    assert violations(accelerator_resources(kept.accelerator, len(kept.layers)), kept.board) == []
    layers = [entry.layer for entry in kept.layers]
    assert kept.predicted_cycles == network_latency(layers, kept.accelerator, kept.tiles, kept.memory).cycles
    assert kept.predicted_cycles < (point.predicted_cycles or 0)
    assert any(layer.ofm_on_chip for layer in layers) and any(layer.weights_on_chip for layer in layers)
    for name in ("tm", "tn", "tr", "tc", "ifm_depth", "ifm_bits", "wgt_bits", "ofm_bits"):
        assert getattr(kept.accelerator, name) == getattr(point.accelerator, name)


def test_ultra_ram_keeps_what_block_ram_has_no_room_for() -> None:
    point = small_design()
    used = accelerator_resources(point.accelerator, len(point.layers)).bram18
    board = dataclasses.replace(point.board, bram18=used, uram=8)
    kept = kept_on_chip(dataclasses.replace(point, board=board))
    assert kept.accelerator.ultra_ram and kept.accelerator.map_words > 64
    assert kept.predicted_cycles == kept_on_chip(point).predicted_cycles


def test_it_keeps_less_where_the_board_has_less_room() -> None:
    point = small_design()
    used = accelerator_resources(point.accelerator, len(point.layers)).bram18
    full = dataclasses.replace(point, board=dataclasses.replace(point.board, bram18=used))
    kept = kept_on_chip(full)
    assert accelerator_resources(kept.accelerator, len(kept.layers)).bram18 == used  # small ones are LUT RAM
    assert kept.accelerator.map_words <= 64 and kept.accelerator.weight_planes <= 64
