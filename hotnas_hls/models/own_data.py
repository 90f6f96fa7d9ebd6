"""Images and labels of the caller's: arrays, tensors, or whatever gives batches of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hotnas_hls.base.arguments import checked
from hotnas_hls.base.names import article
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.models.data import Dataset, Split
from hotnas_hls.models.task import UNLABELLED, Task

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import DataLoader

    Images = Split | tuple[Tensor | np.ndarray, Tensor | np.ndarray] | DataLoader[Any]

VALIDATION_SHARE = 0.1  # of the training images, where none are given
FORMS = "give a pair (images, labels) of arrays or tensors, or a DataLoader that gives such pairs"


@checked
def make_dataset(
    train: Images,
    test: Images,
    validation: Images | None = None,
    *,
    classes: Sequence[str] | None = None,
    name: str = "data",
    task: Task | None = None,
) -> Dataset:
    """Images and labels as a data set: a search trains on train, compares on validation, reads test once.

    Each part is a pair of arrays or tensors, images (B, C, H, W) as the network reads them (floats,
    normalised) and labels, or a DataLoader of such pairs, read once and to its end. Tensors of any device
    are copied to memory. Labels are whole numbers from 0, one for each image (B,) or each pixel of the
    network's map (B, rows, columns; -1 counts nowhere), or real numbers, the values the outputs should have
    (B, ...); None: nothing is known but what the network answers, which the result is held to.
    validation: None takes a seeded tenth of train, class by class.
    classes: names of the labels; None numbers them.
    task: how answers are judged, where that is to be otherwise (a :class:`hotnas_hls.models.task.Task`).
    Raises ConfigError with everything that is wrong with all parts.
    """
    given = {"train": train, "test": test} | ({} if validation is None else {"validation": validation})
    problems: list[str] = []
    parts = {part: _split(part, images, problems) for part, images in given.items()}
    if not name or not isinstance(name, str):
        problems.append(f"name: must be a text, not {name!r}")
    raise_all(ConfigError, "these data cannot be searched with:", problems)
    splits = {part: split for part, split in parts.items() if split is not None}
    if validation is None:
        splits["train"], splits["validation"] = splits["train"].held_out(VALIDATION_SHARE)
    highest = max((_highest(split.labels) for split in splits.values()), default=-1)
    names = tuple(classes) if classes is not None else tuple(str(label) for label in range(highest + 1))
    return Dataset(name, names, splits["train"], splits["validation"], splits["test"], task=task)


def _highest(labels: np.ndarray | None) -> int:
    """The highest class; -1 where labels are none."""
    return int(labels.max()) if labels is not None and labels.dtype == np.int64 and labels.size else -1


def _split(part: str, given: object, problems: list[str]) -> Split | None:
    """One part as a split; None, with what is wrong in ``problems``, where it cannot be."""
    if isinstance(given, Split):
        return given
    if isinstance(given, tuple | list) and len(given) == 2:
        pairs: Iterable[Any] = [given]
    elif hasattr(given, "batch_sampler") or (hasattr(given, "__getitem__") and hasattr(given, "__len__")):
        if isinstance(given, str | bytes | dict | tuple | list) or hasattr(given, "dtype"):
            problems.append(f"{part}: is {article(type(given).__name__)}; {FORMS}")
            return None
        pairs = given if hasattr(given, "batch_sampler") else [_stacked(given)]  # type: ignore[assignment]
    else:
        problems.append(f"{part}: is {article(type(given).__name__)}; {FORMS}")
        return None
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            problems.append(f"{part}: a batch is {article(type(pair).__name__)}; {FORMS}")
            return None
        given_labels = [] if pair[1] is None else [(pair[1], labels, "labels")]
        for values, kept, what in ((pair[0], images, "images"), *given_labels):
            array = _array(f"{part}: {what}", values, problems)
            if array is None:
                return None
            kept.append(array)
    if not images:
        problems.append(f"{part}: no images")
        return None
    if labels and len(labels) != len(images):
        problems.append(f"{part}: only {len(labels)} of {len(images)} batches have labels; give all or none")
        return None
    return _checked(part, np.concatenate(images), np.concatenate(labels) if labels else None, problems)


def _stacked(dataset: Any) -> tuple[Any, Any]:
    """Every item of a torch Dataset as one batch."""
    from torch.utils.data import default_collate

    images, labels = default_collate([dataset[index] for index in range(len(dataset))])
    return images, labels


def _array(where: str, values: object, problems: list[str]) -> np.ndarray | None:
    """An array of the CPU; None for what holds no numbers, or none that are there."""
    if hasattr(values, "detach"):
        try:
            values = values.detach().cpu().numpy()
        except (NotImplementedError, RuntimeError, TypeError) as reason:
            problems.append(f"{where}: a tensor that cannot be copied to memory ({reason})")
            return None
    if isinstance(values, list):
        values = np.asarray(values)
    if not isinstance(values, np.ndarray) or values.dtype == object:
        problems.append(f"{where}: {article(type(values).__name__)}; {FORMS}")
        return None
    return values


def _checked(part: str, images: np.ndarray, labels: np.ndarray | None, problems: list[str]) -> Split | None:
    found = []
    if images.ndim != 4:
        found.append(f"{part}: images of shape {images.shape}; give (images, channels, rows, columns)")
    if not np.issubdtype(images.dtype, np.floating):
        found.append(
            f"{part}: images are {images.dtype}; give floats, normalised as the network was trained with them"
        )
    if labels is None:
        pass
    elif labels.ndim == 0 or not np.issubdtype(labels.dtype, np.number) or np.iscomplexobj(labels):
        found.append(
            f"{part}: labels are {labels.dtype} of shape {labels.shape}; give whole numbers, one for each "
            "image or pixel, or real numbers for each image"
        )
    elif len(labels) != len(images):
        found.append(f"{part}: {len(images)} images and {len(labels)} labels; give one label for each image")
    elif np.issubdtype(labels.dtype, np.integer) and labels.size:
        least = 0 if labels.ndim == 1 else UNLABELLED
        if labels.min() < least:
            found.append(f"{part}: labels from {labels.min()}; the least may be {least}")
    problems += found
    return None if found else Split(images, labels)
