"""Activations of lines: what a design and its layers must agree on, and all that computes their integers."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from quantised_designs import with_integers
from torch import nn

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.bounds import activation_ranges
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.layer_checks import numbers_violations
from hotnas_hls.accel.plan import Tile, for_layers, plan_violations
from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.frontends.trace import trace
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


@cache
def network(act_bits: int) -> tuple[Graph, IntegerNetwork]:
    """A small network with several activations."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, 2, 1)),
        *(nn.LeakyReLU(0.1), nn.MaxPool2d(2), nn.SiLU(), nn.Flatten(), nn.Linear(32, 4), nn.Tanh()),
    )
    graph = fold_batchnorm(trace(model.eval(), (3, 8, 8), "activations"))
    images = np.random.default_rng(0).normal(size=(8, 3, 8, 8)).astype(np.float32)
    bits = {item.layer.name: 6 for item in lower(graph).layers if item.layer.kind != "maxpool"}
    return graph, quantise(graph, lower(graph), images, act_bits, bits)


def images(net: IntegerNetwork) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(5, *net.image_shape)).astype(np.float32)


@pytest.mark.parametrize(("act_bits", "decibels"), [(8, 25), (16, 35)])
def test_integers_are_near_the_floats(act_bits: int, decibels: float) -> None:
    graph, net = network(act_bits)
    given = images(net)
    found = dequantise(net, net.logits, run_batch(net, quantise_image(net, given), [net.logits])[net.logits])
    wanted = run(graph, given)[graph.host.logits]
    noise = ((found.reshape(wanted.shape) - wanted) ** 2).sum()
    assert 10 * np.log10((wanted**2).sum() / noise) > decibels


@pytest.mark.parametrize("act_bits", [8, 16])
def test_batches_are_the_reference(act_bits: int) -> None:
    _, net = network(act_bits)
    given = quantise_image(net, images(net))
    found = run_batch(net, given, list(net.feature_maps))
    for at, image in enumerate(given):
        for name, values in run_network(net, image).items():
            np.testing.assert_array_equal(found[name][at], values)


def test_outputs_stay_in_the_ranges_of_their_maps() -> None:
    _, net = network(8)
    ranges = activation_ranges(net)
    for name, values in run_batch(net, quantise_image(net, images(net)), list(net.feature_maps)).items():
        assert ranges[name][0] <= values.min() <= values.max() <= ranges[name][1]
    hard_swish = net.layers[0].target
    assert -128 < ranges[hard_swish][0] < 0 < ranges[hard_swish][1]


def test_the_torch_module_computes_the_integers() -> None:
    _, net = network(8)
    assert is_exact(net)
    given = images(net)
    found = IntegerModule(net).answers(given)[0].flatten(1).numpy()
    wanted = run_batch(net, quantise_image(net, given), [net.logits])[net.logits]
    np.testing.assert_array_equal(found, dequantise(net, net.logits, wanted).reshape(found.shape))


def test_weights_are_fitted_through_lines() -> None:
    """Refitting compares sums, and hands on what lines make of them."""
    graph, net = network(8)
    weighted = [item for item in lower(graph).layers if item.weights == "node"]
    reals = {item.layer.name: item.parameters(graph) for item in weighted}
    fitted = refit(net, reals, images(net))
    assert [numbers_violations(layer, fitted.numbers[layer.name], 8) for layer in net.layers] == [
        [] for _ in net.layers
    ]
    given = images(net)
    wanted = run(graph, given)[graph.host.logits]

    def noise(of: IntegerNetwork) -> float:
        found = run_batch(of, quantise_image(of, given), [of.logits])[of.logits]
        return float(((dequantise(of, of.logits, found) - wanted) ** 2).sum())

    assert noise(fitted) <= noise(net)


def test_gradients_go_through_lines() -> None:
    _, net = network(8)
    module = IntegerModule(net, [net.layers[0].name])
    module(torch.from_numpy(images(net)))[0].square().sum().backward()
    gradient = module.passes()[0].weight.grad
    assert gradient is not None and bool(torch.isfinite(gradient).all()) and bool(gradient.any())


# --- rules --------------------------------------------------------------------------------------------------


def test_layers_decide_whether_a_design_has_lines() -> None:
    layers = network(8)[1].layers
    assert for_layers(ACCEL, layers).activation_lines
    plain = [dataclasses.replace(layer, activation_lines=False) for layer in layers]
    assert not for_layers(ACCEL, plain).activation_lines
    assert plan_violations(layers[0], ACCEL, Tile(1, 1)) == [
        "0: its activation is no clamp, but the design has activation_lines off; turn them on"
    ]


def test_a_design_without_lines_has_none_of_their_logic() -> None:
    lines = dataclasses.replace(ACCEL, activation_lines=True)
    assert (ACCEL.line_words, lines.line_words) == (0, 64)
    assert lines.descriptor_bytes - ACCEL.descriptor_bytes == 256
    added = vars(accelerator_resources(lines)), vars(accelerator_resources(ACCEL))
    assert {name: added[0][name] - added[1][name] for name in ("dsp", "bram18")} == {"dsp": 4, "bram18": 0}
    assert added[0]["lut"] > added[1]["lut"]


def test_numbers_that_do_not_fit() -> None:
    _, net = network(8)
    layer = net.layers[0]
    numbers = net.numbers[layer.name]
    assert numbers.lines is not None

    def problems(**changed: object) -> list[str]:
        return numbers_violations(layer, dataclasses.replace(numbers, **changed), 8)  # type: ignore[arg-type]

    assert problems() == []
    assert problems(lines=None) == ["0: lines are missing, but its activation_lines is true; give them"]
    assert problems(lines=numbers.lines[1:]) == ["0: lines have shape 63 x 2, the layer needs 64 x 2"]
    assert problems(lines=numbers.lines + (1 << 16)) == ["0: its lines do not fit 16 bits"]
    plain = dataclasses.replace(layer, activation_lines=False)
    assert numbers_violations(plain, numbers, 8) == [
        "0: lines are given, but its activation_lines is false; leave them out"
    ]


def test_a_design_point_keeps_its_lines(tmp_path: Path) -> None:
    graph, net = network(8)
    accel = dataclasses.replace(for_layers(ACCEL, net.layers), weight_bits=16)
    point = with_integers(graph, net, accel)
    point.save(tmp_path)
    loaded = DesignPoint.load(tmp_path)
    assert loaded.to_json() == point.to_json() and loaded.accelerator.activation_lines
    for name, numbers in net.numbers.items():
        assert loaded.numbers is not None
        np.testing.assert_array_equal(loaded.numbers[name].lines, numbers.lines)
