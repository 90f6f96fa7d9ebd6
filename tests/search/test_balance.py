"""A network whose channels differ in scale is told of, and searched in balance."""

from __future__ import annotations

import dataclasses

import torch

from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.edits import copied
from hotnas_hls.models.equalise import equalised
from hotnas_hls.models.train import answers
from hotnas_hls.search.fitting.balance import balanced
from hotnas_hls.search.fitting.integer import measured_fidelity
from hotnas_hls.search.problem import Problem

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
