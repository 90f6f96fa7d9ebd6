"""An uncompressed network on a board: its best arrangement explored, and any made a design point."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.memory.dram_timing import DramTiming, load_dram
from hotnas_hls.accel.memory.pricing import least_memory, without_numbers
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.residency import Resident, reside
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import InfeasibleDesign, raise_all
from hotnas_hls.explore import exhaustive as explore
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements, attempts
from hotnas_hls.explore.behind_dram import Decision, Priced, decide, fastest_behind
from hotnas_hls.explore.exhaustive import FIXED_LATENCY, Exploration, Explored
from hotnas_hls.explore.integer_layers import IntegerFormat, default_widths
from hotnas_hls.explore.model_layers import ModelLayers, layers_of
from hotnas_hls.explore.on_chip import Kept, cheapest, fastest_on_chip
from hotnas_hls.explore.space import WHOLE_SPACE, Space
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.own_integers import kept


@dataclass(frozen=True)
class ArrangementExploration:
    """The arrangement whose fastest design is fastest, what exploring it found, and what the others reach."""

    arrangement: Arrangement
    model: ModelLayers
    found: Exploration  # by the bound, where a DRAM lies behind the ports
    cycles: dict[Arrangement, int]  # by the bound
    price: int  # of the fastest design, behind that DRAM
    streamed: int  # by the bound, of the fastest design that keeps nothing on chip, in any arrangement
    decision: Decision[Explored] | None = None  # behind that DRAM, of designs that keep nothing on chip
    kept: Kept | None = None  # the fastest design that keeps data on chip, where it is faster than those


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
    on_chip: bool = False,
    only_fastest: bool = False,
) -> ArrangementExploration:
    """``explore`` in the arrangement asked for, or in the one of the network whose best design is fastest.

    memory: an ideal one, or the DRAM behind the ports. clock_mhz: None for the board's.
    pattern_ones: kernel positions that every 3x3 convolution keeps, None for dense ones. Pairs of output
    channels share their patterns where the space has DSP packing to offer, which asks for it.
    on_chip: whether designs may keep maps and weights on chip. only_fastest: behind a DRAM those that keep
    nothing are then decided only where their bound leaves them a chance.
    """
    pattern_rows = 2 if True in space.packing(weight_bits) else 1

    clock = clock_mhz or board.clock_mhz
    ideal = least_memory(memory, clock) if isinstance(memory, DramTiming) else memory

    def attempt(tried: Arrangement) -> tuple[ModelLayers, int, tuple[Kept, ...]]:
        model = layers_of(graph, weight_bits, space.act_bits, tried)
        if pattern_ones is not None:
            model = model.pruned(pattern_ones, pattern_rows)
        streamed = explore.fastest(model.layers, board, ideal, space, model.blocks, clock)
        if not on_chip:
            return model, streamed.cycles, ()
        net = without_numbers(model.layers, space.act_bits, model.feature_maps, model.host.maps)
        kept = fastest_on_chip(net, board, ideal, clock, space, streamed.accel, model.blocks)
        return model, streamed.cycles, kept if kept and kept[0].cycles < streamed.cycles else ()

    explored = attempts(allowed_arrangements(graph, stem, packed), attempt)
    cycles = {tried: kept[0].cycles if kept else least for tried, (_, least, kept) in explored.items()}
    decisions: dict[Arrangement, Decision[Explored]] = {}
    prices: dict[Arrangement, Priced[Kept]] = {}  # of what is kept on chip

    def price(tried: Arrangement) -> int:
        model, least, kept = explored[tried]
        if not isinstance(memory, DramTiming):
            return cycles[tried]
        if kept:
            prices[tried] = cheapest(kept, memory, clock)
            if only_fastest and prices[tried].price <= least:
                return prices[tried].price
        decisions[tried] = fastest_behind(
            model.layers, board, memory, clock, space, top, model.blocks, model.feature_maps
        )
        streamed = decisions[tried].best[0].price
        return min(streamed, prices[tried].price) if kept else streamed

    bounds = sorted(((least, tried) for tried, least in cycles.items()), key=lambda pair: pair[0])
    best = decide(bounds, price).best[0]
    chosen = best.candidate
    model, _, every = explored[chosen]
    found = explore.explore(model.layers, board, ideal, space, top, model.blocks, clock)
    kept = every[0] if every else None
    if chosen in prices:
        kept = prices[chosen].candidate if prices[chosen].price <= best.price else None
    streamed = min(least for _, least, _ in explored.values())
    return ArrangementExploration(
        chosen, model, found, cycles, best.price, streamed, decisions.get(chosen), kept
    )


def fastest_point(
    explored: ArrangementExploration, board: Board, memory: MemoryTiming | DramTiming, clock: float
) -> DesignPoint:
    """The fastest design that exploring with this memory found, with its cycles predicted."""
    dram = memory if isinstance(memory, DramTiming) else None
    ideal = FIXED_LATENCY if isinstance(memory, DramTiming) else memory
    if explored.kept is not None:
        point = resident_point(explored.kept.resident, explored.model, board, clock, ideal)
    else:
        streamed = explored.decision.best[0].candidate if explored.decision else explored.found.best[0]
        point = design_point(streamed.accel, explored.model, board, clock, ideal)
    if dram is None:
        return point
    return dataclasses.replace(point, dram=dram, predicted_cycles=explored.price)


def with_own_integers(
    point: DesignPoint, graph: Graph, arrangement: Arrangement, weight_bits: int, problems: list[str]
) -> DesignPoint:
    """``point`` with the integers that ``graph`` brings, which was quantised elsewhere.

    The point as it is where its widths do not hold them, with ``problems`` that say where.
    """
    folded = fold_batchnorm(graph)
    form = IntegerFormat(point.accelerator.act_bits, weight_bits, arrangement=arrangement)
    lowered = arrangement.lower(folded, weight_bits)
    net = kept(folded, lowered, form.act_bits, default_widths(lowered.layers, form), problems)
    if net is None:
        return point
    net = arrangement.network(net)
    return dataclasses.replace(point, feature_maps=tuple(net.feature_maps.values()), numbers=net.numbers)


def design_point(
    accel: Accelerator,
    model: ModelLayers,
    board: Board,
    clock: float,
    memory: MemoryTiming = FIXED_LATENCY,
) -> DesignPoint:
    """An uncompressed network on ``accel``, each layer in its fastest tile; it has no weights.

    memory: the ideal one, of which the cycles are predicted. Tiles are the fastest by the bound behind the
    board's DRAM; where it is not known, with the ideal memory. It keeps on chip what
    ``accel`` has room for.

    Raises InfeasibleDesign with every layer that fits in no tile, or everything else that ``accel`` lacks.
    """
    dram = None if board.dram is None else load_dram(board.dram)
    least = memory if dram is None else least_memory(dram, clock)
    net = without_numbers(model.layers, accel.act_bits, model.feature_maps, model.host.maps)
    return resident_point(reside(net, accel, least), model, board, clock, memory)


def resident_point(
    resident: Resident,
    model: ModelLayers,
    board: Board,
    clock: float,
    memory: MemoryTiming = FIXED_LATENCY,
) -> DesignPoint:
    """``model`` as it lies on a design; arguments and errors as :func:`design_point`."""
    cannot, tiles = f"{model.name}: cannot run on this accelerator:", resident.tiles
    unfit = [layer.name for layer in model.layers if layer.name not in tiles]
    raise_all(
        InfeasibleDesign, cannot, [f"{name}: no tile fits the buffers; make them deeper" for name in unfit]
    )
    accel, layers = resident.accel, resident.net.layers
    point = DesignPoint(
        network=model.name,
        board=board,
        clock_mhz=clock,
        seed=0,
        accelerator=accel,
        image=model.image,
        host=model.host,
        feature_maps=model.feature_maps,
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in layers),
        image_layout=model.image_layout,
        packed_resolutions=model.arrangement.packed_resolutions,
        packed_across=model.arrangement.packed_across,
        memory=memory,
    )
    raise_all(InfeasibleDesign, cannot, point.violations())
    predicted = network_latency(layers, accel, tiles, memory).cycles
    return dataclasses.replace(point, predicted_cycles=predicted)
