"""Folders of images, a folder a class, as ImageNet lies on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls.errors import DataMissing, HotnasError
from hotnas_hls.models.data import Dataset, Split, normalise

IMAGE_SUFFIXES = {".jpeg", ".jpg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}


def image_folder(
    folder: Path | str,
    size: int = 224,
    per_class: int | None = None,
    validation_fraction: float = 0.1,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Dataset:
    """Images in ``folder/train/<class>/`` and ``folder/val/<class>/`` as (3, size, size).

    The shorter side is scaled to 256/224 of ``size`` and the centre cut out, as the public ImageNet
    evaluations do. Channels are normalised by ``mean`` and ``std`` (None: ImageNet's).
    ``val`` is the test split; validation is a seeded part of ``train`` (both are empty
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
    test, seen = (split.read(classes, size, per_class, mean, std) for split in splits.values())
    notes = [note for split in splits.values() for note in split.notes()]
    if splits["train"].classes:
        for part, other in (("val", "train"), ("train", "val")):
            only = sorted(splits[part].classes - splits[other].classes)
            notes += [f"{folder}: class {name} is in {part}/ only" for name in only]
    return Dataset(folder.name, classes, *seen.held_out(validation_fraction), test, tuple(notes))


class _ImageClasses:
    """A folder of class folders, and what was left out of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inside = [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
        self.hidden = sorted(entry.name for entry in inside if _is_hidden(entry))
        self.classes = {entry.name for entry in inside} - set(self.hidden)
        self.no_images: list[Path] = []
        self.transparent: list[Path] = []

    def read(
        self,
        classes: tuple[str, ...],
        size: int,
        per_class: int | None,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> Split:
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
        return Split(normalise(images, mean, std), np.array([label for _, label in files], dtype=np.int64))

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
