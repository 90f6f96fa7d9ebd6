"""ONNX files: what is imported computes what ONNX's own evaluator computes; messages in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.errors import ConfigError, ToolNotFound, UnsupportedNetwork
from hotnas_hls.frontends import onnx_import
from hotnas_hls.frontends.onnx_import import OnnxModel, import_onnx
from hotnas_hls.frontends.proof import prove
from hotnas_hls.network.execute import run
from hotnas_hls.network.fold import fold_batchnorm, fold_shapes
from hotnas_hls.network.graph import Graph, OpKind
from hotnas_hls.network.lower import lower

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx_files import integers, saved, weights  # noqa: E402


def assert_same(path: Path) -> Graph:
    graph = import_onnx(path)
    before = graph.host.preparation
    shape = before.source if before else graph.input.shape
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    model = onnx.load(path)
    sizes = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    wanted = ReferenceEvaluator(model).run(None, {"x": images.reshape(2, *sizes)})
    lower(fold_shapes(graph))
    for candidate in (graph, fold_batchnorm(graph)):
        found = run(candidate, graph.host.prepared(images), keep=candidate.host.maps)
        for output, values in zip(candidate.host.outputs, wanted, strict=True):
            actual, expected = output.answered(found[output.map]).reshape(2, -1), values.reshape(2, -1)
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    return graph


def norm(channels: int) -> list[np.ndarray]:
    return [weights(channels), weights(channels), weights(channels), np.abs(weights(channels)) + 0.5]


CHAINS: dict[str, list[tuple[Any, ...]]] = {
    "conv": [("Conv", weights(4, 3, 3, 3), weights(4), {"pads": [1, 0, 1, 2], "strides": [2, 2]}), ("Relu",)],
    "depthwise": [("Conv", weights(3, 1, 5, 5), {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2, 2]})],
    "channels in a line weigh a map": [
        ("Conv", weights(7, 3, 3, 3)),
        ("GlobalAveragePool",),
        ("Reshape", integers(0, 1, 7)),
        ("Conv", weights(1, 1, 3), weights(1), {"pads": [1, 1]}),
        ("Sigmoid",),
        ("Reshape", integers(0, 7, 1, 1)),
        ("Mul", "y0"),
    ],
    "channels in two lines, groups and a stride": [
        ("Conv", weights(12, 3, 3, 3)),
        ("GlobalAveragePool",),
        ("Reshape", integers(0, 2, 6)),
        ("Conv", weights(4, 1, 3), weights(4), {"pads": [2, 1], "strides": [2], "group": 2}),
        ("Flatten",),
        ("Gemm", weights(16, 5)),
    ],
    "channels as a map": [
        ("Conv", weights(24, 3, 3, 3)),
        ("GlobalAveragePool",),
        ("Reshape", integers(0, 2, 3, 4)),
        ("Transpose", {"perm": [0, 1, 3, 2]}),
        ("Conv", weights(3, 2, 2, 2), {"pads": [1, 0, 0, 2], "dilations": [2, 1]}),
        ("Relu",),
    ],
    "same lower": [("Conv", weights(2, 3, 4, 4), {"auto_pad": "SAME_LOWER"})],
    "folded norm": [("Conv", weights(4, 3, 1, 1)), ("BatchNormalization", *norm(4), {"epsilon": 1e-3})],
    "relu6": [("Clip", np.array(0, np.float32), np.array(6, np.float32))],
    "clip to other limits": [
        ("Clip", np.array(-1, np.float32), np.array(0.5, np.float32)),
        ("Conv", weights(4, 3, 3, 3)),
        ("Clip", np.array(-np.inf, np.float32), np.array(0.25, np.float32)),
        ("Pad", integers(0, 1, 0, 0, 0, 2, 0, 0)),
        ("Clip", np.array(0.1, np.float32)),
    ],
    "activations": [
        ("Conv", weights(4, 3, 3, 3)),
        ("LeakyRelu", {"alpha": 0.2}),
        ("Elu", {"alpha": 0.7}),
        ("Selu",),
        ("HardSigmoid",),
        ("Softplus",),
        ("Softsign",),
        ("Conv", weights(5, 4, 1, 1)),
        ("Sigmoid",),
        ("Pad", integers(0, 1, 0, 0, 0, 2, 0, 0)),
        ("Sigmoid",),
        ("GlobalAveragePool",),
        ("Tanh",),
        ("Flatten",),
        ("Gemm", weights(8, 3)),
    ],
    "a slope for each channel": [("Conv", weights(4, 3, 3, 3)), ("PRelu", weights(4, 1, 1)), ("Relu",)],
    "one slope": [("Conv", weights(4, 3, 3, 3)), ("PRelu", weights(1))],
    "SiLU written out": [
        ("Conv", weights(4, 3, 3, 3)),
        ("Sigmoid",),
        ("Mul", "y0"),
        ("Conv", weights(3, 4, 1, 1)),
    ],
    "hard swish written out": [
        ("Conv", weights(4, 3, 3, 3)),
        ("Add", np.array(3, np.float32)),
        ("Clip", np.array(0, np.float32), np.array(6, np.float32)),
        ("Div", np.array(6, np.float32)),
        ("Mul", "y0"),
        ("Conv", weights(3, 4, 1, 1)),
    ],
    "GELU written out": [
        ("Conv", weights(4, 3, 3, 3)),
        ("Div", np.array(2**0.5, np.float32)),
        ("Erf",),
        ("Add", np.array(1, np.float32)),
        ("Mul", "y0"),
        ("Mul", np.array(0.5, np.float32)),
    ],
    "relu by clip": [("Clip", np.array(0, np.float32))],
    "max pool": [("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})],
    "average pool": [("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2]})],
    "average pool of what is inside": [
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("AveragePool", {"kernel_shape": [2, 3], "pads": [0, 1, 1, 0]}),
    ],
    "average pool with padding": [
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1})
    ],
    "global pool, classifier": [
        ("GlobalAveragePool",),
        ("Flatten",),
        ("Gemm", weights(3, 7), weights(7), {"alpha": 0.5, "beta": 2.0}),
    ],
    "mean, matmul and bias": [
        ("ReduceMean", integers(2, 3), {"keepdims": 0}),
        ("MatMul", weights(3, 5)),
        ("Add", weights(5)),
        ("Relu",),
    ],
    "reshape, transposed gemm": [
        ("Reshape", integers(0, -1)),
        ("Gemm", weights(5, 432), {"transB": 1}),
    ],
    "squeeze": [("GlobalAveragePool",), ("Squeeze", integers(2, 3))],
    "residual": [
        ("Conv", weights(3, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
        ("Dropout",),
        ("Add", "x"),
        ("Relu",),
    ],
    "squeeze and excite": [
        ("Conv", weights(4, 3, 3, 3)),
        ("GlobalAveragePool",),
        ("Conv", weights(2, 4, 1, 1), weights(2)),
        ("Relu",),
        ("Conv", weights(4, 2, 1, 1), weights(4)),
        ("HardSigmoid",),
        ("Mul", "y0"),
    ],
    "a vector that is repeated, and added": [
        ("Conv", weights(4, 3, 3, 3)),
        ("GlobalAveragePool",),
        ("Sigmoid",),
        ("Expand", integers(1, 1, 10, 10)),
        ("Mul", "y0"),
        ("Add", "y1"),
    ],
    "products of two maps, and of one channel with all": [
        ("Conv", weights(3, 3, 1, 1)),
        ("Mul", "x"),
        ("Conv", weights(1, 3, 1, 1)),
        ("Sigmoid",),
        ("Mul", "y1"),
    ],
    "concatenation": [("Relu",), ("Identity",), ("Concat", "x", "y0", {"axis": 1})],
    "conv and bias apart": [("Conv", weights(4, 3, 3, 3)), ("Add", weights(1, 4, 1, 1))],
    "a constant added to a map that others read": [
        ("Conv", weights(3, 3, 1, 1)),
        ("Identity",),
        ("Add", weights(3, 1, 1)),
        ("Add", "y0"),
    ],
    "norm written out": [
        ("Relu",),
        ("Sub", weights(1, 3, 1, 1)),
        ("Div", np.float32([[[2.0]], [[0.5]], [[3.0]]])),
        ("Mul", np.array(0.25, np.float32)),
        ("Neg",),
        ("Conv", weights(4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
        ("Mul", weights(4, 1, 1)),
        ("Add", weights(4, 1, 1)),
    ],
    "sum of three": [("Relu",), ("Conv", weights(3, 3, 1, 1)), ("Sum", "y0", "x")],
    "channels taken and joined": [
        ("Conv", weights(6, 3, 3, 3)),
        ("Gather", integers(4, 1, 0, 5), {"axis": 1}),
        ("MaxPool", {"kernel_shape": [2, 2]}),
        ("Slice", integers(3), integers(-9), integers(1), integers(-2)),
        ("Conv", weights(4, 2, 1, 1)),
    ],
    "channel shuffle": [
        ("Conv", weights(6, 3, 3, 3)),
        ("Reshape", integers(0, 2, 3, 10, 10)),
        ("Transpose", {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", integers(0, 6, 10, -1)),
        ("Conv", weights(6, 1, 3, 3), weights(6), {"group": 6}),
        ("BatchNormalization", *norm(6)),
        ("Relu",),
        ("Conv", weights(4, 6, 1, 1)),
    ],
    "dilation": [
        ("Conv", weights(4, 3, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 1, 0], "strides": [2, 2]}),
        ("Conv", weights(4, 1, 2, 2), {"dilations": [1, 2], "group": 4, "auto_pad": "SAME_UPPER"}),
    ],
    "groups before and behind a channel shuffle": [
        ("Conv", weights(6, 3, 3, 3)),
        ("Conv", weights(8, 3, 3, 3), weights(8), {"group": 2, "strides": [2, 2]}),
        ("Reshape", integers(0, 2, 4, 4, 4)),
        ("Transpose", {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", integers(0, 8, 4, 4)),
        ("Conv", weights(4, 4, 1, 1), {"group": 2}),
        ("Relu",),
        ("Conv", weights(2, 2, 1, 1), {"group": 2}),
    ],
    "transposed before it is flattened": [
        ("Conv", weights(4, 3, 3, 3)),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("Relu",),
        ("Flatten",),
        ("Gemm", weights(400, 5)),
    ],
    "a mean of rows and columns that lie first": [
        ("Relu",),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("ReduceMean", integers(1, 2), {"keepdims": 0}),
        ("MatMul", weights(3, 5)),
    ],
    "flattened maps joined": [
        ("GlobalAveragePool",),
        ("Flatten",),
        ("Flatten", "x", {"chained": False}),
        ("Concat", "y1", {"axis": 1}),
        ("Gemm", weights(435, 4)),
    ],
    "padding apart": [("Pad", integers(0, 0, 1, 0, 0, 0, 2, 1)), ("Conv", weights(4, 3, 3, 3))],
    "parameter-free shortcut": [
        ("Slice", integers(0, 0), integers(99, 2**63 - 1), integers(2, 3), integers(2, 2)),
        ("Pad", integers(0, 4, 0, 0, 0, 5, 0, 0)),
    ],
    "computed weights": [
        ("Mul", weights(4, 3, 3, 3), np.float32([2.0]), {"chained": False}),
        ("Sub", weights(1, 3, 3, 3)),
        ("Conv", "x", "y1", {"chained": False}),
    ],
    "computed shape": [
        ("Shape", {"end": 1}),
        ("Concat", integers(-1), {"axis": 0}),
        ("Reshape", "x", "y1", {"chained": False}),
        ("Gemm", weights(432, 3)),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_chain_computes_the_same(tmp_path: Path, name: str) -> None:
    assert_same(saved(tmp_path / "net.onnx", *(step_copy(step) for step in CHAINS[name])))


def test_one_row(tmp_path: Path) -> None:
    steps = [
        ("Conv", weights(4, 3, 5), weights(4), {"pads": [2, 2], "strides": [2]}),
        ("BatchNormalization", *norm(4)),
        ("Relu",),
        ("MaxPool", {"kernel_shape": [2], "strides": [2]}),
        ("GlobalAveragePool",),
        ("Squeeze", integers(2)),
        ("Gemm", weights(4, 3)),
    ]
    graph = assert_same(saved(tmp_path / "net.onnx", *steps, shape=("N", 3, 144)))
    assert (graph.input.shape, graph["step0"].kernel, graph["step0"].stride) == ((3, 1, 144), (1, 5), (1, 2))


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Softmax", {"axis": 1}),
        ("LogSoftmax", {"axis": -1}),
        ("Sigmoid", {}),
        ("ArgMax", {"axis": 1, "keepdims": 0}),
    ],
)
def test_the_host_prepares_and_answers(tmp_path: Path, operator: str, attributes: dict[str, int]) -> None:
    steps = [
        ("Div", np.array(255, np.float32)),
        ("Sub", np.float32([0.5, 0.25, 0.125])),
        ("Transpose", {"perm": [0, 3, 1, 2]}),
        ("Div", np.float32([[[0.5]], [[0.25]], [[0.2]]])),
        ("Conv", weights(4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
        ("GlobalAveragePool",),
        ("Flatten",),
        (operator, attributes),
    ]
    path = saved(tmp_path / "net.onnx", *steps, shape=("N", 12, 10, 3))
    graph = assert_same(path)
    before, after = graph.host.preparation, graph.host.outputs[0].answer
    assert before is not None and (before.source, before.axes) == ((12, 10, 3), (2, 0, 1))
    np.testing.assert_allclose(before.scale, [2 / 255, 4 / 255, 5 / 255])
    np.testing.assert_allclose(before.offset, [-1, -1, -0.625])
    assert after == {"LogSoftmax": "log_softmax"}.get(operator, operator.lower())
    assert [node.kind for node in graph] == [OpKind.INPUT, OpKind.CONV, OpKind.AVGPOOL]
    assert str(graph.host) == (
        "the host transposes 12x10x3 to 3x12x10 and scales and shifts each channel of the image, "
        f"then takes the {after} of the logits"
    )
    model = OnnxModel(path)
    assert prove(model.graph, model).images == 7


def test_several_outputs(tmp_path: Path) -> None:
    """Also what others read, and the same map under two names, once with an answer."""
    path = saved(
        tmp_path / "net.onnx",
        ("Conv", weights(4, 3, 3, 3)),
        ("BatchNormalization", *norm(4)),
        ("Relu",),
        ("Conv", weights(5, 4, 1, 1)),
        ("Softmax", {"axis": 1}),
        more=("y0", "y2", "y3"),
    )
    graph = assert_same(path)
    assert [(out.name, out.map, out.answer) for out in graph.host.outputs] == [
        ("y4", "step3", Answer.SOFTMAX),
        ("y0", "step0", None),
        ("y2", "step2", None),
        ("y3", "step3", None),
    ]
    assert [node.name for node in graph.outputs] == ["step3", "step0", "step2"]
    assert str(graph.host) == "the host takes the softmax of the y4"
    model = OnnxModel(path)
    assert prove(model.graph, model).images == 7


def test_every_output_that_cannot_be_is_told(tmp_path: Path) -> None:
    around = ("Pad", integers(0, 0, 0, 0, 0, 1, 0, 0))  # a row of zeros, and then a row in two
    flip = ("Slice", integers(-1), integers(-100), integers(2), integers(-1))
    path = saved(tmp_path / "net.onnx", ("Relu",), around, flip, more=("x",))
    with pytest.raises(UnsupportedNetwork) as error:
        import_onnx(path)
    assert str(error.value) == (
        "net: the accelerator cannot run this network\n"
        "  - output y2: step2: it takes rows or columns that are not evenly apart; "
        "take every s-th, from any on\n"
        "  - output x: it is the input itself; there is nothing to accelerate"
    )


def step_copy(step: tuple[Any, ...]) -> tuple[Any, ...]:
    """A step whose attributes ``saved`` may consume."""
    return tuple(dict(item) if isinstance(item, dict) else item for item in step)


def test_old_forms(tmp_path: Path) -> None:
    steps = [("Clip", {"min": 0.0, "max": 6.0}), ("ReduceMean", {"axes": [2, 3], "keepdims": 1})]
    graph = assert_same(saved(tmp_path / "old.onnx", *steps, opset=9))
    assert [node.kind for node in graph] == [OpKind.INPUT, OpKind.CLIP, OpKind.AVGPOOL]


def test_names_and_single_subsample(tmp_path: Path) -> None:
    graph = import_onnx(saved(tmp_path / "net.onnx", *CHAINS["parameter-free shortcut"]))
    assert graph.name == "net"
    assert [(node.name, node.kind, node.stride, node.channel_pad) for node in graph] == [
        ("x", OpKind.INPUT, (1, 1), (0, 0)),
        ("step1", OpKind.SUBSAMPLE, (2, 2), (4, 5)),
    ]


def test_torch_export(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from randomised import randomised

    from hotnas_hls.models.zoo import build

    model, path = randomised(build("resnet20")), tmp_path / "resnet20.onnx"
    images = torch.randn(2, 3, 32, 32)
    try:
        torch.onnx.export(
            model, (images[:1],), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}}
        )
    except Exception as error:  # this exporter is on its way out of torch
        pytest.skip(f"torch.onnx.export: {error}")
    graph = import_onnx(path)
    assert "layer1.layer1.0.conv1.Conv" in graph
    actual = run(graph, images.numpy())[graph.host.logits].reshape(2, -1)
    np.testing.assert_allclose(actual, model(images).detach().numpy(), rtol=1e-4, atol=1e-4)


# --- messages -----------------------------------------------------------------------------------------------


def test_everything_unsupported_is_listed_at_once(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "net.onnx",
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}),
        ("ThresholdedRelu",),
        ("Conv", weights(8, 3, 3, 3)),
        ("Softmax", {"axis": 1}),
        ("AveragePool", {"kernel_shape": [4, 4], "strides": [4, 4], "ceil_mode": 1}),
        ("Clip", np.array(-1, np.float32), np.array(np.nan, np.float32)),
        ("Softmax",),
        ("Exp",),
    )
    with pytest.raises(UnsupportedNetwork) as caught:
        import_onnx(path)
    assert str(caught.value).split("\n") == [
        "net: the accelerator cannot run this network",
        "  - step0: MaxPool: dilation 2x2; use dilation 1",
        "  - step1: ThresholdedRelu: not an operator of the accelerator; "
        "use another activation and fine-tune",
        "  - step4: AveragePool: it reads the softmax of a map, which the host computes; "
        "use softmax at the end of the network only",
        "  - step5: Clip: a bound is not a number; give numbers as bounds",
        "  - step7: Exp: not an operator of the accelerator; use another activation and fine-tune",
    ]


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([("Relu",), ("Add", weights(3, 12, 12))], "step1: Add: its constants differ from value to value "
         "of a channel; give one value for every channel"),
        ([("Relu",), ("Add", weights(3, 3, 1, 1))], "step1: Add: its constant is 3x3x1x1, the tensor "
         "3x12x12; give one value for every channel"),
        ([("Celu", {"alpha": 0.0})], "step0: Celu: its values are not finite; give finite parameters"),
        ([("LeakyRelu", {"alpha": float("nan")})], "step0: LeakyRelu: its values are not finite; "
         "give finite parameters"),
        ([("ReduceMean", integers(3)), ("Mul", "x")], "step1: Mul: its inputs are 3x12x1 and 3x12x12; "
         "take maps of the same shape, or one value for every channel"),
        ([("GlobalAveragePool",), ("Expand", integers(2, 1, 3, 12, 12))],
         "step1: Expand: it adds axes to a tensor of rank 4; reshape before it"),
        ([("Concat", "x", {"axis": 2})],
         "output: step0: it holds the input itself; return what is computed only"),
        ([("AveragePool", {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]})], "step0: AveragePool: it averages "
         "windows that miss more than a row or column; count the padding, or use less"),
        ([("Reshape", integers(1, -1))], "step0: Reshape: it reshapes to 1x864, mixing images; "
         "keep the first axis for the images"),
        ([("Reshape", integers(0, 3, 144))],
         "output: it is the input itself; there is nothing to accelerate"),
        ([("Reshape", integers(0, 3, 144)), ("Unsqueeze", integers(1)), ("Conv", weights(4, 1, 3, 3))],
         "step2: Conv: it reads a tensor whose axes are not channels, rows and columns of a map; "
         "transpose it back"),
        ([("ReduceMean", integers(1, 2))], "step0: ReduceMean: mean over axes [1, 2]; "
         "average over rows and columns: axes 2 and 3"),
        ([("Relu",), ("Slice", integers(-1), integers(-100), integers(2), integers(-1)),
          ("MaxPool", {"kernel_shape": [2, 2]})], "step2: MaxPool: it takes rows or columns that are not "
         "evenly apart; take every s-th, from any on"),
        ([("Slice", integers(0), integers(1), integers(0)), ("Relu",)], "step0: Slice: it takes some of the "
         "images; keep the first axis for the images"),
        ([("Pad", integers(0, 0, 1, 1, 0, 0, 1, 1), {"mode": "edge"})], "step0: Pad: padding is edge 0; "
         "pad with zeros"),
        ([("MatMul", weights(12, 4))], "step0: MatMul: it reads a tensor whose axes are not channels, rows "
         "and columns of a map; transpose it back"),
        ([("Identity",)], "output: it is the input itself; there is nothing to accelerate"),
        ([("Mul", weights(3, 1, 1), np.float32([2.0]), {"chained": False})],
         "output: y0 does not depend on the input; export the whole network, and only what it computes"),
    ],
)  # fmt: skip
def test_one_violation(tmp_path: Path, steps: list[tuple[Any, ...]], line: str) -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        import_onnx(saved(tmp_path / "net.onnx", *(step_copy(step) for step in steps)))
    assert str(caught.value) == f"net: the accelerator cannot run this network\n  - {line}"


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([("Conv", weights(4, 4, 3, 3))],
         "step0: Conv: its weights are for 4 channels, the map has 3; give weights that fit the map"),
        ([("Conv", weights(4, 3, 3, 3), weights(5))],
         "step0: Conv: its bias is 5, there are 4 channels; give one value for every channel"),
        ([("Conv", weights(4, 3, 3, 3), {"kernel_shape": [2, 2]})],
         "step0: Conv: kernel_shape is 2x2, its weights have 3x3; give the shape of the weights"),
        ([("Conv", weights(4, 3, 13, 13))],
         "step0: Conv: its output would be 4x0x0; use a larger input or less stride"),
        ([("BatchNormalization", *norm(3)[:3], -np.ones(3, np.float32))],
         "step0: BatchNormalization: its smallest running variance is -1, with epsilon 1e-05; "
         "train it again: variances are more than 0"),
        ([("Conv", weights(4, 3, 3, 3) * np.float32("inf"))],
         "step0: Conv: 108 of 108 values of its weight are not finite, the first is [0, 0, 0, 0]; "
         "load other weights, or train it again"),
        ([("Flatten",), ("Gemm", weights(432, 4), weights(2, 4))],
         "step1: Gemm: its bias is 2x4, for 4 outputs; give one value for each"),
        ([("Flatten",), ("Gemm", weights(432, 4), weights(2, 1))],
         "step1: Gemm: its bias is 2x1, for 4 outputs; give one value for each"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(tmp_path: Path, steps: list[tuple[Any, ...]], line: str) -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        import_onnx(saved(tmp_path / "net.onnx", *(step_copy(step) for step in steps), shape=(2, 3, 12, 12)))
    assert str(caught.value) == f"net: the accelerator cannot run this network\n  - {line}"


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([("Conv", weights(4, 3, 3, 3), {"strides": [0, 0]})],
         "step0: Conv: Attribute strides must only contain positive values"),
        ([("Conv", weights(4, 3, 3, 3), {"pads": [-1, 0, 0, 0]})],
         "step0: Conv: Attribute pads must not contain negative values"),
        ([("BatchNormalization", weights(2), *norm(3)[1:])],
         "step0: BatchNormalization: Dimension mismatch in unification between 2 and 3"),
        ([("MaxPool", {"kernel_shape": [2, 2], "strides": [0, 1]})],
         "step0: MaxPool: Attribute strides must only contain positive values"),
        ([("Flatten",), ("Gemm", weights(431, 4))],
         "step1: Gemm: Dimension mismatch in unification between 431 and 432"),
        ([("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("Concat", "x", {"axis": 1})],
         "step1: Concat: Can't merge shape info. Both inferred and declared dimension have values but they "
         "differ. Inferred=12 Declared=6 Dimension=2"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_each_other(tmp_path: Path, steps: list[tuple[Any, ...]], line: str) -> None:
    path = saved(tmp_path / "net.onnx", *(step_copy(step) for step in steps))
    with pytest.raises(ConfigError) as caught:
        import_onnx(path)
    assert str(caught.value) == (
        f"{path}: its shapes do not fit each other; correct the model or export it again\n  - {line}"
    )


def test_open_sizes_need_an_input_shape(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.onnx", ("GlobalAveragePool",), shape=("N", 3, "H", "W"))
    cure = "give its sizes as well, e.g. --input 3x224x224 or input=(3, 224, 224)"
    with pytest.raises(ConfigError) as caught:
        import_onnx(path)
    assert str(caught.value) == f"{path}: input x is ?x3x?x?; {cure}"
    assert import_onnx(path, (3, 14, 15))["step0"].kernel == (14, 15)
    with pytest.raises(ConfigError) as caught:
        import_onnx(path, (1, 20, 24))
    assert str(caught.value) == f"{path}: input x is ?x3x?x?, not ?x1x20x24; leave the input shape out"


def test_wrong_inputs(tmp_path: Path) -> None:
    path = saved(tmp_path / "volume.onnx", ("Relu",), shape=("N", 3, 4, 4, 4))
    with pytest.raises(ConfigError) as caught:
        import_onnx(path)
    assert str(caught.value) == (
        f"{path}: input x is ?x3x4x4x4; expected images x channels x rows x columns, "
        "images x channels x columns, or images x features"
    )
    path = saved(tmp_path / "many.onnx", ("Relu",), shape=(65, 3, 4, 4))
    with pytest.raises(ConfigError) as caught:
        import_onnx(path)
    assert str(caught.value) == (
        f"{path}: input x is 65x3x4x4; leave the number of images open, or make it at most 64"
    )
    path = saved(tmp_path / "wide.onnx", ("Relu",), shape=(1, 3, 4, 65001))
    with pytest.raises(ConfigError) as caught:
        import_onnx(path)
    assert str(caught.value) == (
        f"{path}: input x: its output would be 3x4x65001; use at most 65,000 a side and 268,435,456 values"
    )
    one, other, total = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("a", "b", "sum")
    )
    node = helper.make_node("Add", ["a", "b"], ["sum"])
    path = tmp_path / "two.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [one, other], [total])), path)
    with pytest.raises(ConfigError) as caught:
        import_onnx(path)
    assert str(caught.value) == f"{path}: one image input expected, found a, b; export it with one"


def test_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("hello")
    with pytest.raises(ConfigError, match=r"text.onnx: not a valid ONNX model \(.*\); export it again"):
        import_onnx(path)
    with pytest.raises(ConfigError) as caught:
        import_onnx(tmp_path / "none.onnx")
    assert str(caught.value) == f"{tmp_path / 'none.onnx'}: no such file; name an ONNX model"


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_import, "onnx", None)
    with pytest.raises(ToolNotFound) as caught:
        import_onnx("net.onnx")
    assert str(caught.value) == (
        "net.onnx: reading it needs the packages onnx and onnxruntime; run: pip install 'hotnas-hls[onnx]'"
    )
