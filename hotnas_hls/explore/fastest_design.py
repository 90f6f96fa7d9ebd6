"""An uncompressed network on a board: its best arrangement explored, and any made a design point."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.timing.latency import best_tile, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import InfeasibleDesign, raise_all
from hotnas_hls.explore import exhaustive as explore
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements, attempts, fastest
from hotnas_hls.explore.exhaustive import FIXED_LATENCY, WHOLE_SPACE, Exploration, Space
from hotnas_hls.explore.model_layers import ModelLayers, layers_of
from hotnas_hls.network.graph import Graph


@dataclass(frozen=True)
class ArrangementExploration:
    """The arrangement whose fastest design is fastest, what exploring it found, and what the others reach."""

    arrangement: Arrangement
    model: ModelLayers
    found: Exploration
    cycles: dict[Arrangement, int]


def explore_arrangements(
    graph: Graph,
    board: Board,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    top: int = 1,
    stem: StemChoice = BEST,
    weight_bits: int = 16,
    pattern_ones: int | None = None,
    packed: PackingChoice = BEST,
    clock_mhz: float | None = None,
) -> ArrangementExploration:
    """``explore`` in the arrangement asked for, or in the one of the network whose best design is fastest.

    clock_mhz: None for the board's.
    pattern_ones: kernel positions that every 3x3 convolution keeps, None for dense ones. Pairs of output
    channels share their patterns where the space has DSP packing to offer, which asks for it.
    """
    pattern_rows = 2 if True in space.packing(weight_bits) else 1

    def attempt(tried: Arrangement) -> tuple[ModelLayers, int]:
        model = layers_of(graph, weight_bits, space.act_bits, tried)
        if pattern_ones is not None:
            model = model.pruned(pattern_ones, pattern_rows)
        return model, explore.fastest(model.layers, board, memory, space, model.blocks, clock_mhz).cycles

    explored = attempts(allowed_arrangements(graph, stem, packed), attempt)
    cycles = {tried: least for tried, (_, least) in explored.items()}
    chosen = fastest(cycles, float)
    model = explored[chosen][0]
    found = explore.explore(model.layers, board, memory, space, top, model.blocks, clock_mhz)
    return ArrangementExploration(chosen, model, found, cycles)


def design_point(
    accel: Accelerator,
    model: ModelLayers,
    board: Board,
    clock: float,
    memory: MemoryTiming = FIXED_LATENCY,
) -> DesignPoint:
    """An uncompressed network on ``accel``, each layer in its fastest tile; it has no weights.

    Raises InfeasibleDesign with every layer that fits in no tile, or everything else that ``accel`` lacks.
    """
    cannot = f"{model.name}: cannot run on this accelerator:"
    tiles = {layer.name: best_tile(layer, accel, memory) for layer in model.layers}
    raise_all(
        InfeasibleDesign,
        cannot,
        [f"{name}: no tile fits the buffers; make them deeper" for name in tiles if tiles[name] is None],
    )
    layers = tuple(DesignLayer(layer, tile) for layer in model.layers if (tile := tiles[layer.name]))
    point = DesignPoint(
        network=model.name,
        board=board,
        clock_mhz=clock,
        seed=0,
        accelerator=accel,
        image=model.image,
        logits=model.logits,
        feature_maps=model.feature_maps,
        layers=layers,
        image_layout=model.image_layout,
        packed_resolutions=model.arrangement.packed_resolutions,
        memory=memory,
    )
    raise_all(InfeasibleDesign, cannot, point.violations())
    predicted = network_latency(model.layers, accel, point.tiles, memory).cycles
    return dataclasses.replace(point, predicted_cycles=predicted)
