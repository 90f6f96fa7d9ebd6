"""A network on a mesh: routes and loads by hand. No published figure names its mesh and its network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.noc.constants import MeshConstants
from hotnas_hls.platforms.noc.model import mesh_layers, mesh_violations, route, snake
from hotnas_hls.platforms.noc.platform import MeshPlatform

MESH = MeshConstants("hand", rows=2, columns=2, macs_per_cycle=10, link_bits=4, clock_mhz=1)


def conv(name: str, *sources: str, m: int = 2, side: int = 2) -> Operation:
    shape = (2, m, side, side, side, side)
    return Operation(name, OpKind.CONV, sources, *shape, act_bits=8, weight_bits=8)


def test_the_snake_keeps_neighbours_together_and_routes_go_along_rows_first() -> None:
    assert list(snake(MESH)) == [(0, 0), (0, 1), (1, 1), (1, 0)]
    assert route((0, 0), (1, 1)) == [((0, 0), (0, 1)), ((0, 1), (1, 1))]
    assert route((1, 1), (1, 1)) == []


def test_a_chain_computes_and_sends() -> None:
    chain = (conv("a", "image"), conv("b", "a", m=4), replace(conv("c", "b"), n=4))
    layers = mesh_layers(chain, MESH)
    assert [layer.tile for layer in layers] == [(0, 0), (0, 1), (1, 1)]
    assert [layer.compute for layer in layers] == [1.6, 3.2, 3.2]  # 16, 32, 32 products
    assert [layer.link for layer in layers] == [16, 32, 0]  # 8 and 16 values of 8 bits over 4


def test_a_residual_shares_the_link_of_the_chain() -> None:
    # a goes to b, and past it to c, where the addition lies: 8 values of 8 bits twice over the first link
    add = replace(conv("add", "a", "c"), kind=OpKind.ADD, weight_bits=0)
    layers = mesh_layers((conv("a", "image"), conv("b", "a"), conv("c", "b"), add, conv("d", "add")), MESH)
    assert [layer.link for layer in layers] == [32, 32, 16, 0]


def test_pooling_sends_less() -> None:
    pool = Operation("pool", OpKind.MAXPOOL, ("a",), 2, 2, 2, 2, 1, 1, 2, 2, 2, 2, act_bits=8)
    layers = mesh_layers((conv("a", "image"), pool, conv("b", "pool", side=1)), MESH)
    assert layers[0].link == 4  # 2 values of 8 bits over 4


def test_the_period_is_the_longer_of_both() -> None:
    cost = MeshPlatform(MESH).cost((conv("a", "image"), conv("b", "a", m=4)), {})
    assert [layer.label for layer in cost.layers] == ["N", "C"]
    assert cost.metrics["period_ms"] == cost.value == pytest.approx(16 / 1000)
    assert cost.metrics["images_per_s"] == pytest.approx(1000 / 0.016)
    wide = MeshPlatform(replace(MESH, link_bits=64)).cost((conv("a", "image"), conv("b", "a", m=4)), {})
    assert [layer.label for layer in wide.layers] == ["C", "C"]


def test_more_layers_than_tiles_are_refused() -> None:
    assert mesh_violations([conv(f"c{index}", "image") for index in range(5)], MESH) == [
        "5 layers with weights, the mesh of 2x2 has 4 tiles; use a larger mesh (technology), or a network of "
        "fewer layers"
    ]
