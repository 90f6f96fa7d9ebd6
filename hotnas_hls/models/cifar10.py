"""CIFAR-10 as it lies on disk: one archive of arrays, the official batches, or the official archive."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from hotnas_hls.errors import DataMissing, HotnasError
from hotnas_hls.models.data import DATA_VARIABLE, SPLIT_SEED, Dataset, Split, data_folders, normalise

CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_ADDRESS = f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CIFAR10_VALIDATION = 5000

Reader = Callable[[str], tuple[np.ndarray, np.ndarray]]  # "train" or "test" -> uint8 NHWC, int64 labels


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
            validation = Split(normalise(images[held]), labels[held])
        if "train" in wanted:
            train = Split(normalise(images[kept]), labels[kept])
    if "test" in wanted:
        images, labels = read("test")
        test = Split(normalise(images), labels)
    return Dataset("cifar10", CIFAR10_CLASSES, train, validation, test)


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
