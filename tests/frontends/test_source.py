"""Networks by name, file or function; every wrong spec has its message."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hotnas_hls.errors import CheckpointError, ConfigError, UnsupportedNetwork
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.zoo import ZOO, build

NETWORKS = """
from torch import nn
WIDTH = 4
def small():
    return nn.Sequential(nn.Conv2d(1, WIDTH, 3), nn.ReLU())
def wrong():
    return "a network"
def wide():
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.AvgPool2d(17, 1))
def broken():
    raise OSError("no weights here")
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with users' modules, which python does not remember afterwards."""
    (tmp_path / "my_networks.py").write_text(NETWORKS)
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("my_networks", "my_broken"):
        sys.modules.pop(name, None)


def test_zoo_name_with_weights(tmp_path: Path) -> None:
    source = build("resnet20")
    torch.save({"state_dict": source.state_dict()}, tmp_path / "resnet20.th")
    loaded = load_model("resnet20", tmp_path / "resnet20.th")
    assert loaded.module is not None and not loaded.module.training
    assert loaded.graph.name == "resnet20"
    np.testing.assert_array_equal(
        loaded.graph["conv1"].parameters["weight"], source.conv1.weight.detach().numpy()
    )


def test_zoo_name_with_another_input_shape() -> None:
    assert load_model("resnet20", input_shape=(3, 64, 48)).graph["layer3.0.conv1"].shape == (64, 16, 12)


def test_function(networks: Path) -> None:
    path = list(sys.path)
    loaded = load_model("my_networks:small", input_shape=(1, 8, 8))
    assert [node.name for node in loaded.graph] == ["input", "0", "1"]
    assert loaded.graph.name == "small"
    assert sys.path == path


def test_onnx_file(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 2, 4, 4]) for n in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    path = tmp_path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    loaded = load_model(str(path))
    assert loaded.module is None
    assert loaded.graph.outputs[0].shape == (2, 4, 4)
    with pytest.raises(ConfigError) as caught:
        load_model(str(path), weights="net.pth")
    assert str(caught.value) == f"{path}: an ONNX file carries its own weights; leave net.pth out"


FORMS = "expected a zoo name, a path ending in .onnx, or package.module:function"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet81", f"resnet81: no such network; did you mean resnet18? {FORMS}; the zoo has: "
         + ", ".join(sorted(ZOO))),
        ("net.pth", f"net.pth: no such network; {FORMS}; the zoo has: {', '.join(sorted(ZOO))}"),
        ("missing.onnx", "missing.onnx: no such file; name an ONNX model"),
        ("my_networks.py:small", "my_networks.py:small: not package.module:function; "
         "write the module with dots and without .py"),
        ("lib/my_networks:small", "lib/my_networks:small: not package.module:function; "
         "write the module with dots and without .py"),
        ("my_networks:", "my_networks:: not package.module:function; "
         "write the module with dots and without .py"),
        ("no_such_module:small", "no_such_module:small: no module no_such_module; "
         "run from the folder that holds it, or install it"),
        ("my_broken:small", "my_broken:small: importing my_broken failed "
         "(ZeroDivisionError: division by zero)"),
        ("my_networks:large", "my_networks:large: my_networks has no function large"),
        ("my_networks:WIDTH", "my_networks:WIDTH: my_networks has no function WIDTH"),
        ("my_networks:wrong", "my_networks:wrong: wrong() returned str, not a torch.nn.Module"),
        ("my_networks:broken", "my_networks:broken: calling broken() failed (OSError: no weights here); "
         "it must work without arguments"),
        ("my_networks:small", "my_networks:small: its input shape is not known; "
         "give channels, rows and columns, e.g. --input 3x224x224 or input=(3, 224, 224)"),
    ],
)  # fmt: skip
def test_wrong_spec(networks: Path, spec: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_model(spec)
    assert str(caught.value) == message


def test_weights_of_another_network(tmp_path: Path) -> None:
    torch.save(build("resnet32").state_dict(), tmp_path / "resnet32.pth")
    with pytest.raises(CheckpointError, match="these weights do not fit the network"):
        load_model("resnet20", tmp_path / "resnet32.pth")


def test_what_no_later_command_could_run_is_refused_at_once(networks: Path) -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        load_model("my_networks:wide", None, (1, 20, 20))
    assert str(caught.value) == (
        "wide: the accelerator cannot run this network\n"
        "  - 1 (avgpool): has a kernel of 17 x 17; use at most 16 x 16, or pool in two steps"
    )
