"""Packed pixels: other layers, the same integers."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.layer import IntegerNetwork, LayerKind
from hotnas_hls.accel.layer_checks import layout_violations, network_violations, numbers_violations
from hotnas_hls.accel.pixel_packing import packing
from hotnas_hls.accel.timing.efficiency import needed_macs
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import quantise, quantise_image

SHAPE = (3, 16, 12)


@cache
def plain(act_bits: int = 8) -> IntegerNetwork:
    """A residual network of three resolutions with random weights and statistics."""
    torch.manual_seed(3)
    model = CifarResNet(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    graph = fold_batchnorm(trace(model.eval(), SHAPE, "small"))
    return quantise(graph, lower(graph, weight_bits=8), images(8), act_bits)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(count, *SHAPE)).astype(np.float32)


def packed(resolutions: int, stem: Stem) -> IntegerNetwork:
    net = plain()
    packer = packing(net.layers, net.image, resolutions, stem)
    assert packer is not None
    return packer.network(net)


@pytest.mark.parametrize("stem", Stem)
@pytest.mark.parametrize("resolutions", [1, 2])
def test_every_map_holds_the_same_integers(resolutions: int, stem: Stem) -> None:
    before, after = plain(), packed(resolutions, stem)
    for image in images(2):
        one = run_network(before, quantise_image(before, image))
        other = run_network(after, quantise_image(after, image))
        for layer in before.layers:
            channels, rows, columns = one[layer.target].shape
            found = other[layer.target]
            if found.shape != one[layer.target].shape:
                found = found.reshape(2, 2, channels, rows // 2, columns // 2)
                found = found.transpose(2, 3, 0, 4, 1).reshape(channels, rows, columns)
            assert (found == one[layer.target]).all(), layer.name
        assert np.ptp(one[before.logits]) > 10  # or the comparison would say nothing


@pytest.mark.parametrize("stem", Stem)
@pytest.mark.parametrize("resolutions", [1, 2])
def test_packed_networks_obey_every_rule(resolutions: int, stem: Stem) -> None:
    net = packed(resolutions, stem)
    maps = list(net.feature_maps.values())
    assert network_violations(maps, net.layers, net.image, net.host) == []
    for layer in net.layers:
        assert numbers_violations(layer, net.numbers[layer.name], net.act_bits) == []
    assert (net.image_layout is None) == (stem is Stem.PLAIN)
    if net.image_layout is not None:
        assert layout_violations(net.image_layout, maps, net.layers, net.image) == []


def test_shapes_and_patterns() -> None:
    layers = {layer.name: layer for layer in packed(2, Stem.SPACE_TO_DEPTH).layers}
    first = layers["conv1"]
    assert (first.n, first.m, first.kernel_rows, first.stride, first.out_rows) == (12, 64, 2, 1, 8)
    inner = layers["layer1.0.conv1"]
    assert (inner.n, inner.m, inner.out_rows, inner.out_columns) == (64, 64, 8, 6)
    assert (inner.pattern_ones, inner.pattern_rows) == (4, 16)
    entry, leave = layers["layer2.0.conv1"], layers["layer3.0.conv1"]
    assert (entry.n, entry.m, entry.stride, entry.pattern_ones) == (64, 128, 2, 4)
    assert (leave.n, leave.m, leave.kernel_rows, leave.stride, leave.pattern_ones) == (128, 64, 2, 1, None)
    before = needed_macs(plain().layers)
    assert needed_macs(layers.values()) == before and inner.macs > before["layer1.0.conv1"]


def test_rows_that_share_their_patterns_do() -> None:
    net = packed(2, Stem.PLAIN)
    for layer in net.layers:
        index = net.numbers[layer.name].pattern_index
        if index is not None:
            groups = index.reshape(-1, layer.pattern_rows, layer.n)
            assert (groups == groups[:, :1]).all()


def test_what_cannot_be_packed_is_left_alone() -> None:
    net = plain()
    assert packing(net.layers, net.image, 0) is None
    assert packing(net.layers, net.image, 3) is None  # the pooling reads the third resolution
    pooled = [
        dataclasses.replace(layer, kind=LayerKind.MAXPOOL) if layer.name == "layer1.0.conv1" else layer
        for layer in net.layers
    ]
    assert packing(pooled, net.image, 1) is None
    odd = [
        dataclasses.replace(layer, in_rows=15, out_rows=15) if layer.out_rows == 16 else layer
        for layer in net.layers
    ]
    assert packing(odd, net.image, 1) is None
