"""Damaged ONNX files end in a network or in a message of ours: no traceback, no hang.

A few hundred here, ten thousand (ten minutes) with ``--long``.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

import numpy as np
import pytest

from hotnas_hls.errors import HotnasError
from hotnas_hls.frontends.source import load_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx_files import integers, saved, weights  # noqa: E402

SEEDS, LONG_SEEDS = 300, 10_000
LONGEST_S = 20  # of one file, on a machine that is busy
NUMBERS = (-(2**63), -(2**31), -3, -1, 0, 1, 2, 3, 7, 255, 4096, 2**31, 2**40, 2**63 - 1)
FLOATS = (float("nan"), float("inf"), -1e38, -1.0, 0.0, 1e-30, 6.0, 1e38)
QONNX = "qonnx.custom_op.general"
OPERATORS = (
    *("Conv", "Relu", "Add", "Mul", "Sum", "Clip", "MaxPool", "AveragePool", "Reshape", "Transpose", "Pad"),
    *("Concat", "Softmax", "ArgMax", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Shape", "Cast"),
    *("LRN", "Quant", "BipolarQuant", "Trunc"),
    *("ConstantOfShape", "Expand", "Tile", "If", "Loop", "Resize", "Flatten", "Gemm"),
    *("BatchNormalization", "Sub", "Div", "Max", "Min", "Pow", "Sqrt", "ReduceMax", "ReduceSum", "ReduceL2"),
    *("GlobalMaxPool", "LpNormalization", "Abs", "Sigmoid"),
)


def originals(folder: Path) -> list[bytes]:
    """Small sound files of many operators."""
    norm = [weights(8), weights(8), weights(8), np.abs(weights(8)) + 0.5]
    head = [("GlobalAveragePool",), ("Flatten",), ("Gemm", weights(8, 5), weights(5))]
    head.append(("Softmax", {"axis": 1}))
    chains: list[list[tuple[Any, ...]]] = [
        [("Conv", weights(8, 3, 3, 3), {"pads": [1] * 4}), ("BatchNormalization", *norm), ("Relu",), *head],
        [
            ("Mul", np.float32([[[0.5]], [[2]], [[1]]])),
            ("Pad", integers(0, 0, 1, 1, 0, 0, 1, 1)),
            ("Conv", weights(8, 3, 3, 3), {"strides": [2, 2]}),
            ("Clip", np.array(0, np.float32), np.array(6, np.float32)),
            ("Reshape", integers(0, 2, 4, 6, 6)),
            ("Transpose", {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", integers(0, 8, 6, -1)),
            ("Conv", weights(8, 4, 3, 3), {"group": 2}),
            *head,
        ],
        [
            ("Conv", weights(8, 3, 1, 1)),
            ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
            ("Slice", integers(0), integers(4), integers(1)),
            ("Concat", "y1", {"axis": 1}),
            ("ReduceMean", integers(2, 3), {"keepdims": 0}),
            ("MatMul", weights(12, 3)),
            ("Add", weights(3)),
            ("ArgMax", {"axis": 1}),
        ],
        [
            ("QuantizeLinear", np.float32(0.1), np.int8(0)),
            ("DequantizeLinear", np.float32(0.1), np.int8(0)),
            ("Conv", weights(8, 3, 3, 3)),
            ("QuantizeLinear", np.float32(0.02), np.uint8(0)),
            ("DequantizeLinear", np.float32(0.02), np.uint8(0)),
            *head,
        ],
        [  # integers that are kept
            ("QuantizeLinear", np.float32(0.125), np.int8(0)),
            ("DequantizeLinear", np.float32(0.125), np.int8(0)),
            ("DequantizeLinear", np.int8(weights(4, 3, 3, 3) * 40), np.float32(2**-6), {"chained": False}),
            ("Conv", "y1", "y2", {"chained": False, "pads": [1] * 4}),
            ("QuantizeLinear", np.float32(0.25), np.uint8(3)),
            ("DequantizeLinear", np.float32(0.25), np.uint8(3)),
            ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            ("Add", "y6"),
            ("QuantizeLinear", np.float32(0.5), np.uint8(3)),
            ("DequantizeLinear", np.float32(0.5), np.uint8(3)),
        ],
        [
            ("Quant", *numbers(0.125, 0, 8), {"domain": QONNX}),
            ("Quant", weights(4, 3, 3, 3), *numbers(0.25, 0, 4), {"domain": QONNX, "chained": False}),
            ("Conv", "y0", "y1", {"chained": False}),
            ("Trunc", *numbers(2**-6, 0, 16, 0.5, 6), {"domain": QONNX}),
        ],
        [
            ("Shape", {"end": 1}),
            ("Concat", integers(-1), {"axis": 0}),
            ("Reshape", "x", "y1", {"chained": False}),
            ("Gemm", weights(432, 4)),
        ],
        [  # a head of two resolutions
            ("Conv", weights(8, 3, 3, 3)),
            ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            ("Reshape", integers(0, 2, 4, -1)),
            ("Transpose", {"perm": [0, 3, 1, 2]}),
            ("Reshape", integers(0, -1, 4)),
            ("Transpose", "y0", {"chained": False, "perm": [0, 2, 3, 1]}),
            ("Reshape", integers(0, -1, 4)),
            ("Concat", "y4", {"axis": 1}),
            ("Sigmoid",),
            ("Slice", integers(0), integers(3), integers(2)),
            ("Softmax", {"axis": 2}),
        ],
        [
            ("Conv", weights(4, 3, 3, 3)),
            ("Relu",),
            ("GlobalMaxPool",),
            ("Sub", "y1", "y2", {"chained": False}),
            ("Pow", np.float32(2)),
            ("ReduceSum", integers(1)),
            ("Add", np.float32(1)),
            ("Sqrt",),
            ("Div", "y3", "y7", {"chained": False}),
            ("Max", "y1"),
            ("Flatten",),
            ("Gemm", weights(400, 4)),
        ],
    ]
    return [saved(folder / "net.onnx", *chain).read_bytes() for chain in chains]


def numbers(*values: float) -> list[np.ndarray]:
    return [np.array(value, np.float32) for value in values]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes of the model, or of its bytes."""
    if rng.integers(5) == 0:
        changed = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            changed[rng.integers(len(changed))] = rng.integers(256)
        return bytes(changed[: len(changed) - int(rng.integers(4) == 0) * int(rng.integers(len(data)))])
    model = onnx.ModelProto.FromString(data)
    for _ in range(int(rng.integers(1, 4))):
        CHANGES[rng.integers(len(CHANGES))](model, rng)
    return bytes(model.SerializeToString())


def pick(items: Any, rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))] if len(items) else None


def change_attribute(model: Any, rng: np.random.Generator) -> None:
    attribute = pick([entry for node in model.graph.node for entry in node.attribute], rng)
    if attribute is None:
        return
    if len(attribute.ints):
        if rng.integers(4) == 0:
            attribute.ints.append(pick(NUMBERS, rng))
        attribute.ints[int(rng.integers(len(attribute.ints)))] = pick(NUMBERS, rng)
    attribute.i, attribute.f = pick(NUMBERS, rng), pick(FLOATS, rng)
    if rng.integers(6) == 0:
        attribute.name = pick(("axis", "pads", "strides", "group", "auto_pad", "odd"), rng)
    if rng.integers(8) == 0:
        attribute.type = int(rng.integers(0, 14))


def change_inputs(model: Any, rng: np.random.Generator) -> None:
    node = pick(model.graph.node, rng)
    names = [name for other in model.graph.node for name in (*other.input, *other.output)] + ["", "none"]
    if len(node.input) and rng.integers(3):
        node.input[int(rng.integers(len(node.input)))] = pick(names, rng)
    elif rng.integers(2):
        node.input.append(pick(names, rng))
    else:
        del node.input[:1]


def change_operator(model: Any, rng: np.random.Generator) -> None:
    node = pick(model.graph.node, rng)
    node.op_type = pick(OPERATORS, rng)
    if rng.integers(6) == 0:
        node.domain = pick(("ai.onnx.ml", "com.custom", QONNX, "\x1b[31m"), rng)


def change_nodes(model: Any, rng: np.random.Generator) -> None:
    nodes = list(model.graph.node)
    at = int(rng.integers(len(nodes)))
    if rng.integers(2):
        nodes.insert(int(rng.integers(len(nodes))), nodes[at])
    else:
        del nodes[at]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def change_weights(model: Any, rng: np.random.Generator) -> None:
    tensor = pick(model.graph.initializer, rng)
    kind = int(rng.integers(4))
    if kind == 0 and len(tensor.dims):
        tensor.dims[int(rng.integers(len(tensor.dims)))] = pick(NUMBERS, rng)
    elif kind == 1:
        tensor.data_type = int(rng.integers(0, 24))
    elif kind == 2:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
    else:
        wide, drawn_from = (4, FLOATS) if tensor.data_type == onnx.TensorProto.FLOAT else (8, NUMBERS)
        values = bytearray(tensor.raw_data)
        if len(values) >= wide:
            at = wide * int(rng.integers(len(values) // wide))
            drawn = np.array(pick(drawn_from, rng), np.float32 if wide == 4 else np.int64)
            values[at : at + wide] = drawn.tobytes()
            tensor.raw_data = bytes(values)


def change_shape(model: Any, rng: np.random.Generator) -> None:
    entry = pick([*model.graph.input, *model.graph.output, *model.graph.value_info], rng)
    dims = entry.type.tensor_type.shape.dim
    if len(dims) and rng.integers(4):
        pick(dims, rng).dim_value = pick(NUMBERS, rng)
    elif rng.integers(2):
        entry.type.tensor_type.elem_type = int(rng.integers(0, 24))
    else:
        entry.type.tensor_type.ClearField("shape")


def change_model(model: Any, rng: np.random.Generator) -> None:
    kind = int(rng.integers(4))
    if kind == 0:
        model.opset_import[0].version = int(pick((-1, 1, 6, 7, 9, 11, 13, 17, 21, 24, 99), rng))
    elif kind == 1:
        model.ir_version = int(pick((0, 1, 3, 8, 12, 99), rng))
    elif kind == 2:
        model.graph.output[0].name = pick([name for node in model.graph.node for name in node.output], rng)
    else:
        model.graph.input.append(onnx.ValueInfoProto.FromString(model.graph.input[0].SerializeToString()))


CHANGES: tuple[Callable[[Any, np.random.Generator], None], ...] = (
    *(change_attribute, change_attribute, change_inputs, change_operator, change_nodes),
    *(change_weights, change_shape, change_model),
)


@contextmanager
def within(seconds: int, what: str) -> Iterator[None]:
    """Fails where what is inside takes longer."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise AssertionError(f"{what}: took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_damaged_files_are_read_or_refused(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    files, path = originals(tmp_path), tmp_path / "mutated.onnx"
    started, read, refused = perf_counter(), 0, 0
    for seed in range(LONG_SEEDS if pytestconfig.getoption("--long", False) else SEEDS):
        rng = np.random.default_rng(seed)
        path.write_bytes(mutated(files[seed % len(files)], rng))
        with within(LONGEST_S, f"seed {seed}"):
            try:
                load_model(str(path))
                read += 1
            except HotnasError as error:
                refused += 1
                assert str(error).strip() and "Traceback" not in str(error), seed
            except Exception as error:  # what the test is for
                raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    print(f"{read + refused:,} files, {read:,} read, {refused:,} refused, {perf_counter() - started:.0f} s")
    assert read > refused / 50 > 0, (read, refused)
