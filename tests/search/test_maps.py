"""Searches of networks that grow maps and have several outputs, by labels of pixels and without labels."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from randomised import randomised
from torch import nn

from hotnas_hls.accel.integers.reference_batch import outputs
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.dense import Detector, UNet
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import Dataset, Split
from hotnas_hls.models.edits import copied
from hotnas_hls.models.task import FIDELITY, Classes, values_of
from hotnas_hls.models.train import answers, score
from hotnas_hls.network.quantise import dequantise, quantise_image
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.fitting.finetune import Tuning, finetune, recalibrate_batchnorm
from hotnas_hls.search.fitting.integer import answers as integer_answers
from hotnas_hls.search.fitting.integer import quantised_network
from hotnas_hls.search.fitting.integer_tuning import IntegerTuning, tune_integers
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.search import SearchOptions, SearchResult, search

IMAGE = (3, 16, 16)
PIXELS = Classes(pixels=True)
OPTIONS = SearchOptions(
    bound=None,
    reduction=0.05,
    trials=1,
    rungs=2,
    tuning=Tuning(batches=0),
    final_epochs=0,
    accuracy=(0.0, 1.0),
    format=IntegerFormat(8, 8, calibration_images=16, refit_images=32),
    golden_images=2,
)
ENGINE = EngineOptions(tm=(8, 16), tn=(8, 16), tr=(4, 8), tc=(8,), port_bits=(64, 128))


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, *IMAGE)).astype(np.float32)


def settled(model: nn.Module) -> nn.Module:
    """A network whose batch norms have the statistics of these images: training begins where it is."""
    recalibrate_batchnorm(randomised(model), Split(images(64, 0)), Tuning(), np.random.default_rng(0))
    return model


def unlabelled() -> Problem:
    model = settled(Detector(4))
    data = Dataset("noise", (), Split(images(64, 0)), Split(images(16, 1)), Split(images(16, 2)))
    return Problem("detector", model, trace(model, IMAGE, "detector"), data)


def by_pixel() -> Problem:
    """Labels are what the float network finds, so that it is right everywhere."""
    model = settled(UNet(8, 3))

    def labelled(split: Split) -> Split:
        return Split(split.images, answers(model, split.images)[0].argmax(1).numpy())

    parts = [labelled(Split(images(count, seed))) for seed, count in enumerate((64, 16, 16))]
    return Problem("unet", model, trace(model, IMAGE, "unet"), Dataset("found", ("a", "b", "c"), *parts))


PROBLEMS = {"detector": unlabelled, "unet": by_pixel}


@functools.cache
def found(name: str) -> tuple[Problem, SearchResult]:
    problem = PROBLEMS[name]()
    engine = TiledEnginePlatform(load_board("PYNQ-Z2"), 100.0, act_bits=8, options=ENGINE)
    return problem, search(problem, engine, OPTIONS)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_search_finds_a_design_that_computes_what_it_says(name: str) -> None:
    problem, result = found(name)
    assert result.design is not None and result.design.violations() == []
    assert result.cost.latency_ms <= 0.95 * result.uncompressed["int8"]
    assert result.test.measure == problem.task.measure == {"detector": "fidelity", "unet": "mean IoU"}[name]
    assert result.test.baseline == 1.0 > result.test.final > 0.8
    net, test = result.design.integer_network(), problem.labelled(problem.dataset.test)
    integers = outputs(net, quantise_image(net, test.images))
    real = tuple(torch.from_numpy(dequantise(net, one, integers[one])) for one in net.host.maps)
    assert problem.task.score(real, torch.from_numpy(test.labels)) == result.test.final
    assert result.design.golden is not None and result.design.golden.labels is None


def test_fitting_brings_every_output_closer() -> None:
    problem = unlabelled()
    edits = Compression(weight_bits={"joined.0": 4, "low.0": 4, "small": 4, "large": 4})
    test = problem.labelled(problem.dataset.test)
    labels = torch.from_numpy(test.labels)
    scores = []
    for fitted in (0, 64):
        net = quantised_network(
            problem, problem.model, edits, IntegerFormat(8, 8, refit_images=fitted), problem.model
        )
        scores.append(FIDELITY.score(integer_answers(net, test.images), labels))
    assert 0.5 < scores[0] < scores[1]


@pytest.mark.parametrize("name", PROBLEMS)
def test_fine_tuning_brings_answers_back(name: str) -> None:
    """Of a network whose last layers were disturbed, by labels of pixels or by the answers alone."""
    problem = PROBLEMS[name]()
    twin = copied(problem.model)
    with torch.no_grad():
        for part in (twin.small, twin.large) if name == "detector" else (twin.head,):
            assert isinstance(part, nn.Conv2d) and part.bias is not None
            part.bias.add_(torch.linspace(-1, 1, len(part.bias)))

    known = problem.labelled(problem.dataset.train)
    before = score(twin, known, problem.task)
    finetune(twin, problem.model, problem.dataset, Tuning(100, 32, 2e-2), 0)
    assert 1 - score(twin, known, problem.task) < 0.5 * (1 - before)


def test_integers_of_several_outputs_are_tuned() -> None:
    problem, result = found("detector")
    net, data = result.network, problem.dataset
    layers = [layer.name for layer in net.layers if layer.name in ("small", "large")]
    tuning = IntegerTuning(batches=4, batch_size=32, learning_rate=0.1)
    tuned = tune_integers(net, layers, problem.model, data, tuning, 0)
    assert any((tuned.numbers[name].weights != net.numbers[name].weights).any() for name in layers)
    wanted = values_of(answers(problem.model, data.train.images))
    assert FIDELITY.score(integer_answers(tuned, data.train.images), wanted) > 0.8
