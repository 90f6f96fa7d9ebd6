"""DenseNet-121 with torchvision's state-dict names (ImageNet and CIFAR stems)."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROWTH = 32  # channels each dense layer adds
BOTTLENECK = 4  # width of the 1x1 convolution, in growths


class DenseLayer(nn.Module):
    """Pre-activation 1x1 and 3x3 convolutions over all maps of the block so far."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, BOTTLENECK * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * GROWTH)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(BOTTLENECK * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, maps: list[Tensor]) -> Tensor:
        out = self.conv1(self.relu1(self.norm1(torch.cat(maps, dim=1))))
        return self.conv2(self.relu2(self.norm2(out)))


class DenseBlock(nn.Module):
    """Dense layers, each reading the block's input and every layer before it."""

    def __init__(self, in_channels: int, layers: int) -> None:
        super().__init__()
        for index in range(layers):
            self.add_module(f"denselayer{index + 1}", DenseLayer(in_channels + index * GROWTH))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.children():
            maps.append(layer(maps))
        return torch.cat(maps, dim=1)


def transition(in_channels: int) -> nn.Sequential:
    """Halve the channels and the map between two dense blocks."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(in_channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(in_channels, in_channels // 2, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )


class DenseNet(nn.Module):
    """DenseNet of the given block depths; ``cifar_stem`` is a 3x3 convolution of stride 1."""

    def __init__(
        self, depths: tuple[int, int, int, int], classes: int = 1000, *, cifar_stem: bool = False
    ) -> None:
        super().__init__()
        channels = 2 * GROWTH
        stem = (
            nn.Conv2d(3, channels, 3, padding=1, bias=False)
            if cifar_stem
            else nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        )
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=stem,
            norm0=nn.BatchNorm2d(channels),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        for stage, depth in enumerate(depths, start=1):
            parts[f"denseblock{stage}"] = DenseBlock(channels, depth)
            channels += depth * GROWTH
            if stage < len(depths):
                parts[f"transition{stage}"] = transition(channels)
                channels //= 2
        parts["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(parts)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))
