"""Data sets on disk: every form CIFAR-10 comes in, folders of images, and what is missing."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hotnas_hls.errors import DataMissing, HotnasError
from hotnas_hls.models import data
from hotnas_hls.models.data import IMAGE_MEAN, IMAGE_STD, cifar10, image_folder

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(60, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(60) % 10


@pytest.fixture(autouse=True)
def only_the_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTNAS_DATA", str(tmp_path))
    monkeypatch.setattr(data, "NEIGHBOUR_DATA", tmp_path / "nowhere")
    monkeypatch.setattr(data, "CIFAR10_VALIDATION", 10)


def batches() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Ten images in each of the five training batches and the test batch."""
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    return {
        name: (IMAGES[i * 10 : i * 10 + 10], LABELS[i * 10 : i * 10 + 10]) for i, name in enumerate(names)
    }


def python_batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickle.dumps({b"data": rows, b"labels": labels.tolist()}, protocol=2)


def write_npz(folder: Path) -> None:
    np.savez(
        folder / "cifar10.npz",
        x_train=IMAGES[:50],
        y_train=LABELS[:50].astype(np.uint8),
        x_test=IMAGES[50:],
        y_test=LABELS[50:].astype(np.uint8),
    )


def write_python(folder: Path) -> None:
    (folder / "cifar-10-batches-py").mkdir()
    for name, batch in batches().items():
        (folder / "cifar-10-batches-py" / name).write_bytes(python_batch(*batch))


def write_binary(folder: Path) -> None:
    (folder / "cifar-10-batches-bin").mkdir()
    for name, (images, labels) in batches().items():
        rows = np.concatenate([labels[:, None], images.transpose(0, 3, 1, 2).reshape(10, -1)], axis=1)
        (folder / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(rows.astype(np.uint8).tobytes())


def write_archive(folder: Path) -> None:
    with tarfile.open(folder / data.CIFAR10_ARCHIVE, "w:gz") as archive:
        for name, batch in batches().items():
            contents = python_batch(*batch)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))


@pytest.mark.parametrize("write", [write_npz, write_python, write_binary, write_archive])
def test_every_form_of_cifar10(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    if write is write_archive:
        digest = hashlib.md5((tmp_path / data.CIFAR10_ARCHIVE).read_bytes()).hexdigest()
        monkeypatch.setattr(data, "CIFAR10_MD5", digest)
    found = cifar10()
    assert [len(part) for part in (found.train, found.validation, found.test)] == [40, 10, 10]
    np.testing.assert_array_equal(found.test.labels, LABELS[50:])
    expected = ((IMAGES[50:] / 255 - IMAGE_MEAN) / IMAGE_STD).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.test.images, expected, atol=1e-5)
    assert found.test.images.dtype == np.float32
    both = np.concatenate([found.train.images, found.validation.images])
    assert len(np.unique(both.reshape(50, -1), axis=0)) == 50
    assert len(found.classes) == 10 and found.classes[9] == "truck"
    only = cifar10(["test"])
    assert [len(part) for part in (only.train, only.validation, only.test)] == [0, 0, 10]
    assert len(only.test.first(3)) == 3


def test_missing_cifar10_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = (
        "download https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz "
        "(md5 c58f30108f718f92721af3b95e74349a) into a folder and set HOTNAS_DATA to that folder"
    )
    with pytest.raises(DataMissing) as error:
        cifar10()
    assert str(error.value) == f"CIFAR-10 is not on this machine (looked in {tmp_path}): {fetch}"
    monkeypatch.delenv("HOTNAS_DATA")
    with pytest.raises(DataMissing) as error:
        cifar10()
    assert str(error.value) == f"CIFAR-10 is not on this machine (HOTNAS_DATA is not set): {fetch}"
    with pytest.raises(
        ValueError, match=r"^no split is called \['dev'\]; there are train, validation and test$"
    ):
        cifar10(["dev"])


def test_weights_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTNAS_DATA", str(tmp_path))
    monkeypatch.setattr(data, "NEIGHBOUR_DATA", tmp_path / "neighbour")
    with pytest.raises(DataMissing) as caught:
        data.find_weights("resnet20-12fca82f.th")
    assert str(caught.value) == (
        "resnet20-12fca82f.th: no such file, and none below HOTNAS_DATA; download "
        "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/"
        "resnet20-12fca82f.th (SHA-256 12fca82f...) into a folder called weights and set HOTNAS_DATA to the "
        "folder around it"
    )
    with pytest.raises(DataMissing) as caught:
        data.find_weights("mine.pth")
    assert str(caught.value) == (
        "mine.pth: no such file, and none below HOTNAS_DATA; name a .safetensors file or a torch checkpoint"
    )
    place = tmp_path / "neighbour" / "weights" / "mine.pth"
    place.parent.mkdir(parents=True)
    place.touch()
    assert data.find_weights("mine.pth") == data.find_weights(str(place)) == place


def test_broken_cifar10_is_not_read(tmp_path: Path) -> None:
    archive = tmp_path / data.CIFAR10_ARCHIVE
    archive.write_bytes(b"half a download")
    digest = hashlib.md5(b"half a download").hexdigest()
    with pytest.raises(HotnasError) as error:
        cifar10()
    assert str(error.value) == (
        f"{archive}: md5 {digest}, expected c58f30108f718f92721af3b95e74349a; the download is broken, "
        "fetch https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz again"
    )
    write_python(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    (folder / "data_batch_2").unlink()
    with pytest.raises(DataMissing) as missing:
        cifar10()
    assert str(missing.value) == (
        f"{folder}: lacks data_batch_2; unpack https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz again"
    )
    (folder / "test_batch").write_bytes(pickle.dumps(Path("x")))
    with pytest.raises(HotnasError) as refused:
        cifar10(["test"])
    assert str(refused.value).endswith("not the official file, refused")


def write_image(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, size=(height, width, 3), dtype=np.uint8)).save(path)


def test_image_folders(tmp_path: Path) -> None:
    for split, count in (("train", 10), ("val", 3)):
        for name in ("cat", "dog"):
            for number in range(count):
                write_image(tmp_path / split / name / f"{number}.png", 40 + number, 30 + 3 * number)
    (tmp_path / "val" / "cat" / "notes.txt").write_text("not an image")
    found = image_folder(tmp_path, size=28)
    assert found.classes == ("cat", "dog")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [18, 2, 6]
    assert found.test.images.shape == (6, 3, 28, 28)
    assert found.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(image_folder(tmp_path, size=28, per_class=1).test) == 2


def test_the_centre_of_an_image_is_cut_out(tmp_path: Path) -> None:
    pixels = np.zeros((32, 64, 3), dtype=np.uint8)
    pixels[2:30, 18:46] = 255  # the middle 28 x 28
    path = tmp_path / "val" / "square" / "image.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path)
    image = image_folder(tmp_path, size=28).test.images[0]
    np.testing.assert_allclose(
        image, np.broadcast_to(((1 - IMAGE_MEAN) / IMAGE_STD)[:, None, None], image.shape)
    )


def test_missing_or_broken_image_folders(tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as error:
        image_folder(tmp_path / "none")
    folder = tmp_path / "none"
    assert str(error.value) == (
        f"{folder}: no ImageNet-like folder; expected {folder}/val/<class>/*.jpg "
        f"and, for fine-tuning, {folder}/train/<class>/*.jpg"
    )
    (tmp_path / "val").mkdir()
    with pytest.raises(DataMissing) as error:
        image_folder(tmp_path)
    assert (
        str(error.value) == f"{tmp_path}/val: holds no class folders; expected {tmp_path}/val/<class>/*.jpg"
    )
    path = tmp_path / "val" / "cat" / "broken.jpg"
    path.parent.mkdir()
    path.write_bytes(b"no image")
    with pytest.raises(HotnasError) as broken:
        image_folder(tmp_path)
    assert str(broken.value).startswith(f"{path}: not a readable image (")


def test_blended_images_keep_their_labels():
    split = data.Split(np.arange(16, dtype=np.float32).reshape(4, 1, 2, 2), np.arange(4))
    assert split.blended(0) is split
    mixed = split.blended(0.25)
    assert mixed.images.dtype == np.float32 and (mixed.labels == split.labels).all()
    np.testing.assert_array_equal(mixed.images[0], 0.75 * split.images[0] + 0.25 * split.images[2])
