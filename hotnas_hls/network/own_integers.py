"""The integers that a network brings, which was quantised elsewhere: kept where the accelerator has them.

Its maps must lie on grids of powers of two and its weights be integers at one. Zero points cost bits at most:
what an integer stands for is a multiple of the grid, and 16 bits hold those of 8 bits with any zero point. So
do scales by channel: their weights are brought to the finest scale, in the bits from it to the coarsest more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.errors import ConfigError
from hotnas_hls.network.fixed_point import holding_frac_bits, quantised
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.grid import grid_of
from hotnas_hls.network.lower import lower
from hotnas_hls.network.lowered import LoweredNetwork, Weights
from hotnas_hls.network.quantise import quantise

INT32 = (-(2.0**31), 2.0**31 - 1)
WIDTHS = (8, 16)  # of maps, and of weights, that are tried


@dataclass(frozen=True, eq=False)
class OwnIntegers:
    """A network in its own integers, with maps and weights as narrow as they can be of WIDTHS."""

    lowered: LoweredNetwork
    net: IntegerNetwork
    weight_bits: int

    def maps_of(self, nodes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Feature maps (B, C, H, W) as integers, of those of graph nodes in reals; those that are known."""
        found = {}
        for name, fm in self.net.feature_maps.items():
            node = self.lowered.copies.get(name, name)
            if node in nodes:
                reals = nodes[node].astype(np.float64).reshape(-1, *self._shape_of(node))
                whole = np.nan_to_num(np.rint(reals * 2.0**fm.frac_bits)).clip(*INT32)
                first = fm.concat_offset - self.net.feature_maps[node].concat_offset
                part = whole if whole.shape[1] == fm.channels else whole[:, first : first + fm.channels]
                found[name] = part.astype(np.int32)
        return found

    def _shape_of(self, name: str) -> tuple[int, int, int]:
        fm = self.net.feature_maps[name]
        return fm.channels, fm.rows, fm.columns


def own_integers(graph: Graph, problems: list[str]) -> OwnIntegers | None:
    """The integers that ``graph`` brings; None where they cannot be kept, with ``problems`` that say why."""
    graph = fold_batchnorm(graph)
    lowered, found = lower(graph), list[str]()
    act_bits, widest = WIDTHS[0], WIDTHS[0]
    for name in lowered.feature_maps:
        grid = grid_of(graph, lowered.copies.get(name, name))
        bits = next((bits for bits in WIDTHS if grid is not None and grid.fits(bits)), None)
        if grid is None:
            found.append(f"{name}: nothing rounds this map")
        elif bits is None:
            found.append(f"{name}: its integers take more than {WIDTHS[-1]} bits")
        act_bits = max(act_bits, bits or 0)
    for item in lowered.layers:
        if item.weights is Weights.NODE:
            needed = weight_bits(item.parameters(graph)[0])
            bits = next((bits for bits in WIDTHS if needed is not None and needed <= bits), None)
            if bits is None:
                found.append(
                    f"{item.layer.name}: its weights are no integers of {WIDTHS[-1]} bits at a power of two"
                )
            widest = max(widest, bits or 0)
    problems += found
    if found:
        return None
    weighted = (item.layer.name for item in lowered.layers if item.weights is not Weights.NONE)
    net = kept(graph, lowered, act_bits, dict.fromkeys(weighted, widest), problems)
    return None if net is None else OwnIntegers(lowered, net, widest)


def weight_bits(weights: np.ndarray) -> int | None:
    """The bits of integers whose multiples of one power of two ``weights`` are; None for more than 16."""
    bits = WIDTHS[-1]
    frac_bits = holding_frac_bits(float(weights.min(initial=0)), float(weights.max(initial=0)), bits)
    integers = quantised(weights, frac_bits, bits)
    if (integers * 2.0**-frac_bits != weights).any():
        return None
    together = int(np.bitwise_or.reduce(integers, axis=None))
    common = together & -together or 1
    largest = np.maximum(integers, -1 - integers).max(initial=0) // common
    return int(largest).bit_length() + 1


def kept(
    graph: Graph, lowered: LoweredNetwork, act_bits: int, widths: Mapping[str, int], problems: list[str]
) -> IntegerNetwork | None:
    """The integer network of ``graph``, batch norms folded, at weight bits by layer, with its own integers.

    None where these widths do not hold them, with ``problems`` that say where.
    """
    try:
        net = quantise(graph, lowered, None, act_bits, widths)
    except ConfigError as error:
        problems += [line.removeprefix("  - ") for line in str(error).split("\n")[1:] or [str(error)]]
        return None
    found = []
    for name, fm in net.feature_maps.items():
        grid = grid_of(graph, lowered.copies.get(name, name))
        if grid is not None and grid.frac_bits != fm.frac_bits:
            found.append(
                f"{name}: its scale 2**{-grid.frac_bits} became 2**{-fm.frac_bits}, "
                "as coarse as what it is joined with or made of"
            )
    for item in lowered.layers:
        numbers = net.numbers[item.layer.name]
        if item.weights is Weights.NODE:
            weights = item.parameters(graph)[0]
            if (numbers.weights * 2.0**-numbers.weight_frac_bits != weights).any():
                needed = weight_bits(weights) or WIDTHS[-1] + 1
                given = widths.get(item.layer.name, item.layer.weight_bits)
                found.append(
                    f"{item.layer.name}: its weights take {needed} bits, not {given}"
                    if needed > given
                    else f"{item.layer.name}: its bias or its sums are too large at the scales of the file"
                )
    problems += found
    return None if found else net
