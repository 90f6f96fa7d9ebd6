"""Floats to integers: formats of all feature maps and weights, and the integers of every layer.

Every format is a power of two, so a scale is a shift. The formats obey what the hardware can do: sums are
shifted right before they are stored (output_shift >= 0), an addend is shifted left to the scale of the sum
(residual_shift >= 0) and a product right, a bias fits 32 bits, and no sum leaves the accumulator.

Maps on a grid, of a network that was quantised elsewhere, keep it where it fits; formats of all others are
chosen on images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.activation import SEGMENTS, activated, lines_through
from hotnas_hls.accel.integers.bounds import accumulator_bits, accumulator_violations, sums_fit
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers, pattern_rows
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.network.activation import Activation
from hotnas_hls.network.calibrate import Observed, observe
from hotnas_hls.network.fixed_point import (
    MOST_FRAC_BITS,
    best_frac_bits,
    holding_frac_bits,
    quantised,
    weight_frac_bits,
)
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.grid import grid_of
from hotnas_hls.network.lowered import LoweredLayer, LoweredNetwork, Weights

BIAS_MAX = (1 << 31) - 1
COARSEST = -32  # fraction bits; below them something is wrong with the network
ARGUMENT_TRIES = 6  # finer formats tried of what an activation reads: many saturate
PATTERNS = 4  # masks a layer's kernels choose from
POWERS_OF_TWO = (Weights.COPY, Weights.SUBSAMPLE, Weights.MEAN)  # MEAN only where the area is one

Patterns = Mapping[str, tuple[np.ndarray, np.ndarray]]  # layer -> index (M, N), masks (4, kh, kw)


def quantise(
    graph: Graph,
    lowered: LoweredNetwork,
    images: np.ndarray | None,
    act_bits: int = 16,
    weight_bits: Mapping[str, int] | None = None,
    patterns: Patterns | None = None,
    clip: bool = True,
    read_bits: Mapping[str, int] | None = None,
) -> IntegerNetwork:
    """The integer network of ``graph``, lowered to ``lowered``.

    images: float32 (B, C, H, W) that show which values occur; None where every map lies on a grid that
    ``act_bits`` hold. ``weight_bits`` names the layers whose width is
    not that of ``lowered``; ``patterns`` the pruned ones, each with the pattern index (M, N) of its kernels
    and four masks (4, kh, kw), which are applied to the weights. A format may saturate rare values where that
    is the smaller error; without ``clip`` it holds them all. ``read_bits`` names the layers that read fewer
    bits than ``act_bits``: what is written for them is clamped to those. Raises ConfigError with everything
    that does not fit.
    """
    weight_bits, patterns, read_bits = dict(weight_bits or {}), dict(patterns or {}), dict(read_bits or {})
    raise_all(
        ConfigError,
        f"{lowered.name}: cannot be quantised like that",
        _request_violations(lowered, act_bits, weight_bits, patterns, read_bits),
    )
    bits = _map_bits(lowered, read_bits, act_bits)
    layers = [_Real.of(layer, graph, weight_bits, patterns, clip, bits) for layer in lowered.layers]
    values = {name: lowered.copies.get(name, name) for name in lowered.feature_maps}
    inner = {name for item in lowered.layers for name in (item.argument, item.multiplied) if name}
    grids = {name: grid_of(graph, name) for name in {*values.values(), *inner}}
    narrowest: dict[str, int] = {}
    for name, value in values.items():
        narrowest[value] = min(bits[name], narrowest.get(value, act_bits))
    given = {
        name: grid.frac_bits
        for name, grid in grids.items()
        if grid and grid.fits(narrowest.get(name, act_bits))
    }
    wanted = sorted({*values.values(), *inner} - {*given})
    if images is None:
        problems = [f"{name}: it lies on no grid of {act_bits} bits; give images" for name in wanted]
        raise_all(ConfigError, f"{lowered.name}: without images these maps have no format", problems)
    observed = observe(graph, images, wanted) if images is not None and wanted else {}
    layers = [_with_factor(real, given, observed, act_bits, clip) for real in layers]
    seen = {name: observed[value] for name, value in values.items() if value in observed}
    told = {name: given[value] for name, value in values.items() if value in given}
    frac_bits = _feature_map_formats(lowered, layers, told, seen, bits, clip)
    maps = {name: replace(fm, frac_bits=frac_bits[name]) for name, fm in lowered.feature_maps.items()}
    layers = [_with_argument(real, given, observed, maps, act_bits, clip) for real in layers]
    layers = [replace(real, on_grid=real.layer.target in told) for real in layers]
    net = IntegerNetwork(
        name=lowered.name,
        feature_maps=maps,
        layers=tuple(real.layer for real in layers),
        numbers=_all_numbers(layers, maps, lowered.image, act_bits),
        image=lowered.image,
        host=lowered.host,
        act_bits=act_bits,
        image_layout=lowered.image_layout,
    )
    raise_all(
        ConfigError,
        f"{lowered.name}: sums could overflow the {accumulator_bits(act_bits)}-bit accumulator",
        accumulator_violations(net),
    )
    return net


def quantise_image(net: IntegerNetwork, image: np.ndarray) -> np.ndarray:
    """Images float (..., C, H, W), as the network defines them, as the integers of the image feature map.

    int32 (..., C', H', W'), laid as the network's stem reads them.
    """
    if net.image_layout is not None:
        image = net.image_layout.lay(image)
    return quantised(image, net.feature_maps[net.image].frac_bits, net.act_bits)


def dequantise(net: IntegerNetwork, name: str, values: np.ndarray) -> np.ndarray:
    """Integers of feature map ``name`` as the floats they stand for, float32."""
    return (values * 2.0 ** -net.feature_maps[name].frac_bits).astype(np.float32)


# --- layers with their real weights -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Real:
    """A layer with its real weights and bias, pruned but not rounded."""

    lowered: LoweredLayer
    layer: Layer  # with weight_bits and pattern_ones as requested
    weights: np.ndarray
    bias: np.ndarray
    pattern_index: np.ndarray | None
    patterns: np.ndarray | None
    wanted: int  # weight fraction bits that suit the weights
    bits: int  # of the map it writes
    mean: np.ndarray | None  # of what it reads, where known: the bias makes up for weights rounded
    argument_frac: int = 0  # fraction bits that suit what an activation is applied to
    multiplied_frac: int = 0  # fraction bits that suit what a residual multiplies
    on_grid: bool = False  # whoever quantised the network rounds what it stores

    @classmethod
    def of(
        cls,
        lowered: LoweredLayer,
        graph: Graph,
        weight_bits: Mapping[str, int],
        patterns: Patterns,
        clip: bool,
        bits: Mapping[str, int],
    ) -> _Real:
        layer = lowered.layer
        layer = replace(layer, weight_bits=weight_bits.get(layer.name, layer.weight_bits))
        weights, bias = lowered.parameters(graph)
        index = masks = None
        if layer.name in patterns:
            index, masks = (np.asarray(array, dtype=np.uint8) for array in patterns[layer.name])
            layer = replace(layer, pattern_ones=int(masks[0].sum()), pattern_rows=pattern_rows(index))
            weights = weights * masks[index]
        elif lowered.mask is not None:  # a dilated kernel: one pattern, four times
            fan_in = layer.n if layer.kind is LayerKind.CONV else 1
            index = np.zeros((layer.m, fan_in), dtype=np.uint8)
            masks = np.stack([lowered.mask] * PATTERNS)
            layer = replace(layer, pattern_rows=pattern_rows(index))
        mean, variance = lowered.statistics(graph) or (None, None)
        maximum = layer.kind is LayerKind.MAXPOOL
        wanted = 0 if maximum else weight_frac_bits(weights, layer.weight_bits, clip, variance)
        return cls(lowered, layer, weights, bias, index, masks, wanted, bits[layer.target], mean)

    @property
    def area_bits(self) -> int | None:
        """f where all weights are 0 or 2**-f, None where they are not."""
        area = self.layer.kernel_rows * self.layer.kernel_columns
        if self.lowered.weights not in POWERS_OF_TWO or area & (area - 1):
            return None
        return area.bit_length() - 1

    @property
    def sum_target(self) -> str | None:
        """The map that the sums are shifted to; None where an activation or a product comes between."""
        between = self.lowered.activation is not None or self.layer.residual_multiplies
        return None if between else self.layer.target

    def finest_product(self, residual_frac: int, sum_frac: int) -> int:
        """The most fraction bits of a product with a residual of ``residual_frac``."""
        finest = self.multiplied_frac
        if self.lowered.activation is None:
            finest = min(finest, sum_frac)
        return finest + residual_frac

    def value_frac(self, maps: Mapping[str, FeatureMap], act_bits: int) -> int:
        """Fraction bits that suit the activation: those of the output, or of what a residual multiplies."""
        ofm = maps[self.layer.target].frac_bits
        if not self.layer.residual_multiplies or self.layer.residual is None:
            return ofm
        most = ofm - maps[self.layer.residual].frac_bits + 2 * act_bits - 1  # that a product is shifted by
        return min(self.multiplied_frac, most)

    def finest(self, ifm_frac: int) -> int:
        """The most weight fraction bits at which weights and bias fit, for an input of ``ifm_frac``."""
        if self.layer.kind is LayerKind.MAXPOOL:
            return 0
        if self.area_bits is not None:
            return self.area_bits + self.layer.weight_bits - 2
        largest = float(np.abs(self.bias).max(initial=0.0))
        if largest == 0:
            return self.wanted
        return min(self.wanted, math.floor(math.log2(BIAS_MAX / largest)) - ifm_frac)

    def integers(self, weight_frac: int, maps: Mapping[str, FeatureMap], act_bits: int) -> LayerNumbers:
        """The layer in integers, its weights with ``weight_frac`` fraction bits."""
        layer, activation = self.layer, self.lowered.activation
        sum_frac = maps[layer.source].frac_bits + weight_frac
        top = (1 << (self.bits if self.sum_target else act_bits) - 1) - 1
        stored_frac = value_frac = self.value_frac(maps, act_bits)
        if activation is not None:
            stored_frac = min(self.argument_frac, sum_frac)
        elif layer.residual_multiplies:
            stored_frac = value_frac = min(value_frac, sum_frac)
        residual_shift = 0
        if layer.residual is not None:
            residual_frac = maps[layer.residual].frac_bits
            residual_shift = sum_frac - residual_frac
            if layer.residual_multiplies:
                residual_shift = value_frac + residual_frac - maps[layer.target].frac_bits
        output_shift = sum_frac - stored_frac
        weights = quantised(self.weights, weight_frac, self.layer.weight_bits)
        bias = self.bias
        if self.mean is not None:
            bias = bias + (self.weights - weights * 2.0**-weight_frac).ravel() * self.mean
        if self.on_grid and output_shift:  # below a unit of the sums it changes nothing of what is stored
            bias = bias - 2.0 ** -(sum_frac + 1)
        bounds = np.floor(np.array(self.lowered.clamp) * 2.0**stored_frac + 0.5)
        low, high = np.clip(bounds, -top - 1, top).astype(int).tolist()
        return LayerNumbers(
            weights=weights,
            bias=quantised(bias, sum_frac, 32).astype(np.int64),
            output_shift=output_shift,
            clamp_low=low,
            clamp_high=high,
            residual_shift=residual_shift,
            pattern_index=self.pattern_index,
            patterns=self.patterns,
            weight_frac_bits=weight_frac,
            lines=None if activation is None else _lines(activation, stored_frac, value_frac, act_bits),
        )


def _request_violations(
    lowered: LoweredNetwork,
    act_bits: int,
    weight_bits: Mapping[str, int],
    patterns: Patterns,
    read_bits: Mapping[str, int],
) -> list[str]:
    layers = {item.layer.name: item for item in lowered.layers if item.weights is not Weights.NONE}
    found = [] if act_bits in (8, 16) else [f"act_bits = {act_bits}: activations are 8 or 16 bits"]
    for role, names in (("weight_bits", weight_bits), ("patterns", patterns), ("read_bits", read_bits)):
        for name in names:
            if name not in layers:
                found.append(f"{role}: no layer with weights is called {name!r}; see 'hotnas graph'")
    for name, bits in weight_bits.items():
        if not 2 <= bits <= 16:
            found.append(f"{name}: weight_bits = {bits}: weights are 2 to 16 bits")
    for name, bits in read_bits.items():
        if not 2 <= bits <= act_bits:
            found.append(f"{name}: read_bits = {bits}: activations are 2 to {act_bits} bits")
        elif name in layers and not _chosen(lowered, layers[name].layer.source):
            found.append(
                f"{name}: what it reads is the image, or what an activation or a product makes; "
                f"it has {act_bits} bits"
            )
    for name, (index, masks) in patterns.items():
        if name in layers:
            found += _pattern_violations(layers[name], np.asarray(index), np.asarray(masks))
    return found


def _pattern_violations(lowered: LoweredLayer, index: np.ndarray, masks: np.ndarray) -> list[str]:
    layer = lowered.layer
    fan_in = layer.n if layer.kind is LayerKind.CONV else 1
    kernel = (layer.kernel_rows, layer.kernel_columns)
    if lowered.stem is not None:
        return [f"{layer.name}: a re-laid stem cannot be pruned; use stem = plain or leave it dense"]
    if index.shape != (layer.m, fan_in) or masks.shape != (PATTERNS, *kernel):
        return [
            f"{layer.name}: pattern index {index.shape} and masks {masks.shape}, "
            f"the layer needs {(layer.m, fan_in)} and {(PATTERNS, *kernel)}"
        ]
    if len(set(masks.reshape(PATTERNS, -1).sum(axis=1).tolist())) > 1 or not np.isin(masks, (0, 1)).all():
        return [f"{layer.name}: its patterns must be 0/1 masks with the same number of ones"]
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < PATTERNS:
        return [f"{layer.name}: the pattern index must be 0 to {PATTERNS - 1}"]
    return []


# --- formats ----------------------------------------------------------------------------------------------


def _map_bits(lowered: LoweredNetwork, read_bits: Mapping[str, int], act_bits: int) -> dict[str, int]:
    """Width of every feature map: the least that a layer reads of those that share its format."""
    found: dict[str, int] = {}
    for group in _sharing(lowered):
        asked = [read_bits.get(i.layer.name, act_bits) for i in lowered.layers if i.layer.source in group]
        found |= dict.fromkeys(group, min(asked, default=act_bits))
    return found


def _chosen(lowered: LoweredNetwork, name: str) -> bool:
    """Whether the width of a feature map is open: every layer that writes it, or a part, clamps its sums."""
    parts = {fm.name for fm in lowered.feature_maps.values() if name in (fm.name, fm.concat_of)}
    made = [item for item in lowered.layers if item.layer.target in parts]
    plain = (one.activation is None and not one.layer.residual_multiplies for one in made)
    return bool(made) and all(plain)


def _feature_map_formats(
    lowered: LoweredNetwork,
    layers: Iterable[_Real],
    given: Mapping[str, int],
    observed: Mapping[str, Observed],
    bits: Mapping[str, int],
    clip: bool,
) -> dict[str, int]:
    """Fraction bits of every feature map, each of ``bits``.

    Each starts at the coarsest that is given, or at what suits its values; those finer than the sums they
    come from or are added to give way.
    """
    layers = list(layers)
    groups = _sharing(lowered)
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    frac_bits = []
    for group in groups:
        if told := [given[name] for name in group if name in given]:
            frac_bits.append(min(told))
            continue
        seen = [observed[name] for name in group]
        sample = np.concatenate([one.sample for one in seen])
        low, high = min(one.low for one in seen), max(one.high for one in seen)
        frac_bits.append(best_frac_bits(sample, low, high, bits[group[0]], clip))
    changed = True
    while changed:  # ends: formats only become coarser, down to COARSEST
        changed = False
        for real in layers:
            ifm_frac = frac_bits[group_of[real.layer.source]]
            reach = ifm_frac + real.finest(ifm_frac)
            limits = [(name, reach) for name in (real.sum_target, real.layer.addend) if name is not None]
            if real.layer.residual_multiplies and real.layer.residual is not None:
                factor_frac = frac_bits[group_of[real.layer.residual]]
                limits.append((real.layer.target, real.finest_product(factor_frac, reach)))
            for name, limit in limits:
                if frac_bits[group_of[name]] > limit:
                    frac_bits[group_of[name]] = limit
                    changed = True
            if reach < COARSEST:
                raise ConfigError(
                    f"{real.layer.name}: {real.layer.weight_bits}-bit weights cannot hold its weights, "
                    f"up to {np.abs(real.weights).max():.3g}; give it more weight_bits"
                )
    return {name: frac_bits[number] for name, number in group_of.items()}


def _with_factor(
    real: _Real, given: Mapping[str, int], observed: Mapping[str, Observed], act_bits: int, clip: bool
) -> _Real:
    """``real`` with the format of what its residual multiplies: given, or what suits the values seen."""
    if not real.layer.residual_multiplies:
        return real
    if real.lowered.multiplied in given:
        return replace(real, multiplied_frac=given[real.lowered.multiplied])
    seen = observed[real.lowered.multiplied]
    return replace(real, multiplied_frac=best_frac_bits(seen.sample, seen.low, seen.high, act_bits, clip))


def _with_argument(
    real: _Real,
    given: Mapping[str, int],
    observed: Mapping[str, Observed],
    maps: Mapping[str, FeatureMap],
    act_bits: int,
    clip: bool,
) -> _Real:
    """``real`` with the format of what its activation reads.

    Given, or the one in which it makes the least error of what it was seen to read.
    """
    activation = real.lowered.activation
    if activation is None:
        return real
    if real.lowered.argument in given:
        return replace(real, argument_frac=given[real.lowered.argument])
    seen = observed[real.lowered.argument]
    start = holding_frac_bits(seen.low, seen.high, act_bits)
    wanted = activation(seen.sample.astype(np.float64))
    value_frac = real.value_frac(maps, act_bits)

    def error(frac_bits: int) -> float:
        read = quantised(seen.sample, frac_bits, act_bits)
        found = activated(read, _lines(activation, frac_bits, value_frac, act_bits), act_bits)
        return float(np.mean((found * 2.0**-value_frac - wanted) ** 2))

    tries = range(start, min(start + ARGUMENT_TRIES, MOST_FRAC_BITS) + 1) if clip else (start,)
    return replace(real, argument_frac=min(tries, key=error))


def _lines(activation: Activation, argument_frac: int, out_frac: int, act_bits: int) -> np.ndarray:
    """Lines of ``activation``, from and to integers of these fraction bits, int32 (SEGMENTS, 2)."""
    ends = np.linspace(-1, 1, SEGMENTS + 1) * 2.0 ** (act_bits - 1 - argument_frac)
    with np.errstate(over="ignore"):
        return lines_through(activation(ends) * 2.0**out_frac, act_bits)


def _sharing(lowered: LoweredNetwork) -> list[list[str]]:
    """Feature maps of one format: the parts of a tensor, and both sides of a maximum or a selection.

    Not where an activation or a product comes between, which may begin and end in any.
    """
    shared = nx.Graph()
    shared.add_nodes_from(lowered.feature_maps)
    shared.add_edges_from((fm.name, fm.concat_of) for fm in lowered.feature_maps.values() if fm.concat_of)
    shared.add_edges_from(
        (item.layer.source, item.layer.target)
        for item in lowered.layers
        if (item.layer.kind is LayerKind.MAXPOOL or item.weights is Weights.SUBSAMPLE)
        and item.activation is None
        and not item.layer.residual_multiplies
    )
    return [sorted(group) for group in nx.connected_components(shared)]


def _all_numbers(
    layers: Iterable[_Real], maps: Mapping[str, FeatureMap], image: str, act_bits: int
) -> dict[str, LayerNumbers]:
    """Integers of every layer, weights as fine as the bias, the accumulator and the formats allow."""
    numbers: dict[str, LayerNumbers] = {}
    done: list[Layer] = []
    for real in layers:
        layer = real.layer
        ifm_frac = maps[layer.source].frac_bits
        bounds = [maps[name].frac_bits for name in (real.sum_target, layer.addend) if name is not None]
        if layer.residual_multiplies and layer.residual and real.lowered.activation is None:
            bounds.append(maps[layer.target].frac_bits - maps[layer.residual].frac_bits)
        coarsest = max(bounds, default=COARSEST) - ifm_frac
        weight_frac = real.finest(ifm_frac)
        if real.area_bits is not None:  # exact at any number of bits: no finer than needed
            weight_frac = max(real.area_bits, coarsest)
        known = IntegerNetwork("", dict(maps), tuple(done), numbers, image, HostWork(), act_bits)
        while True:
            found = real.integers(weight_frac, maps, act_bits)
            if weight_frac <= coarsest or sums_fit(known, layer, found):
                break
            weight_frac -= 1
        numbers[layer.name] = found
        done.append(layer)
    return numbers
