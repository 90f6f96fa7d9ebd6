"""The walker: registration order, chained sizes, refusals."""

import pytest
import torch
from torch import nn

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.published.layers import ConvKind, real_layers, walk
from hotnas_hls.published.networks import zoo_layers

from .resnet18_layers import resnet18_layers


def test_resnet18_is_walked_to_the_sizes_of_section_1_5():
    assert list(zoo_layers("resnet18")) == resnet18_layers()


def test_real_sizes_of_resnet18():
    sizes = {layer.name: layer.R for layer in zoo_layers("resnet18", real_sizes=True)}
    assert sizes["conv1"] == 112
    for stage, size in ((1, 56), (2, 28), (3, 14), (4, 7)):
        assert {sizes[name] for name in sizes if name.startswith(f"layer{stage}.")} == {size}


def test_pools_are_chained_with_their_own_rounding():
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 4, 1),
        nn.AdaptiveAvgPool2d((6, 5)),
        nn.Conv2d(4, 4, 1),
    )
    layers = walk(module, 30)
    assert [(layer.name, layer.R, layer.C) for layer in layers] == [
        ("0", 14, 14), ("2", 7, 7), ("4", 3, 3), ("6", 6, 5),
    ]  # fmt: skip
    assert [layer.name for layer in layers if layer.kind is ConvKind.DCONV] == ["2"]
    assert walk(module, 30) == real_layers(module, 30)


def test_every_unsupported_convolution_is_listed():
    module = nn.Sequential(
        nn.Conv2d(8, 8, 3, groups=4),
        nn.Conv2d(8, 8, (1, 3)),
        nn.Conv2d(8, 8, 3, dilation=2),
        nn.Conv2d(8, 8, 3, padding="same"),
    )
    with pytest.raises(UnsupportedNetwork) as error:
        walk(module, 32)
    assert str(error.value) == (
        "convolutions the published rule has no formula for:\n"
        "  - 0: groups 4; expected 1 or in_channels 8\n"
        "  - 1: kernel_size (1, 3); expected the same in both directions\n"
        "  - 2: dilation (2, 2); expected 1\n"
        "  - 3: padding 'same'; expected a number"
    )


def test_the_walk_leaves_the_module_alone():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    real_layers(module, 16)
    assert module.training and module[0].weight.device.type == "cpu"
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
