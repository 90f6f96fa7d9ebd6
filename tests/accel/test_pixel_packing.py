"""Packed pixels: other layers, the same integers."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers, pattern_rows
from hotnas_hls.accel.layer_checks import layout_violations, network_violations, numbers_violations
from hotnas_hls.accel.pixel_packing import Packing, packing
from hotnas_hls.accel.timing.efficiency import needed_macs
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.models.compression import PatternChoice
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


SHAPES = [(resolutions, across) for resolutions in (1, 2) for across in (False, True)]


def packed(resolutions: int, stem: Stem, across: bool = False) -> IntegerNetwork:
    net = plain()
    packer = packing(net.layers, net.image, resolutions, stem, across)
    assert packer is not None
    return packer.network(net)


@pytest.mark.parametrize("stem", Stem)
@pytest.mark.parametrize(("resolutions", "across"), SHAPES)
def test_every_map_holds_the_same_integers(resolutions: int, across: bool, stem: Stem) -> None:
    before, after = plain(), packed(resolutions, stem, across)
    for image in images(2):
        one = run_network(before, quantise_image(before, image))
        other = run_network(after, quantise_image(after, image))
        for layer in before.layers:
            channels, rows, columns = one[layer.target].shape
            found = other[layer.target]
            down, beside = rows // found.shape[1], columns // found.shape[2]
            found = found.reshape(down, beside, channels, rows // down, columns // beside)
            found = found.transpose(2, 3, 0, 4, 1).reshape(channels, rows, columns)
            assert (found == one[layer.target]).all(), layer.name
        assert np.ptp(one[before.logits]) > 10  # or the comparison would say nothing


@pytest.mark.parametrize("stem", Stem)
@pytest.mark.parametrize(("resolutions", "across"), SHAPES)
def test_packed_networks_obey_every_rule(resolutions: int, across: bool, stem: Stem) -> None:
    net = packed(resolutions, stem, across)
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


def test_pixels_of_a_row_take_fewer_positions_than_squares() -> None:
    layers = {layer.name: layer for layer in packed(2, Stem.UNFOLDED, across=True).layers}
    first = layers["conv1"]
    assert (first.n, first.m, first.kernel_rows, first.kernel_columns) == (18, 64, 3, 1)
    assert (first.out_rows, first.out_columns, first.strides) == (16, 3, (1, 1))
    inner, second = layers["layer1.0.conv1"], layers["layer2.0.conv2"]
    assert (inner.n, inner.m, inner.out_rows, inner.out_columns, inner.pattern_ones) == (64, 64, 16, 3, 3)
    assert (second.n, second.out_rows, second.out_columns, second.pattern_ones) == (64, 8, 3, 6)
    entry, leave = layers["layer2.0.conv1"], layers["layer3.0.conv1"]
    assert (entry.n, entry.m, entry.strides, entry.kernel_columns, entry.pattern_ones) == (
        64,
        64,
        (2, 1),
        2,
        3,
    )
    assert (leave.n, leave.m, leave.strides, leave.positions) == (64, 64, (2, 1), 6)
    assert needed_macs(layers.values()) == needed_macs(plain().layers)
    squares = sum(layer.macs for layer in packed(2, Stem.UNFOLDED).layers)
    assert sum(layer.macs for layer in layers.values()) < squares


@pytest.mark.parametrize("across", [False, True])
def test_rows_that_share_their_patterns_do(across: bool) -> None:
    net = packed(2, Stem.PLAIN, across)
    for layer in net.layers:
        index = net.numbers[layer.name].pattern_index
        if index is not None:
            groups = index.reshape(-1, layer.pattern_rows, layer.n)
            assert (groups == groups[:, :1]).all()


SPREADS = {
    "rows of four": ((1, 4), (1, 4), 1, [3, 3, 3, 2, 2, 2, 1, 1, 1]),
    "rows of two": ((1, 2), (1, 2), 1, [6, 5, 4, 3, 3, 2, 2, 1, 1]),
    "rows of four to two": ((1, 4), (1, 2), 2, [3, 3, 3, 2, 2, 2, 1, 1, 1]),
    "squares": ((2, 2), (2, 2), 1, [4, 3, 3, 2, 2, 1, 1, 1, 1]),
    "squares, strided": ((2, 2), (2, 2), 2, [4, 3, 3, 2, 2, 1, 1, 1, 1]),
}


def conv(inputs: tuple[int, int], outputs: tuple[int, int], stride: int) -> tuple[Layer, Packing]:
    """A convolution of 6 -> 4 channels on maps that are packed like that."""
    sizes = (6, 4, 16, 16, 16 // stride, 16 // stride, 3, 3, stride, 1, 1)
    layer = Layer("conv", LayerKind.CONV, "in", "out", *sizes, weight_bits=8)
    return layer, Packing({"in": inputs, "out": outputs}, "image")


@pytest.mark.parametrize("name", SPREADS)
def test_pruned_kernels_take_fewer_positions(name: str) -> None:
    """By weights kept, from nine down to one."""
    *shape, expected = SPREADS[name]
    layer, packing_of = conv(*shape)
    (spread,) = packing_of.spreads([layer]).values()
    assert [spread.ones(kept) for kept in range(9, 0, -1)] == expected
    (dense,) = packing_of.layers([layer])
    assert dense.pattern_ones == expected[0] and dense.pattern_rows == layer.m
    (pruned,) = packing_of.layers([layer.pruned(6, 2)])
    assert (pruned.pattern_ones, pruned.pattern_rows) == (expected[3], 2)


@pytest.mark.parametrize("zeros", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", SPREADS)
def test_pruned_packed_layers_compute_the_same(name: str, zeros: int) -> None:
    """Every mask that may be the only one, and sets that may be together, drawn; four patterns hold them."""
    *shape, _ = SPREADS[name]
    layer, packing_of = conv(*shape)
    (spread,) = packing_of.spreads([layer]).values()
    choice, rng = PatternChoice(3, zeros, 1, spread), np.random.default_rng(zeros)
    masks = choice.masks()
    assert len(masks) and (masks.sum((1, 2)) == 9 - zeros).all()
    source = FeatureMap("in", 6, 16, 16)
    target = FeatureMap("out", 4, layer.out_rows, layer.out_columns)
    counts = set()
    for _ in range(5):
        chosen: list[np.ndarray] = []
        for mask in masks[rng.permutation(len(masks))]:
            chosen += [mask] if choice.together([*chosen, mask]) else []
        counts.add(len(chosen))
        some = np.stack([*chosen, *chosen[:1] * (4 - len(chosen))])
        index = rng.integers(0, len(chosen), (4, 6)).astype(np.uint8)
        weights = rng.integers(-128, 128, (4, 6, 3, 3)) * some[index]
        bias = rng.integers(-100, 100, 4)
        numbers = LayerNumbers(weights, bias, 9, -128, 127, pattern_index=index, patterns=some)
        pruned = layer.pruned(9 - zeros, pattern_rows(index))
        net = IntegerNetwork(
            "one", {"in": source, "out": target}, (pruned,), {"conv": numbers}, "in", HostWork(), 8
        )
        packed_net = packing_of.network(net)
        assert numbers_violations(packed_net.layers[0], packed_net.numbers["conv"], 8) == []
        image = rng.integers(-128, 128, (6, 16, 16))
        found = run_network(packed_net, packed_image(image, *shape[0]))["out"]
        expected = run_network(net, image)["out"]
        assert (found == packed_image(expected, *shape[1])).all() and np.ptp(expected) > 100
    assert max(counts) > 1 or name.startswith("squares")


def packed_image(values: np.ndarray, down: int, across: int) -> np.ndarray:
    channels, rows, columns = values.shape
    cells = values.reshape(channels, rows // down, down, columns // across, across)
    return cells.transpose(2, 4, 0, 1, 3).reshape(-1, rows // down, columns // across)


def test_masks_that_four_patterns_do_not_hold_are_refused() -> None:
    layer, packing_of = conv(*SPREADS["rows of four"][:3])
    (spread,) = packing_of.spreads([layer]).values()
    masks = PatternChoice(3, 3, 1, spread).masks()
    assert not spread.fits(masks, 2)
    with pytest.raises(ValueError, match="^no four patterns of 2 cells hold kernels of these masks$"):
        spread.patterns(masks, 2, (3, 3))


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
