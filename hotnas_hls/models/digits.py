"""The network of the embedded default: a small residual CNN for scikit-learn's 8 x 8 digits."""

from __future__ import annotations

from torch import Tensor, nn

from hotnas_hls.models.resnet import BasicBlock

WIDTHS = (16, 32, 64)


class DigitsResNet(nn.Module):
    """Stem, three stages of one residual block each (8x8, 4x4, 2x2 maps), global average pool, classifier."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        channels = WIDTHS[0]
        for stage, width in enumerate(WIDTHS, start=1):
            self.add_module(
                f"layer{stage}", nn.Sequential(BasicBlock(channels, width, 1 if stage == 1 else 2))
            )
            channels = width
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))
