"""Parts of maps: rows and columns that a layer leaves out, by where it begins to read or as a copy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from codegen.test_hls import generate, needs_csim, write
from hls_cases import Case
from simulate.test_rtl import needs_verilator
from torch import Tensor, nn

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.arrangement import PLAIN
from hotnas_hls.explore.fastest_design import design_point
from hotnas_hls.explore.integer_layers import IntegerFormat, default_widths
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.frontends.source import load_module
from hotnas_hls.models.edits import editable
from hotnas_hls.models.graph_module import GraphModule
from hotnas_hls.models.integer_module import IntegerModule
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import Graph, OpKind
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image
from hotnas_hls.simulate.certify import certify
from hotnas_hls.simulate.csim import run_csim

SHAPE = (3, 16, 17)
Change = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """A function of a map, then a convolution where it says so."""

    def __init__(self, change: Change, **layers: nn.Module) -> None:
        super().__init__()
        self.change, self.start = change, nn.Conv2d(3, 8, 3, padding=1)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self, self.start(x))


def inside(x: Tensor) -> Tensor:
    return x[:, :, 1:, 2:-3]


def quadrants(net: Any, x: Tensor) -> Tensor:
    return net.after(x[:, :, :8, :8]) + net.after(x[:, :, 8:, 8:16])


PADDED = nn.Conv2d(8, 4, 3, padding=1)
READ = {  # what changes the map, and the kinds of the nodes behind the first convolution
    "convolved": (Net(lambda net, x: net.after(inside(x)), after=nn.Conv2d(8, 4, 3, (1, 2))), ["conv"]),
    "zeros around": (Net(lambda net, x: net.after(inside(x)), after=PADDED), ["subsample", "conv"]),
    "depthwise": (Net(lambda net, x: net.after(inside(x)), after=nn.Conv2d(8, 8, 3, groups=8)), ["conv"]),
    "zeros that are cut off again": (
        Net(lambda net, x: net.after(F.pad(x, (2, 1, 2, 1))[:, :, 1:-4, 2:]), after=nn.Conv2d(8, 4, 3)),
        ["conv"],
    ),
    "cut by padding": (
        Net(lambda net, x: net.after(F.pad(x, (-1, 2, -3, 0))), after=nn.Conv2d(8, 4, 3)), ["conv"]
    ),
    "maxima": (Net(lambda net, x: F.max_pool2d(inside(x), 2)), ["maxpool"]),
    "means": (Net(lambda net, x: F.avg_pool2d(inside(x), 3, 2)), ["avgpool"]),
    "means, zeros around": (Net(lambda net, x: F.avg_pool2d(inside(x), 3, 2, 1)), ["subsample", "avgpool"]),
    "sum of two": (Net(lambda net, x: inside(x) + x[:, :, :-1, 5:]), ["subsample", "subsample", "add"]),
    "two parts": (Net(quadrants, after=PADDED), ["subsample", "conv", "subsample", "conv", "add"]),
    "odd pixels": (
        Net(lambda net, x: net.after(F.relu(x)[:, :, 1::2, 2::3]), after=nn.Conv2d(8, 4, 3)),
        ["relu", "subsample", "conv"],
    ),
    "one pixel": (Net(lambda net, x: net.after(x[:, :, 5:6, 7:8]), after=nn.Conv2d(8, 4, 1)), ["conv"]),
    "a vector": (
        Net(lambda net, x: net.after(inside(x).flatten(1)), after=nn.Linear(1440, 5)), ["conv", "linear"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_part_is_read_as_it_lies(name: str) -> None:
    """As torch computes it: loading compares them."""
    model, kinds = READ[name]
    graph = load_module(model.eval(), SHAPE, name="net").graph
    assert [node.kind for node in graph][2:] == kinds
    assert PLAIN.violations(PLAIN.lower(graph)) == []


def test_more_zeros_than_a_kernel_reaches_are_a_map() -> None:
    model = Net(lambda net, x: net.after(x), after=nn.Conv2d(8, 4, 3, padding=9))
    graph = load_module(model.eval(), SHAPE, name="net").graph
    kernels = [node.kernel for node in graph if node.kind is OpKind.CONV]
    assert kernels == [(3, 3), (16, 16), (4, 4), (3, 3)]  # nine zeros and six, then three
    assert PLAIN.violations(PLAIN.lower(graph)) == []


class EveryPart(nn.Module):
    """All ways to read a part, a large kernel in parts, maxima of windows that overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv2d(3, 8, 3, padding=1)
        self.large = nn.Conv2d(8, 8, (17, 2))
        self.deep = nn.Conv2d(8, 8, 3, padding=9, dilation=9, groups=8)
        self.last = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.start(image))
        first = self.large(x[:, :, 1:, 3:])
        second = F.max_pool2d(x[:, :, 1:, 2:], (3, 2), (2, 1))[:, :, 1:4, 1:]
        third = F.adaptive_max_pool2d(self.deep(x), (3, 8))
        return self.last((F.relu(first + third) + second).mean((2, 3)))


ACCEL = Accelerator(16, 8, 5, 9, 32, 64, 32, 1024, 9, 144, act_bits=8, weight_bits=8, patterns=False, taps=2)


@cache
def network() -> tuple[Graph, IntegerNetwork, np.ndarray]:
    torch.manual_seed(0)
    graph = load_module(EveryPart().eval(), (3, 20, 12), name="net").graph
    images = np.random.default_rng(0).normal(size=(4, 3, 20, 12)).astype(np.float32)
    lowered = lower(graph)
    widths = default_widths(lowered.layers, IntegerFormat(8, 8))
    return graph, quantise(graph, lowered, images, 8, widths), images


def design() -> DesignPoint:
    """The network with its integers on a small accelerator."""
    graph, net, _ = network()
    point = design_point(ACCEL, layers_of(graph, 8), load_board("PYNQ-Z2"), 100.0)
    point = dataclasses.replace(point, feature_maps=tuple(net.feature_maps.values()), numbers=net.numbers)
    assert point.violations() == []
    return point


def test_integers_are_near_the_floats() -> None:
    graph, net, images = network()
    given = quantise_image(net, images)
    found = run_batch(net, given, [net.logits])[net.logits]
    np.testing.assert_array_equal(found[0], run_network(net, given[0])[net.logits])
    wanted = run(graph, images, keep=graph.host.maps)[graph.host.maps[0]]
    assert np.abs(dequantise(net, net.logits, found) - wanted).max() < 0.05 * np.abs(wanted).max()


def test_modules_of_the_graph_and_of_the_integers_compute_the_same() -> None:
    graph, net, images = network()
    with torch.no_grad():
        made = GraphModule(graph).eval()(torch.from_numpy(images))
    wanted = run(graph, images, keep=graph.host.maps)[graph.host.maps[0]]
    np.testing.assert_allclose(made.numpy().reshape(wanted.shape), wanted, atol=1e-4)
    found = IntegerModule(net).answers(images)[0].flatten(1).numpy()
    ours = run_batch(net, quantise_image(net, images), [net.logits])[net.logits]
    np.testing.assert_array_equal(found, dequantise(net, net.logits, ours).reshape(found.shape))


def test_parts_of_a_kernel_are_not_edited() -> None:
    """Nor is their sum, which bears the convolution's name."""
    torch.manual_seed(1)
    graph = network()[0]
    assert graph["deep"].kind is OpKind.ADD
    assert editable(EveryPart(), graph).convolutions == frozenset()  # other weights
    torch.manual_seed(0)
    assert editable(EveryPart(), graph).convolutions == {"start"}


def test_onnxruntime_gives_our_integers() -> None:
    pytest.importorskip("onnxruntime")
    from network.test_onnx_export import compared

    _, net, images = network()
    compared(net, quantise_image(net, images))


@needs_csim
def test_hls_is_bit_exact(tmp_path: Path) -> None:
    point = design()
    folder = write(generate(Case(point.integer_network(), ACCEL, point.tiles)), tmp_path)
    assert run_csim(folder).layers == len(point.layers)


@pytest.mark.whole
@needs_verilator
def test_rtl_is_bit_exact_and_predicted_to_the_cycle(tmp_path: Path) -> None:
    certificate = certify(design(), tmp_path, images=1, stalls=())
    assert certificate.holds, certificate.reasons
