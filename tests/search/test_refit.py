"""Integers fitted to the network they stand for: closer to it, zeros and formats kept, no overflow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from models.test_integer_module import IMAGES, TRAINED, EveryKind
from models.test_integer_module import quantised_network as every_kind
from randomised import randomised

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers import bounds
from hotnas_hls.accel.layer import IntegerNetwork, LayerKind
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.integer_module import IntegerModule
from hotnas_hls.models.train import answers
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.lower import lower
from hotnas_hls.search.evaluating import evaluate
from hotnas_hls.search.evaluating.evaluate import Evaluator
from hotnas_hls.search.fitting import refit as refit_module
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer import quantised_network
from hotnas_hls.search.fitting.refit import Reals, refit

LAYERS = ("layer1.0.conv1", "layer2.0.conv2", "layer3.0.conv1", "layer3.0.conv2")
PRUNED = Compression(patterns={name: PatternChoice(3, 4) for name in LAYERS})
EDITED = Compression(
    patterns={"inner": PatternChoice(3, 3)}, weight_bits=dict.fromkeys(TRAINED, 4)
)
ROUNDED = IntegerFormat(act_bits=8, weight_bits=8, calibration_images=64, refit_images=0)


def reals(stem: Stem) -> Reals:
    """The weights of the network of every kind as they were before any edit."""
    graph = fold_batchnorm(trace(randomised(EveryKind()), IMAGES.shape[1:]))
    lowered = lower(graph, stem)
    return {item.layer.name: item.parameters(graph) for item in lowered.layers if item.layer.name in TRAINED}


def distance(net: IntegerNetwork, model: torch.nn.Module, images: np.ndarray) -> float:
    """Mean square between the outputs of both."""
    (found,), (wanted,) = IntegerModule(net).answers(images), answers(model, images)
    return float((found - wanted).square().mean())


@pytest.mark.parametrize("stem", Stem)
def test_every_kind_of_layer_comes_closer_and_keeps_its_zeros(stem: Stem) -> None:
    net, wanted = every_kind(stem, compression=EDITED), reals(stem)
    fitted = refit(net, wanted, IMAGES)
    model = randomised(EveryKind())
    assert distance(fitted, model, IMAGES) < 0.6 * distance(net, model, IMAGES)
    assert fitted.layers == net.layers and fitted.feature_maps == net.feature_maps
    for name in TRAINED:
        before, after = net.numbers[name], fitted.numbers[name]
        assert (before.weights != after.weights).any() and np.abs(after.weights).max() <= 8
        for of in ("weight_frac_bits", "output_shift", "residual_shift", "clamp_low", "clamp_high"):
            assert getattr(after, of) == getattr(before, of)
    kept = net.numbers["inner"]
    assert not fitted.numbers["inner"].weights[kept.patterns[kept.pattern_index] == 0].any()
    if net.image_layout is not None:
        assert not fitted.numbers["stem"].weights[:, net.image_layout.kernel_map() < 0].any()
    others = [layer.name for layer in net.layers if layer.name not in TRAINED]
    assert others and all(fitted.numbers[name] is net.numbers[name] for name in others)


def test_layers_that_are_not_named_stay() -> None:
    net, wanted = every_kind(compression=EDITED), reals(Stem.PLAIN)
    fitted = refit(net, {"wide": wanted["wide"]}, IMAGES)
    assert [name for name in net.numbers if fitted.numbers[name] is not net.numbers[name]] == ["wide"]


def test_a_layer_that_could_overflow_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    net, wanted = every_kind(compression=EDITED), reals(Stem.PLAIN)
    monkeypatch.setattr(bounds, "accumulator_bits", lambda act_bits: 2)
    assert refit(net, wanted, IMAGES).numbers == net.numbers


def test_what_is_forgotten_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    net, wanted = every_kind(compression=EDITED), reals(Stem.PLAIN)
    fitted = refit(net, wanted, IMAGES)
    monkeypatch.setattr(refit_module, "_forget", lambda maps, net, later: None)
    again = refit(net, wanted, IMAGES)
    for name, numbers in fitted.numbers.items():
        np.testing.assert_array_equal(numbers.weights, again.numbers[name].weights)
        np.testing.assert_array_equal(numbers.bias, again.numbers[name].bias)


@pytest.mark.parametrize(
    "compression", [PRUNED, Compression(weight_bits=dict.fromkeys(LAYERS, 3))], ids=["pruned", "3 bits"]
)
def test_the_digits_network_comes_closer(problem, compression) -> None:
    """On images nothing was fitted to."""
    model = problem.compressed(compression).eval()
    nets = [
        quantised_network(problem, model, compression, replace(ROUNDED, refit_images=images), problem.model)
        for images in (0, 256)
    ]
    rounded, fitted = (distance(net, problem.model, problem.dataset.validation.images) for net in nets)
    assert fitted < 0.3 * rounded
    assert {layer.kind for layer in nets[1].layers} > {LayerKind.CONV}


@pytest.mark.parametrize("channels, batches", [({}, 0), ({"layer3.0.conv1": 40}, 0), ({}, 1)])
def test_what_integers_are_fitted_to(problem, monkeypatch, channels, batches) -> None:
    """The network before its edits where nothing was trained or measured, else what came of that."""
    seen = []

    def watched(problem, model, compression, form, wanted, tune):
        seen.append((model, wanted))

    monkeypatch.setattr(evaluate, "quantised_network", watched)
    compression, tuning = replace(PRUNED, channels=channels), Tuning(batches, 32, calibration_batches=1)
    evaluator = Evaluator(problem, None, None, None, tuning, ROUNDED, problem.dataset.validation, 0)
    model = evaluator.tuned(compression, tuning)
    evaluator.quantised_network(model, compression, tuning)
    untouched = not batches
    assert seen[0][0] is model and (seen[0][1] is not model) == untouched
    assert not any(module.training for module in model.modules())
    if untouched:
        assert torch.equal(model.bn1.running_mean, problem.model.bn1.running_mean)
        weights = dict(seen[0][1].named_parameters())
        whole = problem.compressed(Compression(channels=channels))  # its channels are cut, nothing else
        assert all(torch.equal(weights[name], of) for name, of in whole.named_parameters())
