"""QONNX: operators of its domain as standard ones that compute the same, and which of them round maps.

``Quant`` (``IntQuant``) rounds to integers of any bits, ``Trunc`` drops the lower bits of such integers,
``BipolarQuant`` takes the sign. With constants around them they are arithmetic that every runtime has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotnas_hls.frontends.refusal import Refused

try:
    from onnx import helper, numpy_helper
except ImportError:  # an optional extra
    pass

DOMAINS = frozenset(("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"))
NEAREST = frozenset(("ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN"))  # FLOOR is one of values half a step less
MOST_BITS = 32  # of an integer


@dataclass(frozen=True)
class Rounding:
    """What a map is rounded to: the nearest of ``value * factor + offset``."""

    source: str
    scale: np.ndarray
    low: float
    high: float
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Standard:
    """A model without QONNX's operators; where they round maps, by the tensor that comes out."""

    model: Any
    roundings: Mapping[str, Rounding]
    inside: frozenset[str]  # tensors between such a map and what comes out


def standard(model: Any, constants: Mapping[str, np.ndarray], refusals: dict[str, Refused]) -> Standard:
    """``model`` with QONNX's operators written out; itself where it has none.

    constants: what is known of its tensors. ``refusals`` gets those of an operator whose form is not known,
    by its output; it stays.
    """
    if not any(node.domain in DOMAINS for node in model.graph.node):
        return Standard(model, {}, frozenset())
    found = type(model)()
    found.CopyFrom(model)
    del found.graph.node[:]
    roundings, inside = dict[str, Rounding](), set[str]()
    computed = {entry.name for entry in model.graph.input} - {*constants}
    for node in model.graph.node:
        on_maps = any(name in computed for name in node.input)
        if on_maps:
            computed.update(node.output)
        if node.domain not in DOMAINS:
            found.graph.node.append(node)
            continue
        try:
            written = _Written(node, constants)
            rounding = written.rounding() if on_maps else None
        except Refused as refused:
            refusals[node.output[0]] = refused
            found.graph.node.append(node)
            continue
        found.graph.node.extend(written.nodes)
        if rounding is not None:
            roundings[node.output[0]] = rounding
            inside.update(name for part in written.nodes for name in part.output if name != node.output[0])
    return Standard(found, roundings, frozenset(inside))


class _Written:
    """One operator of QONNX as standard ones."""

    def __init__(self, node: Any, constants: Mapping[str, np.ndarray]) -> None:
        """Refused for what is not in its definition."""
        self.node, self.nodes, self.last = node, list[Any](), node.input[0] if node.input else ""
        self.operator = "Quant" if node.op_type == "IntQuant" else node.op_type
        self.given = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        missing = [name for name in node.input[1:] if name not in constants]
        if missing:
            raise Refused((f"its {missing[0]} is computed from the input", "use a constant"))
        self.inputs = [constants[name].astype(np.float64) for name in node.input[1:]]
        wanted = {"Quant": (3,), "BipolarQuant": (1,), "Trunc": (4, 5)}.get(self.operator, ())
        if len(self.inputs) not in wanted:
            raise Refused(
                (f"its form with {len(node.input)} inputs is not known", "use Quant, BipolarQuant or Trunc")
            )
        self.scale = self.inputs[0]
        if not self.scale.size or not (np.isfinite(self.scale).all() and self.scale.min() > 0):
            raise Refused(("its scale is not a positive number", "give a scale above 0"))
        {"Quant": self._quant, "BipolarQuant": self._bipolar, "Trunc": self._trunc}[self.operator]()

    def rounding(self) -> Rounding:
        """What it rounds a map to; Refused where integers cannot."""
        if self.operator == "BipolarQuant" or self.mode not in (*NEAREST, "FLOOR"):
            sign = self.operator == "BipolarQuant"
            does = "it takes the sign of a map" if sign else f"it rounds a map by {self.mode}"
            raise Refused((does, "round maps by ROUND or FLOOR, to 2 bits or more"))
        largest = float(np.max(self.scale))
        offset = -largest / 2 if self.mode == "FLOOR" else 0.0
        low, high = self.low * largest, self.high * largest
        return Rounding(self.node.input[0], self.scale, low, high, self.factor, offset)

    # --- the operators ------------------------------------------------------------------------------------

    def _quant(self) -> None:
        zero, bits = self._whole(1, "zero point"), self._whole(2, "bit width")
        self.mode, self.factor = self._mode("ROUND"), 1.0
        if bits == 1 and int(self.given.get("signed", 1)):
            self._bipolar()
            self.operator = "BipolarQuant"
            return
        self._limits(zero, bits)
        self._op("Div", self.scale)
        self._op("Clip", self.low, self.high)
        self._rounded()
        self._op("Mul", self.scale, last=True)

    def _bipolar(self) -> None:
        self.mode, self.factor, self.low, self.high = "SIGN", 1.0, -1.0, 1.0
        self._op("Less", 0.0)
        self._op("Where", -self.scale, self.scale, last=True)

    def _trunc(self) -> None:
        """Version 1 keeps the scale of its integers, version 2 names that of what is left."""
        newer = len(self.inputs) == 5
        zero, bits = self._whole(1, "zero point"), self._whole(2, "bit width")
        left = self._whole(4 if newer else 3, "bit width that is left")
        if zero != 0:
            raise Refused((f"its zero point is {zero:g}", "truncate integers of zero point 0"))
        self.mode = self._mode("FLOOR")
        if newer:
            dropped = float(np.rint(np.log2(self.inputs[3] / self.scale).max(initial=0)))
            self.factor, after = 1.0, self.inputs[3]
            self._limits(0.0, left)
        else:
            dropped = float(bits - left)
            self.factor, after = 2.0**-dropped, self.scale
            self.low, self.high = -(2.0**MOST_BITS), 2.0**MOST_BITS
        self._op("Div", self.scale)
        self._op("Round")
        self._op("Mul", 2.0**-dropped)
        self._op("Clip", self.low, self.high)
        self._rounded()
        self._op("Mul", after, last=True)
        self.scale = after

    # --- their parts --------------------------------------------------------------------------------------

    def _whole(self, at: int, role: str) -> float:
        values = self.inputs[at]
        if not values.size or (values != np.rint(values.reshape(-1)[0])).any():
            raise Refused((f"its {role} is not one whole number", "give one for all values"))
        return float(values.reshape(-1)[0])

    def _mode(self, default: str) -> str:
        given = self.given.get("rounding_mode", default)
        mode = (given.decode(errors="replace") if isinstance(given, bytes) else str(given)).upper()
        if mode not in ROUNDED:
            raise Refused((f"its rounding mode is {mode}", f"use {', '.join(ROUNDED)}"))
        return mode

    def _limits(self, zero: float, bits: float) -> None:
        """The lowest and the highest multiple of the scale."""
        if not 1 <= bits <= MOST_BITS:
            raise Refused((f"its bit width is {bits:g}", f"use 1 to {MOST_BITS} bits"))
        signed, narrow = (
            int(self.given.get(name, default)) for name, default in (("signed", 1), ("narrow", 0))
        )
        high = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - bool(narrow)
        low = -(2.0 ** (bits - 1)) + bool(narrow) if signed else 0.0
        self.low, self.high = low - zero, high - zero

    def _rounded(self) -> None:
        value, (of_size, steps) = self.last, ROUNDED[self.mode]
        if of_size:
            self._op("Abs")
        for operator, *constants in steps:
            self._op(operator, *constants)
        if of_size:
            size, self.last = self.last, value
            self._op("Sign")
            self._op("Mul", size)

    def _op(self, operator: str, *others: np.ndarray | float | str, last: bool = False) -> None:
        """One node more, of what came last and constants, or other tensors."""
        out = self.node.output[0]
        name = out if last else f"{out}.{operator}{len(self.nodes)}"
        inputs = [self.last]
        for value in others:
            if not isinstance(value, str):
                array = numpy_helper.from_array(np.asarray(value, np.float32))
                value = f"{name}.{len(inputs)}"
                self.nodes.append(helper.make_node("Constant", [], [value], name=value, value=array))
            inputs.append(value)
        called = self.node.name if last else name
        self.nodes.append(helper.make_node(operator, inputs, [name], name=called))
        self.last = name


ROUNDED: dict[str, tuple[bool, tuple[tuple[Any, ...], ...]]] = {  # of the magnitude, then with its sign?
    "ROUND": (False, (("Round",),)),
    "HALF_EVEN": (False, (("Round",),)),
    "HALF_UP": (True, (("Add", 0.5), ("Floor",))),
    "HALF_DOWN": (True, (("Sub", 0.5), ("Ceil",))),
    "UP": (True, (("Ceil",),)),
    "DOWN": (True, (("Floor",),)),
    "FLOOR": (False, (("Floor",),)),
    "CEIL": (False, (("Ceil",),)),
}
