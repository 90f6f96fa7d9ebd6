"""Fine-tuning of integers: it recovers what narrow weights lose, repeats itself, and ends a search."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.search.evaluating.evaluate import Evaluator
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer import integer_accuracy, integer_network
from hotnas_hls.search.fitting.integer_tuning import UNTUNED, IntegerTuning, tune_integers
from hotnas_hls.search.search import search

from .test_search import OPTIONS, engine

FORMAT = IntegerFormat(act_bits=8, weight_bits=8, calibration_images=64, refit_images=0)
LAYERS = ("layer1.0.conv1", "layer2.0.conv2", "layer3.0.conv1", "layer3.0.conv2")
HARSH = Compression(
    patterns={"layer3.0.conv2": PatternChoice(3, 8)}, weight_bits=dict.fromkeys(LAYERS, 2)
)


def tuned(problem, tuning, seed=0, teacher=True, progress=lambda done, total: None):
    def tune(net, layers):
        lesson = problem.model if teacher else None
        return tune_integers(net, layers, lesson, problem.dataset, tuning, seed, progress)

    model = problem.compressed(HARSH)
    return integer_network(problem, model, HARSH, FORMAT, tune=tune)


@pytest.fixture(scope="module")
def rounded(problem):
    return tuned(problem, UNTUNED)


@pytest.mark.parametrize("teacher", [True, False])
def test_tuning_recovers_accuracy(problem, rounded, teacher):
    done = []
    tuning = IntegerTuning(batches=40, learning_rate=2e-3)
    network = tuned(problem, tuning, 0, teacher, lambda *at: done.append(at))
    before, after = (integer_accuracy(net, problem.dataset.train) for net in (rounded, network))
    assert before < 0.8 and after > before + 0.1
    assert network.layers == rounded.layers and network.feature_maps == rounded.feature_maps
    assert done == [(step, 40) for step in range(1, 41)]


def test_same_seed_same_integers(problem):
    nets = [tuned(problem, IntegerTuning(batches=3, learning_rate=1e-2), seed) for seed in (0, 0, 1)]
    weights = [np.concatenate([n.weights.ravel() for n in net.numbers.values()]) for net in nets]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])


def test_epochs_are_passes_over_the_training_images(problem):
    images, read, done = len(problem.dataset.train), [], []
    size = images // 3  # a pass takes three batches and the rest a fourth

    class Watched(torch.nn.Module):
        def forward(self, x):
            read.append(len(x))
            return problem.model(x)

    integers = tuned(problem, UNTUNED)
    tuning = IntegerTuning(epochs=1.5, batch_size=size, learning_rate=1e-4)
    tune_integers(integers, LAYERS, Watched(), problem.dataset, tuning, 0, lambda *at: done.append(at))
    assert read == [size] * math.ceil(1.5 * images / size)
    assert done[-1] == (len(read), len(read))


@pytest.mark.whole
def test_a_search_ends_with_its_integers_tuned(problem, monkeypatch):
    asked = []
    original = Evaluator.quantised_network

    def watched(self, model, compression, trained, tuning=UNTUNED, progress=lambda done, total: None):
        asked.append(tuning)
        return original(self, model, compression, trained, tuning, progress)

    monkeypatch.setattr(Evaluator, "quantised_network", watched)
    options = dataclasses.replace(
        OPTIONS,
        bound=None,
        trials=2,
        final_epochs=0,
        tuning=Tuning(batches=1, batch_size=32, calibration_batches=1),
        integer_tuning=IntegerTuning(batches=2),
    )
    result = search(problem, engine(), options)
    assert [tuning.batches for tuning in asked][:3] == [0, 0, 2]
    assert integer_accuracy(result.network, problem.dataset.validation) == result.validation
