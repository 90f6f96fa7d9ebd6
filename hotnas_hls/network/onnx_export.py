"""The integers of a design as an ONNX file of quantised maps (QDQ) that onnxruntime computes bit for bit.

Every map is quantised and dequantised at its power of two. A layer whose sums float32 holds is a plain
operator between such maps, as other tools write it. A layer of larger sums is the same operator on digits:
weights, and the halves of 16-bit activations, are cut so small that each partial convolution is exact in
float32; the parts are added and rounded in float64.

We round halves up, QuantizeLinear to even. So half a unit of the sums is added to them: it moves every half
above the middle and nothing else across it. It is no part of a bias: onnxruntime quantises biases to units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.host_work import SOLE, Answer, Output, View
from hotnas_hls.accel.image_layout import OUTSIDE
from hotnas_hls.accel.integers.activation import activated
from hotnas_hls.accel.integers.bounds import accumulator_ranges
from hotnas_hls.accel.integers.reference_batch import FLOAT32_EXACT, run_batch
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.errors import SimulationFailed, ToolNotFound
from hotnas_hls.network.quantise import dequantise, quantise_image

try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError:  # an optional extra
    onnx = None  # type: ignore[assignment]

OPSET, IR = 21, 10  # the first that quantise to 16 bits
IMAGE, ANSWER = "image", "answer"  # of the file
HALF_BITS = 8  # of the lower half of a 16-bit activation
ANSWERS = {
    Answer.SOFTMAX: "Softmax",
    Answer.LOG_SOFTMAX: "LogSoftmax",
    Answer.SIGMOID: "Sigmoid",
    Answer.ARGMAX: "ArgMax",
}


def export_onnx(net: IntegerNetwork) -> bytes:
    """``net`` as an ONNX model, from raw images float32 (B, C, H, W) to ``logits`` and the host's ``answer``.

    Logits are float32 (B, classes), (B, C, H, W) where they are a map, and equal our integers at their scale.
    Several outputs have their own names; the answer to one is called after it, as ``boxes.answer``, and so
    is what the network returns of outputs rearranged and joined.
    Raises ToolNotFound without the ``onnx`` extra.
    """
    if onnx is None:
        raise ToolNotFound(
            "writing an ONNX file needs the packages onnx and onnxruntime; "
            "run: pip install 'hotnas-hls[onnx]'"
        )
    return bytes(_Writer(net).model().SerializeToString())


def proven(point: DesignPoint, count: int) -> bytes:
    """The ONNX model of a design, with which onnxruntime gave our integers on ``count`` images.

    They are the design's golden images, seeded ones where it has fewer, as the host gets them.
    SimulationFailed where one value differs; raises as :func:`export_onnx`.
    """
    net = point.integer_network()
    model = export_onnx(net)
    images = raw_images(net, point.golden_images(count))
    integers = quantise_image(net, net.host.prepared(images))
    maps = run_batch(net, integers, net.host.maps)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for output in net.host.outputs:
        wanted = dequantise(net, output.map, maps[output.map])
        found = np.asarray(session.run([output.name], {IMAGE: images})[0]).reshape(wanted.shape)
        differing = (found != wanted).reshape(len(images), -1).any(axis=1)
        if differing.any():
            raise SimulationFailed(
                f"{net.name}: onnxruntime {onnxruntime.__version__} gives other {output.name} for "
                f"{differing.sum()} of {len(images)} images, the first is {differing.argmax()}, by up to "
                f"{np.abs(found - wanted).max():.3g}; report this with the design: the two should agree"
            )
    return model


def raw_images(net: IntegerNetwork, images: np.ndarray) -> np.ndarray:
    """Images as the host gets them, float32, that give integers (B, C, H, W) of the image map.

    Where the host scales them they give these or, by the rounding of float32, their neighbours.
    """
    real = dequantise(net, net.image, images)
    if net.image_layout is not None:
        index = net.image_layout.index_map()
        laid, inside = real, index != OUTSIDE
        real = np.zeros((len(laid), *net.image_layout.source), np.float32)
        real.reshape(len(laid), -1)[:, index[inside]] = laid[:, inside]
    before = net.host.preparation
    if before is None:
        return real
    scale, offset = (np.array(values)[:, None, None] for values in (before.scale, before.offset))
    given = np.divide(real - offset, scale, out=np.zeros(real.shape), where=scale != 0)
    order = [0, *(1 + before.axes.index(axis) for axis in range(3))]
    return np.ascontiguousarray(given.transpose(order), dtype=np.float32)


class _Writer:
    """The graph while it is written: its nodes, constants, and which tensor holds which channels."""

    def __init__(self, net: IntegerNetwork) -> None:
        self.net, self.sums = net, accumulator_ranges(net)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.written: dict[str, list[tuple[int, int, str]]] = {}  # map -> first, last + 1, tensor
        self.rows: dict[str, list[str]] = {}  # map -> the tensors of its rows in turn
        self.top = 1 << (net.act_bits - 1)
        self.stored = np.int8 if net.act_bits == 8 else np.int16

    def model(self) -> Any:
        """The whole model."""
        net = self.net
        before = net.host.preparation
        raw = net.image_shape if before is None else before.source
        self._keep(net.feature_maps[net.image], self._image())
        for layer in net.layers:
            self._keep_of(layer, self._layer(layer))
        outputs = [tensor for output in net.host.outputs for tensor in self._output(output)]
        outputs += [self._view(view) for view in net.host.views]
        image = helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, ["N", *raw])
        graph = helper.make_graph(self.nodes, net.name, [image], outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="hotnas-hls")

    def _output(self, output: Output) -> Iterator[Any]:
        """An output, and the host's answer."""
        fm = self.net.feature_maps[output.map]
        vector = fm.rows * fm.columns == 1
        shape = [fm.channels] if vector else [fm.channels, fm.rows, fm.columns]
        stored = self._stored(output.map)
        if vector:
            stored = self._op("Reshape", stored, _ints(0, -1))
        self._op("DequantizeLinear", stored, *self._scale(fm), out=output.name)
        yield helper.make_tensor_value_info(output.name, TensorProto.FLOAT, ["N", *shape])
        if output.answer is not None:
            yield self._answer(output.name, output.name, output.answer, shape, axis=0)

    def _view(self, view: View) -> Any:
        """What the network returns of its outputs rearranged and joined."""
        flat, numbers, first = [], {}, 0
        for output in self.net.host.outputs:
            count = self.net.feature_maps[output.map].values
            numbers[output.name] = np.arange(first, first + count)[None]
            first += count
            flat.append(self._op("Flatten", output.name))
        (elements,) = replace(view, answer=None).of(numbers)
        arranged = self._op("Gather", self._op("Concat", *flat, axis=1), elements, axis=1)
        return self._answer(view.name, arranged, view.answer, view.shape, view.axis)

    def _answer(self, name: str, tensor: str, answer: Answer | None, shape: Sequence[int], axis: int) -> Any:
        """What the host makes of a tensor, over an axis of an image's ``shape``; None: the tensor itself."""
        operator = "Identity" if answer is None else ANSWERS[answer]
        settings: dict[str, int] = {} if operator in ("Identity", "Sigmoid") else {"axis": axis + 1}
        out = ANSWER if name == SOLE else f"{name}.{ANSWER}"
        self._op(operator, tensor, out=out, **settings)
        argmax = answer is Answer.ARGMAX
        kind = TensorProto.INT64 if argmax else TensorProto.FLOAT
        kept = [1 if argmax and at == axis else size for at, size in enumerate(shape)]
        return helper.make_tensor_value_info(out, kind, ["N", *kept])

    # --- maps ---------------------------------------------------------------------------------------------

    def _image(self) -> str:
        """The image as the host prepares, lays and quantises it."""
        net, image, tensor = self.net, self.net.feature_maps[self.net.image], IMAGE
        before, layout = net.host.preparation, net.image_layout
        if before is not None:
            tensor = self._op("Transpose", tensor, perm=[0, *(1 + axis for axis in before.axes)])
        tensor = self._op("Cast", tensor, to=TensorProto.DOUBLE)
        if before is not None:
            scale, offset = (np.array(values)[:, None, None] for values in (before.scale, before.offset))
            tensor = self._op("Add", self._op("Mul", tensor, scale), offset)
        tensor = self._rounded(tensor, image.frac_bits, -self.top, self.top - 1)
        if layout is not None:
            flat = self._op("Reshape", tensor, _ints(0, -1))
            zero = self._op("Pad", flat, _ints(0, 0, 0, 1))  # behind the last: what -1 stands for
            laid = self._op("Gather", zero, layout.index_map().reshape(-1), axis=1)
            tensor = self._op("Reshape", laid, _ints(0, *layout.target))
        return self._quantised(self._op("Mul", tensor, _float(2.0**-image.frac_bits)), image)

    def _keep(self, fm: FeatureMap, tensor: str) -> None:
        parts = self.written.setdefault(fm.concat_of or fm.name, [])
        parts.append((fm.concat_offset, fm.concat_offset + fm.channels, tensor))

    def _keep_of(self, layer: Layer, tensor: str) -> None:
        """What a layer makes, as the map it writes; with the rows that others make, once all are there."""
        fm = self.net.feature_maps[layer.target]
        rows = self.rows.setdefault(fm.name, [])
        rows.append(tensor)
        if len(rows) < layer.target_rows:
            return
        if layer.target_rows > 1:
            each = [self._op("Unsqueeze", row, _ints(3)) for row in rows]
            tensor = self._op("Concat", *each, axis=3)
        if layer.target_rows > 1 or (layer.out_rows, layer.out_columns) != (fm.rows, fm.columns):
            tensor = self._op("Reshape", tensor, _ints(0, fm.channels, fm.rows, fm.columns))
        self._keep(fm, tensor)

    def _read(self, name: str, sides: tuple[int, int], inside: tuple[int, ...] = ()) -> str:
        """The reals of a map seen as so many rows and columns: all, or from a row and column up to others."""
        fm, stored = self.net.feature_maps[name], self._stored(name)
        if sides != (fm.rows, fm.columns):
            stored = self._op("Reshape", stored, _ints(0, fm.channels, *sides))
        if inside not in ((), (0, 0, *sides)):
            stored = self._op("Slice", stored, _ints(*inside[:2]), _ints(*inside[2:]), _ints(2, 3))
        return self._op("DequantizeLinear", stored, *self._scale(fm))

    def _stored(self, name: str) -> str:
        """The integers of a map: a tensor, parts of some side by side, zeros where nobody wrote.

        Cut and joined before they are dequantised: onnxruntime moves a DequantizeLinear behind a Slice, and
        some of its versions fail there.
        """
        fm, found = self.net.feature_maps[name], []
        reached, end = fm.concat_offset, fm.concat_offset + fm.channels
        for low, high, tensor in sorted(self.written[fm.concat_of or name]):
            first, last = max(low, reached), min(high, end)
            if first < last:
                if (first, last) != (low, high):
                    tensor = self._op("Slice", tensor, _ints(first - low), _ints(last - low), _ints(1))
                found += [*self._zeros(first - reached, tensor), tensor]
                reached = last
        found += self._zeros(end - reached, found[-1])
        return found[0] if len(found) == 1 else self._op("Concat", *found, axis=1)

    def _zeros(self, channels: int, like: str) -> list[str]:
        """So many channels of zeros, for as many images as another tensor has; none for none."""
        if not channels:
            return []
        sizes = self._op("Shape", like)
        images, sides = (
            self._op("Slice", sizes, _ints(*ends[:1]), _ints(*ends[1:])) for ends in ((0, 1), (2, 4))
        )
        shape = self._op("Concat", images, _ints(channels), sides, axis=0)
        return [self._op("Expand", np.zeros((), self.stored), shape)]

    def _quantised(self, tensor: str, fm: FeatureMap) -> str:
        """A tensor of reals as the integers of a map."""
        return self._op("QuantizeLinear", tensor, *self._scale(fm))

    def _scale(self, fm: FeatureMap) -> tuple[np.ndarray, np.ndarray]:
        """Scale and zero point of a map."""
        return _float(2.0**-fm.frac_bits), np.zeros((), self.stored)

    # --- layers -------------------------------------------------------------------------------------------

    def _layer(self, layer: Layer) -> str:
        numbers, fm = self.net.numbers[layer.name], self.net.feature_maps[layer.target]
        frac_bits = self.net.feature_maps[layer.source].frac_bits + numbers.weight_frac_bits  # of the sums
        low, high = self.sums[layer.name]
        fits = 2 * max(-low, high) + 1 < FLOAT32_EXACT  # half a unit is added
        clamped = numbers.lines is None and not layer.residual_multiplies  # nothing comes behind the clamp
        if fits and clamped and frac_bits - numbers.output_shift == fm.frac_bits:
            return self._plain(layer, numbers, frac_bits)
        return self._in_digits(layer, numbers, frac_bits)

    def _plain(self, layer: Layer, numbers: LayerNumbers, frac_bits: int) -> str:
        fm = self.net.feature_maps[layer.target]
        if layer.kind is LayerKind.MAXPOOL:
            acc = self._windows("MaxPool", layer, self._reached(layer))
        else:
            weights = self._weights(numbers.weights, numbers.weight_frac_bits)
            bias = self._op("DequantizeLinear", numbers.bias.astype(np.int32), _float(2.0**-frac_bits))
            acc = self._windows("Conv", layer, self._reached(layer), weights, bias)
        if numbers.output_shift:
            acc = self._op("Add", acc, _float(2.0 ** -(frac_bits + 1)))
        if layer.residual is not None:
            acc = self._op("Add", acc, self._residual(layer, numbers, frac_bits))
        low, high = numbers.clamp_low, numbers.clamp_high
        if (low, high) == (0, self.top - 1):
            acc = self._op("Relu", acc)
        elif (low, high) != (-self.top, self.top - 1):
            acc = self._op("Clip", acc, *(_float(value * 2.0**-fm.frac_bits) for value in (low, high)))
        return self._quantised(acc, fm)

    def _in_digits(self, layer: Layer, numbers: LayerNumbers, frac_bits: int) -> str:
        fm = self.net.feature_maps[layer.target]
        source = self._reached(layer)
        if layer.kind is LayerKind.MAXPOOL:
            parts = [self._windows("MaxPool", layer, source)]
        else:
            halves, largest = self._halves(source, self.net.feature_maps[layer.source])
            digits = [self._weights(*digit) for digit in _digits(numbers, largest)]
            parts = [self._windows("Conv", layer, half, digit) for half in halves for digit in digits]
        if layer.addend is not None:
            parts.append(self._residual(layer, numbers, frac_bits))
        acc = self._constant(numbers.bias[:, None, None] * 2.0**-frac_bits)
        for part in parts:
            acc = self._op("Add", self._op("Cast", part, to=TensorProto.DOUBLE), acc)
        stored_bits = frac_bits - numbers.output_shift
        units = self._rounded(acc, stored_bits, numbers.clamp_low, numbers.clamp_high)
        if numbers.lines is not None:
            table = activated(np.arange(-self.top, self.top), numbers.lines, self.net.act_bits)
            values = self._constant(table.astype(np.float32))
            place = self._op("Cast", self._op("Add", units, _float(self.top)), to=TensorProto.INT64)
            units = self._op("Gather", values, place, axis=0)
        if layer.residual is not None and layer.residual_multiplies:
            factor_bits = self.net.feature_maps[layer.residual].frac_bits
            factors = self._read(layer.residual, layer.residual_shape[1:]), units
            product = self._op("Mul", *(self._op("Cast", item, to=TensorProto.DOUBLE) for item in factors))
            units = self._rounded(product, factor_bits - numbers.residual_shift, -self.top, self.top - 1)
        return self._quantised(self._op("Mul", units, _float(2.0**-fm.frac_bits)), fm)

    def _residual(self, layer: Layer, numbers: LayerNumbers, frac_bits: int) -> str:
        """The residual at the scale at which it is added."""
        assert layer.residual is not None
        tensor = self._read(layer.residual, layer.residual_shape[1:])
        factor = self.net.feature_maps[layer.residual].frac_bits + numbers.residual_shift - frac_bits
        return self._op("Mul", tensor, _float(2.0**factor)) if factor else tensor

    def _halves(self, tensor: str, fm: FeatureMap) -> tuple[list[str], int]:
        """An activation in parts that add up to it, and the most units that one holds."""
        if self.net.act_bits == HALF_BITS:
            return [tensor], self.top
        unit = 2.0 ** (HALF_BITS - fm.frac_bits)  # of the upper half
        nearest = self._op("Floor", self._op("Add", self._op("Mul", tensor, _float(1 / unit)), _float(0.5)))
        upper = self._op("Mul", nearest, _float(unit))
        return [upper, self._op("Sub", tensor, upper)], 1 << HALF_BITS - 1

    def _weights(self, integers: np.ndarray, frac_bits: int) -> str:
        """A constant of integers at their scale."""
        small = np.abs(integers).max(initial=0) < 1 << 7
        stored = integers.astype(np.int8 if small else np.int16)
        return self._op("DequantizeLinear", stored, _float(2.0**-frac_bits), np.zeros((), stored.dtype))

    def _windows(self, operator: str, layer: Layer, source: str, *constants: str) -> str:
        """A convolution or a maximum over the windows of a layer."""
        settings: dict[str, Any] = {
            "kernel_shape": (layer.kernel_rows, layer.kernel_columns),
            "strides": layer.strides,
            "pads": [*layer.padding, *(max(beyond, 0) for beyond in _beyond(layer))],
        }
        if operator == "Conv":
            settings["group"] = layer.n if layer.kind is LayerKind.DEPTHWISE else 1
        return self._op(operator, source, *constants, **settings)

    def _reached(self, layer: Layer) -> str:
        """What a layer reads, without edges that no window reaches."""
        rows, columns = _beyond(layer)
        sides = layer.in_rows, layer.in_columns
        ends = (sides[0] + min(rows, 0), sides[1] + min(columns, 0))
        return self._read(layer.source, sides, (*layer.first_pixel, *ends))

    def _rounded(self, tensor: str, frac_bits: int, low: int, high: int) -> str:
        """Reals in float64 as the nearest integers of ``frac_bits``, halves up, saturated: float32."""
        scaled = self._op("Mul", tensor, np.array(2.0**frac_bits))
        nearest = self._op("Floor", self._op("Add", scaled, np.array(0.5)))
        within = self._op("Clip", nearest, np.array(float(low)), np.array(float(high)))
        return self._op("Cast", within, to=TensorProto.FLOAT)

    # --- nodes --------------------------------------------------------------------------------------------

    def _op(self, operator: str, *inputs: str | np.ndarray, out: str = "", **settings: Any) -> str:
        """One node more; the name of its output."""
        out = out or f"t{len(self.nodes)}"
        names = [self._constant(item) if isinstance(item, np.ndarray) else item for item in inputs]
        self.nodes.append(helper.make_node(operator, names, [out], name=f"n{len(self.nodes)}", **settings))
        return out

    def _constant(self, values: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _beyond(layer: Layer) -> tuple[int, int]:
    """Rows and columns that the last window of a layer reaches beyond the map; negative: leaves out."""
    rows = (layer.out_rows - 1) * layer.strides[0] + layer.kernel_rows - layer.pad_top - layer.in_rows
    columns = (
        (layer.out_columns - 1) * layer.strides[1] + layer.kernel_columns - layer.pad_left - layer.in_columns
    )
    return rows, columns


def _digits(numbers: LayerNumbers, largest: int) -> list[tuple[np.ndarray, int]]:
    """Weights as sums of parts with which no sum of products with ``largest`` leaves what float32 holds.

    Each part is integers and their fraction bits.
    """
    bits = 1
    whole = numbers.weights.astype(np.int64)
    while 1 << bits - 1 <= np.abs(whole).max(initial=0):
        bits += 1
    for count in range(1, bits + 1):
        width, rest, parts = -(-bits // count), whole, []
        for place in range(0, bits, width):
            half = 1 << width >> 1
            last = place + width >= bits
            digit = rest if last else ((rest + half) & (1 << width) - 1) - half
            parts.append((digit, numbers.weight_frac_bits - place))
            rest = rest - digit >> width
        sums = max(np.abs(part).reshape(len(part), -1).sum(axis=1).max(initial=0) for part, _ in parts)
        if sums * largest < FLOAT32_EXACT:
            break
    return parts


def _ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def _float(value: float) -> np.ndarray:
    return np.array(value, dtype=np.float32)
