"""ONNX file to network graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls.errors import ConfigError, ToolNotFound
from hotnas_hls.frontends.draft import NO_PADDING, Draft, Padding, Pair, Refused, Value, cure_for
from hotnas_hls.network.graph import Graph, Shape

try:
    import onnx
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator
except ImportError:  # an optional extra
    onnx = None  # type: ignore[assignment]

FREE_BATCH = 2  # for a batch size that the file leaves open; not 1, to notice operators that mix images


def import_onnx(path: str | Path, input_shape: Shape | None = None) -> Graph:
    """The graph of an ONNX model with one image input and one output.

    ``input_shape`` (channels, rows, columns) is needed where the file leaves it open. Node names are the
    file's, with a dot for whatever is not a letter, digit or underscore. Raises ToolNotFound without the
    ``onnx`` package, ConfigError for a file that is not a model, UnsupportedNetwork listing everything that
    the accelerator does not have.
    """
    path = Path(path)
    if onnx is None:
        raise ToolNotFound(f"{path}: reading it needs the package onnx; run: pip install 'hotnas-hls[onnx]'")
    return _Reader(_loaded(path), path, input_shape).graph()


def _loaded(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name an ONNX model")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf, checker and external-data errors have no common parent
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"{path}: not a valid ONNX model ({reason}); export it again") from error
    return model


class _Reader:
    """One pass over the nodes: constants are evaluated, the rest goes into a draft."""

    def __init__(self, model: Any, path: Path, input_shape: Shape | None) -> None:
        self.path = path
        self.draft = Draft(path.stem)
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.values: dict[str, Value | None] = {"": None}  # None: behind an operator that was refused
        self.tensor_of: dict[str, str] = {}  # graph node -> the tensor it was made for
        image = self._image(model)
        self.batch, shape = self._input_shape(image, input_shape)
        self.values[image.name] = self.draft.input(shape, _dotted(image.name))
        self.model = onnx.shape_inference.infer_shapes(model)
        used = [name for node in model.graph.node for name in node.input]
        self.readers = Counter(used + [output.name for output in model.graph.output])

    def graph(self) -> Graph:
        """The finished graph."""
        for node in self.model.graph.node:
            self._read(node)
        outputs = self.model.graph.output
        if len(outputs) != 1:
            names = ", ".join(output.name for output in outputs)
            self.draft.violations.append(f"output: {len(outputs)} of them ({names}); keep the logits only")
        output = self.values.get(outputs[0].name)
        if output is None and not self.draft.violations:
            self.draft.violations.append(
                f"output: {outputs[0].name} does not depend on the input; export the whole network"
            )
        return self.draft.finish(output or next(iter(filter(None, self.values.values()))))

    def _image(self, model: Any) -> Any:
        inputs = [entry for entry in model.graph.input if entry.name not in self.constants]
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs) or "none"
            raise ConfigError(f"{self.path}: one image input expected, found {names}; export it with one")
        return inputs[0]

    def _input_shape(self, image: Any, wanted: Shape | None) -> tuple[int, Shape]:
        """Batch size and (channels, rows, columns); ``wanted`` fills in what the file leaves open."""
        sizes = image.type.tensor_type.shape.dim
        known = [size.dim_value for size in sizes]  # 0: left open
        text = "x".join(str(size or "?") for size in known)
        if len(known) != 4:
            raise ConfigError(
                f"{self.path}: input {image.name} is {text}; expected images x channels x rows x columns"
            )
        if wanted is None:
            if not all(known[1:]):
                raise ConfigError(f"{self.path}: input {image.name} is {text}; give the input shape as well")
            wanted = (known[1], known[2], known[3])
        if any(size not in (0, want) for size, want in zip(known[1:], wanted, strict=True)):
            asked = "x".join(map(str, wanted))
            raise ConfigError(
                f"{self.path}: input {image.name} is {text}, not ?x{asked}; leave the input shape out"
            )
        for size, want in zip(sizes[1:], wanted, strict=True):
            size.dim_value = want
        return known[0] or FREE_BATCH, wanted

    def _read(self, node: Any) -> None:
        """Evaluate a node of constants, translate any other; note what is refused."""
        if all(name in self.constants or not name for name in node.input):
            self._evaluate(node)
            return
        where = _dotted(node.name or node.output[0])
        inputs = [self.constants.get(name, self.values.get(name)) for name in node.input]
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        handler = HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        try:
            if handler is None:
                raise Refused(("not an operator of the accelerator", cure_for(node.op_type)))
            if any(self.readers[name] for name in node.output[1:] if name):
                raise Refused(("its second output is used", "use the first output only"))
            behind_refused = any(name and item is None for name, item in zip(node.input, inputs, strict=True))
            result = None if behind_refused else _called(handler, self, node, where, *inputs, **attributes)
        except Refused as refused:
            self.draft.refuse(where, node.op_type, refused)
            result = self._inferred(node.output[0])
        if isinstance(result, np.ndarray):
            self.constants[node.output[0]] = result
        else:
            self.values[node.output[0]] = result
            if result is not None:
                self.tensor_of.setdefault(result.name, node.output[0])

    def _evaluate(self, node: Any) -> None:
        """A node that computes constants from constants."""
        helper = onnx.helper
        unknown = onnx.TypeProto()
        inputs = [helper.make_value_info(name, unknown) for name in dict.fromkeys(node.input) if name]
        outputs = [helper.make_value_info(name, unknown) for name in node.output if name]
        model = helper.make_model(
            helper.make_graph([node], "constant", inputs, outputs),
            opset_imports=self.model.opset_import,
        )
        feeds = {name: self.constants[name] for name in node.input if name}
        try:
            results: Any = ReferenceEvaluator(model).run(None, feeds)
        except Exception as error:  # whatever an operator's own code raises
            problem = ("its constant inputs could not be evaluated", f"simplify the model ({error})")
            self.draft.refuse(_dotted(node.name or node.output[0]), node.op_type, Refused(problem))
            return
        self.constants.update(zip((name for name in node.output if name), results, strict=True))

    def _inferred(self, name: str) -> Value | None:
        """What follows a refused operator, where ONNX itself can tell its shape."""
        known = [*self.model.graph.value_info, *self.model.graph.output]
        sizes = next(
            (
                [size.dim_value for size in entry.type.tensor_type.shape.dim]
                for entry in known
                if entry.name == name
            ),
            [],
        )
        if len(sizes) not in (2, 4) or not all(sizes[1:]):
            return None
        channels, rows, columns = (*sizes[1:], 1, 1)[:3]
        return Value(self.draft.name, (channels, rows, columns), len(sizes))


# --- operators: (reader, node, where, *inputs, **attributes) -> Value, or an array for a constant -----------


def _called(handler: Callable[..., Any], *inputs: Any, **attributes: Any) -> Any:
    """The handler's result; Refused for attributes that it does not know."""
    try:
        signature(handler).bind(*inputs, **attributes)
    except TypeError as error:
        raise Refused(
            (f"its form is not known ({error})", "export again with an opset from 13 to 22")
        ) from error
    return handler(*inputs, **attributes)


def _dotted(name: str) -> str:
    """A name of letters, digits, underscores and dots, from "/layer1/conv/Conv"."""
    return re.sub(r"[^A-Za-z0-9_]+", ".", name).strip(".") or "node"


def _constant(item: Value | np.ndarray | None, role: str) -> np.ndarray:
    if not isinstance(item, np.ndarray):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return item


def _value(item: Value | np.ndarray, role: str) -> Value:
    if not isinstance(item, Value):
        raise Refused((f"its {role} is a constant", "use it on computed maps"))
    return item


def _map(value: Value) -> Value:
    if value.rank != 4:
        raise Refused((f"it reads a tensor of rank {value.rank}", "use it on maps"))
    return value


def _pair(sizes: Any) -> Pair:
    if len(sizes) != 2:
        raise Refused((f"{len(sizes)} spatial axes", "use two-dimensional operators"))
    return int(sizes[0]), int(sizes[1])


def _around(source: Value, kernel: Pair, stride: Pair, pads: Any, auto_pad: bytes, dilation: Pair) -> Padding:
    """(top, left, bottom, right) from ``pads`` or ``auto_pad``."""
    if auto_pad in (b"NOTSET", b"VALID"):
        top, left, bottom, right = pads if auto_pad == b"NOTSET" else NO_PADDING
        return int(top), int(left), int(bottom), int(right)
    before, after = [], []
    for side, window, step, gap in zip(source.shape[1:], kernel, stride, dilation, strict=True):
        total = max(0, (-(-side // step) - 1) * step + (window - 1) * gap + 1 - side)
        small, large = total // 2, total - total // 2
        before.append(large if auto_pad == b"SAME_LOWER" else small)
        after.append(small if auto_pad == b"SAME_LOWER" else large)
    return before[0], before[1], after[0], after[1]


def _conv(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    weight: Any,
    bias: Any = None,
    *,
    kernel_shape: Any = None,
    strides: Any = (1, 1),
    pads: Any = NO_PADDING,
    dilations: Any = (1, 1),
    group: int = 1,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    weight = _constant(weight, "weight")
    kernel, stride, dilation = _pair(weight.shape[2:]), _pair(strides), _pair(dilations)
    around = _around(_map(source), kernel, stride, pads, auto_pad, dilation)
    bias = None if bias is None else _constant(bias, "bias")
    return reader.draft.conv(where, source, weight, bias, stride, around, dilation, group)


def _gemm(
    reader: _Reader,
    node: Any,
    where: str,
    source: Any,
    weight: Any,
    bias: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    if transA:
        raise Refused(("transA=1", "leave it out"))
    weight = _constant(weight, "weight") * np.float32(alpha)
    weight = weight if transB else weight.T
    if bias is not None:
        bias = np.broadcast_to(_constant(bias, "bias") * np.float32(beta), (1, len(weight)))[0]
    return reader.draft.linear(where, _value(source, "first input"), weight, bias)


def _matmul(reader: _Reader, node: Any, where: str, source: Any, weight: Any) -> Value:
    weight = _constant(weight, "second input")
    if weight.ndim != 2:
        raise Refused((f"its constant has rank {weight.ndim}", "multiply a vector by a matrix"))
    return reader.draft.linear(where, _value(source, "first input"), weight.T, None)


def _batch_normalization(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    *parameters: Any,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> Value:
    if training_mode:
        raise Refused(("it uses the statistics of the batch", "export the network in inference mode"))
    weight, bias, mean, var = (_constant(item, "parameter") for item in parameters)
    return reader.draft.batchnorm(where, source, mean, var, weight, bias, epsilon)


def _relu(reader: _Reader, node: Any, where: str, source: Value) -> Value:
    return reader.draft.clip(where, source, 0, None)


def _clip(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    low: Any = None,
    high: Any = None,
    *,
    min: float | None = None,
    max: float | None = None,
) -> Value:
    low = min if low is None else float(_constant(low, "lower bound"))
    high = max if high is None else float(_constant(high, "upper bound"))
    widest = float(np.finfo(np.float32).max)
    return reader.draft.clip(where, source, low, None if high is not None and high >= widest else high)


def _max_pool(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    *,
    kernel_shape: Any,
    strides: Any = (1, 1),
    pads: Any = NO_PADDING,
    dilations: Any = (1, 1),
    ceil_mode: int = 0,
    auto_pad: bytes = b"NOTSET",
    storage_order: int = 0,
) -> Value:
    kernel, stride, dilation = _pair(kernel_shape), _pair(strides), _pair(dilations)
    around = _around(_map(source), kernel, stride, pads, auto_pad, dilation)
    return reader.draft.maxpool(where, source, kernel, stride, around, dilation, bool(ceil_mode))


def _average_pool(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    *,
    kernel_shape: Any,
    strides: Any = (1, 1),
    pads: Any = NO_PADDING,
    dilations: Any = (1, 1),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    auto_pad: bytes = b"NOTSET",
) -> Value:
    kernel, stride = _pair(kernel_shape), _pair(strides)
    if _pair(dilations) != (1, 1):
        raise Refused((f"dilation {'x'.join(map(str, dilations))}", "use dilation 1"))
    around = _around(_map(source), kernel, stride, pads, auto_pad, (1, 1))
    return reader.draft.avgpool(
        where,
        source,
        kernel,
        stride,
        around,
        ceil_mode=bool(ceil_mode),
        count_include_pad=bool(count_include_pad) or around == NO_PADDING,
    )


def _global_average_pool(reader: _Reader, node: Any, where: str, source: Value) -> Value:
    return reader.draft.adaptive_avgpool(where, _map(source), (1, 1))


def _reduce_mean(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    axes_input: Any = None,
    *,
    axes: Any = None,
    keepdims: int = 1,
    noop_with_empty_axes: int = 0,
) -> Value:
    axes = axes if axes_input is None else _constant(axes_input, "axes").tolist()
    axes = sorted(axis % source.rank for axis in axes or ())
    if source.rank != 4 or axes != [2, 3]:
        raise Refused((f"mean over axes {axes}", "average over rows and columns: axes 2 and 3"))
    whole = source.shape[1:]
    return reader.draft.avgpool(where, source, whole, whole, rank=4 if keepdims else 2)


def _add(reader: _Reader, node: Any, where: str, one: Any, other: Any) -> Value:
    if isinstance(one, Value) and isinstance(other, Value):
        return reader.draft.add(where, one, other)
    value, constant = (one, other) if isinstance(one, Value) else (other, one)
    name = node.input[0] if isinstance(one, Value) else node.input[1]
    if reader.readers[name] > 1 or reader.tensor_of.get(value.name, name) != name:
        raise Refused(
            ("it adds a constant to a map that is read elsewhere too", "use the bias of the layer before")
        )
    return reader.draft.add_bias(value, constant)


def _concat(reader: _Reader, node: Any, where: str, *sources: Any, axis: int) -> Value:
    values = [_value(source, "part") for source in sources]
    if axis % values[0].rank != 1:
        raise Refused((f"it joins along axis {axis}", "concatenate channels: axis 1"))
    return reader.draft.concat(where, values)


def _flatten(reader: _Reader, node: Any, where: str, source: Value, *, axis: int = 1) -> Value:
    if axis % source.rank != 1:
        raise Refused((f"axis {axis}", "flatten from axis 1"))
    return reader.draft.flatten(where, source)


def _reshape(
    reader: _Reader, node: Any, where: str, source: Value, target: Any, *, allowzero: int = 0
) -> Value:
    sizes = [int(size) for size in _constant(target, "target shape")]
    own = [reader.batch, *source.shape][: source.rank]
    sizes = [own[axis] if size == 0 and axis < len(own) else size for axis, size in enumerate(sizes)]
    count, total = int(np.prod(source.shape)), reader.batch * int(np.prod(source.shape))
    rest = int(np.prod([size for size in sizes if size != -1]))
    sizes = [total // rest if size == -1 and rest else size for size in sizes]
    if sizes[0] != reader.batch or int(np.prod(sizes[1:])) != count:
        raise Refused(
            (
                f"it reshapes to {'x'.join(map(str, sizes))}, mixing images",
                "keep the first axis for the images",
            )
        )
    if len(sizes) == 2:
        return reader.draft.flatten(where, source)
    if tuple(sizes[1:]) == source.shape:
        return Value(source.name, source.shape, 4, source.padding)
    raise Refused(
        (f"it reshapes a map to {'x'.join(map(str, sizes[1:]))}", "only flattening to a vector exists")
    )


def _squeeze(
    reader: _Reader, node: Any, where: str, source: Value, axes_input: Any = None, *, axes: Any = None
) -> Value:
    axes = axes if axes_input is None else _constant(axes_input, "axes").tolist()
    if sorted(axis % source.rank for axis in axes or ()) != [2, 3] or source.shape[1:] != (1, 1):
        raise Refused((f"it drops axes {list(axes or ())}", "drop axes 2 and 3 of a 1x1 map"))
    return reader.draft.flatten(where, source)


def _shape(
    reader: _Reader, node: Any, where: str, source: Value, *, start: int = 0, end: int | None = None
) -> np.ndarray:
    return np.array([reader.batch, *source.shape][: source.rank][start:end], dtype=np.int64)


def _dropout(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    ratio: Any = None,
    training: Any = None,
    **_: Any,
) -> Value:
    if training is not None and bool(_constant(training, "mode")):
        raise Refused(("it drops values in inference too", "export the network in inference mode"))
    return source


def _identity(reader: _Reader, node: Any, where: str, source: Value) -> Value:
    return source


def _cast(reader: _Reader, node: Any, where: str, source: Value, *, to: int, **_: Any) -> Value:
    if to not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        raise Refused((f"to {onnx.TensorProto.DataType.Name(to)}", "keep float32; quantisation comes later"))
    return source


def _pad(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    pads_input: Any = None,
    fill: Any = None,
    axes: Any = None,
    *,
    mode: bytes = b"constant",
    pads: Any = None,
    value: float = 0.0,
) -> Value:
    amounts = [int(a) for a in (pads if pads_input is None else _constant(pads_input, "size"))]
    value = value if fill is None else float(_constant(fill, "fill"))
    if mode != b"constant" or value != 0:
        raise Refused((f"padding is {mode.decode()} {value:g}", "pad with zeros"))
    if axes is not None:
        chosen = [int(axis) % source.rank for axis in _constant(axes, "axes")]
        full = [0] * (2 * source.rank)
        for position, axis in enumerate(chosen):
            full[axis], full[axis + source.rank] = amounts[position], amounts[position + len(chosen)]
        amounts = full
    if source.rank != 4 or min(amounts) < 0 or amounts[0] or amounts[4]:
        raise Refused(("it does not only add rows, columns or channels", "pad maps with zeros outwards"))
    _, before, top, left, _, after, bottom, right = amounts
    if before or after:
        source = reader.draft.subsample(where, source, (1, 1), before, after)
    return reader.draft.pad(source, (top, left, bottom, right)) if top + left + bottom + right else source


def _slice(
    reader: _Reader,
    node: Any,
    where: str,
    source: Value,
    starts: Any = None,
    ends: Any = None,
    axes: Any = None,
    steps: Any = None,
    **_: Any,
) -> Value:
    if starts is None:
        raise Refused(("an operator of opset 9 or older", "export the network again with a newer opset"))
    first, last = (_constant(item, "range").tolist() for item in (starts, ends))
    axis_list = list(range(len(first))) if axes is None else _constant(axes, "axes").tolist()
    step_list = [1] * len(first) if steps is None else _constant(steps, "step").tolist()
    sizes = [reader.batch, *source.shape]
    stride = [1, 1, 1, 1]
    for axis, start, end, step in zip(axis_list, first, last, step_list, strict=True):
        axis %= source.rank
        if start != 0 or end < sizes[axis] or step < 1 or (step > 1 and axis < 2) or source.rank != 4:
            raise Refused(
                ("it takes a part of a map", "only every s-th row and column exists; split by convolutions")
            )
        stride[axis] = step
    rows, columns = stride[2:]
    return source if rows == columns == 1 else reader.draft.subsample(where, source, (rows, columns), 0, 0)


HANDLERS: dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_normalization,
    "Relu": _relu,
    "Clip": _clip,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "ReduceMean": _reduce_mean,
    "Add": _add,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Shape": _shape,
    "Dropout": _dropout,
    "Identity": _identity,
    "Cast": _cast,
    "Pad": _pad,
    "Slice": _slice,
}
