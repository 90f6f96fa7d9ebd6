"""The four reference networks of MLPerf Tiny, with the padding that TensorFlow calls "same".

Where the two differ that puts the odd row or column of zeros below and on the right.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class SameConv(nn.Module):
    """Convolution, batch norm and ReLU (unless ``act`` is False); the stride divides the map, rounded up."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        stride: int = 1,
        *,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        inside = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else 0
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, inside, groups=groups)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        padded = x if self.conv.stride == (1, 1) else with_zeros(x, self.conv)
        return self.act(self.bn(self.conv(padded)))


def with_zeros(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """``x`` with the zeros around it that a ``conv`` with strides needs."""
    sides: list[int] = []
    for size, kernel, stride in zip(x.shape[:1:-1], conv.kernel_size[::-1], conv.stride[::-1], strict=True):
        zeros = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        sides += [zeros // 2, zeros - zeros // 2]
    return F.pad(x, sides)


def separable(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """A depthwise convolution of 3 x 3 and one of 1 x 1, each with batch norm and ReLU."""
    return nn.Sequential(
        SameConv(in_channels, in_channels, (3, 3), stride, groups=in_channels),
        SameConv(in_channels, out_channels, (1, 1)),
    )


class ResidualStack(nn.Module):
    """Two convolutions of 3 x 3 beside a shortcut, which is one of 1 x 1 where the map changes."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = SameConv(in_channels, channels, (3, 3), stride)
        self.conv2 = SameConv(channels, channels, (3, 3), act=False)
        changes = stride != 1 or in_channels != channels
        self.shortcut = nn.Conv2d(in_channels, channels, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


class ResNet8(nn.Module):
    """Image classification: a stem and three residual stacks of 16, 32 and 64 channels."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = SameConv(3, 16, (3, 3))
        self.stacks = nn.Sequential(
            ResidualStack(16, 16, 1), ResidualStack(16, 32, 2), ResidualStack(32, 64, 2)
        )
        self.classifier = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.stacks(self.stem(x)).mean((2, 3)))


class DepthwiseSeparableCNN(nn.Module):
    """Keyword spotting: a stem of 10 x 4 and four separable convolutions over 49 steps of 10 features."""

    def __init__(self, classes: int = 12) -> None:
        super().__init__()
        self.stem = SameConv(1, 64, (10, 4), 2)
        self.blocks = nn.Sequential(*(separable(64, 64) for _ in range(4)))
        self.classifier = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.blocks(self.stem(x)).mean((2, 3)))


# (channels, stride) of every separable convolution of MobileNet-V1, at a quarter of its width
MOBILENET_QUARTER = (
    *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
    *((128, 1),) * 5,
    *((256, 2), (256, 1)),
)


class MobileNetV1Quarter(nn.Module):
    """Visual wake words: MobileNet-V1 of a quarter of the width; is there a person in the image?"""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        widths = (8, *(channels for channels, _ in MOBILENET_QUARTER))
        self.stem = SameConv(3, widths[0], (3, 3), 2)
        self.blocks = nn.Sequential(
            *(
                separable(before, after, stride)
                for (before, after), (_, stride) in zip(pairwise(widths), MOBILENET_QUARTER, strict=True)
            )
        )
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.blocks(self.stem(x)).mean((2, 3)))


class Autoencoder(nn.Module):
    """Anomaly detection: 640 features through a bottleneck of 8, and back; what it cannot restore is odd."""

    WIDTHS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(self.WIDTHS):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(self.WIDTHS[-1], self.WIDTHS[0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
