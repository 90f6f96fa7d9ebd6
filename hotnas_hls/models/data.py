"""The data sets: real images, split once into train, validation and test.

The search sees train and validation only; test is read once, at the end.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hotnas_hls.errors import DataMissing
from hotnas_hls.models.task import FIDELITY, UNLABELLED, Classes, Task, Values
from hotnas_hls.network.graph import Shape

DATA_VARIABLE = "HOTNAS_DATA"
NEIGHBOUR_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"  # beside a development checkout

CIFAR_RESNETS = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models"

WEIGHTS = Path(__file__).with_name("weights")  # of zoo networks, where they ship

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet; the public CIFAR-10 ResNets
IMAGE_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)  # were trained with the same figures

SPLIT_SEED = 0  # one split for everybody: changing it makes every published accuracy incomparable


@dataclass(frozen=True, eq=False)
class Split:
    """``images`` float32 (B, C, H, W), normalised, and what they are labelled with (see ``models.task``).

    ``labels`` of any whole numbers become int64, those of real numbers float32; None: there are none.
    """

    images: np.ndarray
    labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", np.asarray(self.images, dtype=np.float32))
        if self.labels is None:
            return
        labels = np.asarray(self.labels)
        for kind, kept in ((np.integer, np.int64), (np.floating, np.float32)):
            if np.issubdtype(labels.dtype, kind):
                labels = labels.astype(kept, copy=False)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> np.ndarray | None:
        """The classes of its images (B,), int64, where that is what they are labelled with."""
        one_each = self.labels is not None and self.labels.ndim == 1 and self.labels.dtype == np.int64
        return self.labels if one_each else None

    def at(self, picked: np.ndarray | slice) -> Split:
        """Some of the images."""
        return Split(self.images[picked], None if self.labels is None else self.labels[picked])

    def held_out(self, share: float) -> tuple[Split, Split]:
        """What stays, and a seeded ``share`` of it, class by class where images have classes."""
        alike = np.zeros(len(self), np.int64) if self.classes is None else self.classes
        kept, held, _ = stratified(alike, (share, 0.0), SPLIT_SEED)
        return self.at(kept), self.at(held)

    def first(self, count: int) -> Split:
        """The first ``count`` images."""
        return self.at(slice(count))

    def blended(self, share: float) -> Split:
        """Every image with ``share`` (below a half) of another one, under its own label.

        A network that was trained on these images knows them by heart, but not what lies between them: what
        it gets right here tells compressed networks apart as unseen images do.
        """
        if share == 0:
            return self
        others = np.roll(self.images, len(self) // 2, axis=0)
        images = (1 - share) * self.images + share * others
        return Split(images.astype(self.images.dtype), self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of ``classes``, split into train, validation and test; no classes where labels are none."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    notes: tuple[str, ...] = ()  # what reading it left out
    task: Task | None = None  # how answers are judged; None: as the form of the labels says

    @property
    def judged(self) -> Task:
        """How answers are judged."""
        labels = self.train.labels
        if self.task is not None:
            return self.task
        if labels is None:
            return FIDELITY
        return Classes(pixels=labels.ndim > 1) if labels.dtype == np.int64 else Values()

    def prepared(self, preparation: Callable[[np.ndarray], np.ndarray]) -> Dataset:
        """The same with its images as ``preparation`` makes them of (B, C, H, W)."""
        train, validation, test = (
            replace(split, images=preparation(split.images))
            for split in (self.train, self.validation, self.test)
        )
        return replace(self, train=train, validation=validation, test=test)

    def violations(self, image: Shape, outputs: Sequence[Shape]) -> list[str]:
        """What keeps a network that makes ``outputs`` of an ``image``, each (C, H, W), from a search."""
        found = []
        classes = self.train.labels is not None and self.train.labels.dtype == np.int64 and self.task is None
        if classes and len(outputs) == 1 and len(self.classes) != outputs[0][0]:
            found.append(f"{len(self.classes)} classes, but the network has {outputs[0][0]} outputs")
        for name in ("train", "validation", "test"):
            split: Split = getattr(self, name)
            problems = _split_violations(split, image)
            if len(split) and self.task is None:
                problems += _label_violations(split, self.train.labels, outputs)
            found += [f"{name}: {problem}" for problem in problems]
        return found


def _split_violations(split: Split, image: Shape) -> list[str]:
    images, labels = split.images, split.labels
    if not len(images):
        return ["no images; a search trains on train, compares on validation and reports test"]
    found = []
    if images.shape[1:] != image:
        found.append(f"images of {_times(images.shape[1:])}, the network reads {_times(image)}")
    if labels is not None and len(labels) != len(images):
        found.append(f"{len(images)} images and {len(labels)} labels; give one label for each image")
    for what, arrays in (("images", images), ("labels", labels)):
        wrong = [index for index, one in enumerate(() if arrays is None else arrays) if not _finite(one)]
        if wrong and arrays is not None:
            share = f"{len(wrong)} of {len(arrays)} {what}"
            found.append(f"{share} hold NaN or infinity, the first is {wrong[0]}")
    return found


def _finite(values: np.ndarray) -> bool:
    return not np.issubdtype(values.dtype, np.floating) or bool(np.isfinite(values).all())


def _label_violations(split: Split, like: np.ndarray | None, outputs: Sequence[Shape]) -> list[str]:
    """Labels that are none of the outputs'; none, or some, unlike those of the training images."""
    labels = split.labels
    if (labels is None) != (like is None):
        has = "no labels" if labels is None else "labels"
        return [f"{has}, unlike train; give them to all parts or to none"]
    if labels is None:
        return []
    channels, *pixels = outputs[0]
    shape, whole = labels.shape[1:], labels.dtype == np.int64
    if whole and len(outputs) == 1 and shape in (tuple(pixels), *([()] if pixels == [1, 1] else [])):
        least = 0 if shape == () else UNLABELLED
        low, high = int(labels.min()), int(labels.max())
        if low >= least and high < channels:
            return []
        return [f"labels from {low} to {high}, the network's outputs are 0 to {channels - 1}"]
    values = sum(math.prod(output) for output in outputs)
    if labels.dtype == np.float32 and math.prod(shape) == values:
        return []
    given = f"labels are {labels.dtype} {labels.shape}"
    if len(outputs) == 1 and pixels == [1, 1]:
        return [f"{given}; give one whole number for each of {len(split)} images"]
    by_pixel = f"a whole number for each of {_times(pixels)} pixels, " if len(outputs) == 1 else ""
    return [f"{given}; give every image {by_pixel}{values:,} real numbers, or no labels"]


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 1 x 8 x 8: 70 % train, 10 % validation, 20 % test.

    Pixels 0..16 become 0..2 in steps of 1/8: the background stays zero like the padding, and every
    value is exact in fixed point.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataMissing(
            "the digits data set comes with scikit-learn, which is not installed: pip install scikit-learn"
        ) from error
    bunch = load_digits()
    images = (bunch.images[:, None] / 8).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    parts = stratified(labels, (0.1, 0.2), SPLIT_SEED)
    train, validation, test = (Split(images[part], labels[part]) for part in parts)
    return Dataset("digits", tuple(str(digit) for digit in range(10)), train, validation, test)


# --- splitting and normalising ----------------------------------------------------------------------------


def stratified(
    labels: np.ndarray, fractions: tuple[float, float], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted indices (rest, first, second) with the same share of every class in each part."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        first, second = (round(fraction * len(members)) for fraction in fractions)
        parts[1].extend(members[:first])
        parts[2].extend(members[first : first + second])
        parts[0].extend(members[first + second :])
    rest, one, two = (np.array(sorted(part), dtype=np.int64) for part in parts)
    return rest, one, two


def normalise(
    images: np.ndarray, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> np.ndarray:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) of 0 to 1, less the mean, over the standard deviation.

    mean, std: of each channel; None: ImageNet's.
    """
    centre = IMAGE_MEAN if mean is None else np.asarray(mean, dtype=np.float32)
    spread = IMAGE_STD if std is None else np.asarray(std, dtype=np.float32)
    scaled = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    scaled -= centre[:, None, None]
    scaled /= spread[:, None, None]
    return np.ascontiguousarray(scaled)


# --- where data lie ---------------------------------------------------------------------------------------


def data_folders() -> list[Path]:
    """Where data are looked for, in this order."""
    named = os.environ.get(DATA_VARIABLE)
    return [*([Path(named)] if named else []), NEIGHBOUR_DATA]


def find_weights(name: str) -> Path:
    """The checkpoint of this path, or of this name in the folder ``weights`` where data are looked for.

    Raises DataMissing where it is in none of them.
    """
    places = [Path(name), *(folder / "weights" / name for folder in data_folders())]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        digest = _digest_in(name)
        cure = "name a .safetensors file or a torch checkpoint"
        if digest is not None:
            cure = (
                f"download {CIFAR_RESNETS}/{name} (SHA-256 {digest}...) into a folder called weights and set "
                f"{DATA_VARIABLE} to the folder around it"
            )
        raise DataMissing(f"{name}: no such file, and none below {DATA_VARIABLE}; {cure}")
    return found


def shipped_weights(name: str) -> Path | None:
    """The weights of a zoo network that ship with the package; None where none do."""
    path = WEIGHTS / f"{name}.safetensors"
    return path if path.is_file() else None


def _digest_in(name: str) -> str | None:
    """The first digits of its SHA-256 that a published checkpoint of a CIFAR ResNet has in its name."""
    named = re.fullmatch(r"resnet\d+-([0-9a-f]{8})\.th", name)
    return named[1] if named else None
