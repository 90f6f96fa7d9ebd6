"""What stays on chip: no two maps share words while both live, and what cannot stay is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small_designs import ACCEL, LAYERS, MAPS, TILES, small_design

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import map_memory, weight_image
from hotnas_hls.accel.memory.pricing import without_numbers
from hotnas_hls.accel.residency import (
    chip_planes,
    chip_words,
    keep_maps,
    keep_weights,
    planes_of,
    reside,
    words_of,
)
from hotnas_hls.accel.timing.latency import layer_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.fuzzing.layer_fuzz import random_accelerator
from hotnas_hls.fuzzing.random_networks import random_network

ROOM = dataclasses.replace(ACCEL, map_words=1000, weight_planes=5000, max_entries=16)


@pytest.mark.parametrize("seed", range(20))
def test_no_map_is_written_over_while_another_layer_still_reads_it(seed: int) -> None:
    """A random network is run on words of memory that remember which map wrote them last."""
    rng = np.random.default_rng(seed)
    accel = dataclasses.replace(random_accelerator(rng, on_chip=True), ifm_depth=600, max_entries=49)
    net = random_network(rng, accel, "kept").net
    maps = net.feature_maps
    places = chip_words(net.layers, maps.values(), accel)
    memory = np.full(accel.map_words, "", dtype=object)

    def words(name: str) -> slice:
        return slice(places[name], places[name] + words_of(maps[name], accel))

    def parts(name: str) -> set[str]:
        whole = maps[name].concat_of or name  # a slice that is read lies in a map another layer wrote whole
        return {whole} | {fm.name for fm in maps.values() if fm.concat_of == whole}

    for layer in net.layers:
        for name, on_chip in ((layer.source, layer.ifm_on_chip), (layer.residual, layer.residual_on_chip)):
            if on_chip:
                assert set(memory[words(name)]) <= parts(name), (layer.name, name)
        if layer.residual_on_chip:
            assert words(layer.residual).stop <= accel.residual_depth
        if layer.ofm_on_chip:
            assert words(layer.target).stop <= accel.map_words
            memory[words(layer.target)] = layer.target


def test_everything_stays_where_there_is_room_but_image_and_logits() -> None:
    kept = keep_maps(LAYERS, MAPS, "image", ("logits",), ROOM)
    assert [layer.ifm_on_chip for layer in kept] == [False, True, True, True, True]
    assert [layer.ofm_on_chip for layer in kept] == [True, True, True, True, False]
    assert [layer.residual_on_chip for layer in kept] == [False, True, False, False, False]
    assert keep_maps(LAYERS, MAPS, "image", ("logits",), ACCEL) == LAYERS


def test_only_what_residuals_read_takes_words_twice() -> None:
    """It lies lowest, though other maps are written before it."""
    late = dataclasses.replace(LAYERS[1], residual=None)
    read = [
        dataclasses.replace(late, name=name, source=source, target=target, residual=residual)
        for name, source, target, residual in (
            ("first", "stem.out", "first.out", None),
            ("second", "first.out", "second.out", None),
            ("sum", "second.out", "residual.out", "first.out"),
        )
    ]
    more = [dataclasses.replace(MAPS[1], name=f"{name}.out") for name in ("first", "second")]
    net = without_numbers((LAYERS[0], *read, *LAYERS[2:]), 16, (*MAPS, *more), ("logits",))
    found = reside(net, ROOM, MemoryTiming())
    places = chip_words(found.net.layers, net.feature_maps.values(), found.accel)
    assert (places["stem.out"], places["first.out"], places["second.out"]) == (128, 0, 128)
    assert (found.accel.map_words, found.accel.residual_words) == (384, 128)
    less = dataclasses.replace(ROOM, residual_words=127)
    flags = [layer.residual_on_chip for layer in reside(net, less, MemoryTiming()).net.layers]
    assert not any(flags)


def test_every_output_stays_in_dram() -> None:
    middle = LAYERS[1].target
    for outputs, stays in ((("logits",), True), ((middle, "logits"), False)):
        net = without_numbers(LAYERS, 16, MAPS, outputs)
        kept = {layer.target: layer.ofm_on_chip for layer in reside(net, ROOM, MemoryTiming()).net.layers}
        assert (kept[middle], kept["logits"]) == (stays, False)


def test_weights_that_save_most_for_their_planes_stay() -> None:
    memory = MemoryTiming()
    everything = keep_weights(LAYERS, ROOM, TILES, memory)
    assert sum(planes_of(layer, ROOM) for layer in everything if layer.weights_on_chip) <= 5000
    for layer, kept in zip(LAYERS, everything, strict=True):
        cycles = [layer_latency(one, ROOM, TILES[layer.name], memory).cycles for one in (layer, kept)]
        assert kept.weights_on_chip == (cycles[1] < cycles[0])
    assert not any(layer.weights_on_chip for layer in keep_weights(LAYERS, ACCEL, TILES, memory))


def test_other_weights_have_another_number() -> None:
    """The accelerator loads the weights it keeps anew when this number changes."""

    def number(seed: int) -> int:
        point = small_design(seed=seed)
        net = dataclasses.replace(
            point.integer_network(), layers=keep_weights(LAYERS, ROOM, TILES, point.memory)
        )
        image = weight_image(net, ROOM, TILES, map_memory(net, ROOM, TILES))
        return int.from_bytes(image[4 * 38 : 4 * 39], "little")

    assert number(1) == number(1) != number(2)


@pytest.mark.parametrize(
    ("accel", "changes", "problem"),
    [
        (ROOM, {"fc": {"ofm_on_chip": True}},
         "output: 'logits' is kept on chip, where the host cannot reach it; leave it in DRAM"),
        (ROOM, {"pool": {"ofm_on_chip": True}},
         "mean: another layer has 'pool.out' on chip; set ifm_on_chip to true, or to false what the others "
         "say of it"),
        (ROOM, {"stem": {"residual_on_chip": True}},
         "stem: residual_on_chip, but it has no residual; set residual_on_chip to false"),
        (dataclasses.replace(ROOM, map_words=15),
         {"pool": {"ofm_on_chip": True}, "mean": {"ifm_on_chip": True}},
         "the maps kept on chip need 32 words, map_words = 15; raise it, or keep fewer maps"),
        (dataclasses.replace(ROOM, residual_words=127),
         {"stem": {"ofm_on_chip": True}, "residual": {"ifm_on_chip": True, "residual_on_chip": True}},
         "the maps on chip that residuals read need the first 128 words, residual_words = 127; raise it, or "
         "keep fewer maps"),
        (dataclasses.replace(ROOM, weight_planes=1), {"stem": {"weights_on_chip": True}},
         "the weights kept on chip need 76 planes, weight_planes = 1; raise it, or stream the weights of "
         "more layers"),
    ],
)  # fmt: skip
def test_what_cannot_stay_is_refused_with_the_cure(accel: Accelerator, changes: dict, problem: str) -> None:
    point = small_design()
    layers = tuple(
        dataclasses.replace(
            entry, layer=dataclasses.replace(entry.layer, **changes.get(entry.layer.name, {}))
        )
        for entry in point.layers
    )
    wrong = dataclasses.replace(point, accelerator=accel, layers=layers)
    assert wrong.violations() == [problem]


def test_planes_lie_behind_one_another() -> None:
    kept = keep_weights(LAYERS, ROOM, TILES, MemoryTiming())
    places, end = chip_planes(kept, ROOM), 0
    for layer in kept:
        if layer.weights_on_chip:
            assert places[layer.name] == end
            end += planes_of(layer, ROOM)
    assert end


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"word_bits": 32},
         "word_bits = 32: a word is as wide as the feature-map ports or wider; use 64, 128, 256, 512"),
        ({"plane_bits": 96},
         "plane_bits = 96: a plane is as wide as the weight port or wider; use 64, 128, 256, 512, 1024"),
        ({"map_words": -1}, "map_words = -1: must be 0 (no map is kept on chip) or more"),
        ({"map_words": 8, "residual_words": 9},
         "residual_words = 9: residuals read the first of the words on chip; use 0 (none) to map_words = 8"),
        ({"residual_words": -1},
         "residual_words = -1: residuals read the first of the words on chip; use 0 (none) to map_words = 0"),
        ({"weight_planes": 8, "shared_bus": True, "ofm_bits": 64},
         "weight_planes = 8: on a shared bus every read has its turn, so none can come from memory on chip; "
         "set shared_bus to false or weight_planes to 0"),
    ],
)  # fmt: skip
def test_a_design_says_what_it_cannot_keep(changes: dict, problem: str) -> None:
    assert dataclasses.replace(ACCEL, **changes).violations() == [problem]
