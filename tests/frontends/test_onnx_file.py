"""Files that are no sound models: one message, with node, place and cure; what can be put right is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotnas_hls.errors import ConfigError, UnsupportedNetwork
from hotnas_hls.frontends import onnx_file
from hotnas_hls.frontends.source import load_model
from hotnas_hls.network.graph import Graph

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx_files import saved, weights  # noqa: E402

Edit = Callable[[Any], Any]
CHAIN = (
    ("Conv", weights(4, 3, 3, 3), weights(4)),
    ("Relu",),
    ("GlobalAveragePool",),
    ("Flatten",),
    ("Gemm", weights(4, 5)),
)


def read(path: Path, edit: Edit) -> Graph:
    """The graph of a small network after an edit of its file."""
    saved(path, *CHAIN)
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return load_model(str(path)).graph


def node(at: int, **changed: Any) -> Edit:
    """An edit of one node; input and output change the first."""

    def edit(model: Any) -> None:
        for field, value in changed.items():
            if field in ("input", "output"):
                getattr(model.graph.node[at], field)[0] = value
            else:
                setattr(model.graph.node[at], field, value)

    return edit


def weight(value: float) -> Edit:
    """An edit of one weight of the convolution, the second of its third row."""

    def edit(model: Any) -> None:
        values = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
        values[0, 1, 2, 1] = value
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "c0_0"))

    return edit


def rows(count: int) -> Edit:
    def edit(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = count

    return edit


def of_kind(kind: int) -> Edit:
    def edit(model: Any) -> None:
        model.graph.input[0].type.tensor_type.elem_type = kind

    return edit


def elsewhere(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def several(model: Any) -> None:
    """More than one thing at once."""
    model.opset_import[0].version = 99
    del model.graph.output[:]
    model.graph.node[2].input[0] = "lost"


def sequence(model: Any) -> None:
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_sequence_value_info("x", 1, [1, 3, 12, 12]))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            node(0, input="y2"),
            "step0: Conv, step1: Relu, step2: GlobalAveragePool: read each other in a circle; "
            "export it without loops",
        ),
        (
            node(2, input="lost"),
            "step2: GlobalAveragePool: its input lost is nowhere; export the whole network",
        ),
        (node(1, output="y0"), "step1: Relu: makes y0, as step0: Conv does; export it again"),
        (node(1, op_type="Relv", name=""), "y1: Relv: ONNX has no such operator; export it again"),
        (
            node(1, domain="com.own"),
            "step1: Relu: the file names no version of its domain; export it again",
        ),
        (
            elsewhere,
            "c0_0: its values lie in weights.bin, which is not beside it; copy that file, too",
        ),
        (
            several,
            "its operators are of opset 99, the package onnx has none above {newest}; export it with an "
            "opset from 7 to {newest}\n  - it has no output; export it with what it computes\n"
            "  - step2: GlobalAveragePool: its input lost is nowhere; export the whole network",
        ),
    ],
)
def test_files_that_are_no_models(edit: Edit, message: str, tmp_path: Path) -> None:
    path, newest = tmp_path / "net.onnx", onnx.defs.onnx_opset_version()
    with pytest.raises(ConfigError) as caught:
        read(path, edit)
    assert str(caught.value) == (
        f"{path}: not a model that can be read:\n  - {message.format(newest=newest)}"
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (rows(-3), "is ?x3x-3x12; leave sizes open, or above 0"),
        (of_kind(7), "is of int64, no floats; export it with an input of float32"),
        (
            sequence,
            "is no tensor; expected images x channels x rows x columns, images x channels x columns, or "
            "images x features",
        ),
    ],
)
def test_inputs_that_are_no_images(edit: Edit, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(ConfigError) as caught:
        read(path, edit)
    assert str(caught.value) == f"{path}: input x {message}"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers(value: float, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        read(tmp_path / "net.onnx", weight(value))
    assert str(caught.value) == (
        "net: the accelerator cannot run this network\n  - step0: Conv: 1 of 108 values of its weight are "
        "not finite, the first is [0, 1, 2, 1]; load other weights, or train it again"
    )


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Protobuf hands them on as bytes."""
    path = saved(tmp_path / "net.onnx", *CHAIN)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"step1", b"st\xe9p1"))
    assert "st.p1" in load_model(str(path)).graph
    path.write_bytes(data.replace(b"Relu", b"R\xe9lu"))
    with pytest.raises(ConfigError) as caught:
        load_model(str(path))
    assert str(caught.value) == (
        f"{path}: not a model that can be read:\n  - step1: R.lu: ONNX has no such operator; export it again"
    )


def test_types_that_onnx_does_not_know(tmp_path: Path) -> None:
    def edit(model: Any) -> None:
        model.graph.value_info.append(onnx.helper.make_tensor_value_info("y0", 111, [2, 4, 10, 10]))

    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "net.onnx", edit)
    assert str(caught.value) == (
        f"{tmp_path / 'net.onnx'}: not a valid ONNX model (Invalid tensor data type 111.); export it again"
    )


def test_operators_of_others(tmp_path: Path) -> None:
    def edit(model: Any) -> None:
        model.graph.node[1].domain, model.graph.node[1].op_type = "com.own", "MyRelu"
        model.opset_import.append(onnx.helper.make_opsetid("com.own", 1))

    with pytest.raises(UnsupportedNetwork) as caught:
        read(tmp_path / "net.onnx", edit)
    assert str(caught.value) == (
        "net: the accelerator cannot run this network\n  - step1: MyRelu: its domain com.own is not ONNX's "
        "own; export the network with operators of ONNX, or of QONNX"
    )


def test_constants_beyond_what_a_model_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MOST_BYTES", 500)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "net.onnx", lambda model: None)
    assert str(caught.value) == (
        f"{tmp_path / 'net.onnx'}: its constants take 0.0 GB; a model may have 2 GB: "
        "export it with fewer or smaller layers"
    )


def test_what_only_looks_wrong_is_read(tmp_path: Path) -> None:
    """Nodes in any order, without names, or all of one name."""

    def reversed_(model: Any) -> None:
        nodes = [type(one).FromString(one.SerializeToString()) for one in model.graph.node]
        del model.graph.node[:]
        model.graph.node.extend(nodes[::-1])

    def named(name: str) -> Edit:
        def edit(model: Any) -> None:
            for one in model.graph.node:
                one.name = name

        return edit

    names = {
        edit: [one.name for one in read(tmp_path / "net.onnx", edit)][1:]
        for edit in (reversed_, named(""), named("same"))
    }
    steps = [f"step{at}" for at in (0, 1, 2, 4)]
    assert list(names.values()) == [steps, ["y0", "y1", "y2", "y4"], ["same", "y1", "y2", "y4"]]


def test_a_pair_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    scale = np.float32(0.1), np.int8(0)
    steps = [("QuantizeLinear", *scale), ("DequantizeLinear", *scale), ("Conv", weights(4, 3, 3, 3))]
    path = saved(tmp_path / "net.onnx", *steps)
    path.write_bytes(path.read_bytes().replace(b"step1", b"\xd3tep1"))
    assert [node.name for node in load_model(str(path)).graph][-1] == "step2"


def test_an_output_that_depends_on_nothing(tmp_path: Path) -> None:
    def edit(model: Any) -> None:
        model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("c0_1", 1, [4]))

    with pytest.raises(UnsupportedNetwork) as caught:
        read(tmp_path / "net.onnx", edit)
    assert str(caught.value) == (
        "net: the accelerator cannot run this network\n  - output: c0_1 does not depend on the input; "
        "export the whole network, and only what it computes"
    )
