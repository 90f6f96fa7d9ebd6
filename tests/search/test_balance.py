"""A network whose channels differ in scale is told of, and searched in balance."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from hotnas_hls.errors import DataMissing
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.edits import copied
from hotnas_hls.models.equalise import equalised
from hotnas_hls.models.train import answers
from hotnas_hls.network.fidelity import fidelity
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import OpKind
from hotnas_hls.search.config import NetworkSettings
from hotnas_hls.search.fitting.balance import balanced
from hotnas_hls.search.fitting.integer import integer_accuracy, measured_fidelity, quantised_network
from hotnas_hls.search.problem import Problem, load_problem

FORM = IntegerFormat(calibration_images=32, refit_images=0)


def unbalanced(problem: Problem) -> Problem:
    """The same function with one channel inside a block a million times as small as the others."""
    model = copied(problem.model)
    with torch.no_grad():
        norm, reader = model.get_submodule("layer2.0.bn1"), model.get_submodule("layer2.0.conv2")
        for tensor in (norm.weight, norm.bias):
            tensor[: len(tensor) // 2] *= 2.0**-20
        reader.weight[:, : reader.weight.shape[1] // 2] *= 2.0**20
    return dataclasses.replace(problem, model=model, graph=trace(model, (1, 8, 8), problem.name))


def test_what_loses_nothing_is_left_alone(problem: Problem) -> None:
    same, told = balanced(problem, FORM)
    assert same is problem and told == [str(measured_fidelity(problem, FORM))]


def test_channels_of_other_scales_are_equalised(problem: Problem) -> None:
    lost = unbalanced(problem)
    assert measured_fidelity(lost, FORM).losing == ("layer2.0.conv2",)
    found, told = balanced(lost, FORM)
    better = measured_fidelity(found, FORM)
    assert better.losing == ()
    assert told == [
        str(measured_fidelity(lost, FORM)),
        f"channels equalised between layers, the function stays: {better}",
    ]
    images = problem.dataset.validation.images
    assert torch.equal(answers(found.model, images)[0], answers(lost.model, images)[0])


def test_equalising_brings_the_shipped_network_nothing(problem: Problem) -> None:
    form = dataclasses.replace(FORM, act_bits=8, weight_bits=8)
    model = equalised(problem.model, problem.graph)
    twin = dataclasses.replace(problem, model=model, graph=trace(model, (1, 8, 8), problem.name))
    before, after = (measured_fidelity(one, form).signal_to_noise["fc"] for one in (problem, twin))
    assert before > 30 and abs(after - before) < 1


@pytest.mark.long("ten minutes")
def test_densenet_in_8_bits() -> None:
    """What keeps its signal, whose batch norms stay and read a channel that never changes."""
    settings = NetworkSettings("densenet121_cifar", "cifar10", "densenet121_cifar.safetensors")
    try:
        problem = load_problem(settings)
    except DataMissing as error:
        pytest.skip(str(error))
    validation = problem.dataset.validation.first(2000)
    floats = problem.task.score(answers(problem.model, validation.images), torch.tensor(validation.labels))
    folded = fold_batchnorm(problem.graph)
    norms = {node.name: 16 for node in folded if node.kind is OpKind.BATCHNORM}
    model = equalised(problem.model, problem.graph)
    same = dataclasses.replace(problem, model=model, graph=trace(model, (3, 32, 32), problem.name))
    plain = IntegerFormat(act_bits=8, weight_bits=8, refit_images=0)
    found = {}
    for told, of, form, wider in (
        ("every weight within its format", problem, dataclasses.replace(plain, clip=False), {}),
        ("formats by error", problem, plain, {}),
        ("+ equalised", same, plain, {}),
        ("+ batch norms of 16 bits", problem, plain, norms),
        ("+ fitted", problem, dataclasses.replace(plain, refit_images=256), {}),
    ):
        network = quantised_network(of, of.model, Compression(weight_bits=wider), form)
        level = fidelity(fold_batchnorm(of.graph), network, of.dataset.train.images[::1500])
        found[told] = level, integer_accuracy(network, validation)
        print(f"{told}: {found[told][1]:.2%} of {floats:.2%}, {level}")
    level, accuracy = found["formats by error"]
    assert level.losing == () and abs(accuracy - floats) < 0.005  # a standard error of 2,000 images
    assert found["every weight within its format"][0].losing
