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
    uneven: tuple[str, ...] = ()  # pairs whose scales keep all from having grids, each with its reason


class _Pair(NamedTuple):
    """What a QuantizeLinear rounds to."""

    source: str
    lowest: float
    highest: float
    frac_bits: int | None  # of its scale; None where it is no power of two
    scales: str  # what is wrong with them then


def unrounded(
    model: Any, constants: Mapping[str, np.ndarray], image: str, keeps_grids: bool = True
) -> Unrounded:
    """``model`` without pairs around its maps; itself where it has none.

    keeps_grids: each pair is a clip, to be told its grid, where every scale is a power of two.
    A QuantizeLinear stays, to be refused by its name, where its scale is no constant or where anything but a
    DequantizeLinear reads it.
    """
    pairs = _pairs(model, constants)
    if not pairs:
        return Unrounded(model, 0, -np.inf, np.inf)
    found = type(model)()
    found.CopyFrom(model)
    del found.graph.node[:]
    positive = {name for name, values in constants.items() if np.asarray(values).min(initial=0) >= 0}
    uneven = tuple(
        f"{pair.source}: its {pair.scales}" for pair in pairs.values() if pair.frac_bits is None
    )
    kept = keeps_grids and not uneven
    grids: dict[str, Grid] = {}
    of_image = [pair for pair in pairs.values() if pair.source == image]
    if any(pair.lowest == 0 for pair in of_image):
        positive.add(image)
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.output[0] in pairs:
            continue
        if node.op_type == "DequantizeLinear" and node.input[0] in pairs:
            pair = pairs[node.input[0]]
            clips = kept or (pair.lowest == 0 and pair.source not in positive)
            if kept and pair.frac_bits is not None:
                grids[node.output[0]] = Grid(pair.frac_bits, pair.lowest, pair.highest)
            *before, node = _clip(node, pair) if clips else (_handing_on(node, pair),)
            found.graph.node.extend(before)
            if clips:
                positive.update(node.output)
        if _never_negative(node, positive, constants):
            positive.update(node.output)
        found.graph.node.append(node)
    lowest = max((pair.lowest for pair in of_image), default=-np.inf)
    highest = min((pair.highest for pair in of_image), default=np.inf)
    return Unrounded(found, len(pairs), lowest, highest, grids, uneven)


def _handing_on(node: Any, pair: _Pair) -> Any:
    """What is left of a pair that ends in ``node``."""
    return type(node)(op_type="Identity", input=[pair.source], output=node.output, name=node.name)


def _clip(node: Any, pair: _Pair) -> Iterator[Any]:
    """Nodes that clip to what a pair can hold, which ends in ``node``."""
    bounds = []
    for end, value in (("lowest", pair.lowest), ("highest", pair.highest)):
        name = f"{node.output[0]}.{end}"
        constant = numpy_helper.from_array(np.array(value, np.float32))
        yield helper.make_node("Constant", [], [name], name=name, value=constant)
        bounds.append(name)
    called = node.name.removesuffix("_DequantizeLinear")
    yield helper.make_node("Clip", [pair.source, *bounds], [node.output[0]], name=called)


def _never_negative(node: Any, positive: set[str], constants: Mapping[str, np.ndarray]) -> bool:
    """True where what comes out is zero or more, whatever the values are."""
    if node.op_type == "Clip" and len(node.input) > 1 and node.input[1] in constants:
        return bool(np.min(constants[node.input[1]], initial=0) >= 0)
    return node.op_type in NEVER_NEGATIVE or (
        node.op_type in PASSED_ON and all(name in positive for name in node.input if name)
    )


def _pairs(model: Any, constants: Mapping[str, np.ndarray]) -> dict[str, _Pair]:
    """The pairs around maps by the tensor between the two."""
    readers: dict[str, list[str]] = {output.name: ["output"] for output in model.graph.output}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    found = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and set(readers.get(node.output[0], ())) == {"DequantizeLinear"}:
            for lowest, highest in _range(node, constants):
                scale = constants[node.input[1]]
                one = scale.size == 1
                told = f"scale {scale.item():.6g} is no power of two" if one else "scales are many"
                pair = _Pair(node.input[0], lowest, highest, power_of_two(scale), told)
                found[node.output[0]] = pair
    return found


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
