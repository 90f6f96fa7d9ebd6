"""Small networks whose outputs are maps: a U-Net for segmentation, two heads for detection."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ANCHORS, CLASSES = 3, 4  # of a head: boxes at every pixel, each of 5 + CLASSES values


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)
    )


class UNet(nn.Module):
    """Three resolutions, joined by transposed convolutions; a class for every pixel."""

    def __init__(self, width: int = 16, classes: int = 2) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(3, width), _block(width, 2 * width), _block(2 * width, 4 * width)])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), nn.ConvTranspose2d(2 * width, width, 2, 2)]
        )
        self.joined = nn.ModuleList([_block(4 * width, 2 * width), _block(2 * width, width)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes, H, W)."""
        high = self.down[0](x)
        middle = self.down[1](F.max_pool2d(high, 2))
        low = self.down[2](F.max_pool2d(middle, 2))
        middle = self.joined[0](torch.cat([middle, self.up[0](low)], 1))
        return self.head(self.joined[1](torch.cat([high, self.up[1](middle)], 1)))


class Detector(nn.Module):
    """A backbone of strided convolutions, a pyramid of two sizes, a head of boxes at each, as YOLO's."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = _block(3, width, 2)
        self.high, self.low = _block(width, 2 * width, 2), _block(2 * width, 4 * width, 2)
        self.lateral = nn.Conv2d(4 * width, 2 * width, 1)
        self.joined = _block(4 * width, 2 * width)
        self.small = nn.Conv2d(2 * width, ANCHORS * (5 + CLASSES), 1)
        self.large = nn.Conv2d(4 * width, ANCHORS * (5 + CLASSES), 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Boxes of both heads, (B, ANCHORS * (5 + CLASSES), H / 4, W / 4) and half of that."""
        high = self.high(self.stem(x))
        low = self.low(high)
        joined = self.joined(torch.cat([high, F.interpolate(self.lateral(low), scale_factor=2)], 1))
        return {"small": self.small(joined), "large": self.large(low)}
