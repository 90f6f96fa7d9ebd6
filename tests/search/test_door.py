"""What a search refuses before anything is computed: networks and data that do not fit, all at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hotnas_hls.errors import ConfigError, UnsupportedNetwork
from hotnas_hls.search.config import NetworkSettings
from hotnas_hls.search.problem import Problem, load_problem

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
        return classes, torch.softmax(classes, 1)

def two():
    return Two()

def larger():
    return nn.Sequential(nn.Upsample(scale_factor=2), net())

def broken():
    model = net()
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = torch.nan
        model[3].bias[2] = torch.inf
    return model

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


def test_an_output_that_is_a_map(problem_of) -> None:
    with pytest.raises(ConfigError) as caught:
        problem_of("a_map")
    assert str(caught.value) == (
        "network.model: my_door:a_map gives 10x6x6; a search needs one value for each class"
    )
    with pytest.raises(ConfigError) as caught:
        problem_of("two")
    assert str(caught.value) == (
        "network.model: my_door:two gives 10x1x1, 10x1x1; a search needs one value for each class"
    )


def test_maps_that_grow(problem_of) -> None:
    with pytest.raises(ConfigError) as caught:
        problem_of("larger")
    assert str(caught.value) == (
        "network.model: my_door:larger enlarges maps (0), which no search trains; take hotnas dse"
    )


def test_a_module_of_another_precision_computes_in_float32(problem_of) -> None:
    problem = problem_of("double")
    assert {str(tensor.dtype) for tensor in problem.model.parameters()} == {"torch.float32"}
    assert problem.proof is not None and problem.proof.difference < 1e-5
