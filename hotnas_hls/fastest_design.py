"""The fastest design of an uncompressed network on a board: each stem it allows explored, the best kept."""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import BEST, Stem, StemChoice
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.board import Board
from hotnas_hls.explore import FIXED_LATENCY, WHOLE_SPACE, Exploration, Explored, Space, explore
from hotnas_hls.graph import Graph
from hotnas_hls.model_layers import ModelLayers, layers_of
from hotnas_hls.stems import allowed_stems, attempts, fastest


@dataclass(frozen=True)
class StemExploration:
    """The stem whose fastest design is fastest, what exploring it found, and what the others reach."""

    stem: Stem
    model: ModelLayers
    found: Exploration
    cycles_by_stem: dict[Stem, int]


def explore_stems(
    graph: Graph,
    board: Board,
    memory: MemoryTiming = FIXED_LATENCY,
    space: Space = WHOLE_SPACE,
    top: int = 1,
    stem: StemChoice = BEST,
    weight_bits: int = 16,
    pattern_ones: int | None = None,
) -> StemExploration:
    """``explore`` with the stem asked for, or with each the network allows.

    pattern_ones: kernel positions that every 3x3 convolution keeps, None for dense ones. Pairs of output
    channels share their patterns where the space has DSP packing to offer, which asks for it.
    """

    pattern_rows = 2 if True in space.packing(weight_bits) else 1

    def attempt(tried: Stem) -> tuple[ModelLayers, Exploration]:
        model = layers_of(graph, weight_bits, space.act_bits, tried)
        if pattern_ones is not None:
            model = model.pruned(pattern_ones, pattern_rows)
        return model, explore(model.layers, board, memory, space, top, model.blocks)

    explored = attempts(allowed_stems(graph, stem), attempt)
    cycles = {tried: found.best[0].cycles for tried, (_, found) in explored.items()}
    chosen = fastest(explored, lambda each: each[1].best[0].cycles)
    return StemExploration(chosen, *explored[chosen], cycles)


def design_point(
    design: Explored, model: ModelLayers, board: Board, clock: float, memory: MemoryTiming
) -> DesignPoint:
    """An explored design of an uncompressed network, ready for ``hotnas hls``; it has no weights."""
    tiles = design.tiles(model.layers, memory)
    return DesignPoint(
        network=model.name,
        board=board,
        clock_mhz=clock,
        seed=0,
        accelerator=design.accel,
        image=model.image,
        logits=model.logits,
        feature_maps=model.feature_maps,
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in model.layers),
        image_layout=model.image_layout,
        memory=memory,
        predicted_cycles=design.cycles,
    )
