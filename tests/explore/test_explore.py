"""Exploration: its compiled prices are those of the latency model, and it loses nothing by its bounds."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from small_designs import LAYERS

from hotnas_hls.accel import resources
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import DecidedByLayers, Tile, for_layers
from hotnas_hls.accel.resources import (
    RESOURCES,
    ROUTABLE,
    accelerator_resources,
    by_buffer_depths,
    violations,
)
from hotnas_hls.accel.timing.latency import ALONE, Place, layer_latency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore import compiled_pricing as compiled
from hotnas_hls.explore import exhaustive as module
from hotnas_hls.explore.exhaustive import explore
from hotnas_hls.explore.model_layers import load_layers
from hotnas_hls.explore.space import TILES, Space, bases_for, bases_of
from hotnas_hls.fuzzing.layer_fuzz import random_accelerator, random_layer

BOARD = load_board("ZCU102")
SMALL = Space((4, 8), (4, 8), (32, 64), ((2, 2), (4, 4), (8, 8)), (32, 128, 512))
MEMORY = MemoryTiming(30, 10)


def randomly_kept(rng: np.random.Generator, layer: Layer) -> Layer:
    """The layer with any of its maps and weights on chip."""
    ifm, residual, ofm, weights = (bool(rng.integers(2)) for _ in range(4))
    return dataclasses.replace(
        layer, ifm_on_chip=ifm, residual_on_chip=residual, ofm_on_chip=ofm, weights_on_chip=weights
    )


def random_pairs(count: int):
    """Random (layer, its place, accelerator, tile) with buffers that hold the tile, and a memory."""
    rng = np.random.default_rng(0)
    for index in range(count):
        accel = random_accelerator(rng, on_chip=index % 2 == 1, products=index % 3 == 2)
        layer, tile = random_layer(rng, accel, f"l{index}")
        then, _ = random_layer(rng, accel, "then")
        if accel.map_words:
            layer, then = randomly_kept(rng, layer), randomly_kept(rng, then)
        place = Place(bool(rng.integers(2)), then.unnamed() if rng.integers(2) else None)
        accel = dataclasses.replace(accel, ifm_depth=int(rng.integers(40, 4000)), max_entries=layer.positions)
        clipped = Tile(min(tile.tr, layer.out_rows), min(tile.tc, layer.out_columns))
        yield layer, place, accel, clipped, MemoryTiming(int(rng.integers(2, 60)), int(rng.integers(2, 40)))


def test_compiled_price_is_that_of_the_model_and_never_below_its_floor():
    for layer, place, accel, tile, memory in random_pairs(600):
        row = np.array([*compiled.layer_row(layer, place), 1])
        base = np.array(compiled.base_row(accel))
        place = ALONE if accel.shared_bus else place
        expected = layer_latency(layer, accel, tile, memory, place).cycles
        timing = (memory.read_latency, memory.write_latency)
        assert compiled.layer_cycles(row, base, tile.tr, tile.tc, *timing) == expected, (layer, accel, tile)
        floor = compiled.floor(row, base, tile.tr, tile.tc, *timing)
        anywhere = compiled.floor(row, base, 0, 0, *timing)
        assert anywhere <= expected and floor <= expected, (layer, accel, tile)


def every_design(layers, space, memory, board=BOARD, fabric=(0,)):
    """(cycles, board share) of every design of the space, one by one, by the model alone.

    fabric: rows in the fabric, of arrays that BOARD has slices for.
    """
    found = {}
    for base, rows in itertools.product(bases_of(space, BOARD, BOARD.clock_mhz, True), fabric):
        for tr, tc in space.tiles:
            for depth in space.ifm_depths:
                accel = dataclasses.replace(
                    for_layers(base, layers), tr=tr, tc=tc, ifm_depth=depth, fabric_rows=min(rows, base.tm)
                )
                resources = accelerator_resources(accel)
                tiles = best_tiles(layers, accel, memory)
                if violations(resources, board) or None in tiles.values():
                    continue
                cycles = network_latency(layers, accel, tiles, memory).cycles
                limits = {name: getattr(board, name) for name in RESOURCES}
                share = max(getattr(resources, name) / max(1, limit) for name, limit in limits.items())
                found[accel] = (cycles, share)
    return found


@pytest.mark.parametrize(
    "decided", [DecidedByLayers(9, 9, 16, False, False, False), DecidedByLayers(10, 49, 8, True, True, True)]
)
def test_bases_as_numbers_are_those_of_their_accelerators(decided):
    space = dataclasses.replace(SMALL, taps=(1, 4))
    bases = bases_for(space, BOARD, BOARD.clock_mhz, True, (decided, decided._replace(max_entries=16)))
    undecided = list(bases_of(space, BOARD, BOARD.clock_mhz, True))
    assert len(bases) == len(undecided) > 80
    for at, base in enumerate(undecided):
        entries = decided.max_entries if base.taps == 1 else 16
        assert bases[at] == dataclasses.replace(base, **{**decided._asdict(), "max_entries": entries})
        assert tuple(bases.rows[at]) == compiled.base_row(bases[at])
    some = bases.of((2,))
    assert 0 < len(some) < len(bases) and {some[at].channel_block for at in range(len(some))} == {2}
    assert [tuple(row) for row in some.rows] == [compiled.base_row(some[at]) for at in range(len(some))]


def test_same_best_and_front_as_pricing_every_design():
    found = explore(LAYERS, BOARD, MEMORY, SMALL, top=4)
    every = every_design(LAYERS, SMALL, MEMORY)
    assert found.designs == len(list(bases_of(SMALL, BOARD, BOARD.clock_mhz, True))) * 9
    assert [d.cycles for d in found.best] == sorted({cycles for cycles, _ in every.values()})[:4]
    for design in (*found.best, *found.front):
        assert every[design.accel] == (design.cycles, pytest.approx(design.board_share))
        assert design.resources == accelerator_resources(design.accel)
        assert design.latency(LAYERS, MEMORY).cycles == design.cycles
    points = sorted(set(every.values()))
    front = [p for p in points if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)]
    assert [(d.cycles, round(d.board_share, 9)) for d in found.front] == [(c, round(s, 9)) for c, s in front]
    assert 0 < found.priced <= len(every) and found.pruned > 0


@pytest.mark.parametrize("together", [1, 7, 10_000])
def test_the_fastest_alone_is_the_first_of_all(monkeypatch, together):
    monkeypatch.setattr(module, "DECIDED_TOGETHER", together)
    found, every = module.fastest(LAYERS, BOARD, MEMORY, SMALL), explore(LAYERS, BOARD, MEMORY, SMALL, top=1)
    first = every.best[0]
    assert (found.cycles, found.board_share) == (first.cycles, first.board_share)
    with pytest.raises(InfeasibleDesign, match="deeper buffers"):
        module.fastest(LAYERS, BOARD, MEMORY, dataclasses.replace(SMALL, ifm_depths=(1,)))


def test_packed_designs_lose_nothing_either():
    layers = [dataclasses.replace(layer, weight_bits=8, pattern_rows=2) for layer in LAYERS]
    space = dataclasses.replace(SMALL, act_bits=8, packed_tm=(4, 8, 16), taps=(1,))
    found = explore(layers, BOARD, MEMORY, space, top=4)
    every = every_design(layers, space, MEMORY)
    assert [d.cycles for d in found.best] == sorted({cycles for cycles, _ in every.values()})[:4]
    assert {accel.dsp_packing for accel in every} == {False, True}
    for design in (*found.best, *found.front):
        assert every[design.accel] == (design.cycles, pytest.approx(design.board_share))
    few = dataclasses.replace(BOARD, dsp=60)  # 4 x 8 multipliers, or 8 x 8 of them packed
    assert explore(layers, few, MEMORY, space).best[0].accel.dsp_packing
    apart = [dataclasses.replace(layer, pattern_rows=1) for layer in layers]
    assert not explore(apart, few, MEMORY, space).best[0].accel.dsp_packing


def test_rows_lie_in_the_fabric_where_slices_are_missing_and_luts_are_left(monkeypatch):
    """The least rows lose nothing: no other number of them makes a design faster."""
    layers = [dataclasses.replace(layer, weight_bits=8, pattern_rows=2) for layer in LAYERS]
    space = dataclasses.replace(SMALL, act_bits=8, dsp_packing=(True,), packed_tm=(4, 8, 16), taps=(1,))
    few = dataclasses.replace(BOARD, dsp=50)
    best = explore(layers, few, MEMORY, space).best[0]
    assert (best.accel.tm, best.accel.tn, best.accel.fabric_rows) == (8, 8, 2)
    for lut in (few.lut, best.resources.lut - 1):
        tight = dataclasses.replace(few, lut=lut)
        every = every_design(layers, space, MEMORY, tight, fabric=range(0, 17, 2))
        found = explore(layers, tight, MEMORY, space, top=4).best
        assert [design.cycles for design in found] == sorted({cycles for cycles, _ in every.values()})[:4]

    def most_luts(first: int) -> float:
        """The largest share of its LUTs that rows in the fabric make a design take, of ever larger boards."""
        boards = (dataclasses.replace(few, lut=lut) for lut in range(first, 24_000, 500))
        best = ((board, found) for board in boards for found in explore(layers, board, MEMORY, space, 8).best)
        return max(found.resources.lut / board.lut for board, found in best if found.accel.fabric_rows)

    assert most_luts(14_000) <= ROUTABLE
    monkeypatch.setattr(resources, "ROUTABLE", 1.0)
    assert most_luts(14_001) > ROUTABLE  # of other boards, for bases are kept
    none = dataclasses.replace(few, lut=14_000)
    assert not explore(layers, none, MEMORY, space).best[0].accel.fabric_rows
    assert not any(base.fabric_rows for base in bases_of(space, few, few.clock_mhz + 25, True))


def test_equal_layers_are_priced_once_and_counted_each():
    one = explore(LAYERS[1:2], BOARD, MEMORY, SMALL, top=1)
    twin = dataclasses.replace(LAYERS[1], name="again", target="elsewhere")
    two = explore([LAYERS[1], twin], BOARD, MEMORY, SMALL, top=1)
    assert two.best[0].cycles == 2 * one.best[0].cycles


def test_resources_add_up_over_both_buffers():
    base = for_layers(next(iter(bases_of(SMALL, BOARD, BOARD.clock_mhz, True))), LAYERS)
    tiles = sorted({tr * tc: (tr, tc) for tr, tc in TILES}.items())
    depths = np.array([32, 64, 256, 2048, 16384])
    used = by_buffer_depths(base, np.array([product for product, _ in tiles]), depths)
    for o, (_, (tr, tc)) in enumerate(tiles):
        for i, depth in enumerate(depths):
            accel = dataclasses.replace(base, tr=tr, tc=tc, ifm_depth=int(depth))
            expected = accelerator_resources(accel)
            assert list(used[o, i]) == [getattr(expected, name) for name in RESOURCES]


def test_channel_blocks_of_a_concatenation_are_kept():
    found = explore(LAYERS, BOARD, MEMORY, SMALL, blocks=(2,))
    assert {design.accel.channel_block for design in (*found.best, *found.front)} == {2}


def test_nothing_fits():
    with pytest.raises(InfeasibleDesign, match="deeper buffers"):
        explore(LAYERS, BOARD, MEMORY, dataclasses.replace(SMALL, ifm_depths=(1,)))
    with pytest.raises(InfeasibleDesign, match="^no array of the space fits .*; allow smaller ones$"):
        explore(LAYERS, BOARD, MEMORY, dataclasses.replace(SMALL, tm=(512,), tn=(512,)))
    slow = dataclasses.replace(BOARD, name="slow", dram_mb_per_s=100.0)
    with pytest.raises(InfeasibleDesign) as error:
        explore(LAYERS, slow, MEMORY, SMALL, clock_mhz=200.0)
    assert str(error.value) == (
        "no ports of the space can be wired to slow; the least:\n"
        "  - the ports ask for 1,600 MB/s while all are busy, the pins of slow give 100; use narrower ports "
        "or a lower clock"
    )


def test_pruning_keeps_the_positions_of_3x3_convolutions_alone() -> None:
    model = load_layers("resnet18")
    pruned = model.pruned(6)
    for before, after in zip(model.layers, pruned.layers, strict=True):
        square = before.kind is LayerKind.CONV and before.kernel_rows == before.kernel_columns == 3
        assert after.positions == (6 if square else before.positions), before.name
