"""The zoo: known parameter counts, layer names and registration order, messages."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hotnas_hls.errors import ConfigError
from hotnas_hls.models.zoo import ZOO, build

# Published parameter counts (torchvision's tables; ProxylessNAS 4.08 M; of MLPerf Tiny's networks what Keras
# counts, less two running statistics a channel of a batch norm).
PARAMETERS = {
    "alexnet": 61_100_840,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "densenet121": 7_978_856,
    "mnasnet0_5": 2_218_512,
    "mnasnet0_5_v1": 2_220_824,
    "mnasnet1_0": 4_383_312,
    "mobilenet_v2": 3_504_872,
    "proxyless_mobile": 4_080_512,
    "bit_r50x1": 25_549_352,
    "resnet18_cifar": 11_173_962,
    "densenet121_cifar": 6_956_426,
    "mobilenet_v2_cifar": 2_236_682,
    "bit_cifar": 23_520_842,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet8_tiny": 78_666 - 2 * 240,
    "dscnn_tiny": 24_908 - 2 * 576,
    "mobilenet_v1_tiny": 221_794 - 2 * 2736,
    "autoencoder_tiny": 269_992 - 2 * 1032,
}

# A few layers of each published search space, which must exist under exactly these names.
SEARCHED_LAYERS = {
    "resnet18": ["layer1.0.conv1", "layer2.0.downsample.0", "layer4.1.conv2"],
    "mnasnet1_0": ["layers.0", "layers.3", "layers.9.2.layers.3", "layers.12.3.layers.6", "layers.14"],
    "proxyless_mobile": [
        "first_conv.conv",
        "blocks.1.mobile_inverted_conv.depth_conv.conv",
        "blocks.21.mobile_inverted_conv.point_linear.conv",
        "feature_mix_layer.conv",
    ],
    "mobilenet_v2": ["features.0.0", "features.1.conv.0.0", "features.17.conv.2", "features.18.0"],
    "resnet18_cifar": ["conv1", "layer2.0.downsample.0", "layer4.1.conv2"],
    "densenet121_cifar": [
        "features.denseblock1.denselayer6.conv2",
        "features.denseblock3.denselayer24.conv1",
        "features.transition3.conv",
    ],
    "mobilenet_v2_cifar": ["features.0.0", "features.12.conv.0.0", "features.18.0"],
    "bit_cifar": ["root.conv", "body.block1.unit01.conv2", "body.block4.unit01.downsample"],
}


@pytest.fixture(autouse=True)
def _no_initialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random initialisation of 138 M weights is what takes time; shapes and names do not need it."""
    for module in (nn.Conv2d, nn.Linear):
        monkeypatch.setattr(module, "reset_parameters", lambda self: None)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_count(name: str) -> None:
    assert sum(parameter.numel() for parameter in build(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", SEARCHED_LAYERS)
def test_searched_layers_are_convolutions(name: str) -> None:
    modules = dict(build(name).named_modules())
    for layer in SEARCHED_LAYERS[name]:
        assert isinstance(modules.get(layer), nn.Conv2d), layer


def test_shortcut_is_registered_after_the_convolutions_of_its_block() -> None:
    convolutions = [
        name for name, module in build("resnet50").named_modules() if isinstance(module, nn.Conv2d)
    ]
    assert convolutions[:6] == [
        "conv1",
        "layer1.0.conv1",
        "layer1.0.conv2",
        "layer1.0.conv3",
        "layer1.0.downsample.0",
        "layer1.1.conv1",
    ]


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.classes == 10])
def test_cifar_networks_give_ten_logits(name: str) -> None:
    entry = ZOO[name]
    with torch.no_grad():
        assert build(name).eval()(torch.zeros(2, *entry.input_shape)).shape == (2, entry.classes)


def test_every_network_is_described() -> None:
    assert set(ZOO) >= set(PARAMETERS)
    assert all(entry.description for entry in ZOO.values())


def test_unknown_network() -> None:
    with pytest.raises(ConfigError) as caught:
        build("resnet19")
    assert str(caught.value) == f"no network is called 'resnet19'; the zoo has: {', '.join(sorted(ZOO))}"
