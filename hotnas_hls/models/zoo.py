"""The networks that ship with HotNAS-HLS: data about each, and one function to build any of them.

Submodules are registered in the order of the public implementations (torchvision where it has the network),
because the published latency rule walks modules in registration order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from hotnas_hls.errors import ConfigError
from hotnas_hls.models.architectures.bit import BigTransfer
from hotnas_hls.models.architectures.densenet import DenseNet
from hotnas_hls.models.architectures.digits import DigitsResNet
from hotnas_hls.models.architectures.mlperf_tiny import (
    Autoencoder,
    DepthwiseSeparableCNN,
    MobileNetV1Quarter,
    ResNet8,
)
from hotnas_hls.models.architectures.mobile import MnasNet, MobileNetV2, Proxyless
from hotnas_hls.models.architectures.plain import alexnet, squeezenet, vgg16
from hotnas_hls.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.models.architectures.segmentation import MultiScale
from hotnas_hls.network.graph import Shape

IMAGENET: Shape = (3, 224, 224)
CIFAR: Shape = (3, 32, 32)
DIGITS: Shape = (1, 8, 8)


@dataclass(frozen=True)
class ZooEntry:
    """One network: how to make it (random weights), what it reads, and what it tells apart."""

    constructor: Callable[[], nn.Module]
    input_shape: tuple[int, ...]  # channels, rows, columns; or features
    classes: int  # outputs of the autoencoder, which tells nothing apart
    description: str


def _imagenet(description: str, constructor: Callable[[], nn.Module]) -> ZooEntry:
    return ZooEntry(constructor, IMAGENET, 1000, f"{description}, ImageNet")


def _cifar(description: str, constructor: Callable[[], nn.Module]) -> ZooEntry:
    return ZooEntry(constructor, CIFAR, 10, f"{description}, CIFAR-10")


RESNET18 = (2, 2, 2, 2)
RESNET34 = RESNET50 = (3, 4, 6, 3)
DENSENET121 = (6, 12, 24, 16)

ZOO: dict[str, ZooEntry] = {
    "alexnet": _imagenet("AlexNet", alexnet),
    "squeezenet1_0": _imagenet("SqueezeNet 1.0", lambda: squeezenet("1_0")),
    "squeezenet1_1": _imagenet("SqueezeNet 1.1", lambda: squeezenet("1_1")),
    "resnet18": _imagenet("ResNet-18", lambda: ResNet(BasicBlock, RESNET18)),
    "resnet34": _imagenet("ResNet-34", lambda: ResNet(BasicBlock, RESNET34)),
    "resnet50": _imagenet("ResNet-50", lambda: ResNet(Bottleneck, RESNET50)),
    "vgg16": _imagenet("VGG-16", vgg16),
    "densenet121": _imagenet("DenseNet-121", lambda: DenseNet(DENSENET121)),
    "mnasnet0_5": _imagenet("MnasNet 0.5, scaled stem", lambda: MnasNet(0.5)),
    "mnasnet0_5_v1": _imagenet("MnasNet 0.5, unscaled stem", lambda: MnasNet(0.5, scaled_stem=False)),
    "mnasnet1_0": _imagenet("MnasNet 1.0", lambda: MnasNet(1.0)),
    "mobilenet_v2": _imagenet("MobileNet-V2", MobileNetV2),
    "proxyless_mobile": _imagenet("ProxylessNAS-mobile", Proxyless),
    "bit_r50x1": _imagenet("BiT-M-R50x1, group norms", BigTransfer),
    "resnet18_cifar": _cifar("ResNet-18", lambda: ResNet(BasicBlock, RESNET18, 10, cifar_stem=True)),
    "densenet121_cifar": _cifar("DenseNet-121", lambda: DenseNet(DENSENET121, 10, cifar_stem=True)),
    "mobilenet_v2_cifar": _cifar("MobileNet-V2", lambda: MobileNetV2(10, cifar=True)),
    "bit_cifar": _cifar("BiT-M-R50x1, group norms", lambda: BigTransfer(classes=10)),
    "digits_resnet": ZooEntry(DigitsResNet, DIGITS, 10, "small residual network, scikit-learn digits"),
    "shapes_unet": ZooEntry(MultiScale, (1, 32, 32), 4, "small U-Net, a class a pixel, drawn shapes"),
    "resnet8_tiny": _cifar("ResNet-8 of MLPerf Tiny", ResNet8),
    "dscnn_tiny": ZooEntry(DepthwiseSeparableCNN, (1, 49, 10), 12, "DS-CNN of MLPerf Tiny, keyword spotting"),
    "mobilenet_v1_tiny": ZooEntry(
        MobileNetV1Quarter, (3, 96, 96), 2, "MobileNet-V1 0.25 of MLPerf Tiny, visual wake words"
    ),
    "autoencoder_tiny": ZooEntry(Autoencoder, (640,), 640, "autoencoder of MLPerf Tiny, anomaly detection"),
    "resnet20": _cifar("ResNet-20, parameter-free shortcuts", lambda: CifarResNet(3)),
    "resnet32": _cifar("ResNet-32, parameter-free shortcuts", lambda: CifarResNet(5)),
    "resnet44": _cifar("ResNet-44, parameter-free shortcuts", lambda: CifarResNet(7)),
    "resnet56": _cifar("ResNet-56, parameter-free shortcuts", lambda: CifarResNet(9)),
}


def zoo_entry(name: str) -> ZooEntry:
    """The entry called ``name``; ConfigError with the known names where there is none."""
    if name not in ZOO:
        raise ConfigError(f"no network is called {name!r}; the zoo has: {', '.join(sorted(ZOO))}")
    return ZOO[name]


def build(name: str) -> nn.Module:
    """A fresh network ``name`` with random weights; ConfigError for an unknown name."""
    return zoo_entry(name).constructor()
