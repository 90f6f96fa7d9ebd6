"""iDetect: what bounds every layer on a design, by the true model, and what would help (section 2).

Nothing is guessed: each remedy is applied to the layer and priced again by the platform.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.platforms.platform import Choices, Cost, LayerCost, Platform, Remedy, measured

PATTERN_ZEROS = {3: 3, 5: 6}  # zeros per kernel side: the published sets (section 3.2)
CUT_SHOWN = 0.75  # share of the channels a shown channel cut keeps, rounded down to the hardware's multiple
QUANT_STEPS = 6  # options per layer at most (section 2.3)
ALWAYS_TRIED = (Remedy.PATTERN, Remedy.WEIGHT_BITS, Remedy.CHANNEL_CUT, Remedy.SKIP_CUT)


@dataclass(frozen=True)
class Effect:
    """What one remedy brings."""

    remedy: Remedy
    description: str  # what exactly was tried
    saved: float  # of the network's cost, in the platform's unit; negative when it costs
    label_after: str  # what bounds the layer then


@dataclass(frozen=True)
class Finding:
    """One layer as iDetect sees it."""

    layer: str
    label: str
    cost: float
    terms: Mapping[str, float]
    shares: Mapping[str, float]  # term / cost
    slack: float  # cost the largest term exceeds the second by: beyond it, another bottleneck
    next_term: str  # that second term
    effects: tuple[Effect, ...]
    on_chip: tuple[str, ...] = ()  # of its data

    @property
    def helpful(self) -> list[Effect]:
        """The remedies that save anything, the best first."""
        return sorted((e for e in self.effects if e.saved > 0), key=lambda effect: -effect.saved)

    @property
    def best(self) -> Effect | None:
        """The remedy that saves most, if one saves anything."""
        return next(iter(self.helpful), None)

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.layer,
            "bottleneck": self.label,
            "cycles": self.cost,
            "terms": dict(self.terms),
            "shares": {name: round(share, 4) for name, share in self.shares.items()},
            "slack": self.slack,
            "next": self.next_term,
            "on_chip": list(self.on_chip),
            "remedies": [
                {
                    "remedy": str(effect.remedy),
                    "change": effect.description,
                    "saved": effect.saved,
                    "bottleneck_after": effect.label_after,
                }
                for effect in self.effects
            ],
        }


@dataclass(frozen=True)
class Detection:
    """A network on a design, layer by layer."""

    choices: Choices
    cost: Cost
    findings: tuple[Finding, ...]

    def labelled(self, label: str) -> tuple[Finding, ...]:
        """The layers with this label."""
        return tuple(finding for finding in self.findings if finding.label == label)


def detect(
    workload: Workload, platform: Platform, choices: Choices, least_bits: int = 2, remedies: bool = True
) -> Detection:
    """Label every layer of ``workload`` on the design of ``choices``, and price its remedies.

    Costs are the measured ones, so that searches compare like with like; what a remedy saves is the
    difference of two prices. Without remedies nothing is measured: prices tell the labels.
    """
    design = platform.design(workload.layers, choices)
    cost = platform.cost(workload.layers, design)
    if not remedies:
        return Detection(choices, cost, tuple(_finding(item, ()) for item in cost.layers))
    whole = measured(platform, workload.layers, design)
    pricing = _Pricing(workload, platform, choices, cost, least_bits)
    pairs = zip(whole.layers, cost.layers, strict=True)
    return Detection(
        choices, whole, tuple(_finding(item, pricing.effects(priced)) for item, priced in pairs)
    )


def _finding(cost: LayerCost, effects: tuple[Effect, ...]) -> Finding:
    ranked = sorted(cost.terms, key=lambda name: cost.terms[name], reverse=True)
    second = ranked[1] if len(ranked) > 1 else ranked[0]
    return Finding(
        layer=cost.layer,
        label=cost.label,
        cost=cost.total,
        terms=cost.terms,
        shares={name: term / cost.total if cost.total else 0.0 for name, term in cost.terms.items()},
        slack=cost.terms[ranked[0]] - cost.terms[second],
        next_term=second,
        effects=effects,
        on_chip=cost.on_chip,
    )


def bit_options(cost: LayerCost, top: int, least: int) -> tuple[int, ...]:
    """Weight widths worth trying for a layer that loading weights bounds (section 2.3), the widest first.

    Down to where the weight transfer would stop being the bottleneck; ``top`` bits is what the layer has.
    The published rule counts fraction bits beside i integer bits; here all bits are counted (i = 0), since
    the position of the binary point is chosen from the weights.
    """
    ranked = sorted(cost.terms.values(), reverse=True)
    ratio = ranked[0] / ranked[1] if len(ranked) > 1 and ranked[1] > 0 else float(top)
    bottom = min(max(math.floor(top / ratio), least), top)
    step = max(1, math.ceil((top + 1 - bottom) / QUANT_STEPS))
    widths = [*range(bottom, top + 1, step)]
    return tuple(sorted({*widths, top}, reverse=True))


@dataclass(frozen=True)
class _Pricing:
    """What remedies bring on one design."""

    workload: Workload
    platform: Platform
    choices: Choices
    cost: Cost
    least_bits: int

    def effects(self, cost: LayerCost) -> tuple[Effect, ...]:
        """Every remedy the platform names for the layer's label that applies to the layer.

        Of those it does not name, edits that save time all the same: by what the label does not tell, or
        because less lies in the memory that other layers want too.
        """
        tried = {
            Remedy.PATTERN: self._pattern,
            Remedy.WEIGHT_BITS: self._weight_bits,
            Remedy.ACT_BITS: self._act_bits,
            Remedy.CHANNEL_CUT: self._cut,
            Remedy.SKIP_CUT: self._skip,
            Remedy.KERNEL_EXPAND: self._expand,
            Remedy.HARDWARE: self._hardware,
        }
        named = self.platform.remedies(cost.label, self.choices)
        found = [tried[remedy](cost) for remedy in dict.fromkeys((*named, *ALWAYS_TRIED))]
        known = (effect for effect in found if effect is not None)
        return tuple(effect for effect in known if effect.remedy in named or effect.saved > 0)

    def _pattern(self, cost: LayerCost) -> Effect | None:
        layer = self.workload.layer(cost.layer)
        zeros = PATTERN_ZEROS.get(layer.kernel_rows)
        if zeros is None or cost.layer not in self.workload.editable or layer.pattern_ones is not None:
            return None
        rows, spread = self.platform.pattern_rows, self.workload.spreads.get(cost.layer)
        choice = PatternChoice(layer.kernel_rows, zeros, rows, spread)
        text = f"{zeros} of {layer.positions} weights a kernel pruned"
        return self._network(Remedy.PATTERN, text, cost, Compression(patterns={cost.layer: choice}))

    def _weight_bits(self, cost: LayerCost) -> Effect | None:
        layer = self.workload.layer(cost.layer)
        bits = bit_options(cost, layer.weight_bits, self.least_bits)[-1]
        if cost.layer not in self.workload.weighted or bits == layer.weight_bits:
            return None
        text = f"{layer.weight_bits} -> {bits} bits"
        return self._network(Remedy.WEIGHT_BITS, text, cost, Compression(weight_bits={cost.layer: bits}))

    def _act_bits(self, cost: LayerCost) -> Effect | None:
        if cost.layer not in self.workload.readers:
            return None
        top = self.workload.layer(cost.layer).act_bits
        bits = bit_options(cost, top, self.least_bits)[-1]
        if bits == top:
            return None
        text = f"{top} -> {bits} bits read"
        return self._network(Remedy.ACT_BITS, text, cost, Compression(act_bits={cost.layer: bits}))

    def _cut(self, cost: LayerCost) -> Effect | None:
        owner = self.workload.cut_owner(cost.layer)
        if owner is None:
            return None
        width, multiple = self.workload.layer(owner).m, self.platform.channel_multiple(self.choices)
        keep = int(width * CUT_SHOWN) // multiple * multiple
        if not 0 < keep < width:
            return None
        text = f"{owner} {width} -> {keep} channels"
        return self._network(Remedy.CHANNEL_CUT, text, cost, Compression(channels={owner: keep}))

    def _skip(self, cost: LayerCost) -> Effect | None:
        skip = self.workload.skips.get(cost.layer)
        if skip is None:
            return None
        text = f"{skip.join} without {', '.join(skip.maps)}"
        return self._network(Remedy.SKIP_CUT, text, cost, Compression(skips_cut=(cost.layer,)))

    def _expand(self, cost: LayerCost) -> Effect | None:
        layer = self.workload.layer(cost.layer)
        growing = cost.layer in self.workload.editable and cost.layer not in self.workload.spreads
        if not growing or layer.pattern_ones is not None:
            return None
        side = layer.kernel_rows
        text = f"{side}x{side} -> {side + 2}x{side + 2} kernel, for accuracy"
        return self._network(Remedy.KERNEL_EXPAND, text, cost, Compression(expanded=(cost.layer,)))

    def _hardware(self, cost: LayerCost) -> Effect | None:
        """The change of the hardware that saves most."""
        found = []
        for relief in self.platform.reliefs(cost.label, self.choices):
            after = price(self.platform, self.workload.layers, relief.choices)
            if after is not None:
                found.append(self._effect(Remedy.HARDWARE, relief.description, cost, after.layers))
        return max(found, key=lambda effect: effect.saved, default=None)

    def _network(self, remedy: Remedy, text: str, cost: LayerCost, compression: Compression) -> Effect | None:
        """The effect of an edit on the network: on what stays on chip, and on the layers before and after."""
        priced = price(self.platform, self.workload.compressed(compression), self.choices)
        return None if priced is None else self._effect(remedy, text, cost, priced.layers)

    def _effect(self, remedy: Remedy, text: str, cost: LayerCost, after: Sequence[LayerCost]) -> Effect:
        totals = {layer.layer: layer.total for layer in self.cost.layers}
        saved = sum(totals.pop(layer.layer, 0.0) - layer.total for layer in after)
        saved += sum(totals.values())  # of layers that are not needed any more
        label = next((layer.label for layer in after if layer.layer == cost.layer), cost.label)
        return Effect(remedy, text, saved, label)


def price(platform: Platform, layers: Sequence[Any], choices: Choices) -> Cost | None:
    """The cost of a network on the hardware of ``choices``; ``None`` when it cannot run there."""
    design = platform.design(layers, choices)
    return None if platform.violations(layers, design) else platform.cost(layers, design)
