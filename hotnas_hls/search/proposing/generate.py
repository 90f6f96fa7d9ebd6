"""iSpace, generated from iDetect's labels: each remedy becomes axes on the layers it helps (section 2.2).

Beyond the published procedure, the labels are read twice: once as the network is, and once with every axis
of the first reading at its strongest. A layer whose bottleneck moves gets the remedies of the next one too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotnas_hls.accel.packed_patterns import Spread
from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.platforms.platform import Choices, LayerCost, Platform, Remedy, Varies
from hotnas_hls.platforms.space import Axis, AxisKind, Candidate, SearchSpace
from hotnas_hls.search.detecting.detect import QUANT_STEPS, detect, price

PatternZeros = Mapping[int, tuple[int, ...]]  # zeros per kernel offered, by kernel side
PATTERN_STRENGTHS: tuple[PatternZeros, ...] = (
    {3: (3,), 5: (6,)},  # the published sets
    {3: (3, 4), 5: (6, 8)},
    {3: (3, 5), 5: (6, 8)},
    {3: (3, 5, 6), 5: (6, 8)},
)
ROOM = 0.9  # share of the bound the strongest edits must reach, so that there is something to choose
LEAST_NARROWING = 2  # bits; a layer that would gain from less is as good as not bound by its weights


@dataclass(frozen=True)
class SpaceOptions:
    """What the generated space may hold."""

    pattern_zeros: PatternZeros | None = None  # None: no more zeros than the bound asks for
    weight_bits: int = 16  # of a layer the search leaves alone
    least_weight_bits: int = 4
    act_bits: int = 16  # of what every layer reads
    least_act_bits: int = 4
    least_channels: float = 0.5  # share of a layer's channels that always stays
    cut_options: int = 4  # widths offered per layer, its own included
    expand_cost: float = 0.05  # share a layer may slow down for a larger kernel
    readings: int = 2
    patterns: bool = True
    channel_cut: bool = True
    kernel_expand: bool = True
    skip_cut: bool = True
    quantisation: bool = True
    hardware: bool = True
    robust: bool = False  # training with noise in the weights, where devices vary


def generate_space(
    workload: Workload,
    platform: Platform,
    choices: Choices,
    options: SpaceOptions | None = None,
    bound: float | None = None,
) -> SearchSpace:
    """The search space of a network whose best uncompressed design is ``choices``.

    Patterns with more zeros than the published ones are offered only where the bound asks for them.
    """
    options = options or SpaceOptions()
    if options.pattern_zeros is not None:
        return _generated(workload, platform, choices, options, options.pattern_zeros)
    for zeros in PATTERN_STRENGTHS:
        space = _generated(workload, platform, choices, options, zeros)
        if bound is None:
            break
        strongest = workload.compressed(compression_of(ladder(space, 2)[-1], space))
        priced = price(platform, strongest, choices)
        if priced is not None and priced.value <= ROOM * bound:
            break
    return space


def _generated(
    workload: Workload, platform: Platform, choices: Choices, options: SpaceOptions, zeros: PatternZeros
) -> SearchSpace:
    network: dict[str, Axis] = {}
    names = {layer.name for layer in workload.lowered}
    for _ in range(options.readings):
        strongest = compression_of(
            Candidate({name: axis.options[-1] for name, axis in network.items()}), network
        )
        current = workload.edited(strongest)
        before = len(network)
        for cost in detect(current, platform, choices, remedies=False).cost.layers:
            if cost.layer not in names:
                continue  # an operator that a cut skip connection left to a layer of its own
            for remedy in (Remedy.SKIP_CUT, *platform.remedies(cost.label, choices)):
                for axis in _axes(remedy, cost, workload, platform, choices, options, zeros):
                    network.setdefault(axis.name, axis)
        if len(network) == before:
            break
    network = _without_conflicts(network)
    layer_axes = sorted((axis for axis in network.values()), key=lambda axis: _position(workload, axis.layer))
    hardware = platform.axes(choices) if options.hardware else ()
    fixed = (
        ()
        if options.hardware
        else tuple(
            dataclasses.replace(axis, options=(choices[axis.name],)) for axis in platform.axes(choices)
        )
    )
    robust: tuple[Axis, ...] = ()
    if options.robust and isinstance(platform, Varies):
        robust = (Axis("noise", AxisKind.NOISE, (0, platform.weight_noise)),)
    return SearchSpace((*layer_axes, *robust, *hardware, *fixed))


def compression_of(candidate: Mapping[str, int], axes: SearchSpace | Mapping[str, Axis]) -> Compression:
    """What a candidate does to the network; values that leave a layer as it was are left out."""
    listed = axes.axes if isinstance(axes, SearchSpace) else tuple(axes.values())
    channels: dict[str, int] = {}
    patterns: dict[str, PatternChoice] = {}
    bits: dict[str, int] = {}
    act_bits: dict[str, int] = {}
    noise = 0
    expanded: list[str] = []
    skips_cut: list[str] = []
    for axis in listed:
        value = candidate[axis.name]
        if axis.kind is AxisKind.PRUNE and value:
            patterns[axis.layer] = PatternChoice(axis.kernel, value, axis.rows, axis.spread)
        elif axis.kind is AxisKind.CHANNELS and value != axis.options[0]:
            channels[axis.layer] = value
        elif axis.kind is AxisKind.BITS and value != axis.options[0]:
            bits[axis.layer] = value
        elif axis.kind is AxisKind.ACT_BITS and value != axis.options[0]:
            act_bits[axis.layer] = value
        elif axis.kind is AxisKind.NOISE:
            noise = value
        elif axis.kind is AxisKind.EXPAND and value:
            expanded.append(axis.layer)
        elif axis.kind is AxisKind.SKIP and not value:
            skips_cut.append(axis.layer)
    return Compression(channels, patterns, tuple(expanded), bits, act_bits, noise, tuple(skips_cut))


def choices_of(candidate: Mapping[str, int], space: SearchSpace) -> dict[str, int]:
    """A candidate's hardware decisions."""
    return {axis.name: candidate[axis.name] for axis in space.of_kind(AxisKind.HARDWARE)}


def ladder(space: SearchSpace, steps: int) -> list[Candidate]:
    """``steps`` candidates from untouched to every edit at its strongest, evenly between.

    Their hardware is the first of each axis (the baseline's). A search that starts with them knows at once
    which strength meets the bound.
    """
    rungs = []
    for step in range(steps):
        strength = step / max(1, steps - 1)
        values = {}
        for axis in space.axes:
            if axis.kind in (AxisKind.HARDWARE, AxisKind.EXPAND):
                values[axis.name] = axis.options[0]
            else:
                values[axis.name] = axis.options[round(strength * (len(axis.options) - 1))]
        rungs.append(Candidate(values))
    return list(dict.fromkeys(rungs))


def _axes(
    remedy: Remedy,
    cost: LayerCost,
    workload: Workload,
    platform: Platform,
    choices: Choices,
    options: SpaceOptions,
    pattern_zeros: PatternZeros,
) -> list[Axis]:
    """The axes ``remedy`` gives a layer; their first option leaves it as it is, the last is the strongest."""
    layer = workload.layer(cost.layer)
    if remedy is Remedy.PATTERN and options.patterns and layer.name in workload.editable:
        spread = workload.spreads.get(layer.name)
        zeros = _zeros(layer.positions, pattern_zeros.get(layer.kernel_rows, ()), spread)
        if zeros and layer.kernel_rows == layer.kernel_columns:
            name, values = f"prune:{layer.name}", (0, *zeros)
            kernel, rows = layer.kernel_rows, platform.pattern_rows
            return [Axis(name, AxisKind.PRUNE, values, layer.name, kernel, rows, spread)]
    if remedy is Remedy.WEIGHT_BITS and options.quantisation and layer.name in workload.weighted:
        narrowed = [Compression(weight_bits={layer.name: bits}) for bits in range(options.weight_bits + 1)]
        widths = _bit_options(narrowed, options.least_weight_bits, workload, platform, choices)
        if widths[-1] <= options.weight_bits - LEAST_NARROWING:
            return [Axis(f"bits:{layer.name}", AxisKind.BITS, widths, layer.name)]
    if remedy is Remedy.ACT_BITS and options.quantisation and layer.name in workload.readers:
        narrowed = [Compression(act_bits={layer.name: bits}) for bits in range(options.act_bits + 1)]
        widths = _bit_options(narrowed, options.least_act_bits, workload, platform, choices)
        if widths[-1] <= options.act_bits - LEAST_NARROWING:
            return [Axis(f"act_bits:{layer.name}", AxisKind.ACT_BITS, widths, layer.name)]
    if remedy is Remedy.CHANNEL_CUT and options.channel_cut:
        owner = workload.cut_owner(layer.name)
        if owner is not None:
            widths = _cut_options(owner, workload, platform, choices, options)
            if len(widths) > 1:
                return [Axis(f"channels:{owner}", AxisKind.CHANNELS, widths, owner)]
    if remedy is Remedy.SKIP_CUT and options.skip_cut and layer.name in workload.skips:
        return [Axis(f"skip:{layer.name}", AxisKind.SKIP, (1, 0), layer.name)]
    growing = layer.name in workload.editable and layer.name not in workload.spreads
    if remedy is Remedy.KERNEL_EXPAND and options.kernel_expand and growing:
        if layer.kernel_rows == layer.kernel_columns <= 3 and _may_grow(
            layer.name, workload, platform, choices, options
        ):
            return [Axis(f"expand:{layer.name}", AxisKind.EXPAND, (0, 1), layer.name)]
    return []


def _zeros(positions: int, offered: tuple[int, ...], spread: Spread | None) -> tuple[int, ...]:
    """Zeros for each kernel of so many weights: those offered; on packed maps all that take fewer positions.

    There the first zeros gain as much as others, up to the most of those offered.
    """
    if spread is None or not offered:
        return tuple(sorted(offered))
    taken = {zeros: spread.ones(positions - zeros) or positions for zeros in range(max(offered) + 1)}
    return tuple(zeros for zeros in taken if zeros and taken[zeros] < taken[zeros - 1])


def _bit_options(
    narrowed: Sequence[Compression], least: int, workload: Workload, platform: Platform, choices: Choices
) -> tuple[int, ...]:
    """Widths at which the hardware really gains: each costs less than the wider one before it.

    narrowed: the edit by its width, the last is what the layer has. The published rule ends where the weight
    transfer is no longer the bottleneck; so does this one.
    """

    def cost_at(bits: int) -> float:
        priced = price(platform, workload.compressed(narrowed[bits]), choices)
        return float("inf") if priced is None else priced.work

    top = len(narrowed) - 1
    kept, best = [top], cost_at(top)
    for bits in range(top - 1, least - 1, -1):
        cost = cost_at(bits)
        if cost < best:
            kept.append(bits)
            best = cost
    step = -(-len(kept) // QUANT_STEPS)
    return tuple(dict.fromkeys((*kept[::step], kept[-1])))


def _cut_options(
    owner: str, workload: Workload, platform: Platform, choices: Choices, options: SpaceOptions
) -> tuple[int, ...]:
    """Widths at which the hardware really gains: each costs less than the wider one before it."""
    width, multiple = workload.layer(owner).m, platform.channel_multiple(choices)

    def cost_at(keep: int) -> float:
        priced = price(platform, workload.compressed(Compression(channels={owner: keep})), choices)
        return float("inf") if priced is None else priced.work

    kept, best = [width], cost_at(width)
    for keep in range((width - 1) // multiple * multiple, 0, -multiple):
        if keep < width * options.least_channels or len(kept) == options.cut_options:
            break
        cost = cost_at(keep)
        if cost < best:
            kept.append(keep)
            best = cost
    return tuple(kept)


def _may_grow(
    name: str, workload: Workload, platform: Platform, choices: Choices, options: SpaceOptions
) -> bool:
    """True when compute has the slack: a larger kernel hardly slows the layer."""
    before = price(platform, workload.layers, choices)
    after = price(platform, workload.compressed(Compression(expanded=(name,))), choices)
    if before is None or after is None:
        return False
    own = next(layer.total for layer in before.layers if layer.layer == name)
    return after.work - before.work <= own * options.expand_cost


def _without_conflicts(axes: dict[str, Axis]) -> dict[str, Axis]:
    """A kernel is pruned or grown, not both: pruning saves time, so it stays."""
    pruned = {axis.layer for axis in axes.values() if axis.kind is AxisKind.PRUNE}
    return {
        name: axis
        for name, axis in axes.items()
        if axis.kind is not AxisKind.EXPAND or axis.layer not in pruned
    }


def _position(workload: Workload, name: str) -> int:
    return next(index for index, layer in enumerate(workload.layers) if layer.name == name)
