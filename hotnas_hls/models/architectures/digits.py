"""The network of the embedded default: a small residual CNN for scikit-learn's 8 x 8 digits."""

from __future__ import annotations

from torch import Tensor, nn

from hotnas_hls.models.architectures.resnet import BasicBlock

WIDTHS = (16, 32, 64)


class DigitsResNet(nn.Module):
    """Stem, three stages of one residual block each (8x8, 4x4, 2x2 maps), global average pool, classifier."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(WIDTHS[0], WIDTHS[0], stride=1))
        self.layer2 = nn.Sequential(BasicBlock(WIDTHS[0], WIDTHS[1], stride=2))
        self.layer3 = nn.Sequential(BasicBlock(WIDTHS[1], WIDTHS[2], stride=2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[2], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))
