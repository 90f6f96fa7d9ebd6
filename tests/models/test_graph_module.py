"""An ONNX file as a torch module that is trained and edited."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_files import Whole, exported, raw, saved, weights

from hotnas_hls.errors import ConfigError
from hotnas_hls.frontends.source import load_model, load_module
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import digits, shipped_weights
from hotnas_hls.models.edits import editable
from hotnas_hls.models.graph_module import FUNCTIONS
from hotnas_hls.network import activation
from hotnas_hls.search.problem import problem_of


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loaded = load_model("digits_resnet", shipped_weights("digits_resnet"))
    return exported(loaded.module, tmp_path_factory.mktemp("onnx") / "digits.onnx")


def test_file_is_searched_as_a_module_of_its_own_operators(digits_file: Path) -> None:
    file = load_model(str(digits_file))
    problem = problem_of(file, "digits", digits(), "digits")
    assert problem.proof is not None and problem.proof.difference < 1e-5
    images = problem.dataset.test.images
    with torch.no_grad():
        found = problem.model(torch.from_numpy(images)).flatten(1).numpy()
    np.testing.assert_allclose(found, file.original.outputs(images)[0], atol=1e-4)
    allowed = editable(problem.model, problem.graph)
    assert allowed.convolutions and allowed.paths and allowed.narrowable
    name = next(iter(allowed.paths))
    cut = Compression(channels={name: 3}, weight_bits={n: 6 for n in allowed.narrowable})
    edited = trace(problem.compressed(cut), (1, 8, 8), "digits")
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
    parameters["power"] = (-0.5, 0.1)
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


@pytest.mark.parametrize("as_file", [True, False])
def test_what_the_host_does_is_no_part_of_the_module(as_file: bool, tmp_path: Path) -> None:
    """A search trains on prepared images and on logits, whether a file or a module holds the rest."""
    net = load_model("digits_resnet", shipped_weights("digits_resnet")).module
    whole = Whole(net).eval()
    path = exported(whole, tmp_path / "whole.onnx")
    loaded = load_model(str(path)) if as_file else load_module(whole, (1, 8, 8))
    given = digits().prepared(raw)
    problem = problem_of(loaded, "whole", given, "digits")
    assert str(problem.graph.host) == (
        "the host scales and shifts each channel of the image, then takes the softmax of the logits"
    )
    assert (problem.dataset.test.images == digits().test.images).all()
    images = torch.from_numpy(problem.dataset.test.images)
    with torch.no_grad():
        torch.testing.assert_close(problem.model(images).flatten(1), net(images), atol=1e-4, rtol=1e-4)


def test_images_are_those_before_the_host_prepares_them(tmp_path: Path) -> None:
    turned = {"perm": [0, 3, 1, 2]}
    steps = (("Transpose", turned), ("Conv", weights(10, 1, 8, 8)), ("Flatten",))
    path = saved(tmp_path / "net.onnx", *steps, shape=("N", 8, 8, 1))
    with pytest.raises(ConfigError) as caught:
        problem_of(load_model(str(path)), "net", digits(), "digits")
    assert str(caught.value) == (
        "network.data: digits does not fit net:\n"
        "  - train: images of 1x8x8, the network reads 8x8x1\n"
        "  - validation: images of 1x8x8, the network reads 8x8x1\n"
        "  - test: images of 1x8x8, the network reads 8x8x1"
    )
