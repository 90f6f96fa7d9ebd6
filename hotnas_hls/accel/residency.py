"""What stays on chip: which feature maps and weights, and where.

A map is on chip for the layer that writes it and for all that read it, or for none. It holds its words from
the layer that writes its first part to the last one that reads it; after that others may have them. A map
placed inside a concatenation is where the concatenation is. The image and the outputs are the host's: they
lie in DRAM.

``load_ifm`` and the residual each read a memory of their own. Maps that residuals read lie lowest, so that
the residual's memory holds the first words alone.

Weights are a layer's own: they lie behind one another in the order the layers run, and stay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer
from hotnas_hls.accel.plan import Tile, ceil_div, layer_beats, plan_layer
from hotnas_hls.accel.timing.latency import layer_latency, places_in_tiles, timed_alike
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles

ROLES = (("source", "ifm_on_chip"), ("residual", "residual_on_chip"), ("target", "ofm_on_chip"))


@dataclass(frozen=True)
class Life:
    """A map that is not part of another, over the layers."""

    first: int  # layer that writes it first; -1: the host
    last: int  # layer that uses it last
    uses: int  # times it is written or read
    words: int
    residual: bool  # some layer reads it as its residual


def lives(
    layers: Sequence[Layer], feature_maps: Iterable[FeatureMap], image: str, accel: Accelerator
) -> dict[str, Life]:
    """Every map that some layer uses, by name; parts of a concatenation count for it."""
    maps = {fm.name: fm for fm in feature_maps}
    found: dict[str, Life] = {}
    for index, layer in enumerate(layers):
        for role, _ in ROLES:
            name = getattr(layer, role)
            if name is None:
                continue
            root = _root(name, maps)
            life = found.get(root)
            if life is None:
                first = index if role == "target" and root != image else -1
                life = Life(first, index, 0, words_of(maps[root], accel), False)
            residual = life.residual or role == "residual"
            found[root] = Life(life.first, index, life.uses + 1, life.words, residual)
    return found


def words_of(fm: FeatureMap, accel: Accelerator) -> int:
    """Words a feature map takes."""
    return ceil_div(fm.channels, accel.channel_block) * fm.rows * fm.columns


def keep_maps(
    layers: Sequence[Layer],
    feature_maps: Sequence[FeatureMap],
    image: str,
    outputs: Sequence[str],
    accel: Accelerator,
) -> tuple[Layer, ...]:
    """``layers`` with as many maps on chip as ``accel`` has words for.

    Maps used often for the words and layers they take go first; what finds no place lies in DRAM.
    """
    maps = {fm.name: fm for fm in feature_maps}
    wanted = _may_stay(layers, maps, image, outputs, accel)

    def cost(name: str) -> float:
        life = wanted[name]
        return (life.last - life.first + 1) / life.uses

    def fit(alive: dict[str, Life]) -> bool:
        places = _first_fit(alive)
        words, residual = _top(places, alive), _top(places, _of_residuals(alive))
        return words <= accel.map_words and residual <= accel.residual_depth

    kept = wanted
    if not fit(wanted):
        kept = {}
        for name in sorted(wanted, key=cost):
            trial = kept | {name: wanted[name]}
            if fit(trial):
                kept = trial
    return tuple(_flagged(layer, maps, kept) for layer in layers)


def residual_words_of(layers: Sequence[Layer], feature_maps: Iterable[FeatureMap], accel: Accelerator) -> int:
    """Words on chip up to the last that a residual reads."""
    alive = _lives_on_chip(layers, {fm.name: fm for fm in feature_maps}, accel)
    return _top(_first_fit(alive), _of_residuals(alive))


def words_of_all(
    layers: Sequence[Layer],
    feature_maps: Sequence[FeatureMap],
    image: str,
    outputs: Sequence[str],
    accel: Accelerator,
) -> int:
    """Words that hold every map that may stay on chip."""
    wanted = _may_stay(layers, {fm.name: fm for fm in feature_maps}, image, outputs, accel)
    return _top(_first_fit(wanted), wanted)


def _may_stay(
    layers: Sequence[Layer],
    maps: Mapping[str, FeatureMap],
    image: str,
    outputs: Sequence[str],
    accel: Accelerator,
) -> dict[str, Life]:
    """The maps that are not the host's, nor written row by row."""
    alive = lives(layers, maps.values(), image, accel)
    by_rows = (layer.target for layer in layers if layer.target_rows > 1)
    outside = {_root(name, maps) for name in (image, *outputs, *by_rows)}
    return {name: life for name, life in alive.items() if name not in outside and life.first >= 0}


def maps_over_time(
    layers: Sequence[Layer], feature_maps: Iterable[FeatureMap], accel: Accelerator
) -> dict[str, tuple[Life, int]]:
    """Every map kept on chip that is not part of another: when, and its first word there."""
    alive = _lives_on_chip(layers, {fm.name: fm for fm in feature_maps}, accel)
    places = _first_fit(alive)
    return {name: (life, places[name]) for name, life in alive.items()}


def chip_words(
    layers: Sequence[Layer], feature_maps: Iterable[FeatureMap], accel: Accelerator
) -> dict[str, int]:
    """First word on chip of every map kept there, parts of a concatenation included."""
    maps = {fm.name: fm for fm in feature_maps}
    places = _first_fit(_lives_on_chip(layers, maps, accel))
    found = {}
    for fm in maps.values():
        root = _root(fm.name, maps)
        if root in places:
            block = fm.concat_offset // accel.channel_block if root != fm.name else 0
            found[fm.name] = places[root] + block * fm.rows * fm.columns
    return found


def chip_planes(layers: Iterable[Layer], accel: Accelerator) -> dict[str, int]:
    """First plane on chip of the weights of every layer that keeps them there."""
    found, end = {}, 0
    for layer in layers:
        if layer.weights_on_chip:
            found[layer.name] = end
            end += planes_of(layer, accel)
    return found


def planes_of(layer: Layer, accel: Accelerator) -> int:
    """Planes of a layer's weights, the same for every tile."""
    return layer_beats(plan_layer(layer.unnamed(), timed_alike(accel), Tile(1, 1)), layer)


def keep_weights(
    layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile], memory: MemoryTiming
) -> tuple[Layer, ...]:
    """``layers`` with those weights on chip that save most cycles for their planes, as ``accel`` has room."""
    found = places_in_tiles(layers, accel, tiles)

    def cycles(at: int, layer: Layer) -> int:
        """Of a layer, and of the one before it, which waits for its first weights."""
        own = layer_latency(layer, accel, tiles[layer.name], memory, found[at]).cycles
        if not found[at].ahead:
            return own
        before, place = layers[at - 1], dataclasses.replace(found[at - 1], then=layer.unnamed())
        return own + layer_latency(before, accel, tiles[before.name], memory, place).cycles

    saved, left = {}, accel.weight_planes
    planes = {layer.name: planes_of(layer, accel) for layer in layers}
    for at, layer in enumerate(layers):
        gained = cycles(at, layer) - cycles(at, dataclasses.replace(layer, weights_on_chip=True))
        saved[layer.name] = gained / planes[layer.name]
    chosen = set()
    for layer in sorted(layers, key=lambda layer: -saved[layer.name]):
        if saved[layer.name] > 0 and planes[layer.name] <= left:
            chosen.add(layer.name)
            left -= planes[layer.name]
    return tuple(dataclasses.replace(layer, weights_on_chip=layer.name in chosen) for layer in layers)


@dataclass(frozen=True)
class Resident:
    """A network on a design: where its layers have their maps and weights, and in which tiles they run."""

    accel: Accelerator  # with room for what is kept and no more
    net: IntegerNetwork
    tiles: dict[str, Tile]  # none for a layer that fits no tile

    @property
    def runs(self) -> bool:
        """Whether every layer has a tile."""
        return len(self.tiles) == len(self.net.layers)


def reside(net: IntegerNetwork, accel: Accelerator, memory: MemoryTiming) -> Resident:
    """``net`` with as much on chip as ``accel`` has room for, each layer in its fastest tile by ``memory``.

    Its integers are not needed, nor what its layers say of where their data lie. Where a layer fits no tile,
    no weights are kept.
    """
    layers, maps = tuple(layer.streamed() for layer in net.layers), tuple(net.feature_maps.values())
    if accel.map_words:
        layers = keep_maps(layers, maps, net.image, net.host.maps, accel)
    tiles = _tiles(layers, accel, memory)
    if accel.weight_planes and len(tiles) == len(layers):
        layers = keep_weights(layers, accel, tiles, memory)
        tiles = _tiles(layers, accel, memory)
    if accel.keeps:
        words = _top_of(layers, maps, accel)
        planes = sum(planes_of(layer, accel) for layer in layers if layer.weights_on_chip)
        residual = residual_words_of(layers, maps, accel)
        accel = dataclasses.replace(accel, map_words=words, residual_words=residual, weight_planes=planes)
    return Resident(accel, dataclasses.replace(net, layers=layers), tiles)


def _tiles(layers: Sequence[Layer], accel: Accelerator, memory: MemoryTiming) -> dict[str, Tile]:
    return {name: tile for name, tile in best_tiles(layers, accel, memory).items() if tile is not None}


def residency_violations(
    layers: Sequence[Layer],
    feature_maps: Sequence[FeatureMap],
    image: str,
    outputs: Sequence[str],
    accel: Accelerator,
) -> list[str]:
    """What cannot stay on chip as the layers say, each with its cure."""
    maps = {fm.name: fm for fm in feature_maps}
    kept = _kept(layers, maps)
    found = []
    for role, name in (("image", image), *(("output", name) for name in outputs)):
        if _root(name, maps) in kept:
            found.append(
                f"{role}: {name!r} is kept on chip, where the host cannot reach it; leave it in DRAM"
            )
    for layer in layers:
        for role, flag in ROLES:
            name = getattr(layer, role)
            if name is None and getattr(layer, flag):
                found.append(f"{layer.name}: {flag}, but it has no {role}; set {flag} to false")
            elif name is not None and (_root(name, maps) in kept) != getattr(layer, flag):
                found.append(
                    f"{layer.name}: another layer has {name!r} on chip; set {flag} to true, "
                    f"or to false what the others say of it"
                )
    alive = lives(layers, feature_maps, image, accel)
    for name in kept:
        if name in alive and alive[name].first < 0 and name != _root(image, maps):
            found.append(
                f"{name!r} is kept on chip, but no layer writes it before it is read; leave it in DRAM"
            )
    needed = _top_of(layers, feature_maps, accel)
    if needed > accel.map_words:
        found.append(
            f"the maps kept on chip need {needed:,} words, map_words = {accel.map_words:,}; "
            f"raise it, or keep fewer maps"
        )
    needed = residual_words_of(layers, feature_maps, accel)
    if needed > accel.residual_depth:
        found.append(
            f"the maps on chip that residuals read need the first {needed:,} words, "
            f"residual_words = {accel.residual_depth:,}; raise it, or keep fewer maps"
        )
    planes = sum(planes_of(layer, accel) for layer in layers if layer.weights_on_chip)
    if planes > accel.weight_planes:
        found.append(
            f"the weights kept on chip need {planes:,} planes, weight_planes = {accel.weight_planes:,}; "
            f"raise it, or stream the weights of more layers"
        )
    return found


def _kept(layers: Sequence[Layer], maps: Mapping[str, FeatureMap]) -> set[str]:
    """Maps, not parts of others, that some layer has on chip."""
    return {
        _root(getattr(layer, role), maps)
        for layer in layers
        for role, flag in ROLES
        if getattr(layer, flag) and getattr(layer, role) is not None
    }


def _lives_on_chip(
    layers: Sequence[Layer], maps: Mapping[str, FeatureMap], accel: Accelerator
) -> dict[str, Life]:
    kept = _kept(layers, maps)
    return {name: life for name, life in lives(layers, maps.values(), "", accel).items() if name in kept}


def _top_of(layers: Sequence[Layer], feature_maps: Iterable[FeatureMap], accel: Accelerator) -> int:
    """Words that the maps kept on chip need."""
    alive = _lives_on_chip(layers, {fm.name: fm for fm in feature_maps}, accel)
    return _top(_first_fit(alive), alive)


def _root(name: str, maps: Mapping[str, FeatureMap]) -> str:
    within = maps[name].concat_of
    return name if within is None else _root(within, maps)


def _flagged(layer: Layer, maps: Mapping[str, FeatureMap], kept: Collection[str]) -> Layer:
    def stays(name: str | None) -> bool:
        return name is not None and _root(name, maps) in kept

    return dataclasses.replace(
        layer,
        ifm_on_chip=stays(layer.source),
        residual_on_chip=stays(layer.residual),
        ofm_on_chip=stays(layer.target),
    )


def _of_residuals(alive: Mapping[str, Life]) -> dict[str, Life]:
    """Those of ``alive`` that some residual reads."""
    return {name: life for name, life in alive.items() if life.residual}


def _first_fit(alive: dict[str, Life]) -> dict[str, int]:
    """The lowest words for each map that no other one holds while it lives.

    Those that residuals read come first; else in the order they are written.
    """
    places: dict[str, int] = {}
    for name, life in sorted(alive.items(), key=lambda entry: (not entry[1].residual, entry[1].first)):
        beside = sorted(
            (places[other], alive[other].words)
            for other in places
            if alive[other].last >= life.first and alive[other].first <= life.last
        )
        start = 0
        for taken, words in beside:
            if start + life.words <= taken:
                break
            start = max(start, taken + words)
        places[name] = start
    return places


def _top(places: dict[str, int], alive: dict[str, Life]) -> int:
    """Words that hold the places of ``alive``."""
    return max((places[name] + life.words for name, life in alive.items()), default=0)
