"""An ONNX file as a torch module that is trained and edited."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_files import saved, weights

from hotnas_hls.errors import ConfigError
from hotnas_hls.frontends.source import load_model
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import digits, shipped_weights
from hotnas_hls.models.edits import compress, editable
from hotnas_hls.models.graph_module import FUNCTIONS
from hotnas_hls.network import activation
from hotnas_hls.search.problem import problem_of


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "digits.onnx"
    loaded = load_model("digits_resnet", shipped_weights("digits_resnet"))
    torch.onnx.export(
        loaded.module,
        (torch.zeros(1, 1, 8, 8),),
        path,
        dynamo=False,
        dynamic_axes={"x": [0]},
        input_names=["x"],
    )
    return path


def test_file_is_searched_as_a_module_of_its_own_operators(digits_file: Path) -> None:
    file = load_model(str(digits_file))
    problem = problem_of(file, "digits", digits(), "digits")
    assert problem.proof is not None and problem.proof.difference < 1e-5
    images = problem.dataset.test.images
    with torch.no_grad():
        found = problem.model(torch.from_numpy(images)).flatten(1).numpy()
    np.testing.assert_allclose(found, file.file.output(images), atol=1e-4)
    allowed = editable(problem.model, problem.graph)
    assert allowed.convolutions and allowed.paths and allowed.narrowable
    name = next(iter(allowed.paths))
    cut = Compression(channels={name: 3}, weight_bits={n: 6 for n in allowed.narrowable})
    edited = trace(compress(problem.model, problem.graph, cut), (1, 8, 8), "digits")
    assert edited[name].shape[0] == 3
    assert [node.name for node in edited] == [node.name for node in problem.graph]


@pytest.mark.parametrize(
    "steps",
    [
        [
            ("Conv", weights(4, 3, 3, 3), {"pads": [0, 1, 2, 1]}),
            ("HardSwish",),
            ("MaxPool", {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1]}),
        ],
        [
            ("Conv", weights(4, 3, 3, 3)),
            ("Mul", weights(1, 4, 1, 1)),
            ("LeakyRelu",),
            ("Flatten",),
            ("Gemm", weights(400, 5)),
        ],
        [
            ("Conv", weights(4, 3, 3, 3)),
            ("Relu",),
            ("Mul", weights(1, 4, 1, 1)),
            ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ],
    ],
)
def test_module_is_proven_equal_to_the_file(tmp_path: Path, steps: list) -> None:
    found = load_model(str(saved(tmp_path / "net.onnx", *steps))).trainable()
    assert found.proof is not None and found.proof.difference < 1e-4


@pytest.mark.parametrize("name", activation.FUNCTIONS)
def test_torch_and_numpy_compute_the_same_function(name: str) -> None:
    parameters = {"affine": (1.5, -0.5), "clip": (-1.0, 2.0), "leaky_relu": (0.1,), "elu": (0.7,)}
    function = activation.Activation((activation.Step(name, parameters.get(name, ())),))
    x = np.linspace(-6, 6, 241, dtype=np.float32)
    found = function.computed(torch.from_numpy(x), FUNCTIONS, float).numpy()
    np.testing.assert_allclose(found, function(x), rtol=1e-5, atol=1e-6)


def test_factors_of_a_file_are_never_measured_anew(tmp_path: Path) -> None:
    """Behind a ReLU they fold into no layer; they stay what the file says while a network is trained."""
    steps = [("Conv", weights(4, 3, 3, 3)), ("Relu",), ("Mul", weights(1, 4, 1, 1)), ("Relu",)]
    module = load_model(str(saved(tmp_path / "net.onnx", *steps))).trainable().module
    assert module is not None
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3, 12, 12)).astype(np.float32))
    with torch.no_grad():
        before = module.eval()(images)
        module.train()(images * 3 + 1)
        after = module.eval()(images)
    assert torch.equal(before, after)


def test_a_module_goes_to_other_processes(digits_file: Path) -> None:
    problem = problem_of(load_model(str(digits_file)), "digits", digits(), "digits")
    images = torch.from_numpy(problem.dataset.test.images)
    with torch.no_grad():
        assert torch.equal(pickle.loads(pickle.dumps(problem.model))(images), problem.model(images))


def test_work_of_the_host_is_not_searched(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "net.onnx",
        ("Conv", weights(10, 1, 8, 8)),
        ("Flatten",),
        ("Softmax",),
        shape=("N", 1, 8, 8),
    )
    with pytest.raises(ConfigError) as caught:
        problem_of(load_model(str(path)), "net", digits(), "digits")
    assert str(caught.value) == (
        "network.model: net: the host takes the softmax of the logits; a search works on images as the data "
        "set gives them and on logits, so leave that out of the network"
    )
