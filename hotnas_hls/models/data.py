"""The data sets: real images, split once into train, validation and test.

The search sees train and validation only; test is read once, at the end.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls.errors import DataMissing, HotnasError

DATA_VARIABLE = "HOTNAS_DATA"
NEIGHBOUR_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"  # beside a development checkout

CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_ADDRESS = f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
CIFAR_RESNETS = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models"
CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CIFAR10_VALIDATION = 5000

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet; the public CIFAR-10 ResNets
IMAGE_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)  # were trained with the same figures
IMAGE_SUFFIXES = {".jpeg", ".jpg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}

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
    parts = _stratified(labels, (0.1, 0.2), SPLIT_SEED)
    train, validation, test = (Split(images[part], labels[part]) for part in parts)
    return Dataset("digits", tuple(str(digit) for digit in range(10)), train, validation, test)


def cifar10(splits: Iterable[str] = ("train", "validation", "test")) -> Dataset:
    """CIFAR-10, 3 x 32 x 32: 45,000 train, 5,000 validation (seeded), the official 10,000 test images.

    Looks in the folder HOTNAS_DATA for ``cifar10.npz`` (x_train, y_train, x_test, y_test; uint8 NHWC),
    the official python or binary batches, or the official archive. Splits that are not asked for are
    left empty, which saves loading them. Raises DataMissing where nothing is found.
    """
    wanted = set(splits)
    unknown = wanted - {"train", "validation", "test"}
    if unknown:
        raise ValueError(f"no split is called {sorted(unknown)}; there are train, validation and test")
    read = _find_cifar10()
    train = validation = test = Split(np.zeros((0, 3, 32, 32), np.float32), np.zeros(0, np.int64))
    if wanted & {"train", "validation"}:
        images, labels = read("train")
        order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
        held = np.sort(order[:CIFAR10_VALIDATION])
        kept = np.sort(order[CIFAR10_VALIDATION:])
        if "validation" in wanted:
            validation = Split(_normalise(images[held]), labels[held])
        if "train" in wanted:
            train = Split(_normalise(images[kept]), labels[kept])
    if "test" in wanted:
        images, labels = read("test")
        test = Split(_normalise(images), labels)
    return Dataset("cifar10", CIFAR10_CLASSES, train, validation, test)


def image_folder(
    folder: Path | str, size: int = 224, per_class: int | None = None, validation_fraction: float = 0.1
) -> Dataset:
    """Images in ``folder/train/<class>/`` and ``folder/val/<class>/`` as (3, size, size).

    The shorter side is scaled to 256/224 of ``size`` and the centre cut out, as the public ImageNet
    evaluations do. ``val`` is the test split; validation is a seeded part of ``train`` (both are empty
    where there is no ``train`` folder). Classes are the folders of both, in the order of their names.
    ``per_class`` keeps the first images of every class. All images are held in memory. Hidden folders and
    whatever is no image are left out; ``notes`` of the result say so. Raises DataMissing where the folders
    are not there.
    """
    folder = Path(folder)
    if not (folder / "val").is_dir():
        raise DataMissing(
            f"{folder}: no ImageNet-like folder; expected {folder}/val/<class>/*.jpg "
            f"and, for fine-tuning, {folder}/train/<class>/*.jpg"
        )
    splits = {part: _ImageClasses(folder / part) for part in ("val", "train")}
    if not splits["val"].classes:
        raise DataMissing(f"{folder}/val: holds no class folders; expected {folder}/val/<class>/*.jpg")
    classes = tuple(sorted(splits["val"].classes | splits["train"].classes))
    test, seen = (split.read(classes, size, per_class) for split in splits.values())
    notes = [note for split in splits.values() for note in split.notes()]
    if splits["train"].classes:
        for part, other in (("val", "train"), ("train", "val")):
            only = sorted(splits[part].classes - splits[other].classes)
            notes += [f"{folder}: class {name} is in {part}/ only" for name in only]
    kept, held, _ = _stratified(seen.labels, (validation_fraction, 0.0), SPLIT_SEED)
    return Dataset(
        folder.name,
        classes,
        Split(seen.images[kept], seen.labels[kept]),
        Split(seen.images[held], seen.labels[held]),
        test,
        tuple(notes),
    )


# --- splitting and normalising ----------------------------------------------------------------------------


def _stratified(
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


def _normalise(images: np.ndarray) -> np.ndarray:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W), less the mean, over the standard deviation."""
    scaled = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    scaled -= IMAGE_MEAN[:, None, None]
    scaled /= IMAGE_STD[:, None, None]
    return np.ascontiguousarray(scaled)


# --- CIFAR-10 on disk -------------------------------------------------------------------------------------

Reader = Callable[[str], tuple[np.ndarray, np.ndarray]]  # "train" or "test" -> uint8 NHWC, int64 labels


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


def _digest_in(name: str) -> str | None:
    """The first digits of its SHA-256 that a published checkpoint of a CIFAR ResNet has in its name."""
    named = re.fullmatch(r"resnet\d+-([0-9a-f]{8})\.th", name)
    return named[1] if named else None


def _find_cifar10() -> Reader:
    named = os.environ.get(DATA_VARIABLE)
    for folder in data_folders():
        for place in (folder, folder / "cifar10"):
            if (place / "cifar10.npz").is_file():
                return _npz_reader(place / "cifar10.npz")
            if (place / "cifar-10-batches-py").is_dir():
                return _batch_reader(place / "cifar-10-batches-py", _python_batch)
            if (place / "cifar-10-batches-bin").is_dir():
                return _batch_reader(place / "cifar-10-batches-bin", _binary_batch)
            if (place / CIFAR10_ARCHIVE).is_file():
                return _archive_reader(place / CIFAR10_ARCHIVE)
    looked = f"looked in {named}" if named else f"{DATA_VARIABLE} is not set"
    raise DataMissing(
        f"CIFAR-10 is not on this machine ({looked}): download {CIFAR10_ADDRESS} (md5 {CIFAR10_MD5}) "
        f"into a folder and set {DATA_VARIABLE} to that folder"
    )


def _npz_reader(path: Path) -> Reader:
    def read(part: str) -> tuple[np.ndarray, np.ndarray]:
        with np.load(path) as arrays:
            return arrays[f"x_{part}"], arrays[f"y_{part}"].astype(np.int64)

    return read


def _batch_reader(folder: Path, read_batch: Callable[[bytes], tuple[np.ndarray, np.ndarray]]) -> Reader:
    suffix = ".bin" if folder.name.endswith("bin") else ""

    def read(part: str) -> tuple[np.ndarray, np.ndarray]:
        names = [f"{stem}{suffix}" for stem in _batch_stems(part)]
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise DataMissing(f"{folder}: lacks {', '.join(missing)}; unpack {CIFAR10_ADDRESS} again")
        return _join([read_batch((folder / name).read_bytes()) for name in names])

    return read


def _archive_reader(path: Path) -> Reader:
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if digest != CIFAR10_MD5:
        raise HotnasError(
            f"{path}: md5 {digest}, expected {CIFAR10_MD5}; the download is broken, "
            f"fetch {CIFAR10_ADDRESS} again"
        )

    def read(part: str) -> tuple[np.ndarray, np.ndarray]:
        with tarfile.open(path) as archive:
            members = [archive.extractfile(f"cifar-10-batches-py/{stem}") for stem in _batch_stems(part)]
            return _join([_python_batch(member.read()) for member in members if member])

    return read


def _batch_stems(part: str) -> list[str]:
    return [f"data_batch_{number}" for number in range(1, 6)] if part == "train" else ["test_batch"]


def _join(batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


class _ArraysOnly(pickle.Unpickler):
    """Reads pickled numpy arrays and plain containers; refuses everything else, as it could be code."""

    ALLOWED = {"_reconstruct", "ndarray", "dtype", "encode", "scalar"}
    MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_codecs"}

    def find_class(self, module: str, name: str) -> object:
        if module in self.MODULES and name in self.ALLOWED:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise HotnasError(f"a CIFAR-10 batch wants to import {module}.{name}: not the official file, refused")


def _python_batch(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
    images = np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
    return images.transpose(0, 2, 3, 1), np.array(batch[b"labels"], dtype=np.int64)


def _binary_batch(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0].astype(np.int64)


# --- folders of images ------------------------------------------------------------------------------------


class _ImageClasses:
    """A folder of class folders, and what was left out of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inside = [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
        self.hidden = sorted(entry.name for entry in inside if _is_hidden(entry))
        self.classes = {entry.name for entry in inside} - set(self.hidden)
        self.no_images: list[Path] = []
        self.transparent: list[Path] = []

    def read(self, classes: tuple[str, ...], size: int, per_class: int | None) -> Split:
        """Its images, labelled by their class's place in ``classes``."""
        files: list[tuple[Path, int]] = []
        for label, name in enumerate(classes):
            found: list[Path] = []
            for path in sorted((self.folder / name).rglob("*")) if name in self.classes else []:
                if path.is_file():
                    image = path.suffix.lower() in IMAGE_SUFFIXES and not _is_hidden(path)
                    (found if image else self.no_images).append(path)
            files += [(path, label) for path in found[:per_class]]
        images = np.zeros((len(files), size, size, 3), dtype=np.uint8)
        for index, (path, _) in enumerate(files):
            images[index] = self._centre(path, size)
        return Split(_normalise(images), np.array([label for _, label in files], dtype=np.int64))

    def notes(self) -> list[str]:
        """What was left out."""
        found = [f"{self.folder / name}: skipped, a hidden folder is no class" for name in self.hidden]
        for paths, what in (
            (self.no_images, "that are no images were skipped"),
            (self.transparent, "are transparent in parts, which is ignored"),
        ):
            if paths:
                found.append(f"{self.folder}: {len(paths)} files {what}, {paths[0]} the first")
        return found

    def _centre(self, path: Path, size: int) -> np.ndarray:
        """The centre of one image scaled to 256/224 of ``size``: uint8 (size, size, 3)."""
        from PIL import Image, ImageOps, UnidentifiedImageError

        try:
            with Image.open(path) as opened:
                if opened.has_transparency_data:
                    self.transparent.append(path)
                image = _eight_bits(ImageOps.exif_transpose(opened)).convert("RGB")
        except (UnidentifiedImageError, OSError, ValueError) as error:
            raise HotnasError(
                f"{path}: not a readable image ({error}); remove it or fetch it again"
            ) from error
        scale = round(size * 256 / 224) / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        left, top = (width - size) // 2, (height - size) // 2
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized.crop((left, top, left + size, top + size)))


def _is_hidden(path: Path) -> bool:
    """Left by tools: .ipynb_checkpoints, __MACOSX, ._photo.jpg."""
    return path.name.startswith((".", "__"))


def _eight_bits(image: Any) -> Any:
    """An image of 16-bit greys with the upper eight bits of each; any other as it is."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its greys are floats; save it with 8 or 16 bits")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
