"""A second platform, as small as one can be: every layer its own stage of a pipeline.

It shares nothing with the tiled engine: other axes, other terms, other labels, and a latency that is the
slowest stage, not a sum. That the search runs on it unchanged is what the protocol is for.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from hotnas_hls.accel.layer import Layer
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.platforms.layered import LayeredPlatform
from hotnas_hls.platforms.metric import LATENCY
from hotnas_hls.platforms.platform import Choices, Cost, LayerCost, Relief, Remedy
from hotnas_hls.platforms.space import Axis, AxisKind

MULTIPLIERS, WIDTHS = (1, 2, 4, 8), (16, 32, 64)


@dataclass(frozen=True)
class PipelineDesign:
    multipliers: int  # of every stage
    width: int  # bits of weights a stage reads per step


@dataclass
class PipelinePlatform(LayeredPlatform):
    budget: int = 100  # multipliers of all stages together
    name: str = "layer pipeline"
    unit: str = "steps"
    pattern_rows: int = 1

    def axes(self, near: Choices | None = None) -> tuple[Axis, ...]:
        return (
            Axis("multipliers", AxisKind.HARDWARE, MULTIPLIERS),
            Axis("width", AxisKind.HARDWARE, WIDTHS),
        )

    def at_bits(self, bits: int) -> PipelinePlatform:
        return self

    def explore(self, layers: Sequence[Layer]) -> Choices:
        legal = []
        for multipliers, width in itertools.product(MULTIPLIERS, WIDTHS):
            choices = {"multipliers": multipliers, "width": width}
            design = self.design(layers, choices)
            if not self.violations(layers, design):
                legal.append((self.cost(layers, design).total, multipliers, width, choices))
        if not legal:
            raise InfeasibleDesign("no pipeline fits")
        return min(legal, key=lambda entry: entry[:3])[3]

    def design(self, layers: Sequence[Layer], choices: Choices) -> PipelineDesign:
        return PipelineDesign(choices["multipliers"], choices["width"])

    def violations(self, layers: Sequence[Layer], design: PipelineDesign) -> list[str]:
        used = design.multipliers * len(layers)
        if used > self.budget:
            return [f"{used} multipliers, {self.budget} exist; use fewer per stage"]
        return []

    def cost(self, layers: Sequence[Layer], design: PipelineDesign) -> Cost:
        costs = []
        for layer in layers:
            terms = {
                "multiply": layer.macs / design.multipliers,
                "weights": layer.n * layer.m * layer.positions * layer.weight_bits / design.width,
            }
            largest = max(terms, key=lambda name: terms[name])
            costs.append(LayerCost(layer.name, terms[largest], terms, largest[0]))
        total = max(layer.total for layer in costs)
        used = {"multipliers": design.multipliers * len(layers)}
        return Cost(tuple(costs), total, {"latency_ms": total / 1000}, LATENCY, used)

    def remedies(self, label: str, choices: Choices) -> tuple[Remedy, ...]:
        return {"m": (Remedy.PATTERN, Remedy.CHANNEL_CUT), "w": (Remedy.WEIGHT_BITS, Remedy.HARDWARE)}[label]

    def reliefs(self, label: str, choices: Choices) -> tuple[Relief, ...]:
        wider = [width for width in WIDTHS if width > choices["width"]]
        return tuple(Relief(f"width {width}", {**choices, "width": width}) for width in wider[:1])

    def channel_multiple(self, choices: Choices) -> int:
        return 4
