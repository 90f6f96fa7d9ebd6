"""What a search refuses before anything is computed: networks and data that do not fit, all at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hotnas_hls.errors import ConfigError, UnsupportedNetwork
from hotnas_hls.models.task import CLASSES, FIDELITY
from hotnas_hls.models.train import answers, score
from hotnas_hls.network.graph import OpKind
from hotnas_hls.search.config import NetworkSettings
from hotnas_hls.search.problem import Problem, cold_start, load_problem

MODULE = """
import numpy as np
import torch
from torch import nn
from hotnas_hls.models.data import Dataset, Split, digits

def net():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))

def double():
    return net().double()

def a_map():
    return nn.Sequential(nn.Conv2d(1, 10, 3))

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        classes = self.net(x)
        return classes, self.net[0](x)

def two():
    return Two()

class Likely(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        classes = self.net(x)
        return {"raw": classes, "likely": torch.softmax(classes, 1), "again": classes}

def likely():
    return Likely()

def larger():
    return nn.Sequential(nn.Upsample(scale_factor=2), net())

def broken():
    model = net()
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = torch.nan
        model[3].bias[2] = torch.inf
    return model

def no_labels():
    whole = digits()
    parts = [Split(part.images) for part in (whole.train, whole.validation, whole.test)]
    return Dataset("unlabelled", (), *parts)

def wrong_data():
    whole = digits()
    test = Split(whole.test.images[:, :, :7], whole.test.labels + 5)
    return Dataset("wrong", whole.classes[:6], whole.train, whole.validation.first(0), test)
"""


@pytest.fixture
def problem_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A problem of a user's network and data set."""
    (tmp_path / "my_door.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)

    def load(network: str, data: str = "digits") -> Problem:
        return load_problem(NetworkSettings(f"my_door:{network}", data, None, (1, 8, 8)))

    yield load
    sys.modules.pop("my_door", None)


def test_data_that_do_not_fit_are_listed(problem_of) -> None:
    with pytest.raises(ConfigError) as caught:
        problem_of("net", "my_door:wrong_data")
    assert str(caught.value).splitlines() == [
        "network.data: my_door:wrong_data does not fit my_door:net:",
        "  - 6 classes, but the network has 10 outputs",
        "  - validation: no images; a search trains on train, compares on validation and reports test",
        "  - test: images of 1x7x8, the network reads 1x8x8",
        "  - test: labels from 5 to 14, the network's outputs are 0 to 9",
    ]


def test_weights_that_are_not_finite_are_listed(problem_of) -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        problem_of("broken")
    cure = "load other weights, or train it again"
    assert str(caught.value).splitlines() == [
        "broken: the accelerator cannot run this network",
        f"  - 0: conv2d: 1 of 36 values of its weight are not finite, the first is [0, 0, 0, 0]; {cure}",
        f"  - 3: linear: 1 of 10 values of its bias are not finite, the first is [2]; {cure}",
    ]


def test_outputs_that_the_labels_are_not_for(problem_of) -> None:
    for network, cure in (
        ("a_map", "give every image a whole number for each of 6x6 pixels, 360 real numbers, or no labels"),
        ("two", "give every image 154 real numbers, or no labels"),
    ):
        with pytest.raises(ConfigError) as caught:
            problem_of(network)
        assert str(caught.value).splitlines() == [
            f"network.data: digits does not fit my_door:{network}:",
            f"  - train: labels are int64 (1259,); {cure}",
            f"  - validation: labels are int64 (179,); {cure}",
            f"  - test: labels are int64 (359,); {cure}",
        ]


def test_without_labels_the_networks_own_answers_are_what_it_is_held_to(problem_of) -> None:
    problem = problem_of("two", "my_door:no_labels")
    assert problem.task == FIDELITY
    some = problem.labelled(problem.dataset.test.first(5))
    assert some.labels.shape == (5, 154)
    assert score(problem.model, some, problem.task) == 1.0
    with pytest.raises(ConfigError) as caught:
        cold_start(problem, 0)
    assert str(caught.value) == (
        "search.cold: nothing is known but the network's answers; give labels"
    )


def test_a_map_that_is_given_more_than_once_is_one_answer(problem_of) -> None:
    problem = problem_of("likely")
    (found,) = answers(problem.model, problem.dataset.test.first(3).images)
    assert problem.task == CLASSES and found.shape == (3, 10, 1, 1)


def test_maps_that_grow(problem_of) -> None:
    problem = problem_of("larger")
    assert problem.graph.image == (1, 8, 8) and any(node.kind is OpKind.ROWS for node in problem.graph)


def test_a_module_of_another_precision_computes_in_float32(problem_of) -> None:
    problem = problem_of("double")
    assert {str(tensor.dtype) for tensor in problem.model.parameters()} == {"torch.float32"}
    assert problem.proof is not None and problem.proof.difference < 1e-5
