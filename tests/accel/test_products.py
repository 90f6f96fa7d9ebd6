"""Products of maps: what a design and its layers must agree on, and all that computes their integers."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from quantised_designs import with_integers
from torch import Tensor, nn

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.bounds import activation_ranges
from hotnas_hls.accel.integers.product import multiplied
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.layer_checks import network_violations, numbers_violations
from hotnas_hls.accel.plan import Tile, for_layers, plan_violations
from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.accel.traffic import layer_bytes
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.graph_module import GraphModule
from hotnas_hls.models.integer_module import IntegerModule, is_exact
from hotnas_hls.network.execute import run
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image
from hotnas_hls.search.fitting.refit import refit

ACCEL = Accelerator(
    tm=8, tn=8, tr=8, tc=8, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=400,
    wgt_entries=9, max_entries=16, act_bits=8, weight_bits=8, patterns=False,
)  # fmt: skip


class Block(nn.Module):
    """A block of MobileNetV3: depthwise convolution, squeeze-and-excite, 1 x 1 convolution, shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.less, self.more = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.swish, self.gate, self.relu = nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.swish(self.depthwise(x))
        y = y * self.gate(self.more(self.relu(self.less(y.mean((2, 3), keepdim=True)))))
        return x + self.project(y)


class Network(nn.Module):
    """Squeeze-and-excite, a product that rides on a convolution, and one with its sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 8, 3, 2, 1), Block(8)
        self.left, self.right = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(self.stem(x))
        x = self.left(x) * torch.sigmoid(self.right(x))
        return self.last(x.mean((2, 3)))


@cache
def network(act_bits: int, weight_bits: int = 6) -> tuple[Graph, IntegerNetwork]:
    """A small network with a vector that multiplies, and two maps that do."""
    torch.manual_seed(0)
    graph = fold_batchnorm(trace(Network().eval(), (3, 12, 12), "products"))
    given = np.random.default_rng(0).normal(size=(8, 3, 12, 12)).astype(np.float32)
    lowered = lower(graph)
    bits = {item.layer.name: weight_bits for item in lowered.layers}
    return graph, quantise(graph, lowered, given, act_bits, bits)


def images(net: IntegerNetwork) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(5, *net.image_shape)).astype(np.float32)


def test_a_product_is_rounded_half_up_and_saturated() -> None:
    values, factors = np.array([3, -3, 100, -128, 5]), np.array([1, 1, 100, -128, 7])
    assert multiplied(values, factors, 1, 8).tolist() == [2, -1, 127, 127, 18]
    assert multiplied(values, factors, 0, 8).tolist() == [3, -3, 127, 127, 35]


@pytest.mark.parametrize(("act_bits", "decibels"), [(8, 20), (16, 30)])
def test_integers_are_near_the_floats(act_bits: int, decibels: float) -> None:
    graph, net = network(act_bits)
    multiply = {layer.target: layer.residual_vector for layer in net.layers if layer.residual_multiplies}
    assert sorted(multiply.values()) == [False, True]
    given = images(net)
    found = run_batch(net, quantise_image(net, given), [*multiply, net.logits])
    wanted = run(graph, given, keep=list(found))
    for name, integers in found.items():
        real = dequantise(net, name, integers).reshape(wanted[name].shape)
        noise = ((real - wanted[name]) ** 2).sum()
        assert 10 * np.log10((wanted[name] ** 2).sum() / noise) > decibels, name


@pytest.mark.parametrize("act_bits", [8, 16])
def test_batches_are_the_reference(act_bits: int) -> None:
    _, net = network(act_bits)
    given = quantise_image(net, images(net))
    found = run_batch(net, given, list(net.feature_maps))
    ranges = activation_ranges(net)
    for at, image in enumerate(given):
        for name, values in run_network(net, image).items():
            np.testing.assert_array_equal(found[name][at], values)
            assert ranges[name][0] <= values.min() <= values.max() <= ranges[name][1]


def test_the_torch_modules_compute_the_same() -> None:
    graph, net = network(8)
    assert is_exact(net)
    given = images(net)
    found = IntegerModule(net).answers(given)[0].flatten(1).numpy()
    wanted = run_batch(net, quantise_image(net, given), [net.logits])[net.logits]
    np.testing.assert_array_equal(found, dequantise(net, net.logits, wanted).reshape(found.shape))
    floats = GraphModule(graph).eval()(torch.from_numpy(given)).detach().numpy()
    np.testing.assert_allclose(floats, run(graph, given)[graph.host.logits].reshape(floats.shape), atol=1e-5)


def test_gradients_go_through_both_factors() -> None:
    _, net = network(8)
    (less,) = (layer.name for layer in net.layers if layer.target == "block.relu")
    module = IntegerModule(net, ["stem", less])
    module(torch.from_numpy(images(net)))[0].square().sum().backward()
    for of in module.passes():
        if of.layer.name in ("stem", less):
            gradient = of.weight.grad
            assert gradient is not None and bool(torch.isfinite(gradient).all()) and bool(gradient.any())


def test_weights_are_fitted_through_products() -> None:
    graph, net = network(8, weight_bits=3)
    weighted = [item for item in lower(graph).layers if item.weights == "node"]
    reals = {item.layer.name: item.parameters(graph) for item in weighted}
    fitted = refit(net, reals, images(net))
    given = images(net)
    products = [layer.target for layer in net.layers if layer.residual_multiplies]
    wanted = run(graph, given, keep=products)

    def noise(of: IntegerNetwork) -> list[float]:
        found = run_batch(of, quantise_image(of, given), products)
        return [((dequantise(of, name, found[name]) - wanted[name]) ** 2).sum() for name in products]

    assert all(np.less(noise(fitted), noise(net)))


# --- rules --------------------------------------------------------------------------------------------------


def test_layers_decide_whether_a_design_has_products() -> None:
    layers = network(8)[1].layers
    assert for_layers(ACCEL, layers).products
    (vector,) = (layer for layer in layers if layer.residual_vector)
    plain = [dataclasses.replace(layer, residual_multiplies=False, residual_vector=False) for layer in layers]
    assert not for_layers(ACCEL, plain).products
    lines = dataclasses.replace(ACCEL, activation_lines=True)
    name = vector.name
    assert plan_violations(vector, lines, Tile(1, 1)) == [
        f"{name}: its residual multiplies, but the design has products off; turn them on"
    ]
    added = dataclasses.replace(vector, residual_multiplies=False)
    assert plan_violations(added, lines, Tile(1, 1)) == [
        f"{name}: its residual is a vector, but the design has products off; turn them on"
    ]


def test_a_design_without_products_has_none_of_their_logic() -> None:
    products = dataclasses.replace(ACCEL, products=True)
    assert products.descriptor_bytes == ACCEL.descriptor_bytes
    added = vars(accelerator_resources(products)), vars(accelerator_resources(ACCEL))
    assert {name: added[0][name] - added[1][name] for name in ("dsp", "bram18")} == {"dsp": 4, "bram18": 0}
    assert added[0]["lut"] > added[1]["lut"] and added[0]["ff"] > added[1]["ff"]


def test_a_vector_is_read_once_a_tile() -> None:
    (layer,) = (layer for layer in network(8)[1].layers if layer.residual_vector)
    whole = layer_bytes(dataclasses.replace(layer, residual_vector=False), ACCEL, Tile(3, 6))
    assert (layer_bytes(layer, ACCEL, Tile(3, 6))["ofm_read"], whole["ofm_read"]) == (2 * 8, 36 * 8)


def test_what_does_not_fit_is_told() -> None:
    _, net = network(8)
    (layer,) = (layer for layer in net.layers if layer.residual_vector)
    numbers, name = net.numbers[layer.name], layer.name
    assert numbers_violations(layer, dataclasses.replace(numbers, residual_shift=16), 8) == [
        f"{name}: residual_shift = 16: must be 0 to 15"
    ]

    def problems(**changed: object) -> list[str]:
        layers = [
            dataclasses.replace(each, **changed) if each is layer else each  # type: ignore[arg-type]
            for each in net.layers
        ]
        return network_violations(list(net.feature_maps.values()), layers, net.image, net.host)

    assert problems() == []
    assert problems(residual_vector=False) == [
        f"{name}: its residual {layer.residual!r} is 8 x 1 x 1, the layer needs 8 x 6 x 6"
    ]
    assert problems(residual=None) == [
        f"{name}: {flag}, but it has no residual; set {flag} to false"
        for flag in ("residual_multiplies", "residual_vector")
    ]


def test_a_design_point_keeps_its_products(tmp_path: Path) -> None:
    graph, net = network(8)
    accel = dataclasses.replace(for_layers(ACCEL, net.layers), weight_bits=16, max_entries=36)
    point = with_integers(graph, net, accel)
    point.save(tmp_path)
    loaded = DesignPoint.load(tmp_path)
    assert loaded.to_json() == point.to_json() and loaded.accelerator.products
    assert [entry.layer for entry in loaded.layers] == list(net.layers)
