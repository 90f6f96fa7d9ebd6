"""A U-Net of cells at three scales: a class for every pixel (Ronneberger et al. 2015, small).

A cell is two convolutions. How wide it is between them is its own affair, so a search can decide it scale by
scale; what cells hand to each other, along their scale and to the next, keeps its width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Cell(nn.Module):
    """Two 3 x 3 convolutions, with ``inner`` channels between them."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the same size."""
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class MultiScale(nn.Module):
    """An encoder that halves twice, a decoder that doubles twice and reads the encoder's maps as well."""

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 8) -> None:
        super().__init__()
        fine, middle, coarse = width, 2 * width, 4 * width
        self.encoder1 = Cell(channels, 2 * fine, fine)
        self.encoder2 = Cell(fine, 2 * middle, middle)
        self.encoder3 = Cell(middle, 2 * coarse, coarse)
        self.decoder2 = Cell(middle + coarse, 2 * middle, middle)
        self.decoder1 = Cell(fine + middle, 2 * fine, fine)
        self.head = nn.Conv2d(fine, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes, H, W); H and W are multiples of 4."""
        fine = self.encoder1(x)
        middle = self.encoder2(F.max_pool2d(fine, 2))
        coarse = self.encoder3(F.max_pool2d(middle, 2))
        middle = self.decoder2(torch.cat([middle, F.interpolate(coarse, scale_factor=2)], 1))
        fine = self.decoder1(torch.cat([fine, F.interpolate(middle, scale_factor=2)], 1))
        return self.head(fine)
