"""BiT-M-R50x1: a pre-activation ResNet-50 with weight-standardised convolutions and group norm.

Group norms become sums, products and activations; the published latencies are of the convolutions alone.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

GROUPS = 32  # of every group norm


class StandardisedConv2d(nn.Conv2d):
    """Convolution whose every filter is brought to mean 0 and variance 1 first."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.standardised_weight(), self.bias)

    def standardised_weight(self) -> Tensor:
        """The weight that is really applied, of the shape of ``weight``."""
        variance, mean = torch.var_mean(self.weight, dim=[1, 2, 3], keepdim=True, unbiased=False)
        return (self.weight - mean) / torch.sqrt(variance + 1e-10)


def std_conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> StandardisedConv2d:
    """A standardised convolution padded to keep the size at stride 1."""
    return StandardisedConv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)


class PreActBottleneck(nn.Module):
    """Norm and ReLU before each of the three convolutions; the shortcut leaves after the first ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        width = out_channels // 4
        self.gn1 = nn.GroupNorm(GROUPS, in_channels)
        self.conv1 = std_conv(in_channels, width, 1)
        self.gn2 = nn.GroupNorm(GROUPS, width)
        self.conv2 = std_conv(width, width, 3, stride)
        self.gn3 = nn.GroupNorm(GROUPS, width)
        self.conv3 = std_conv(width, out_channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = std_conv(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.gn1(x))
        shortcut = x if self.downsample is None else self.downsample(out)
        out = self.conv1(out)
        out = self.conv2(self.relu(self.gn2(out)))
        return self.conv3(self.relu(self.gn3(out))) + shortcut


class BigTransfer(nn.Module):
    """Root, four blocks of units and a convolutional head."""

    def __init__(self, depths: tuple[int, int, int, int] = (3, 4, 6, 3), classes: int = 1000) -> None:
        super().__init__()
        self.root = nn.Sequential(
            OrderedDict(
                conv=std_conv(3, 64, 7, stride=2),
                pad=nn.ConstantPad2d(1, 0.0),
                pool=nn.MaxPool2d(3, stride=2),
            )
        )
        body: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 64
        for number, depth in enumerate(depths, start=1):
            units: OrderedDict[str, nn.Module] = OrderedDict()
            width = 128 << number
            for index in range(depth):
                stride = 2 if index == 0 and number > 1 else 1
                units[f"unit{index + 1:02d}"] = PreActBottleneck(channels, width, stride)
                channels = width
            body[f"block{number}"] = nn.Sequential(units)
        self.body = nn.Sequential(body)
        self.head = nn.Sequential(
            OrderedDict(
                gn=nn.GroupNorm(GROUPS, channels),
                relu=nn.ReLU(inplace=True),
                avg=nn.AdaptiveAvgPool2d(1),
                conv=nn.Conv2d(channels, classes, 1),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(self.head(self.body(self.root(x))), 1)
