"""Networks without shortcuts - AlexNet, VGG, SqueezeNet - with torchvision's state-dict names."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FeaturesThenClassifier(nn.Module):
    """``features``, an optional ``avgpool`` and ``classifier`` one after the other.

    The map is flattened before the classifier, or after it where the classifier is convolutional.
    """

    def __init__(self, features: nn.Module, avgpool: nn.Module | None, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        if avgpool is not None:
            self.avgpool = avgpool
        self.flatten_first = avgpool is not None
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        if self.flatten_first:
            return self.classifier(self.avgpool(x).flatten(1))
        return self.classifier(x).flatten(1)


def alexnet(classes: int = 1000) -> nn.Module:
    """AlexNet, single-column variant."""
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
    )
    classifier = nn.Sequential(
        nn.Dropout(),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, classes),
    )
    return FeaturesThenClassifier(features, nn.AdaptiveAvgPool2d(6), classifier)


def vgg16(classes: int = 1000) -> nn.Module:
    """VGG-16 without batch normalisation."""
    features: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        features.append(nn.MaxPool2d(2))
    classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, classes),
    )
    return FeaturesThenClassifier(nn.Sequential(*features), nn.AdaptiveAvgPool2d(7), classifier)


class Fire(nn.Module):
    """SqueezeNet's block: a 1x1 squeeze, then 1x1 and 3x3 expansions concatenated."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        narrow = self.expand1x1_activation(self.expand1x1(x))
        wide = self.expand3x3_activation(self.expand3x3(x))
        return torch.cat([narrow, wide], dim=1)


# The stem (channels, kernel) and, in order, a pool or the squeeze width of a Fire block (expand is 4x).
SQUEEZENET_STEMS = {"1_0": (96, 7), "1_1": (64, 3)}
SQUEEZENET_BODIES: dict[str, tuple[int | str, ...]] = {
    "1_0": ("pool", 16, 16, 32, "pool", 32, 48, 48, 64, "pool", 64),
    "1_1": ("pool", 16, 16, "pool", 32, 32, "pool", 48, 48, 64, 64),
}


def squeezenet(version: str, classes: int = 1000) -> nn.Module:
    """SqueezeNet ``version`` "1_0" or "1_1"."""
    channels, kernel = SQUEEZENET_STEMS[version]
    features: list[nn.Module] = [nn.Conv2d(3, channels, kernel, stride=2), nn.ReLU(inplace=True)]
    for step in SQUEEZENET_BODIES[version]:
        if isinstance(step, int):
            features.append(Fire(channels, squeeze=step, expand=4 * step))
            channels = 8 * step
        else:
            features.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
    classifier = nn.Sequential(
        nn.Dropout(), nn.Conv2d(channels, classes, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)
    )
    return FeaturesThenClassifier(nn.Sequential(*features), None, classifier)
