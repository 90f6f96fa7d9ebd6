"""ONNX files from strangers: their data lies in their own folder, and their names are text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hostile import PRINTED, UNPRINTED

from hotnas_hls.base.names import name_violation
from hotnas_hls.errors import HotnasError, UnsupportedNetwork
from hotnas_hls.frontends.source import load_model

onnx = pytest.importorskip("onnx")


def model(name: str = "c", location: str | None = None):
    """One convolution of 1 x 1; its weights in the file, or at ``location``."""
    weights = onnx.numpy_helper.from_array(np.ones((4, 1, 1, 1), np.float32), "w")
    if location is not None:
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", location
    shapes = [onnx.helper.make_tensor_value_info(n, 1, [1, c, 4, 4]) for n, c in (("x", 1), (name, 4))]
    node = onnx.helper.make_node("Conv", ["x", "w"], [name], name=name)
    graph = onnx.helper.make_graph([node], "g", shapes[:1], shapes[1:], [weights])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])


@pytest.mark.parametrize("location", ["../secret.bin", "link.bin", "{folder}/../secret.bin"])
def test_weights_outside_the_folder_are_not_read(tmp_path: Path, location: str):
    (tmp_path / "secret.bin").write_bytes(np.full(4, 7, np.float32).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "m.onnx").write_bytes(model(location=location.format(folder=folder)).SerializeToString())
    with pytest.raises(HotnasError) as caught:
        load_model(str(folder / "m.onnx"))
    assert str(caught.value).startswith(f"{folder / 'm.onnx'}: ")


@pytest.mark.parametrize("name", PRINTED + UNPRINTED[:-1])  # protobuf holds no half characters
def test_names_of_operators_print(tmp_path: Path, name: str):
    (tmp_path / "m.onnx").write_bytes(model(name).SerializeToString())
    for node in load_model(str(tmp_path / "m.onnx")).graph:
        assert name_violation(node.name) is None


def test_names_without_end(tmp_path: Path):
    (tmp_path / "m.onnx").write_bytes(model("x" * 300).SerializeToString())
    with pytest.raises(UnsupportedNetwork) as caught:
        load_model(str(tmp_path / "m.onnx"))
    assert str(caught.value) == (
        "names that cannot stand in a table or a file:\n"
        "  - 'xxxxxxxxxxxxxxxxxxxx'... has 300 characters; use at most 200"
    )
