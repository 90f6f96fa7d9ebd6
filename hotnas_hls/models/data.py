"""The data sets: real images, split once into train, validation and test.

The search sees train and validation only; test is read once, at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hotnas_hls.errors import DataMissing

DATA_VARIABLE = "HOTNAS_DATA"
NEIGHBOUR_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"  # beside a development checkout

CIFAR_RESNETS = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models"

WEIGHTS = Path(__file__).with_name("weights")  # of zoo networks, where they ship

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet; the public CIFAR-10 ResNets
IMAGE_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)  # were trained with the same figures

SPLIT_SEED = 0  # one split for everybody: changing it makes every published accuracy incomparable


@dataclass(frozen=True, eq=False)
class Split:
    """``images`` float32 (B, C, H, W), normalised; ``labels`` int64 (B,), of any whole numbers given."""

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", np.asarray(self.images, dtype=np.float32))
        labels = np.asarray(self.labels)
        whole = np.issubdtype(labels.dtype, np.integer)
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False) if whole else labels)

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Split:
        """The first ``count`` images."""
        return Split(self.images[:count], self.labels[:count])

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
    """Images of ``classes``, split into train, validation and test."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    notes: tuple[str, ...] = ()  # what reading it left out

    def prepared(self, preparation: Callable[[np.ndarray], np.ndarray]) -> Dataset:
        """The same with its images as ``preparation`` makes them of (B, C, H, W)."""
        train, validation, test = (
            replace(split, images=preparation(split.images))
            for split in (self.train, self.validation, self.test)
        )
        return replace(self, train=train, validation=validation, test=test)

    def violations(self, image: tuple[int, int, int], outputs: int) -> list[str]:
        """What keeps a network of ``outputs`` values for an ``image`` (C, H, W) from being searched."""
        found = []
        if len(self.classes) != outputs:
            found.append(f"{len(self.classes)} classes, but the network has {outputs} outputs")
        for name in ("train", "validation", "test"):
            problems = _split_violations(getattr(self, name), image, outputs)
            found += [f"{name}: {problem}" for problem in problems]
        return found


def _split_violations(split: Split, image: tuple[int, int, int], outputs: int) -> list[str]:
    images, labels = split.images, split.labels
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        given = f"labels are {labels.dtype} {labels.shape}"
        return [f"{given}; give one whole number for each of {len(images)} images"]
    if not len(images):
        return ["no images; a search trains on train, compares on validation and reports test"]
    found = []
    if images.shape[1:] != image:
        found.append(f"images of {_times(images.shape[1:])}, the network reads {_times(image)}")
    wrong = [index for index, values in enumerate(images) if not np.isfinite(values).all()]
    if wrong:
        found.append(f"{len(wrong)} of {len(images)} images hold NaN or infinity, the first is {wrong[0]}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= outputs:
        found.append(f"labels from {low} to {high}, the network's outputs are 0 to {outputs - 1}")
    return found


def _times(shape: tuple[int, ...]) -> str:
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
