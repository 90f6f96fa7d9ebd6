"""ONNX files that were quantised elsewhere are read as the network without the rounding of its maps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from onnx_files import exported, saved
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from small_designs import ACCEL
from torch import nn

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference_batch import logits
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.explore.arrangement import PLAIN
from hotnas_hls.explore.fastest_design import design_point, with_own_integers
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.data import digits
from hotnas_hls.models.train import pretrained
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.own_integers import own_integers
from hotnas_hls.network.quantise import quantise_image


class Images(CalibrationDataReader):
    """Some of the digits, as onnxruntime's quantiser asks for them."""

    def __init__(self) -> None:
        self.parts: Iterator[np.ndarray] = iter(np.split(digits().train.images[:128], 4))

    def get_next(self) -> dict[str, np.ndarray] | None:
        part = next(self.parts, None)
        return None if part is None else {"x": part}


def quantised(plain: Path, folder: Path, **how: Any) -> Path:
    """A network of digits as onnxruntime quantises it."""
    path = folder / "quantised.onnx"
    quantize_static(plain, path, Images(), quant_format=QuantFormat.QDQ, **how)
    return path


def to_powers_of_two(path: Path) -> Path:
    """The same file with every scale raised to a power of two; weights and biases are rounded to these."""
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    by_output = {node.output[0]: node for node in model.graph.node}

    def values(name: str) -> np.ndarray:
        return numpy_helper.to_array(constants[name])

    def replace(name: str, array: np.ndarray) -> None:
        constants[name].CopyFrom(numpy_helper.from_array(array.astype(values(name).dtype), name))

    def requantised(node: onnx.NodeProto, scale: np.ndarray) -> None:
        """A constant in steps of another scale."""
        integers, before = values(node.input[0]), values(node.input[1])
        sizes = (-1, *[1] * (integers.ndim - 1)) if before.size > 1 else ()
        limits = np.iinfo(integers.dtype)
        steps = np.rint(integers * before.reshape(sizes).astype(np.float64) / scale.reshape(sizes))
        replace(node.input[0], steps.clip(limits.min, limits.max))
        replace(node.input[1], scale)

    def raised(name: str) -> np.ndarray:
        return 2.0 ** np.ceil(np.log2(values(name)))

    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            replace(node.input[1], raised(node.input[1]))
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            source, weight, bias = (by_output[name] for name in node.input)
            requantised(weight, raised(weight.input[1]))
            requantised(bias, values(source.input[1]) * values(weight.input[1]))
    onnx.save(model, path)
    return path


SIGNED = {
    "activation_type": QuantType.QInt8,
    "weight_type": QuantType.QInt8,
    "extra_options": {"ActivationSymmetric": True},
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network of digits as a file."""
    return exported(pretrained("digits_resnet"), tmp_path_factory.mktemp("plain") / "plain.onnx")


@pytest.mark.parametrize(
    ("how", "act_bits", "weight_bits"),
    [
        (SIGNED, 8, 8),
        (SIGNED | {"per_channel": True}, 8, 16),
        ({"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}, 16, 8),
    ],
    ids=["signed", "by channel", "zero points"],
)
def test_integers_at_powers_of_two_are_kept(
    how: dict[str, Any], act_bits: int, weight_bits: int, plain: Path, tmp_path: Path
) -> None:
    """Each map made of onnxruntime's own is its, but for halves; the classes are onnxruntime's."""
    path = to_powers_of_two(quantised(plain, tmp_path, **how))
    loaded = load_model(str(path))
    assert re.fullmatch(
        r"import proven: .*\nquantised elsewhere, runs with its own integers: "
        rf"maps of {act_bits} bits, weights of {weight_bits}; on 8 images each of 15 maps, made of "
        r"onnxruntime's, is within one step of its: [12]\.\d\d% of the values differ, all halves; "
        r"the result differs by up to [1-4] steps",
        str(loaded.proof),
    )
    own = own_integers(loaded.graph, [])
    images, labels = digits().test.images, digits().test.labels
    found = logits(own.net, quantise_image(own.net, images))
    wanted = by_definition(path, images) * 2.0 ** own.net.feature_maps[own.net.logits].frac_bits
    assert np.abs(found - wanted).max() <= 4
    assert (found.argmax(1) == labels).mean() == pytest.approx((wanted.argmax(1) == labels).mean(), abs=0.006)
    assert not any(node.grid for node in loaded.trainable().graph)


def by_definition(path: Path, images: np.ndarray) -> np.ndarray:
    """onnxruntime's result, operator by operator: its fused int8 sums overflow on processors without VNNI."""
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    result: np.ndarray = InferenceSession(path, options).run(None, {"x": images})[0]
    return result


def small(path: Path, **changed: Any) -> Path:
    """A network with a residual whose maps and weights are integers at powers of two."""
    of: dict[str, Any] = {"first": 2**-4, "second": 2**-3, "bias": 0.0, "end": True} | changed
    kernels = np.random.default_rng(0).integers(-60, 60, size=(2, 3, 3, 3, 3)).astype(np.int8)
    pair = [(name, np.float32(of["second"]), np.int8(0)) for name in ("QuantizeLinear", "DequantizeLinear")]
    return saved(
        path,
        ("QuantizeLinear", np.float32(of["first"]), np.int8(0)),
        ("DequantizeLinear", np.float32(of["first"]), np.int8(0)),
        ("DequantizeLinear", kernels[0], np.float32(2**-7), np.int8(0), {"chained": False}),
        (
            "Conv",
            "y1",
            "y2",
            np.float32([0.25, 0.5, 1]) + np.float32(of["bias"]),
            {"chained": False, "pads": [1] * 4},
        ),
        ("QuantizeLinear", np.float32(2**-2), np.uint8(0)),
        ("DequantizeLinear", np.float32(2**-2), np.uint8(0)),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("DequantizeLinear", kernels[1], np.float32(2**-7), np.int8(0), {"chained": False}),
        ("Conv", "y6", "y7", np.float32(of["bias"]).repeat(3), {"chained": False, "pads": [1] * 4}),
        *pair,
        ("Add", "y6"),
        *(pair if of["end"] else []),
    )


def note(path: Path) -> str:
    return str(load_model(str(path)).proof).split("\n", 1)[1]


def test_integers_without_halves_are_onnxruntimes(tmp_path: Path) -> None:
    """Biases of a part of a unit leave no sum between two steps; rounded up, some would be off."""
    assert note(small(tmp_path / "a.onnx", bias=0.75 * 2**-11)) == (
        "quantised elsewhere, runs with its own integers: maps of 16 bits, weights of 8; on 8 images all 5 "
        "maps are onnxruntime's, bit for bit"
    )


def test_integers_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    lost = "its own integers cannot be kept: "
    assert note(small(tmp_path / "a.onnx", second=0.2)).endswith(
        f"{lost}y8: its scale 0.2 is no power of two (and 1 more)"
    )
    assert note(small(tmp_path / "b.onnx", end=False)).endswith(f"{lost}step11: nothing rounds this map")
    assert note(small(tmp_path / "c.onnx", first=2**-40)).endswith(
        f"{lost}step3: its bias or its sums are too large at the scales of the file"
    )


def test_a_design_has_the_integers_of_the_file(tmp_path: Path) -> None:
    """As narrow as it is told to be; a narrower one stays without weights, and says why."""
    graph, board = load_model(str(small(tmp_path / "a.onnx"))).graph, load_board("ZCU102")
    own = own_integers(graph, [])
    images = quantise_image(own.net, np.random.default_rng(1).normal(size=(5, 3, 12, 12)))
    for act_bits, weight_bits, wanted in (
        (16, 8, []),
        (8, 8, [f"step{step}: it lies on no grid of 8 bits; give images" for step in (5, 6)]),
        (16, 6, [f"step{step}: its weights take 7 bits, not 6" for step in (3, 8)]),
    ):
        accel = dataclasses.replace(ACCEL, tn=8, act_bits=act_bits, weight_bits=weight_bits)
        point = design_point(accel, layers_of(graph, weight_bits, act_bits), board, 100.0)
        problems: list[str] = []
        found = with_own_integers(point, graph, PLAIN, weight_bits, problems)
        assert problems == wanted
        assert (found.numbers is None) == bool(wanted)
        if not wanted:
            read = DesignPoint.load(found.save(tmp_path / "run")).integer_network()
            assert np.array_equal(logits(read, images), logits(own.net, images))


@pytest.mark.parametrize(
    "how",
    [
        {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8},
        {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True},
        {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    ],
    ids=["signed", "by channel", "unsigned"],
)
def test_what_onnxruntime_quantised_is_read(how: dict[str, Any], plain: Path, tmp_path: Path) -> None:
    """It took the ReLUs out; what is read has them, and classifies as the network that it was made of."""
    net = pretrained("digits_resnet")
    loaded = load_model(str(quantised(plain, tmp_path, **how)))
    graph, test = loaded.graph, digits().test
    assert not any(node.op_type == "Relu" for node in onnx.load(tmp_path / "quantised.onnx").graph.node)
    assert sum(node.kind is OpKind.CLIP and node.bounds[0] == 0 for node in graph) == 7
    found = run(graph, test.images)[graph.host.logits].reshape(len(test.images), -1)
    with torch.no_grad():
        wanted = net(torch.from_numpy(test.images)).numpy()
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
    assert (found.argmax(1) == test.labels).mean() > (wanted.argmax(1) == test.labels).mean() - 0.01
    assert re.fullmatch(
        r"import proven: .*\n"
        r"quantised elsewhere, re-quantised here: 16 pairs of QuantizeLinear and DequantizeLinear are left "
        r"out, formats are chosen anew; without them the result differs by \d\.\d% of the largest value; "
        r"its own integers cannot be kept: x: its scale \d\.\d+ is no power of two \(and 15 more\)",
        str(loaded.proof),
    )


def test_a_clip_that_was_taken_out_has_both_its_ends(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(288, 10)).eval()
    with torch.no_grad():
        net[0].weight.mul_(20)
    graph = load_model(str(quantised(exported(net, tmp_path / "plain.onnx"), tmp_path))).graph
    (clip,) = (node for node in graph if node.kind is OpKind.CLIP)
    assert clip.bounds == pytest.approx((0, 6), abs=0.01)


def test_steps_that_are_not_given_back_are_no_pair(tmp_path: Path) -> None:
    """What a pair of two scales does is no rounding."""
    path = saved(
        tmp_path / "a.onnx",
        ("QuantizeLinear", np.float32(0.5), np.int8(0)),
        ("DequantizeLinear", np.float32(0.25), np.int8(0)),
        ("Conv", np.ones((4, 3, 3, 3), np.float32)),
    )
    with pytest.raises(UnsupportedNetwork, match="step0: QuantizeLinear: not an operator of the accelerator"):
        load_model(str(path))


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    """Integers that another operator reads, and a scale that is computed."""
    path = exported(
        nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(288, 10)).eval(), tmp_path / "net.onnx"
    )
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "scale"))
    first = model.graph.node[0].output[0]
    made = [helper.make_node("QuantizeLinear", [first, "scale"], ["q"], name="round")]
    made.append(helper.make_node("Cast", ["q"], ["r"], name="cast", to=1))
    rest = list(model.graph.node)[1:]
    for node in rest:
        node.input[:] = ["r" if name == first else name for name in node.input]
    nodes = [model.graph.node[0], *made, *rest]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    with pytest.raises(UnsupportedNetwork, match="round: QuantizeLinear: not an operator of the accelerator"):
        load_model(str(path))


def qonnx(path: Path, maps: Any, weights: Any, domain: str = "qonnx.custom_op.general") -> Path:
    """A convolution between two roundings of QONNX; maps, weights: operator, constants, attributes."""
    kernel = np.random.default_rng(1).normal(size=(3, 3, 3, 3)).astype(np.float32)
    operator, constants, attributes = weights
    last, numbers, settings = maps
    return saved(
        path,
        ("Quant", *map(np.float32, (2**-4, 0, 8)), {"domain": domain}),
        (operator, kernel, *map(np.float32, constants), {"chained": False, "domain": domain, **attributes}),
        ("Conv", "y0", "y1", {"chained": False, "pads": [1] * 4}),
        (last, *map(np.float32, numbers), {"domain": domain, **settings}),
    )


@pytest.mark.parametrize(
    ("maps", "weights", "widths", "compared"),
    [
        (("Quant", (2**-2, 0, 8), {}), ("Quant", (2**-6, 0, 4), {"narrow": 1}), (8, 8), "within one step"),
        (
            ("IntQuant", (2**-1, 0, 4), {"signed": 0}),
            ("BipolarQuant", (2**-3,), {}),
            (8, 8),
            "within one step",
        ),
        (("Quant", (2**-1, 5, 8), {"signed": 0}), ("Quant", (2**-9, 0, 12), {}), (16, 16), "within one step"),
        (
            ("Quant", (0.25, 0, 8), {"rounding_mode": "FLOOR"}),
            ("Quant", (2**-6, 0, 6), {}),
            (8, 8),
            "bit for bit",
        ),
        (
            ("Quant", (2**-7, 0, 14), {}),
            ("Quant", (2**-6, 0, 6), {"rounding_mode": "CEIL"}),
            (16, 8),
            "within",
        ),
        (("Trunc", (2**-10, 0, 16, 2**-3, 9), {}), ("Quant", (2**-6, 0, 6), {}), (16, 8), "bit for bit"),
    ],
    ids=["narrow", "bipolar weights", "zero point", "floor", "wide", "trunc"],
)
def test_qonnx_runs_with_its_own_integers(
    maps: Any, weights: Any, widths: tuple[int, int], compared: str, tmp_path: Path
) -> None:
    told = note(qonnx(tmp_path / "a.onnx", maps, weights))
    act_bits, weight_bits = widths
    assert told.startswith(
        "quantised elsewhere, runs with its own integers: "
        f"maps of {act_bits} bits, weights of {weight_bits}; on 8 images "
    )
    assert compared in told


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("ROUND", "6 2 2 1 1 -1 -1 -2 -2 -6"),
        ("CEIL", "6 3 2 2 1 -1 -1 -1 -2 -5"),
        ("floor", "5 2 1 1 1 -1 -2 -2 -3 -6"),
        ("UP", "6 3 2 2 1 -1 -2 -2 -3 -6"),
        ("DOWN", "5 2 1 1 1 -1 -1 -1 -2 -5"),
        ("HALF_UP", "6 3 2 1 1 -1 -1 -2 -3 -6"),
        ("HALF_DOWN", "5 2 2 1 1 -1 -1 -2 -2 -5"),
    ],
)
def test_weights_are_rounded_as_qonnx_defines_it(mode: str, wanted: str, tmp_path: Path) -> None:
    """The table of its rounding modes, at a scale and a zero point."""
    how = {"rounding_mode": mode, "domain": "onnx.brevitas"}
    values = np.float32([5.5, 2.5, 1.6, 1.1, 1.0, -1.0, -1.1, -1.6, -2.5, -5.5]).reshape(10, 1, 1, 1)
    path = saved(
        tmp_path / "a.onnx",
        ("Quant", values * np.float32(0.3), *map(np.float32, (0.3, 2, 8)), {"chained": False, **how}),
        ("Conv", "x", "y0", {"chained": False}),
        shape=("N", 1, 4, 4),
    )
    (conv,) = (node for node in load_model(str(path)).graph if node.kind is OpKind.CONV)
    found = conv.parameters["weight"].reshape(-1) / 0.3
    assert np.allclose(found, np.array(wanted.split(), float), atol=1e-5), found


def test_qonnx_that_integers_cannot_do_is_refused(tmp_path: Path) -> None:
    cases = {
        "FloatQuant": (("BipolarQuant", (1,), {}), ("FloatQuant", (1, 0, 2), {})),
        "Quant": (("Quant", (1, 0, 8), {"rounding_mode": "CEIL"}), ("Quant", (1, 0.5, 8), {})),
        "Trunc": (("Trunc", (1, 2, 8, 4), {}), ("Quant", (0, 0, 8), {})),
    }
    found = []
    for name, (maps, weights) in cases.items():
        with pytest.raises(UnsupportedNetwork) as caught:
            load_model(str(qonnx(tmp_path / f"{name}.onnx", maps, weights)))
        found += str(caught.value).split("\n")[1:]
    cure = "round maps by ROUND or FLOOR, to 2 bits or more"
    assert found == [
        "  - step1: FloatQuant: its form with 4 inputs is not known; use Quant, BipolarQuant or Trunc",
        f"  - step3: BipolarQuant: it takes the sign of a map; {cure}",
        "  - step1: Quant: its zero point is not one whole number; give one for all values",
        f"  - step3: Quant: it rounds a map by CEIL; {cure}",
        "  - step1: Quant: its scale is not a positive number; give a scale above 0",
        "  - step3: Trunc: its zero point is 2; truncate integers of zero point 0",
    ]
