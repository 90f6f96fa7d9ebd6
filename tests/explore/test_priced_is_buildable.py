"""What is priced can be built: random networks, many odd, are refused at once or become memory images."""

from __future__ import annotations

import numpy as np
import pytest

from hotnas_hls.accel.encoding.images import map_memory, weight_image
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import HotnasError, InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.explore.fastest_design import design_point, explore_arrangements
from hotnas_hls.explore.space import Space
from hotnas_hls.network.graph import Graph, Node, OpKind

BOARD = load_board("ZCU102")
SPACE = Space(
    **{"tm": (4, 8), "tn": (4,), "port_bits": (64,), "bus_bits": (), "packed_tm": ()},
    **{"tiles": ((8, 8), (16, 16)), "ifm_depths": (1024,)},
)
KINDS = [OpKind.CONV] * 4 + [OpKind.MAXPOOL, OpKind.RELU, OpKind.CONCAT, OpKind.ADD]
SEEDS = 120


def random_graph(rng: np.random.Generator) -> Graph:
    """A few operators whose sizes are mostly plain and now and then beyond what any accelerator has."""

    def some(*plain: int, odd: tuple[int, ...]) -> int:
        return int(rng.choice(odd if rng.random() < 0.06 else plain))

    side = some(8, 12, 16, odd=(1, 7, 40, 70_000))
    across = side if side < 100 else 1
    nodes = [Node("image", OpKind.INPUT, (), (int(rng.integers(1, 5)), side, across))]
    for number in range(rng.integers(1, 5)):
        source = nodes[int(rng.integers(max(0, len(nodes) - 2), len(nodes)))]
        channels, rows, columns = source.shape
        kind = KINDS[int(rng.integers(len(KINDS)))]
        name = f"{number}"
        if kind is OpKind.CONV or kind is OpKind.MAXPOOL:
            kernel = some(1, 3, 5, odd=(11, 15, 17, 40))
            pad = kernel // 2 if rng.random() < 0.9 else int(rng.integers(0, kernel + 3))
            stride = some(1, 1, 2, odd=(4, 300))
            out = tuple((length + 2 * pad - kernel) // stride + 1 for length in (rows, columns))
            if min(out) < 1:
                continue
            window = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": (pad,) * 4}
            outputs = some(4, 8, 16, odd=(1, 3, 130)) if kind is OpKind.CONV else channels
            nodes.append(Node(name, kind, (source.name,), (outputs, *out), **window))
        elif kind is OpKind.RELU:
            nodes.append(Node(name, kind, (source.name,), source.shape))
        else:
            like = [node for node in nodes if node.shape[1:] == (rows, columns)]
            other = like[int(rng.integers(len(like)))]
            if kind is OpKind.CONCAT:
                shape = (channels + other.shape[0], rows, columns)
                nodes.append(Node(name, kind, (source.name, other.name), shape))
            elif other.shape == source.shape:
                nodes.append(Node(name, kind, (source.name, other.name), source.shape))
    needed, graph = {nodes[-1].name}, []
    for node in reversed(nodes):
        if node.name in needed:
            needed |= set(node.inputs)
            graph.append(node)
    return Graph("random", graph[::-1])


def test_random_networks_are_refused_or_built() -> None:
    built = refused = 0
    for seed in range(SEEDS):
        graph = random_graph(np.random.default_rng(seed))
        if len(graph) < 2:
            continue
        try:
            explored = explore_arrangements(graph, BOARD, space=SPACE)
        except (UnsupportedNetwork, InfeasibleDesign):
            refused += 1
            continue
        accel = explored.found.best[0].accel
        try:
            point = design_point(accel, explored.model, BOARD, 200.0)
            net = point.integer_network()
            assert weight_image(net, accel, point.tiles, map_memory(net, accel, point.tiles))
        except (HotnasError, ValueError) as error:
            raise AssertionError(f"seed {seed}, {explored.arrangement}: {list(graph)}") from error
        built += 1
    assert built > SEEDS / 3 and refused > SEEDS / 10, (built, refused)


@pytest.mark.parametrize(
    ("shape", "window", "out", "line"),
    [
        ((1, 8, 8), {"kernel": (3, 3), "padding": (3, 3, 3, 3)}, (4, 12, 12),
         "conv: pad_top = 3: must be less than kernel_rows"),
        ((1, 70_000, 1), {}, (4, 70_000, 1),
         "feature map image: 70000 x 1 pixels: at most 65,000 a side"),
        ((1, 900, 900), {"stride": (300, 300)}, (4, 3, 3), "conv: stride = 300: at most 255"),
    ],
)  # fmt: skip
def test_what_no_accelerator_has_is_refused_before_it_is_priced(shape, window, out, line) -> None:
    conv = Node("conv", OpKind.CONV, ("image",), out, **window)
    graph = Graph("net", [Node("image", OpKind.INPUT, (), shape), conv])
    with pytest.raises(UnsupportedNetwork) as caught:
        explore_arrangements(graph, BOARD, space=SPACE, stem="plain", packed=0)
    assert str(caught.value).split("\n")[:2] == ["net: cannot be built with a plain stem:", f"  - {line}"]


def test_the_output_of_a_network_stays_unpacked() -> None:
    conv = {"kernel": (3, 3), "padding": (1, 1, 1, 1)}
    nodes = [
        Node("image", OpKind.INPUT, (), (3, 16, 16)),
        Node("one", OpKind.CONV, ("image",), (8, 16, 16), **conv),
        Node("two", OpKind.CONV, ("one",), (2, 16, 16), **conv),
    ]
    explored = explore_arrangements(Graph("segments", nodes), BOARD, space=SPACE)
    assert {tried.packed_resolutions for tried in explored.cycles} == {0}


def test_maps_that_are_joined_stay_unpacked() -> None:
    conv = {"kernel": (3, 3), "padding": (1, 1, 1, 1)}
    nodes = [
        Node("image", OpKind.INPUT, (), (3, 16, 16)),
        Node("one", OpKind.CONV, ("image",), (8, 16, 16), **conv),
        Node("two", OpKind.CONV, ("one",), (8, 16, 16), **conv),
        Node("both", OpKind.CONCAT, ("one", "two"), (16, 16, 16)),
        Node("last", OpKind.CONV, ("both",), (8, 8, 8), stride=(2, 2), **conv),
    ]
    explored = explore_arrangements(Graph("joined", nodes), BOARD, space=SPACE)
    assert {tried.packed_resolutions for tried in explored.cycles} == {0}
    assert design_point(explored.found.best[0].accel, explored.model, BOARD, 200.0).layers
