"""Brief fine-tuning: it recovers, repeats itself, and measures statistics that fit."""

import copy

import numpy as np
import torch

from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.train import score
from hotnas_hls.search.evaluating.evaluate import epoch
from hotnas_hls.search.fitting.finetune import Tuning, _crop_and_flip, finetune, recalibrate_batchnorm

LAYERS = ("layer1.0.conv1", "layer2.0.conv2", "layer3.0.conv1", "layer3.0.conv2")


def pruned(problem):
    return problem.compressed(Compression(patterns=dict.fromkeys(LAYERS, PatternChoice(3, 7))))


def of_validation(problem, model):
    return score(model, problem.dataset.validation)


def test_tuning_recovers_accuracy(problem):
    model = pruned(problem)
    before = of_validation(problem, model)
    finetune(model, problem.model, problem.dataset, Tuning(batches=12), 0)
    assert of_validation(problem, model) > before
    assert not model.training


def test_same_seed_same_weights(problem):
    states = []
    for seed in (0, 0, 1):
        model = pruned(problem)
        finetune(model, problem.model, problem.dataset, Tuning(batches=2), seed)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_teacher_and_original_stay_as_they_were(problem):
    before = copy.deepcopy(problem.model.state_dict())
    finetune(pruned(problem), problem.model, problem.dataset, Tuning(batches=2), 0)
    after = problem.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not problem.model.training


def test_statistics_are_those_of_the_training_images(problem):
    model = copy.deepcopy(problem.model)
    model.bn1.running_mean.fill_(7.0)
    rng = np.random.default_rng(0)
    recalibrate_batchnorm(model, problem.dataset.train, Tuning(batch_size=32, calibration_batches=8), rng)
    with torch.no_grad():
        values = model.conv1(torch.from_numpy(problem.dataset.train.images))
    torch.testing.assert_close(model.bn1.running_mean, values.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        model.bn1.running_var, values.var((0, 2, 3), unbiased=False), rtol=1e-3, atol=1e-4
    )
    assert model.bn1.momentum == 0.1 and not model.training


def test_one_epoch_is_every_image_once():
    assert epoch(Tuning(batch_size=64), 1, 1258).batches == 20
    assert epoch(Tuning(batch_size=64), 3, 1258).batches == 60


def test_crops_move_and_mirror_without_new_pixels():
    images = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).reshape(2, 3, 8, 8) + 1
    moved = _crop_and_flip(images, np.random.default_rng(3))
    assert moved.shape == images.shape
    for before, after in zip(images, moved, strict=True):
        assert set(after.unique().tolist()) <= {0.0, *before.unique().tolist()}
        assert (after != 0).sum() >= 3 * 16
