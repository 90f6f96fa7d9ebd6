"""What the answers of a network are worth.

Answers are what a network gives for B images: a tensor (B, channels, rows, columns) for each map that the
host reads, in their order. Labels tell what they should be; their form says how answers are judged:

- whole numbers (B,), a class for each image: the share of images whose largest value is their class;
- whole numbers (B, rows, columns), a class for each pixel: intersection over union, the mean of the classes;
- real numbers, a value for each value of the outputs: the share of their variance that is explained;
- none: the same with the answers of the float network as what should be, its fidelity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Answers = tuple[Tensor, ...]
UNLABELLED = -1  # pixels of this class count nowhere
CONSTANT = 1e-6  # share of an output's mean square that its variance counts as, at least


@runtime_checkable
class Task(Protocol):
    """How answers are judged; a data set may bring one of its own."""

    @property
    def measure(self) -> str:
        """What the score is called, in a few words."""
        ...

    def score(self, answers: Answers, labels: Tensor) -> float:
        """0 to 1, more is better; of all images together."""
        ...

    def loss(self, answers: Answers, labels: Tensor) -> Tensor:
        """What training lessens, of a batch."""
        ...

    def lesson(self, answers: Answers, taught: Answers, temperature: float) -> Tensor:
        """What training lessens that leans on the answers of another network."""
        ...

    def divergence(self, answers: Answers, wanted: Answers, temperature: float = 1.0) -> Tensor:
        """How far answers are from those of another network: 0 where they are the same, else more."""
        ...


@dataclass(frozen=True)
class Classes:
    """A class for each image, or for each pixel, by the largest of its channels.

    Divergences are in nats an image, or a pixel.
    """

    smoothing: float = 0.0  # share of every label that all classes get
    pixels: bool = False  # labels are of pixels

    @property
    def measure(self) -> str:
        """Accuracy of images, mean intersection over union of pixels."""
        return "mean IoU" if self.pixels else "accuracy"

    def score(self, answers: Answers, labels: Tensor) -> float:
        """Share of images that are right; of pixels the mean over classes that there are, or were found."""
        found, wanted = _rows(answers).argmax(dim=1), labels.flatten()
        if not self.pixels:
            return float((found == wanted).double().mean())
        classes = _rows(answers).shape[1]
        counted = wanted != UNLABELLED
        pairs = torch.bincount(wanted[counted] * classes + found[counted], minlength=classes**2)
        table = pairs.reshape(classes, classes).double()
        both = table.diagonal()
        either = table.sum(0) + table.sum(1) - both
        return float((both[either > 0] / either[either > 0]).mean()) if counted.any() else 1.0

    def loss(self, answers: Answers, labels: Tensor) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(
            _rows(answers), labels.flatten(), label_smoothing=self.smoothing, ignore_index=UNLABELLED
        )

    def lesson(self, answers: Answers, taught: Answers, temperature: float) -> Tensor:
        """Cross-entropy with softened answers, in the scale of that with labels."""
        target = torch.softmax(_rows(taught) / temperature, dim=1)
        soft = -(target * torch.log_softmax(_rows(answers) / temperature, dim=1)).sum(1).mean()
        return temperature**2 * soft

    def divergence(self, answers: Answers, wanted: Answers, temperature: float = 1.0) -> Tensor:
        """Kullback-Leibler divergence from ``wanted``, of softened answers."""
        found, target = (torch.log_softmax(_rows(one) / temperature, dim=1) for one in (answers, wanted))
        return F.kl_div(found, target, log_target=True, reduction="batchmean")


@dataclass(frozen=True)
class Values:
    """Values as they are: boxes, depths, pixels, or the answers of another network.

    Each output counts alike, whatever its scale. Labels are (B, ...), the values of all outputs, one output
    after the other.
    """

    measure: str = "explained variance"

    def score(self, answers: Answers, labels: Tensor) -> float:
        """1 less the squared error, as a share of that of each channel's mean; 0 where it is no better."""
        return max(0.0, 1 - float(self.loss(tuple(one.double() for one in answers), labels.double())))

    def loss(self, answers: Answers, labels: Tensor) -> Tensor:
        """Squared error as a share of that of each channel's mean."""
        sizes = [one[0].numel() for one in answers]
        parts = labels.flatten(1).split(sizes, dim=1)
        return self.divergence(
            answers, tuple(part.reshape(one.shape) for part, one in zip(parts, answers, strict=True))
        )

    def lesson(self, answers: Answers, taught: Answers, temperature: float) -> Tensor:
        """The same of another network's answers; values know no temperature."""
        return self.divergence(answers, taught)

    def divergence(self, answers: Answers, wanted: Answers, temperature: float = 1.0) -> Tensor:
        """Squared error as a share of that of each channel's mean."""
        shares = [_unexplained(one, of) for one, of in zip(answers, wanted, strict=True)]
        return torch.stack(shares).mean()


CLASSES = Classes()
FIDELITY = Values("fidelity")  # to the answers of the network a search starts from


def answers_of(model: nn.Module, images: Tensor) -> Answers:
    """What a network gives, output by output, each (B, channels, rows, columns)."""
    return tuple(_as_map(item) for item in tree_leaves(model(images)) if isinstance(item, Tensor))


def values_of(answers: Answers) -> Tensor:
    """The values of all outputs (B, values), one output after the other: labels of :class:`Values`."""
    return torch.cat([one.flatten(1) for one in answers], dim=1)


def joined(parts: Sequence[Answers]) -> Answers:
    """Answers to several batches as those to one."""
    return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))


def _as_map(values: Tensor) -> Tensor:
    """Values (B, C), (B, C, columns) or (B, C, rows, columns) as the last."""
    if values.dim() == 3:
        return values.unsqueeze(2)
    return values.reshape(*values.shape, *[1] * (4 - values.dim()))


def _rows(answers: Answers) -> Tensor:
    """Values of the only output (B * pixels, channels)."""
    (only,) = answers
    return only.flatten(2).transpose(1, 2).reshape(-1, only.shape[1])


def _unexplained(found: Tensor, wanted: Tensor) -> Tensor:
    """Share of the variance of ``wanted`` about each channel's mean that ``found`` is off by."""
    mean = wanted.mean(dim=(0, 2, 3), keepdim=True)
    variance = (wanted - mean).square().mean()
    error = (found - wanted).square().mean()
    least = CONSTANT * wanted.square().mean() + torch.finfo(wanted.dtype).tiny
    return error / torch.maximum(variance, least)
