"""A small hot start that every test of the search shares."""

from __future__ import annotations

import pytest
import torch

from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.data import Dataset, digits
from hotnas_hls.models.train import pretrained
from hotnas_hls.search.problem import Problem


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def problem() -> Problem:
    """The shipped digits network on a part of its data."""
    model = pretrained("digits_resnet")
    whole = digits()
    data = Dataset(
        whole.name, whole.classes, whole.train.first(256), whole.validation.first(64), whole.test.first(64)
    )
    return Problem("digits_resnet", model, trace(model, (1, 8, 8), "digits_resnet"), data)
