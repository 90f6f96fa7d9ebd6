"""Batch norm folding: where it happens, what it computes; the executor on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hotnas_hls.network.execute import run
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph, Node, OpKind

RNG = np.random.default_rng(0)


def norm(name: str, source: str, shape: tuple[int, int, int]) -> Node:
    channels = shape[0]
    parameters = {
        "weight": RNG.uniform(0.5, 2, channels).astype(np.float32),
        "bias": RNG.normal(size=channels).astype(np.float32),
        "mean": RNG.normal(size=channels).astype(np.float32),
        "var": RNG.uniform(0.5, 2, channels).astype(np.float32),
    }
    return Node(name, OpKind.BATCHNORM, (source,), shape, epsilon=1e-3, parameters=parameters)


def conv(name: str, source: str, bias: bool = False) -> Node:
    parameters = {"weight": RNG.normal(size=(4, 3, 1, 1)).astype(np.float32)}
    if bias:
        parameters["bias"] = RNG.normal(size=4).astype(np.float32)
    return Node(name, OpKind.CONV, (source,), (4, 5, 5), parameters=parameters)


INPUT = Node("input", OpKind.INPUT, (), (3, 5, 5))
IMAGES = RNG.normal(size=(2, 3, 5, 5)).astype(np.float32)


def output(graph: Graph) -> np.ndarray:
    return run(graph, IMAGES)[graph.host.logits]


@pytest.mark.parametrize("bias", [False, True])
def test_two_norms_behind_a_convolution_fold(bias: bool) -> None:
    nodes = [
        INPUT,
        conv("conv", "input", bias),
        norm("bn1", "conv", (4, 5, 5)),
        norm("bn2", "bn1", (4, 5, 5)),
    ]
    graph = Graph("net", [*nodes, Node("relu", OpKind.RELU, ("bn2",), (4, 5, 5))])
    before = graph["conv"].parameters["weight"].copy()
    folded = fold_batchnorm(graph)
    assert [(node.name, node.inputs) for node in folded] == [
        ("input", ()),
        ("conv", ("input",)),
        ("relu", ("conv",)),
    ]
    assert folded["conv"].parameters["bias"].dtype == np.float32
    np.testing.assert_allclose(output(folded), output(graph), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(graph["conv"].parameters["weight"], before)


def test_a_norm_behind_a_linear_layer_folds() -> None:
    weight = RNG.normal(size=(6, 75)).astype(np.float32)
    linear = Node("fc", OpKind.LINEAR, ("flat",), (6, 1, 1), parameters={"weight": weight})
    flat = Node("flat", OpKind.FLATTEN, ("input",), (75, 1, 1))
    graph = Graph("net", [INPUT, flat, linear, norm("bn", "fc", (6, 1, 1))])
    folded = fold_batchnorm(graph)
    assert [node.name for node in folded] == ["input", "flat", "fc"]
    np.testing.assert_allclose(output(folded), output(graph), rtol=1e-5, atol=1e-5)


def test_a_norm_stays_where_it_cannot_fold() -> None:
    shared = [INPUT, conv("conv", "input"), norm("bn", "conv", (4, 5, 5))]
    graph = Graph("net", [*shared, Node("add", OpKind.ADD, ("conv", "bn"), (4, 5, 5))])
    assert [node.name for node in fold_batchnorm(graph)] == ["input", "conv", "bn", "add"]
    np.testing.assert_array_equal(output(fold_batchnorm(graph)), output(graph))
    first = Graph("net", [INPUT, norm("bn", "input", (3, 5, 5)), conv("conv", "bn")])
    assert [node.name for node in fold_batchnorm(first)] == ["input", "bn", "conv"]


def test_pooling_by_hand() -> None:
    image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) - 10
    source = Node("input", OpKind.INPUT, (), (1, 3, 3))
    window = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 1, 1)}
    nodes = [
        source,
        Node("max", OpKind.MAXPOOL, ("input",), (1, 2, 2), **window),
        Node("mean", OpKind.AVGPOOL, ("max",), (1, 2, 2), **window | {"stride": (1, 1)}),
    ]  # fmt: skip
    values = run(Graph("net", nodes), image)
    np.testing.assert_array_equal(values["max"][0, 0], [[-6, -5], [-3, -2]])
    np.testing.assert_array_equal(values["mean"][0, 0], [[-4, -1.75], [-1.25, -0.5]])


def test_kept_values_and_wrong_images() -> None:
    graph = Graph("net", [INPUT, conv("conv", "input"), Node("relu", OpKind.RELU, ("conv",), (4, 5, 5))])
    assert list(run(graph, IMAGES)) == ["input", "conv", "relu"]
    assert list(run(graph, IMAGES, keep=["conv"])) == ["conv"]
    with pytest.raises(
        ValueError, match=r"images are \(2, 3, 4, 5\), the network reads \(images, \*\(3, 5, 5\)\)"
    ):
        run(graph, IMAGES[:, :, 1:])
