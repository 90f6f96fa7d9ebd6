"""The drawn data set: always the same, exact in fixed point, shapes of one area whatever their outline."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hotnas_hls.models.shapes import CLASSES, SIDE, SIZES, _inside, shapes
from hotnas_hls.models.task import Classes
from hotnas_hls.models.train import pretrained, score


def test_images_and_their_classes() -> None:
    found = shapes()
    assert found.judged == Classes(pixels=True) and found.violations((1, 32, 32), [(4, 32, 32)]) == []
    for part, count in SIZES.items():
        split = getattr(found, part)
        assert split.images.shape == (count, 1, SIDE, SIDE) and split.labels.shape == (count, SIDE, SIDE)
        assert (split.images * 64 == np.round(split.images * 64)).all() and np.abs(split.images).max() <= 2
        shares = np.bincount(split.labels.ravel()) / split.labels.size
        assert shares[0] < 0.85 and (shares[1:] > 0.05).all(), "no class is rare"
    first = hashlib.sha256(found.test.images.tobytes() + found.test.labels.tobytes()).hexdigest()
    again = shapes().test
    assert hashlib.sha256(again.images.tobytes() + again.labels.tobytes()).hexdigest() == first


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_shapes_of_one_radius_have_one_area(kind: int) -> None:
    down, across = (np.mgrid[:800, :800] - 400) / 10
    area = _inside(kind, down, across, 10.0, 0.3).sum() / 100
    assert area == pytest.approx(np.pi * 100, rel=0.005), CLASSES[kind]


def test_the_shipped_weights_are_as_good_as_their_file_says() -> None:
    from safetensors import safe_open

    from hotnas_hls.models.data import shipped_weights

    with safe_open(shipped_weights("shapes_unet"), "np") as file:
        made = file.metadata()["made"]
    found = score(pretrained("shapes_unet"), shapes().test, Classes(pixels=True))
    assert f'"test_accuracy": "{found:.4f}"' in made
