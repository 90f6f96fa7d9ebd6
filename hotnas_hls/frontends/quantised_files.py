"""ONNX files that were quantised elsewhere: the same network without the rounding of its maps.

A map is rounded by a QuantizeLinear and the DequantizeLinear behind it. Such a pair is a clip to the grid of
what it can hold where all scales of the file are powers of two: integers round as it does. Else pairs are
left out: formats are chosen anew. Constants that a DequantizeLinear reads stay what they are. A pair whose
lowest value is zero may stand for a ReLU or ReLU6 that whoever quantised the network took out, since rounding
does the same: it is a clip then in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from hotnas_hls.frontends.onnx_file import dotted
from hotnas_hls.frontends.qonnx import Standard
from hotnas_hls.network.fixed_point import MOST_FRAC_BITS
from hotnas_hls.network.graph import Grid
from hotnas_hls.network.quantise import COARSEST

try:
    from onnx import helper, numpy_helper
except ImportError:  # an optional extra
    pass

PASSED_ON = frozenset(
    "MaxPool AveragePool GlobalAveragePool GlobalMaxPool ReduceMean Concat Add Sum Mul Flatten Reshape "
    "Transpose Squeeze Unsqueeze Identity Dropout Slice".split()
)  # operators that make no negative value of none
NEVER_NEGATIVE = frozenset(("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs"))


class Unrounded(NamedTuple):
    """A model without pairs around its maps."""

    model: Any
    pairs: int
    lowest: float  # of what the image is rounded to; minus infinity where it is not
    highest: float
    grids: Mapping[str, Grid] = MappingProxyType({})  # of what clips make, by tensor
    uneven: tuple[str, ...] = ()  # what keeps pairs from having grids, with the tensor each rounds


class _Pair(NamedTuple):
    """What a map is rounded to: ``source * factor + offset`` to steps between two ends."""

    source: str
    lowest: float
    highest: float
    scale: np.ndarray
    factor: float = 1.0
    offset: float = 0.0

    @property
    def frac_bits(self) -> int | None:
        """Of the scale; None where it is no power of two."""
        return power_of_two(self.scale)

    @property
    def misfit(self) -> str:
        """Why integers of ours have no such steps."""
        one = self.scale.size == 1
        told = f"scale {self.scale.item():.6g} is no power of two" if one else "scales are many"
        return f"{self.source}: its {told}"


class _Rounded(NamedTuple):
    """Where a model rounds maps."""

    ends: Mapping[str, _Pair]  # by what comes out
    inside: frozenset[str]  # tensors between a map and what comes out
    pairs: int


def unrounded(
    model: Any,
    constants: Mapping[str, np.ndarray],
    image: str,
    keeps_grids: bool = True,
    qonnx: Standard | None = None,
) -> Unrounded:
    """``model`` without pairs around its maps; itself where it has none.

    keeps_grids: each pair is a clip, to be told its grid, where every scale is a power of two.
    qonnx: what operators of QONNX it had, which are pairs, too.
    A QuantizeLinear stays, to be refused by its name, where its scale is no constant or where anything but a
    DequantizeLinear reads it.
    """
    rounded = _roundings(model, constants, qonnx)
    pairs = rounded.ends.values()
    if not pairs:
        return Unrounded(model, 0, -np.inf, np.inf)
    found = type(model)()
    found.CopyFrom(model)
    del found.graph.node[:]
    positive = {name for name, values in constants.items() if np.asarray(values).min(initial=0) >= 0}
    uneven = tuple(dict.fromkeys(pair.misfit for pair in pairs if pair.frac_bits is None))
    kept = keeps_grids and not uneven
    grids: dict[str, Grid] = {}
    of_image = [pair for pair in pairs if pair.source == image]
    if any(pair.lowest == 0 for pair in of_image):
        positive.add(image)
    for node in model.graph.node:
        if node.output[0] in rounded.inside:
            continue
        pair = rounded.ends.get(node.output[0])
        if pair is not None:
            clips = kept or (pair.lowest == 0 and pair.source not in positive)
            if kept and pair.frac_bits is not None:
                grids[node.output[0]] = Grid(pair.frac_bits, pair.lowest, pair.highest)
            *before, node = _standing_in(node, pair, clips)
            found.graph.node.extend(before)
            if clips and pair.lowest == 0:
                positive.update(node.output)
        if _never_negative(node, positive, constants):
            positive.update(node.output)
        found.graph.node.append(node)
    lowest = max((pair.lowest for pair in of_image), default=-np.inf)
    highest = min((pair.highest for pair in of_image), default=np.inf)
    return Unrounded(found, rounded.pairs, lowest, highest, grids, uneven)


def _standing_in(node: Any, pair: _Pair, clips: bool) -> Iterator[Any]:
    """Nodes for a pair that ends in ``node``, whose rounding they leave out."""
    out, last = node.output[0], pair.source
    called = dotted(node.name).removesuffix("_DequantizeLinear") if node.name else ""
    for operator, value in (("Mul", pair.factor), ("Add", pair.offset)):
        if value != (operator == "Mul"):
            constant, moved = _constant(f"{out}.{operator}.constant", value), f"{out}.{operator}"
            yield constant
            yield helper.make_node(operator, [last, constant.name], [moved], name=moved)
            last = moved
    if not clips:
        yield helper.make_node("Identity", [last], [out], name=node.name)
        return
    ends = [_constant(f"{out}.lowest", pair.lowest), _constant(f"{out}.highest", pair.highest)]
    yield from ends
    yield helper.make_node("Clip", [last, *(end.name for end in ends)], [out], name=called)


def _constant(name: str, value: float) -> Any:
    with np.errstate(over="ignore"):  # beyond float32: no bound
        values = numpy_helper.from_array(np.array(value, np.float32))
    return helper.make_node("Constant", [], [name], name=name, value=values)


def _never_negative(node: Any, positive: set[str], constants: Mapping[str, np.ndarray]) -> bool:
    """True where what comes out is zero or more, whatever the values are."""
    if node.op_type == "Clip" and len(node.input) > 1 and node.input[1] in constants:
        return bool(np.min(constants[node.input[1]], initial=0) >= 0)
    return node.op_type in NEVER_NEGATIVE or (
        node.op_type in PASSED_ON and all(name in positive for name in node.input if name)
    )


def _roundings(model: Any, constants: Mapping[str, np.ndarray], qonnx: Standard | None) -> _Rounded:
    """Pairs around maps, and what operators of QONNX do."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {output.name for output in model.graph.output}
    ends, inside = dict[str, _Pair](), set[str]()
    between: dict[str, _Pair] = {}
    for node in model.graph.node:
        read = readers.get(node.output[0], [])
        undone = read and all(_undoes(other, node, constants) for other in read)
        if node.op_type == "QuantizeLinear" and undone and node.output[0] not in outputs:
            for lowest, highest in _range(node, constants):
                between[node.output[0]] = _Pair(node.input[0], lowest, highest, constants[node.input[1]])
        elif node.op_type == "DequantizeLinear" and node.input[0] in between:
            ends[node.output[0]] = between[node.input[0]]
    count = len(between)
    if qonnx is not None:
        for out, of in qonnx.roundings.items():
            ends[out] = _Pair(of.source, of.low, of.high, of.scale, of.factor, of.offset)
        inside |= qonnx.inside
        count += len(qonnx.roundings)
    return _Rounded(ends, frozenset(inside | {*between}), count)


def _undoes(node: Any, quantised: Any, constants: Mapping[str, np.ndarray]) -> bool:
    """Whether a node gives back what a QuantizeLinear quantised: from the same steps."""
    if node.op_type != "DequantizeLinear":
        return False
    steps = [[constants.get(name) for name in one.input[1:]] for one in (node, quantised)]
    pairs = zip(*(item if len(item) > 1 else [*item, np.uint8(0)] for item in steps), strict=False)
    return all(one is other or np.array_equal(one, other) for one, other in pairs)


def power_of_two(scale: np.ndarray) -> int | None:
    """f where a scale is ``2**-f``; None for any other, and for several."""
    if scale.size != 1:
        return None
    mantissa, exponent = np.frexp(scale.astype(np.float64).item())
    frac_bits = 1 - int(exponent)
    return frac_bits if mantissa == 0.5 and COARSEST <= frac_bits <= MOST_FRAC_BITS else None


def _range(node: Any, constants: Mapping[str, np.ndarray]) -> Iterator[tuple[float, float]]:
    """The lowest and the highest value that a QuantizeLinear of a map gives; nothing where none is known."""
    source, scale, *zero = node.input
    if source in constants or scale not in constants or any(name and name not in constants for name in zero):
        return
    steps = constants[scale].astype(np.float64)
    zeros = constants[zero[0]] if zero and zero[0] else np.zeros(steps.shape, np.uint8)
    if zeros.dtype.kind in "iu" and zeros.shape == steps.shape and np.isfinite(steps).all():
        limits, offsets = np.iinfo(zeros.dtype), zeros.astype(np.int64)
        lowest, highest = (limits.min - offsets) * steps, (limits.max - offsets) * steps
        yield float(np.min(lowest)), float(np.max(highest))
