"""The embedded default: the data, the training, the shipped weights, and the network in integers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from default_network import digits_integer_network

from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.integers.reference_batch import accuracy as integer_accuracy
from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.errors import CheckpointError, ConfigError
from hotnas_hls.models.data import digits
from hotnas_hls.models.train import (
    RECIPES,
    WEIGHTS,
    Epoch,
    Recipe,
    learning_rate,
    one_thread,
    pretrained,
    score,
    train,
    train_zoo_network,
)
from hotnas_hls.models.zoo import build
from hotnas_hls.network.quantise import quantise_image


def test_the_split_is_stratified_and_without_overlap() -> None:
    data = digits()
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1259, 179, 359]
    assert data.train.images.shape[1:] == (1, 8, 8) and data.train.images.dtype == np.float32
    assert set(np.unique(data.train.images * 8)) <= set(range(17))
    counts = [np.bincount(part.labels, minlength=10) for part in (data.train, data.validation, data.test)]
    whole = sum(counts)
    for count, share in zip(counts, (0.7, 0.1, 0.2), strict=True):
        assert np.abs(count - share * whole).max() <= 1
    assert whole.sum() == 1797
    again = digits()
    np.testing.assert_array_equal(again.test.images, data.test.images)
    seen = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in seen for image in data.test.images)


def test_shipped_weights_reach_98_percent() -> None:
    model, test = pretrained("digits_resnet"), digits().test
    measured = score(model, test)
    assert measured >= 0.98
    with safetensors.safe_open(WEIGHTS / "digits_resnet.safetensors", "pt") as file:
        made = json.loads(file.metadata()["made"])
    assert made["made_by"] == "hotnas zoo train digits_resnet --seed 0"
    assert made["test_accuracy"] == f"{measured:.4f}"
    assert sum(parameter.numel() for parameter in model.parameters()) == 77_754


@pytest.mark.parametrize("act_bits", [16, 8])
def test_the_integer_network_loses_at_most_two_images(act_bits: int) -> None:
    test = digits().test
    floats = score(pretrained("digits_resnet"), test)
    net = digits_integer_network(act_bits)
    integers = integer_accuracy(net, quantise_image(net, test.images), test.labels)
    assert integers >= 0.98
    assert abs(integers - floats) * len(test) <= 2.001


@pytest.mark.parametrize("act_bits", [16, 8])
def test_the_batch_equals_the_plain_reference(act_bits: int) -> None:
    net = digits_integer_network(act_bits)
    images = quantise_image(net, digits().test.images[:16])
    batch = run_batch(net, images, list(net.feature_maps))
    for position, image in enumerate(images):
        for name, values in run_network(net, image).items():
            np.testing.assert_array_equal(batch[name][position], values)


def test_training_follows_from_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_dataset, _ = RECIPES["digits_resnet"]
    monkeypatch.setitem(RECIPES, "digits_resnet", (read_dataset, Recipe(epochs=1, lr=4e-3)))
    seen: list[Epoch] = []
    files = [
        train_zoo_network("digits_resnet", seed, tmp_path / name, seen.append)[0].read_bytes()
        for seed, name in ((0, "a"), (0, "b"), (1, "c"))
    ]
    assert files[0] == files[1] != files[2]
    assert [epoch.number for epoch in seen] == [1, 1, 1] and seen[0] == seen[1]


def test_training_leaves_a_model_that_was_evaluated_as_it_was() -> None:
    data, model = digits(), build("digits_resnet")
    torch.manual_seed(0)
    with one_thread():
        (epoch,) = train(model, data, Recipe(epochs=1, lr=1e-3), seed=0)
    assert not model.training
    assert epoch.validation_accuracy == score(model, data.validation)
    model.train()
    score(model, data.test.first(8))
    assert model.training


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    recipe = Recipe(epochs=3, lr=1.0)
    rates = [learning_rate(recipe, step, steps=4) for step in range(12)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[8] == pytest.approx(0.5) and 0 < rates[11] < 0.05


def test_networks_without_recipe_or_weights() -> None:
    with pytest.raises(ConfigError) as error:
        train_zoo_network("vgg16")
    assert str(error.value) == "no training recipe for 'vgg16'; there is one for: digits_resnet, shapes_unet"
    with pytest.raises(CheckpointError) as missing:
        pretrained("vgg16")
    assert str(missing.value) == (
        "no weights ship for 'vgg16'; there are weights for: digits_resnet, shapes_unet"
    )
