"""The published latency formula (sections 1.2, 1.3, 1.6) and its bottleneck label (2.1).

Two implementations of the same rule: :func:`layer_latency` for one layer on one design, to be read, and
:func:`latency_matrix` for many designs at once, to be fast. Both keep the published order of the float
operations, so that they agree bit for bit with each other and with the recorded numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Any

import numpy as np

from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork, raise_all
from hotnas_hls.published.design import PublishedDesign, PublishedHardware
from hotnas_hls.published.layers import ConvKind, PublishedLayer

CYCLES_PER_MS_PUBLISHED = 200_000  # 200 MHz, the clock of every published table
CYCLES_PER_MS_EXPLORED = 100_000  # 100 MHz, the clock the exploration printed
WORD_BITS = 16  # one port lane


class Formula(StrEnum):
    """Which state of the public code."""

    HEAD = "HEAD"  # in force since 2020-04-08 (sections 1.2, 1.3)
    A = "A"  # before 2020-04-02: padded sizes, unclipped channels, no pattern, no quantisation (1.6)


class Bottleneck(StrEnum):
    """What a layer waits for (section 2.1)."""

    STORE = "O"  # storing the output feature map
    LOAD_IFM = "I"  # loading the input feature map
    LOAD_WGT = "W"  # loading weights
    COMPUTE = "C"


@dataclass(frozen=True)
class PublishedLatency:
    """Terms of one layer, cycles of one tile unless said otherwise (section 1.2)."""

    load_ifm: float  # tI
    load_wgt: float  # tW
    compute: float  # tC
    store_ofm: float  # tO
    input_passes: int  # ceil(N/Tn)
    tiles: int  # B*ceil(R/Tr)*ceil(C/Tc)*ceil(M/Tm)

    @property
    def pass_cycles(self) -> float:
        """L1: one pass over Tn input channels, the three loads and the computation overlapping."""
        return max(self.load_ifm, self.load_wgt, self.compute)

    @property
    def tile_cycles(self) -> float:
        """L2: one output tile, its store overlapping the passes of the next."""
        return max(self.input_passes * self.pass_cycles, self.store_ofm)

    @property
    def cycles(self) -> float:
        """Lat: the whole layer."""
        return self.tiles * self.tile_cycles

    @property
    def bottleneck(self) -> Bottleneck:
        """Section 2.1: the order matters, and equality is exact (quirk Q5)."""
        if self.tile_cycles == self.store_ofm:
            return Bottleneck.STORE
        if self.pass_cycles == self.load_ifm:
            return Bottleneck.LOAD_IFM
        if self.pass_cycles == self.load_wgt:
            return Bottleneck.LOAD_WGT
        return Bottleneck.COMPUTE

    @property
    def totals(self) -> dict[Bottleneck, float]:
        """Cycles each part would take on its own over the whole layer (section 2.1)."""
        passes = self.input_passes * self.tiles
        return {
            Bottleneck.LOAD_IFM: self.load_ifm * passes,
            Bottleneck.STORE: self.store_ofm * self.tiles,
            Bottleneck.LOAD_WGT: self.load_wgt * passes,
            Bottleneck.COMPUTE: self.compute * passes,
        }


def weight_lanes(wp: int, bits: int | None) -> int:
    """Weights moved a cycle: Wp, or floor(16*Wp/bits) when quantised (section 1.2).

    Raises InfeasibleDesign when the port is narrower than one weight, for which the rule divides by zero.
    """
    lanes = wp if bits is None else WORD_BITS * wp // bits
    if not lanes:
        raise InfeasibleDesign(_narrow_port(wp, bits))
    return lanes


def layer_latency(
    layer: PublishedLayer, design: PublishedDesign, formula: Formula = Formula.HEAD
) -> PublishedLatency:
    """Terms of ``layer`` on the engine ``design``, in cycles (sections 1.2, 1.3; 1.6 for ``Formula.A``).

    Raises UnsupportedNetwork when the kernel is larger than the engine's Tk, and InfeasibleDesign when a
    weight is wider than the weight port.
    """
    _refuse_large_kernels([layer], [design.tk])
    d, S = design, layer.S
    tn = d.tm if layer.kind is ConvKind.DCONV else d.tn  # 1.3: Tn is forced equal to Tm
    weight_channels = 1 if layer.kind is ConvKind.DCONV else tn
    if formula is Formula.A:
        R, C = layer.R + 2 * layer.P, layer.C + 2 * layer.P
        padded_R, padded_C = R, C
        tile_n, tile_m = tn, d.tm
        kernel_ones, lanes = layer.K * layer.K, d.wp
    else:
        R, C = layer.R, layer.C
        padded_R, padded_C = R + 2 * layer.P, C + 2 * layer.P
        tile_n, tile_m = min(tn, layer.N), min(d.tm, layer.M)
        kernel_ones, lanes = layer.kernel_ones, weight_lanes(d.wp, layer.bits)
    r, c = min(d.tr, R), min(d.tc, C)
    return PublishedLatency(
        load_ifm=tile_n * r * c / d.ip,
        load_wgt=d.tm * weight_channels * layer.K * layer.K / lanes,
        compute=float(kernel_ones * ceil(min(d.tr, padded_R) / S) * ceil(min(d.tc, padded_C) / S)),
        store_ofm=tile_m * ceil(r / S) * ceil(c / S) / d.op,
        input_passes=ceil(layer.N / tn),
        tiles=ceil(R / d.tr) * ceil(C / d.tc) * ceil(layer.M / d.tm),
    )


@dataclass(frozen=True)
class LayerReport:
    """One layer with its terms."""

    layer: PublishedLayer
    latency: PublishedLatency


def network_latency(
    layers: Iterable[PublishedLayer], hardware: PublishedHardware, formula: Formula = Formula.HEAD
) -> list[LayerReport]:
    """Terms of every layer on the engine of its kind, in the order given.

    Raises UnsupportedNetwork when a kernel is larger than Tk, or when a depthwise layer has no engine.
    """
    return [LayerReport(layer, layer_latency(layer, engine_of(layer, hardware), formula)) for layer in layers]


def network_cycles(
    layers: Iterable[PublishedLayer], hardware: PublishedHardware, formula: Formula = Formula.HEAD
) -> float:
    """Cycles of a whole network: the layers one after another (section 1.4 lists what is left out)."""
    return sum(report.latency.cycles for report in network_latency(layers, hardware, formula))


def published_ms(cycles: float) -> float:
    """Milliseconds at 200 MHz, as published: the 100 MHz figure (cycles / 1e5) halved (section 1.7)."""
    return cycles / CYCLES_PER_MS_EXPLORED / 2


@dataclass(frozen=True)
class DesignArrays:
    """Many :class:`PublishedDesign` as int64 columns, each of shape (designs, 1)."""

    tm: np.ndarray
    tn: np.ndarray
    tr: np.ndarray
    tc: np.ndarray
    tk: np.ndarray
    wp: np.ndarray
    ip: np.ndarray
    op: np.ndarray

    @classmethod
    def of(cls, designs: Sequence[PublishedDesign]) -> DesignArrays:
        """Columns of a list of designs."""
        names = cls.__dataclass_fields__
        return cls(
            **{
                name: np.array([getattr(design, name) for design in designs], dtype=np.int64)[:, None]
                for name in names
            }
        )

    def __len__(self) -> int:
        return len(self.tm)

    def __getitem__(self, index: int) -> PublishedDesign:
        names = self.__dataclass_fields__
        return PublishedDesign(**{name: int(getattr(self, name)[index, 0]) for name in names})


@dataclass(frozen=True)
class LatencyMatrix:
    """Terms of many layers on many designs, float64 cycles of shape (designs, layers)."""

    load_ifm: np.ndarray
    load_wgt: np.ndarray
    compute: np.ndarray
    store_ofm: np.ndarray
    cycles: np.ndarray


def latency_matrix(
    layers: Sequence[PublishedLayer], designs: DesignArrays, formula: Formula = Formula.HEAD
) -> LatencyMatrix:
    """:func:`layer_latency` of every layer (all of one kind) on every design, bit for bit.

    Raises UnsupportedNetwork when a kernel is larger than the smallest Tk, and InfeasibleDesign when a
    weight is wider than the narrowest weight port.
    """
    _refuse_large_kernels(layers, [int(designs.tk.min())])
    if len({layer.kind for layer in layers}) > 1:
        raise ValueError("one matrix is of one engine: give cconv and dconv layers separately")
    d = designs
    depthwise = layers[0].kind is ConvKind.DCONV

    def row(value: Any) -> np.ndarray:
        return np.array([value(layer) for layer in layers], dtype=np.int64)[None, :]

    def up(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return -(-a // b)

    M, N, K, S, P = (row(lambda layer, at=at: getattr(layer, at)) for at in "MNKSP")
    R, C = row(lambda layer: layer.R), row(lambda layer: layer.C)
    padded_R, padded_C = R + 2 * P, C + 2 * P
    tn = d.tm if depthwise else d.tn
    weight_channels = 1 if depthwise else tn
    if formula is Formula.A:
        R, C = padded_R, padded_C
        tile_n, tile_m = tn, d.tm
        kernel_ones, lanes = K * K, d.wp
    else:
        tile_n, tile_m = np.minimum(tn, N), np.minimum(d.tm, M)
        kernel_ones = row(lambda layer: layer.kernel_ones)
        bits = row(lambda layer: WORD_BITS if layer.bits is None else layer.bits)
        lanes = WORD_BITS * d.wp // bits
        if not lanes.all():
            raise InfeasibleDesign(_narrow_port(int(d.wp.min()), int(bits.max())))
    r, c = np.minimum(d.tr, R), np.minimum(d.tc, C)
    load_ifm = tile_n * r * c / d.ip
    load_wgt = d.tm * weight_channels * K * K / lanes
    positions = up(np.minimum(d.tr, padded_R), S) * up(np.minimum(d.tc, padded_C), S)
    compute = (kernel_ones * positions).astype(float)
    store_ofm = tile_m * up(r, S) * up(c, S) / d.op
    pass_cycles = np.maximum(np.maximum(load_ifm, load_wgt), compute)
    tile_cycles = np.maximum(up(N, tn) * pass_cycles, store_ofm)
    cycles = up(R, d.tr) * up(C, d.tc) * up(M, d.tm) * tile_cycles
    return LatencyMatrix(load_ifm, load_wgt, compute, store_ofm, cycles)


def network_cycles_of(
    layers: Sequence[PublishedLayer],
    cconv: DesignArrays,
    dconv: DesignArrays | None = None,
    formula: Formula = Formula.HEAD,
) -> np.ndarray:
    """:func:`network_cycles` on every design, float64 of shape (designs,).

    ``cconv[i]`` and ``dconv[i]`` form accelerator i. Layers are added in their own order, one by one, since
    float addition is not associative and the recorded values are exact.
    """
    cycles = np.empty((len(cconv), len(layers)))
    for kind, designs in ((ConvKind.CCONV, cconv), (ConvKind.DCONV, dconv)):
        columns = [index for index, layer in enumerate(layers) if layer.kind is kind]
        if not columns:
            continue
        if designs is None:
            raise UnsupportedNetwork(_no_engine(layers[columns[0]]))
        cycles[:, columns] = latency_matrix([layers[index] for index in columns], designs, formula).cycles
    return np.cumsum(cycles, axis=1)[:, -1]


def engine_of(layer: PublishedLayer, hardware: PublishedHardware) -> PublishedDesign:
    """The engine ``layer`` runs on. Raises UnsupportedNetwork when the hardware has none of its kind."""
    if layer.kind is ConvKind.CCONV:
        return hardware.cconv
    if hardware.dconv is None:
        raise UnsupportedNetwork(_no_engine(layer))
    return hardware.dconv


def _no_engine(layer: PublishedLayer) -> str:
    return f"{layer.name} is depthwise, and the hardware has no dconv engine"


def _narrow_port(wp: int, bits: int | None) -> str:
    return f"a weight of {bits} bits does not fit one transfer of Wp = {wp} lanes of {WORD_BITS} bits"


def _refuse_large_kernels(layers: Iterable[PublishedLayer], tks: Iterable[int]) -> None:
    tk = min(tks)
    raise_all(
        UnsupportedNetwork,
        f"kernels larger than the engine's Tk = {tk}:",
        (f"{layer.name}: K = {layer.K}" for layer in layers if layer.K > tk),
    )
