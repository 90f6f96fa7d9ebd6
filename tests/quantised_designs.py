"""Design points of networks that were traced and quantised."""

from __future__ import annotations

import dataclasses

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.fastest_design import design_point
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.network.graph import Graph


def with_integers(graph: Graph, net: IntegerNetwork, accel: Accelerator) -> DesignPoint:
    """The design of a graph on an accelerator, with the layers and integers of its quantised network."""
    point = design_point(accel, layers_of(graph), load_board("ZCU102"), 200.0)
    layers = zip(point.layers, net.layers, strict=True)
    return dataclasses.replace(
        point,
        feature_maps=tuple(net.feature_maps.values()),
        layers=tuple(dataclasses.replace(entry, layer=layer) for entry, layer in layers),
        numbers=net.numbers,
    )
