"""Device variation: cells of a weight by hand, and the digits network on chips that were drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from default_network import digits_integer_network

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.reference_batch import accuracy, logits
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import digits
from hotnas_hls.models.edits import _norm_scale
from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.network.quantise import quantise_image
from hotnas_hls.platforms.nacim.constants import CrossbarConstants, load_constants
from hotnas_hls.platforms.nacim.platform import ComputeInMemoryPlatform
from hotnas_hls.platforms.nacim.variation import (
    FRACTION_BITS,
    accuracy_under_variation,
    cell_values,
    deviated,
    held_weights,
)
from hotnas_hls.platforms.variation import Varied
from hotnas_hls.search.config import NetworkSettings
from hotnas_hls.search.fitting.finetune import Tuning, finetune
from hotnas_hls.search.fitting.integer import integer_variation, quantised_network
from hotnas_hls.search.problem import load_problem

ISAAC = load_constants()


def of_deviation(share: float) -> CrossbarConstants:
    return replace(ISAAC, cell_deviation=share)


@cache
def network() -> IntegerNetwork:
    return digits_integer_network(8)


@cache
def operations() -> tuple[Operation, ...]:
    graph = load_model("digits_resnet", None, None).graph
    return ComputeInMemoryPlatform().layers(graph, IntegerFormat().at_bits(8), Compression())


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    test = digits().test.first(128)
    return quantise_image(network(), test.images), test.labels


def varied(share: float, draws: int = 3, seed: int = 0) -> Varied:
    some, labels = images()
    return accuracy_under_variation(
        network(),
        operations(),
        of_deviation(share),
        lambda chip: accuracy(chip, some, labels),
        len(some),
        draws,
        seed,
    )


def test_the_cells_of_a_weight_by_hand() -> None:
    # -3 + 128 = 125 = 01 11 11 01; of 5 bits -3 + 16 = 13 = 0 11 01
    assert cell_values(np.array([-3]), 8, 2).tolist() == [[1, 3, 3, 1]]
    assert cell_values(np.array([-3]), 5, 2).tolist() == [[1, 3, 0]]
    one, two, three, four = np.random.default_rng(7).standard_normal(4)
    held = held_weights(np.array([-3]), 8, of_deviation(0.1), np.random.default_rng(7))
    assert held[0] == pytest.approx(-3 + 0.1 * (1 * one + 3 * two * 4 + 3 * three * 16 + 1 * four * 64))


def test_without_variation_every_output_is_the_integer_networks() -> None:
    chip = deviated(network(), operations(), of_deviation(0.0), np.random.default_rng(0))
    some, labels = images()
    np.testing.assert_array_equal(logits(chip, some), logits(network(), some))
    assert varied(0.0, draws=2).accuracies == (accuracy(network(), some, labels),) * 2


def test_the_seed_decides_and_each_draw_is_another_chip() -> None:
    first = varied(0.2)
    assert varied(0.2) == first != varied(0.2, seed=1)
    assert len(set(first.accuracies)) > 1
    assert varied(0.2, draws=2).accuracies == first.accuracies[:2]


def test_more_variation_is_never_better() -> None:
    means = [varied(share).mean for share in (0.0, 0.05, 0.1, 0.2)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < means[0]


def test_only_weights_in_crossbars_deviate() -> None:
    chip = deviated(network(), operations(), of_deviation(0.1), np.random.default_rng(0))
    same = {name for name, numbers in chip.numbers.items() if numbers is network().numbers[name]}
    assert same == {"avgpool"}


def test_between_groups_of_channels_there_are_no_cells() -> None:
    # four channels in two groups, lowered to one layer: two blocks of 2 x 2 kernels, zeros between them
    layer = Layer("conv", LayerKind.CONV, "image", "out", 4, 4, 1, 1, 1, 1, 1, 1, weight_bits=8)
    blocks = np.kron(np.eye(2, dtype=int), np.full((2, 2), 5)).reshape(4, 4, 1, 1)
    numbers = LayerNumbers(blocks, np.zeros(4, np.int64), 0, -128, 127)
    net = IntegerNetwork("grouped", {}, (layer,), {"conv": numbers}, "image", HostWork.reading("out"), 8)
    grouped = Operation("conv", OpKind.CONV, ("image",), 4, 4, 1, 1, 1, 1, groups=2)
    chip = deviated(net, (grouped,), of_deviation(0.1), np.random.default_rng(0)).numbers["conv"].weights
    assert ((chip != 0) == (blocks != 0)).all()
    assert (chip != 5 << FRACTION_BITS).all()


def test_noise_is_of_training_alone_and_of_the_stored_weights_size() -> None:
    problem = load_problem(NetworkSettings("digits_resnet", "digits"))
    noisy = problem.compressed(Compression(noise=100))
    plain = problem.compressed(Compression())
    pixels = torch.from_numpy(problem.dataset.test.first(8).images)
    with torch.no_grad():
        assert torch.equal(noisy.eval()(pixels), plain.eval()(pixels))
    conv, clean = noisy.get_submodule("conv1"), plain.get_submodule("conv1").weight
    noisy.train()
    draws = torch.stack([conv.weight.detach() for _ in range(200)])
    scale = _norm_scale(clean, noisy.get_submodule("bn1"))
    wanted = 0.1 * (clean * scale).abs().max()
    found = ((draws - clean.detach()) * scale).std()
    assert float(found) == pytest.approx(float(wanted.detach()), rel=0.05)
    again = problem.compressed(Compression(noise=100)).train().get_submodule("conv1")
    assert torch.equal(again.weight, draws[0])


@pytest.mark.long("six trainings, and 20 chips of each")
def test_training_with_noise_in_the_loop_makes_a_network_robust() -> None:
    """The figures of the documentation: 200 batches of 64 images, 20 chips, 359 test images."""
    problem, form = load_problem(NetworkSettings("digits_resnet", "digits")), IntegerFormat(8, 8)
    means = {}
    for share in (0.05, 0.1, 0.2):
        platform = ComputeInMemoryPlatform(of_deviation(share))
        for noise in (0, platform.weight_noise):
            edits = Compression(noise=noise)
            model = problem.compressed(edits)
            finetune(model, problem.model, problem.dataset, Tuning(200), 0)
            net = quantised_network(problem, model, edits, form)
            layers = platform.layers(problem.graph, form, edits)
            found = integer_variation(net, platform, layers, problem.dataset.test, 0)
            means[share, noise > 0] = found.mean
            print(share, noise, found)
    assert means[0.2, True] > means[0.2, False] + 0.1


def test_mean_and_deviation() -> None:
    three, one = Varied(0.95, (0.9, 0.8, 0.7), 50), Varied(0.95, (0.9,), 50)
    assert (three.mean, three.deviation) == (pytest.approx(0.8), pytest.approx(0.1))
    assert str(three) == "under variation 80.00%, standard deviation 10.00% (3 chips, 50 images)"
    assert one.deviation is None  # unknown, not 0
    assert str(one) == "under variation 90.00% (1 chip, 50 images)"
    assert Varied.from_record(json.loads(json.dumps(three.record()))) == three
    with pytest.raises(ValueError, match="draws: must be 1 or more, not 0"):
        varied(0.1, draws=0)
