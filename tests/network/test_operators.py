"""Every operator the accelerator has, in one network: traced, quantised, and run on both twins."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from codegen.test_hls import generate, needs_csim, write
from hls_cases import Case
from randomised import randomised
from simulate.test_rtl import needs_verilator
from torch import Tensor, nn
from torch.nn import functional

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.layer import IntegerNetwork, LayerKind
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.fastest_design import design_point
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.frontends.trace import trace
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import UNBOUNDED, Graph
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import quantise
from hotnas_hls.simulate.certify import certify
from hotnas_hls.simulate.csim import run_csim
from network.test_lower import checked

SIDE, KERNELS, STRIDES = 8, range(1, 12), (1, 2, 4)
ACCEL = Accelerator(16, 8, 5, 9, 128, 128, 128, 1024, 9, 121, patterns=False, taps=4)


class EveryOperator(nn.Module):
    """Convolutions of every kernel and stride side by side, then all else, joined for two classifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(3, 8, kernel, stride, kernel // 2) for stride in STRIDES for kernel in KERNELS
        )
        odd, even = (8 * sum(kernel % 2 == parity for kernel in KERNELS) for parity in (1, 0))
        self.depthwise = nn.Conv2d(odd, odd, 3, padding=1, groups=odd)
        self.strided_depthwise = nn.Conv2d(odd, odd, 5, 4, 2, groups=odd)
        self.uneven = nn.Conv2d(3, 8, 3, (2, 1), 1)
        self.uneven_depthwise = nn.Conv2d(8, 8, 3, (1, 4), 1, groups=8)
        self.norm = nn.BatchNorm2d(odd)  # behind a concatenation: it cannot be folded
        self.pointwise = nn.Conv2d(odd, odd, 1)
        joined = 4 * odd + 2 * even + 8
        self.whole = nn.Linear(joined * 2 * 2, 10)
        self.hidden, self.last = nn.Linear(joined, 24), nn.Linear(24, 10)

    def forward(self, image: Tensor) -> Tensor:
        maps = [convolution(image) for convolution in self.convolutions]
        # Kernels of odd size give 8, 4 and 2 rows by stride, those of even size 9, 5 and 3.
        count = len(KERNELS)
        (odd1, odd2, odd4), (even2, even4) = (
            [torch.cat(maps[at * count + first : (at + 1) * count : 2], 1) for at in strides]
            for first, strides in ((0, (0, 1, 2)), (1, (1, 2)))
        )
        even1 = torch.cat(maps[1:count:2], 1)
        residual = functional.relu6(self.depthwise(odd1)) + odd1
        halved = functional.max_pool2d(residual, 2)
        mixed = functional.relu(self.pointwise(functional.relu(self.norm(odd2))) + halved)
        joined = torch.cat(
            [
                functional.max_pool2d(mixed, 3, 2, 1),
                functional.max_pool2d(odd4, 3, 1, 1),
                functional.max_pool2d(even4, 2, 1),
                functional.avg_pool2d(even2, 2) + functional.avg_pool2d(even1, 5, 4),
                functional.avg_pool2d(odd2, 3, 2, 1),
                self.strided_depthwise(odd1),
                functional.max_pool2d(self.uneven_depthwise(self.uneven(image)), (2, 1)),
            ],
            1,
        )
        mean = functional.adaptive_avg_pool2d(joined, 1).flatten(1)
        return self.whole(joined.flatten(1)) + self.last(functional.hardtanh(self.hidden(mean), -0.5, 2.0))


@cache
def network() -> tuple[Graph, IntegerNetwork]:
    graph = fold_batchnorm(trace(randomised(EveryOperator()), (3, SIDE, SIDE), "operators"))
    images = np.random.default_rng(0).normal(size=(4, 3, SIDE, SIDE)).astype(np.float32)
    return graph, quantise(graph, lower(graph), images)


def design() -> DesignPoint:
    """The network with its integers on a small accelerator."""
    graph, net = network()
    point = design_point(ACCEL, layers_of(graph), load_board("ZCU102"), 200.0)
    point = dataclasses.replace(point, feature_maps=tuple(net.feature_maps.values()), numbers=net.numbers)
    assert point.violations() == []
    return point


def test_the_network_has_every_operator() -> None:
    lowered = checked(network()[0])
    layers = lowered.shapes
    convolutions = {(la.kernel_rows, la.stride) for la in layers if la.kind is LayerKind.CONV}
    assert convolutions >= {(kernel, stride) for kernel in KERNELS for stride in STRIDES}
    for kind, expected in (
        (LayerKind.MAXPOOL, {(2, 1, 0), (2, 2, 0), (3, 1, 1), (3, 2, 1)}),
        # Batch norm and copy, whole mean, depthwise, means inside and over the edge.
        (
            LayerKind.DEPTHWISE,
            {(1, 1, 0), (2, 1, 0), (3, 1, 1), (5, 4, 2), (2, 2, 0), (5, 4, 0), (3, 2, 1), (3, 4, 1)},
        ),
    ):
        assert {(la.kernel_rows, la.stride, la.pad_top) for la in layers if la.kind is kind} == expected
    assert sum(la.residual is not None for la in layers) == 4
    uneven = {(la.kind, la.strides) for la in layers if la.strides[0] != la.strides[1]}
    assert uneven == {
        (LayerKind.CONV, (2, 1)), (LayerKind.DEPTHWISE, (1, 4)), (LayerKind.MAXPOOL, (2, 1))
    }  # fmt: skip
    clamps = {layer.clamp for layer in lowered.layers}
    assert clamps == {UNBOUNDED, (0.0, math.inf), (0.0, 6.0), (-0.5, 2.0)}
    assert sum(fm.concat_of is not None for fm in lowered.feature_maps.values()) == 40


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
