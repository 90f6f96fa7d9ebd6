"""An uncompressed network on a board: its best arrangement explored, and any made a design point."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.memory.dram_timing import DramTiming, load_dram
from hotnas_hls.accel.memory.pricing import least_memory
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.timing.latency import best_tiles, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import InfeasibleDesign, raise_all
from hotnas_hls.explore import exhaustive as explore
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements, attempts
from hotnas_hls.explore.behind_dram import Decision, decide, fastest_behind
from hotnas_hls.explore.exhaustive import FIXED_LATENCY, Exploration, Explored
from hotnas_hls.explore.model_layers import ModelLayers, layers_of
from hotnas_hls.explore.space import WHOLE_SPACE, Space
from hotnas_hls.network.graph import Graph


@dataclass(frozen=True)
class ArrangementExploration:
    """The arrangement whose fastest design is fastest, what exploring it found, and what the others reach."""

    arrangement: Arrangement
    model: ModelLayers
    found: Exploration  # by the bound, where a DRAM lies behind the ports
    cycles: dict[Arrangement, int]
    decision: Decision[Explored] | None = None  # behind that DRAM


def explore_arrangements(
    graph: Graph,
    board: Board,
    memory: MemoryTiming | DramTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    top: int = 1,
    stem: StemChoice = BEST,
    weight_bits: int = 16,
    pattern_ones: int | None = None,
    packed: PackingChoice = BEST,
    clock_mhz: float | None = None,
) -> ArrangementExploration:
    """``explore`` in the arrangement asked for, or in the one of the network whose best design is fastest.

    memory: an ideal one, or the DRAM behind the ports. clock_mhz: None for the board's.
    pattern_ones: kernel positions that every 3x3 convolution keeps, None for dense ones. Pairs of output
    channels share their patterns where the space has DSP packing to offer, which asks for it.
    """
    pattern_rows = 2 if True in space.packing(weight_bits) else 1

    clock = clock_mhz or board.clock_mhz
    ideal = least_memory(memory, clock) if isinstance(memory, DramTiming) else memory

    def attempt(tried: Arrangement) -> tuple[ModelLayers, int]:
        model = layers_of(graph, weight_bits, space.act_bits, tried)
        if pattern_ones is not None:
            model = model.pruned(pattern_ones, pattern_rows)
        return model, explore.fastest(model.layers, board, ideal, space, model.blocks, clock).cycles

    explored = attempts(allowed_arrangements(graph, stem, packed), attempt)
    cycles = {tried: least for tried, (_, least) in explored.items()}
    decisions: dict[Arrangement, Decision[Explored]] = {}

    def price(tried: Arrangement) -> int:
        if not isinstance(memory, DramTiming):
            return cycles[tried]
        model = explored[tried][0]
        decisions[tried] = fastest_behind(
            model.layers, board, memory, clock, space, top, model.blocks, model.feature_maps
        )
        return decisions[tried].best[0].price

    bounds = sorted(((least, tried) for tried, least in cycles.items()), key=lambda pair: pair[0])
    chosen = decide(bounds, price).best[0].candidate
    model = explored[chosen][0]
    found = explore.explore(model.layers, board, ideal, space, top, model.blocks, clock)
    return ArrangementExploration(chosen, model, found, cycles, decisions.get(chosen))


def design_point(
    accel: Accelerator,
    model: ModelLayers,
    board: Board,
    clock: float,
    memory: MemoryTiming = FIXED_LATENCY,
) -> DesignPoint:
    """An uncompressed network on ``accel``, each layer in its fastest tile; it has no weights.

    memory: the ideal one, of which the cycles are predicted. Tiles are the fastest by the bound behind the
    board's DRAM; where it is not known, with the ideal memory.

    Raises InfeasibleDesign with every layer that fits in no tile, or everything else that ``accel`` lacks.
    """
    cannot = f"{model.name}: cannot run on this accelerator:"
    dram = None if board.dram is None else load_dram(board.dram)
    least = memory if dram is None else least_memory(dram, clock)
    tiles = best_tiles(model.layers, accel, least)
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
        host=model.host,
        packed_resolutions=model.arrangement.packed_resolutions,
        memory=memory,
    )
    raise_all(InfeasibleDesign, cannot, point.violations())
    predicted = network_latency(model.layers, accel, point.tiles, memory).cycles
    return dataclasses.replace(point, predicted_cycles=predicted)
