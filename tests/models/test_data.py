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

from hotnas_hls.errors import ConfigError, DataMissing, HotnasError
from hotnas_hls.models import cifar10 as cifar10_module
from hotnas_hls.models import data
from hotnas_hls.models.cifar10 import cifar10
from hotnas_hls.models.data import IMAGE_MEAN, IMAGE_STD
from hotnas_hls.models.image_folder import image_folder
from hotnas_hls.models.task import FIDELITY, Classes, Values

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(60, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(60) % 10


@pytest.fixture(autouse=True)
def only_the_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTNAS_DATA", str(tmp_path))
    monkeypatch.setattr(data, "NEIGHBOUR_DATA", tmp_path / "nowhere")
    monkeypatch.setattr(cifar10_module, "CIFAR10_VALIDATION", 10)


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
    with tarfile.open(folder / cifar10_module.CIFAR10_ARCHIVE, "w:gz") as archive:
        for name, batch in batches().items():
            contents = python_batch(*batch)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))


@pytest.mark.parametrize("write", [write_npz, write_python, write_binary, write_archive])
def test_every_form_of_cifar10(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    if write is write_archive:
        digest = hashlib.md5((tmp_path / cifar10_module.CIFAR10_ARCHIVE).read_bytes()).hexdigest()
        monkeypatch.setattr(cifar10_module, "CIFAR10_MD5", digest)
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
    archive = tmp_path / cifar10_module.CIFAR10_ARCHIVE
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


# --- what a search can use ----------------------------------------------------------------------------------


def test_images_and_labels_have_one_type() -> None:
    split = data.Split(np.zeros((2, 1, 2, 2)), np.array([0, 1], dtype=np.int32))
    assert (split.images.dtype, split.labels.dtype) == (np.float32, np.int64)


def test_everything_that_does_not_fit_the_network_is_listed() -> None:
    images = np.zeros((4, 1, 8, 8), np.float32)
    spoilt = images.copy()
    spoilt[1, 0, 3, 3], spoilt[3, 0, 0, 0] = np.nan, np.inf
    found = data.Dataset(
        "odd",
        ("a", "b", "c"),
        data.Split(spoilt, np.array([0, 1, 2, 5])),
        data.Split(images[:0], np.zeros(0, np.int64)),
        data.Split(np.zeros((2, 1, 9, 9)), np.array([0, -1])),
    )
    assert found.violations((1, 8, 8), [(4, 1, 1)]) == [
        "3 classes, but the network has 4 outputs",
        "train: 2 of 4 images hold NaN or infinity, the first is 1",
        "train: labels from 0 to 5, the network's outputs are 0 to 3",
        "validation: no images; a search trains on train, compares on validation and reports test",
        "test: images of 1x9x9, the network reads 1x8x8",
        "test: labels from -1 to 0, the network's outputs are 0 to 3",
    ]


CLASS, MAP, HEADS = [(4, 1, 1)], [(3, 2, 2)], [(3, 2, 2), (6, 1, 1)]
ONE_EACH = "give one whole number for each of 4 images"
BY_PIXEL = "give every image a whole number for each of 2x2 pixels, 12 real numbers, or no labels"


@pytest.mark.parametrize(
    "labels, outputs, wrong",
    [
        (None, CLASS, None),
        (None, HEADS, None),
        (np.arange(4), CLASS, None),
        (np.zeros((4, 4)), CLASS, None),
        (np.array([0.5, 1, 2, 3]), CLASS, f"labels are float32 (4,); {ONE_EACH}"),
        (np.full((4, 2, 2), -1), MAP, None),
        (np.zeros((4, 3, 2, 2)), MAP, None),
        (np.full((4, 2, 2), 3), MAP, "labels from 3 to 3, the network's outputs are 0 to 2"),
        (np.full((4, 2, 2), -2), MAP, "labels from -2 to -2, the network's outputs are 0 to 2"),
        (np.zeros((4, 2, 3), int), MAP, f"labels are int64 (4, 2, 3); {BY_PIXEL}"),
        (np.arange(4) % 3, MAP, f"labels are int64 (4,); {BY_PIXEL}"),
        (np.zeros((4, 18)), HEADS, None),
        (
            np.zeros((4, 2, 2), int),
            HEADS,
            "labels are int64 (4, 2, 2); give every image 18 real numbers, or no labels",
        ),
        (np.full((4, 12), np.nan), MAP, "4 of 4 labels hold NaN or infinity, the first is 0"),
    ],
)
def test_labels_of_every_form(labels, outputs, wrong) -> None:
    split = data.Split(np.zeros((4, 1, 8, 8)), labels)
    found = data.Dataset("some", ("a", "b", "c", "d")[: outputs[0][0]], split, split, split)
    problems = [] if wrong is None else [f"{part}: {wrong}" for part in ("train", "validation", "test")]
    assert found.violations((1, 8, 8), outputs) == problems


def test_parts_with_labels_and_without() -> None:
    images = np.zeros((4, 1, 8, 8))
    some, none = data.Split(images, np.zeros(4, int)), data.Split(images)
    unlike = "unlike train; give them to all parts or to none"
    assert data.Dataset("a", ("0",), some, none, some).violations((1, 8, 8), [(1, 1, 1)]) == [
        f"validation: no labels, {unlike}"
    ]
    assert data.Dataset("a", (), none, none, some).violations((1, 8, 8), [(1, 1, 1)]) == [
        f"test: labels, {unlike}"
    ]


class Largest:
    """A task of a user's."""

    measure = "largest value"

    def score(self, answers, labels):
        return 1.0

    loss = lesson = divergence = score


def test_how_answers_are_judged_follows_from_the_labels() -> None:
    images = np.zeros((4, 1, 8, 8))

    def judged(labels, task=None):
        split = data.Split(images, labels)
        return data.Dataset("some", (), split, split, split, task=task).judged

    assert judged(np.zeros(4, int)) == Classes()
    assert judged(np.zeros((4, 8, 8), int)) == Classes(pixels=True)
    assert judged(np.zeros((4, 3))) == Values() and judged(None) == FIDELITY
    own = Largest()
    assert judged(None, own) is own and judged(np.zeros(4, int), own) is own
    split = data.Split(images, np.zeros((4, 7), int))
    found = data.Dataset("some", (), split, split, split, task=own)
    assert found.violations((1, 8, 8), HEADS) == [], "its labels are its own affair"


# --- folders as people have them ----------------------------------------------------------------------------


def test_hidden_folders_and_other_files_are_no_classes(tmp_path: Path) -> None:
    for name in ("cat", "dog", ".ipynb_checkpoints", "__MACOSX"):
        write_image(tmp_path / "val" / name / "0.png", 30, 30)
    (tmp_path / "val" / "cat" / "._0.png").write_bytes(b"a resource fork")
    (tmp_path / "val" / "dog" / "notes.txt").write_text("no image")
    found = image_folder(tmp_path, size=28)
    assert found.classes == ("cat", "dog") and found.test.labels.tolist() == [0, 1]
    place = tmp_path / "val"
    assert found.notes == (
        f"{place / '.ipynb_checkpoints'}: skipped, a hidden folder is no class",
        f"{place / '__MACOSX'}: skipped, a hidden folder is no class",
        f"{place}: 2 files that are no images were skipped, {place / 'cat' / '._0.png'} the first",
    )


def test_a_class_of_one_part_keeps_its_place_and_is_told(tmp_path: Path) -> None:
    for part, names in (("train", ("ant", "bee", "cat")), ("val", ("bee", "cat", "dog"))):
        for name in names:
            write_image(tmp_path / part / name / "0.png", 30, 30)
    found = image_folder(tmp_path, size=28, validation_fraction=0)
    assert found.classes == ("ant", "bee", "cat", "dog")
    assert found.train.labels.tolist() == [0, 1, 2] and found.test.labels.tolist() == [1, 2, 3]
    assert found.notes == (
        f"{tmp_path}: class dog is in val/ only",
        f"{tmp_path}: class ant is in train/ only",
    )


def the_only_image(folder: Path, image: Image.Image, name: str = "0.png", **options: object) -> np.ndarray:
    """The pixels (28, 28, 3), 0 to 1, that an image becomes."""
    path = folder / "val" / "only" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    found = image_folder(folder, size=28).test.images[0]
    return found.transpose(1, 2, 0) * IMAGE_STD + IMAGE_MEAN


def test_sixteen_bit_greys_keep_their_upper_bits(tmp_path: Path) -> None:
    greys = np.full((32, 32), 0x4000, dtype=np.uint16)
    np.testing.assert_allclose(the_only_image(tmp_path, Image.fromarray(greys)), 0x40 / 255, atol=1e-6)


def test_a_camera_s_rotation_is_followed(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[:16] = 255  # white above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned right by 90 degrees: white at the right
    found = the_only_image(tmp_path, Image.fromarray(pixels), "0.png", exif=exif)
    assert found[:, :10].max() < 0.01 and found[:, -10:].min() > 0.99


def test_transparency_is_ignored_and_told(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), dtype=np.uint8)
    pixels[..., 0] = 255  # red, and not seen
    found = the_only_image(tmp_path, Image.fromarray(pixels))
    np.testing.assert_allclose(found, np.broadcast_to([1.0, 0, 0], found.shape), atol=1e-6)
    place = tmp_path / "val"
    assert image_folder(tmp_path, size=28).notes == (
        f"{place}: 1 files are transparent in parts, which is ignored, {place / 'only' / '0.png'} the first",
    )


def test_folders_are_normalised_as_the_configuration_says(tmp_path):
    from hotnas_hls.search.problem import load_dataset

    for part in ("train", "val"):
        (tmp_path / part / "grey").mkdir(parents=True)
        Image.new("RGB", (8, 8), (51, 102, 204)).save(tmp_path / part / "grey" / "one.png")
    found = load_dataset(tmp_path, 4, mean=(0.2, 0.2, 0.2), std=(0.1, 0.2, 0.5))
    assert found.test.images[0, :, 0, 0].tolist() == pytest.approx([0, 1, 1.2], abs=1e-6)
    with pytest.raises(ConfigError) as caught:
        load_dataset("digits", mean=(0.2, 0.2), std=(0.0, 1.0, 1.0))
    assert str(caught.value).splitlines() == [
        "digits: cannot be read so:",
        "  - network.mean: give one value for each of 3 channels, not 2",
        "  - network.std: must be more than 0 and at most 1 each; not [0.0, 1.0, 1.0]",
        "  - network.mean, network.std: are of folders of images; digits is normalised as it is",
    ]
