"""The harm of single edits: divergence of the answers, as the network itself gives it."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.compression import Compression
from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.detecting.start import fastest_start
from hotnas_hls.search.fitting.integer import quantised_network, real_weights
from hotnas_hls.search.fitting.refit import real_parameters
from hotnas_hls.search.problem import Problem, cold_start
from hotnas_hls.search.proposing import sensitivity
from hotnas_hls.search.proposing.generate import SpaceOptions, generate_space
from hotnas_hls.search.proposing.sensitivity import Sensitivity, _RealNetwork

FORMAT = IntegerFormat(8, 8, refit_images=0)
ENGINE = EngineOptions(tm=(16,), tn=(16,), tr=(8,), tc=(8,), port_bits=(64,))


@pytest.fixture(scope="module")
def space(problem):
    platform = TiledEnginePlatform(load_board("ZCU102"), 200.0, act_bits=8, options=ENGINE)
    start = fastest_start(problem.graph, problem.model, platform, FORMAT, "plain", 0)
    options = SpaceOptions(weight_bits=8, kernel_expand=False)
    return generate_space(start.workload, platform, start.choices, options)


@pytest.fixture(scope="module")
def network(problem):
    net = quantised_network(problem, problem.model, Compression(), FORMAT)
    reals = real_weights(problem, problem.model, FORMAT)
    return _RealNetwork.of(net, reals, problem.dataset.train.images, problem.task)


def test_every_option_but_the_first_is_measured(problem, space):
    seen = []
    measures = Sensitivity(problem, FORMAT, problem.dataset.train.images)
    harms = measures.harms(space, lambda *at: seen.append(at))
    kinds = (AxisKind.PRUNE, AxisKind.BITS, AxisKind.CHANNELS)
    axes = space.of_kind(*kinds)
    assert {axis.kind for axis in axes if len(axis.options) > 1} == {*kinds}
    assert set(harms) == {(axis.name, option) for axis in axes for option in axis.options[1:]}
    assert seen == [(done, len(harms)) for done in range(1, len(harms) + 1)]
    assert all(harm >= 0 for harm in harms.values())
    for axis in axes:  # options are in the order of their strength
        measured = [harms[axis.name, option] for option in axis.options[1:]]
        assert all(mild < 1.5 * strong + 1e-5 for mild, strong in pairwise(measured)), axis.name


def test_the_network_without_edits_answers_as_it_is(problem, network):
    with torch.no_grad():
        answers = problem.model(torch.from_numpy(problem.dataset.train.images))
    (found,) = network._answers(network.maps)
    torch.testing.assert_close(found.flatten(1), answers, atol=1e-4, rtol=1e-4)


def test_harm_is_the_divergence_that_the_edited_network_shows(problem, network):
    """The last layer, whose weights are put into a copy of the torch network."""
    of = next(of for of in network.module.passes() if of.layer.name == "fc")
    weight, bias = real_parameters(of, network.wanted)
    step = 2.0 ** -sensitivity.weight_frac_bits(weight.numpy(), 3)
    fitted = network._moments(of, weight, bias).fitted(weight, None, step, 3)
    assert set(np.unique((fitted[0] / step).numpy())) <= set(range(-4, 4))
    edited, images = copy.deepcopy(problem.model), torch.from_numpy(problem.dataset.train.images)
    with torch.no_grad():
        edited.fc.weight.copy_(fitted[0].flatten(1))
        edited.fc.bias.copy_(fitted[1])
        before, after = (torch.log_softmax(model(images), 1) for model in (problem.model, edited))
        wanted = float(F.kl_div(after, before, log_target=True, reduction="batchmean"))
        found = network.harm("fc", None, 3)
    assert found == pytest.approx(wanted, rel=1e-3) and found > 1e-4


def test_harm_of_channels_that_are_cut_is_that_of_the_narrower_network(problem, network):
    compression = Compression(channels={"layer2.0.conv1": 20})
    images = torch.from_numpy(problem.dataset.train.images)
    with torch.no_grad():
        found = network.harm_of_cut("layer2.0.conv2", problem.readers["layer2.0.conv1"], 20)
        edited = problem.compressed(compression)
        before, after = (torch.log_softmax(model(images), 1) for model in (problem.model, edited))
    wanted = float(F.kl_div(after, before, log_target=True, reduction="batchmean"))
    assert found == pytest.approx(wanted, rel=1e-3) and found > 1e-4


@torch.no_grad()
def test_a_mask_that_keeps_everything_does_nothing(network):
    ones = torch.ones(64, 64, 3, 3)
    assert network.harm("layer3.0.conv2", ones, 5) == network.harm("layer3.0.conv2", None, 5)
    half = (torch.arange(9).reshape(3, 3) < 5).float().expand(64, 64, 3, 3)
    assert network.harm("layer3.0.conv2", half, 5) > 2 * network.harm("layer3.0.conv2", None, 5)


def test_a_cold_start_looks_at_the_same_layers(problem: Problem) -> None:
    cold = cold_start(problem, 0)
    assert cold.products.keys() == problem.products.keys() != set()
    assert any((cold.products[name] != problem.products[name]).any() for name in cold.products)
