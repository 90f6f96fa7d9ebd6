"""How far the bound that prunes lies below what a network takes behind the board's DRAM.

Each network runs on the accelerator of :mod:`whole_networks`, in its fastest arrangement, unsimulated.
"""

from __future__ import annotations

from hotnas_hls.accel.memory.pricing import least_memory, without_numbers, worst_phase
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.bench.kept_results import Figures
from hotnas_hls.bench.whole_networks import BOARD, NETWORKS, on_accelerator
from hotnas_hls.boards.board import load_board


def measure() -> Figures:
    """By network: cycles, ideal and behind the DRAM, and the share of the latter that the bound misses."""
    from hotnas_hls.frontends.source import load_model

    found: Figures = {}
    for network in NETWORKS:
        point = on_accelerator(load_model(network.model).graph, load_board(BOARD))
        assert point.dram is not None
        at = (point.accelerator, point.tiles)
        layers = [entry.layer for entry in point.layers]
        bound = network_latency(layers, *at, least_memory(point.dram, point.clock_mhz)).cycles
        net = without_numbers(layers, point.accelerator.act_bits, point.feature_maps)
        behind = worst_phase(net, *at, point.dram, point.clock_mhz).cycles
        found[network.model] = {
            "ideal_cycles": point.predicted_cycles,
            "bound_cycles": bound,
            "worst_phase_cycles": behind,
            "below": 1 - bound / behind,
        }
    return found
