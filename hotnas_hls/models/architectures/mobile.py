"""Networks of inverted residual blocks: MobileNet-V2, MnasNet (torchvision's names), ProxylessNAS-mobile."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Stage(NamedTuple):
    """A run of inverted residual blocks; the stride is the first block's."""

    expand: int
    channels: int
    depth: int
    stride: int
    kernel: int = 3


def conv_bn_act(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution, batch norm and ReLU6; padded to keep the size at stride 1."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


# --- MobileNet-V2 -----------------------------------------------------------------------------------------

MOBILENET_V2_STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)


class MobileBlock(nn.Module):
    """1x1 expansion (unless ``expand`` is 1), depthwise convolution and linear 1x1 projection."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expand: int) -> None:
        super().__init__()
        width = in_channels * expand
        expansion = [conv_bn_act(in_channels, width, kernel=1)] if expand != 1 else []
        self.conv = nn.Sequential(
            *expansion,
            conv_bn_act(width, width, 3, stride, groups=width),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNet-V2; for CIFAR the stem and the 24-channel stage keep the map's size."""

    def __init__(self, classes: int = 1000, *, cifar: bool = False) -> None:
        super().__init__()
        features: list[nn.Module] = [conv_bn_act(3, 32, 3, stride=1 if cifar else 2)]
        channels = 32
        for stage in MOBILENET_V2_STAGES:
            first_stride = 1 if cifar and stage.channels == 24 else stage.stride
            for index in range(stage.depth):
                stride = first_stride if index == 0 else 1
                features.append(MobileBlock(channels, stage.channels, stride, stage.expand))
                channels = stage.channels
        features.append(conv_bn_act(channels, 1280, kernel=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(x.flatten(1))


# --- MnasNet ----------------------------------------------------------------------------------------------

MNASNET_STAGES = (
    Stage(3, 24, 3, 2, 3),
    Stage(3, 40, 3, 2, 5),
    Stage(6, 80, 3, 2, 5),
    Stage(6, 96, 2, 1, 3),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)


class MnasBlock(nn.Module):
    """1x1 expansion, depthwise convolution and linear 1x1 projection with plain ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        width = in_channels * expand
        self.residual = stride == 1 and in_channels == out_channels
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x if self.residual else self.layers(x)


def scaled_channels(channels: int, multiplier: float) -> int:
    """``channels`` x ``multiplier`` as a multiple of 8, no more than 10 % below the exact product."""
    exact = channels * multiplier
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * exact else rounded + 8


class MnasNet(nn.Module):
    """MnasNet-B1; torchvision's first version did not scale the stem (32) and the first block (16)."""

    def __init__(self, multiplier: float, classes: int = 1000, *, scaled_stem: bool = True) -> None:
        super().__init__()
        stem, first = (scaled_channels(c, multiplier) if scaled_stem else c for c in (32, 16))
        layers: list[nn.Module] = [
            nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            nn.Conv2d(stem, stem, 3, padding=1, groups=stem, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            nn.Conv2d(stem, first, 1, bias=False),
            nn.BatchNorm2d(first),
        ]
        channels = first
        for stage in MNASNET_STAGES:
            width = scaled_channels(stage.channels, multiplier)
            blocks = []
            for index in range(stage.depth):
                stride = stage.stride if index == 0 else 1
                blocks.append(MnasBlock(channels, width, stage.kernel, stride, stage.expand))
                channels = width
            layers.append(nn.Sequential(*blocks))
        layers += [nn.Conv2d(channels, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))


# --- ProxylessNAS-mobile ----------------------------------------------------------------------------------

# (kernel, expand, out channels, stride) of every block; None is a block the search left out.
PROXYLESS_BLOCKS: tuple[tuple[int, int, int, int] | None, ...] = (
    (3, 1, 16, 1),
    *((5, 3, 32, 2), (3, 3, 32, 1), None, None),
    *((7, 3, 40, 2), (3, 3, 40, 1), (5, 3, 40, 1), (5, 3, 40, 1)),
    *((7, 6, 80, 2), (5, 3, 80, 1), (5, 3, 80, 1), (5, 3, 80, 1)),
    *((5, 6, 96, 1), (5, 3, 96, 1), (5, 3, 96, 1), (5, 3, 96, 1)),
    *((7, 6, 192, 2), (7, 6, 192, 1), (7, 3, 192, 1), (7, 3, 192, 1)),
    (7, 6, 320, 1),
)


def named_conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, *, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution and batch norm as ``conv`` and ``bn``, with ReLU6 unless ``act`` is False."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, bn=nn.BatchNorm2d(out_channels, eps=1e-3))
    if act:
        parts["act"] = nn.ReLU6(inplace=True)
    return nn.Sequential(parts)


class ProxylessBlock(nn.Module):
    """An inverted residual block of its own kernel and expansion, or just its shortcut."""

    def __init__(self, in_channels: int, block: tuple[int, int, int, int] | None) -> None:
        super().__init__()
        self.mobile_inverted_conv: nn.Sequential | None = None
        self.residual = False
        if block is None:
            return
        kernel, expand, out_channels, stride = block
        width = in_channels * expand
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if expand != 1:
            parts["inverted_bottleneck"] = named_conv(in_channels, width, 1)
        parts["depth_conv"] = named_conv(width, width, kernel, stride, groups=width)
        parts["point_linear"] = named_conv(width, out_channels, 1, act=False)
        self.mobile_inverted_conv = nn.Sequential(parts)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        if self.mobile_inverted_conv is None:
            return x
        out = self.mobile_inverted_conv(x)
        return out + x if self.residual else out


class Proxyless(nn.Module):
    """ProxylessNAS for mobile phones."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.first_conv = named_conv(3, 32, 3, stride=2)
        channels = 32
        blocks = []
        for block in PROXYLESS_BLOCKS:
            blocks.append(ProxylessBlock(channels, block))
            channels = block[2] if block else channels
        self.blocks = nn.ModuleList(blocks)
        self.feature_mix_layer = named_conv(channels, 1280, 1)
        self.global_avg_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(OrderedDict(linear=nn.Linear(1280, classes)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first_conv(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.global_avg_pooling(self.feature_mix_layer(x)).flatten(1))
