"""A network on a mesh: how long its layers compute, and how long the busiest link carries what they exchange.

Layers with weights lie on tiles of their own, one after the other along a snake: rows alternate in
direction, so that neighbours in the chain are neighbours on the mesh. What a layer makes goes to every
layer that reads it, columns first (XY routing). All layers work at once on images that follow each other:
an image leaves every period, which is the longest computation or the busiest link, whichever takes more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import WEIGHTED, Operation
from hotnas_hls.platforms.noc.constants import MeshConstants

Tile = tuple[int, int]  # row, column
Link = tuple[Tile, Tile]


@dataclass(frozen=True)
class MeshLayer:
    """A layer on its tile: cycles it computes, and cycles of the busiest link that its result takes."""

    name: str
    tile: Tile
    compute: float
    link: float


def mesh_layers(operations: Sequence[Operation], constants: MeshConstants) -> tuple[MeshLayer, ...]:
    """Every layer with weights. A link's cycles are of all that passes it, whoever sends."""
    weighted = [one for one in operations if one.kind in WEIGHTED]
    tiles = dict(zip((one.name for one in weighted), snake(constants), strict=False))
    sent = list(_messages(operations))
    load: dict[Link, int] = defaultdict(int)
    for source, target, bits in sent:
        for link in route(tiles[source], tiles[target]):
            load[link] += bits
    found = []
    for one in weighted:
        links = [
            link
            for source, target, _ in sent
            if source == one.name
            for link in route(tiles[source], tiles[target])
        ]
        busiest = max((load[link] for link in links), default=0)
        compute = one.macs / constants.macs_per_cycle
        found.append(MeshLayer(one.name, tiles[one.name], compute, busiest / constants.link_bits))
    return tuple(found)


def snake(constants: MeshConstants) -> Iterator[Tile]:
    """The tiles, row by row, every other row from its end."""
    for row in range(constants.rows):
        columns = range(constants.columns)
        yield from ((row, column) for column in (columns if row % 2 == 0 else reversed(columns)))


def route(source: Tile, target: Tile) -> list[Link]:
    """The links from tile to tile: along the row, then along the column."""
    (row, column), (last_row, last_column) = source, target
    stops = [source]
    while column != last_column:
        column += 1 if last_column > column else -1
        stops.append((row, column))
    while row != last_row:
        row += 1 if last_row > row else -1
        stops.append((row, column))
    return list(zip(stops, stops[1:], strict=False))


def _messages(operations: Sequence[Operation]) -> Iterator[tuple[str, str, int]]:
    """Layer that makes a map, layer that reads it, bits of an image; each pair once, with the most bits.

    What lies between two layers (activation functions, pooling) is done where it is made, an addition or a
    product where its last layer lies, to which the others send.
    """
    makers: dict[str, dict[str, int]] = {}  # operation -> layers whose results reach it, bits of each
    order = {one.name: index for index, one in enumerate(operations)}
    for one in operations:
        reach: dict[str, int] = {}
        for source in one.sources:
            for maker, bits in makers.get(source, {}).items():
                reach[maker] = max(bits, reach.get(maker, 0))
        if one.kind in WEIGHTED:
            for maker, bits in reach.items():
                yield maker, one.name, bits
            makers[one.name] = {one.name: one.outputs * one.act_bits}
        elif one.kind in (OpKind.ADD, OpKind.MULTIPLY):
            last = max(reach, key=lambda name: order[name], default=None)
            for maker, bits in reach.items():
                if maker != last and last is not None:
                    yield maker, last, bits
            makers[one.name] = {} if last is None else {last: one.outputs * one.act_bits}
        elif len(reach) == 1:  # pooling and subsampling leave fewer values
            makers[one.name] = dict.fromkeys(reach, one.outputs * one.act_bits)
        else:
            makers[one.name] = reach


def mesh_violations(operations: Sequence[Operation], constants: MeshConstants) -> list[str]:
    """More layers than tiles, with the cure."""
    layers, tiles = sum(one.kind in WEIGHTED for one in operations), constants.rows * constants.columns
    if layers <= tiles:
        return []
    return [
        f"{layers} layers with weights, the mesh of {constants.rows}x{constants.columns} has {tiles} tiles; "
        "use a larger mesh (technology), or a network of fewer layers"
    ]
