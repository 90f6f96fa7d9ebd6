"""How one layer is cut into tiles, slices and weight jobs: every count the hardware needs.

Schedule of a layer (``for`` loops outermost first)::

    for tile (row-major over ceil(R/tr) x ceil(C/tc) output tiles)
        load_ifm: every input slice (Tn channels) of the tile's footprint, once
        for m (output tiles of Tm channels)
            for n (input slices)
                for k (chunks of at most ``wgt_entries`` entries)
                    load_wgt: one weight job        compute: entries x pixels cycles
            store_ofm: Tm channels of the tile

An entry is what the array computes of a kernel in one cycle: a position; of a channelwise layer ``taps`` of
them.

load_ifm, load_wgt, compute and store_ofm run concurrently, each double buffered.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind

BIAS_BITS = 32
PATTERN_BITS = 2
SLOT_ENTRIES = 9  # of a weight slot at least: a whole 3x3 kernel
KNOWN = 1 << 15  # plans, latencies and tiles that are kept: exploring asks for the same ones again and again
MIN_SWEEP = 4  # cycles between two accumulations into one pixel: read, add, write


def ceil_div(dividend: int, divisor: int) -> int:
    """Smallest integer not below dividend / divisor."""
    return -(-dividend // divisor)


def entry_count(layer: Layer, taps: int) -> int:
    """Entries of a kernel: its positions, ``taps`` of them at a time when channelwise."""
    return layer.positions if layer.kind is LayerKind.CONV else ceil_div(layer.positions, taps)


def trimmed_beats(channels: int, accel: Accelerator) -> int:
    """Beats of the IFM port in a word of a map of so many channels that leaves out beats without any.

    A map of several blocks leaves out none.
    """
    return min(accel.ifm_beats_per_word, ceil_div(channels * accel.act_bits, accel.ifm_bits))


def ifm_word_beats(layer: Layer, accel: Accelerator) -> int:
    """Beats of the IFM port in a word of the map that ``layer`` reads, where that lies in DRAM."""
    return trimmed_beats(layer.n, accel) if layer.ifm_trimmed else accel.ifm_beats_per_word


@dataclass(frozen=True)
class WordCycles:
    """Cycles a word of a layer's maps, or a plane of its weights, takes: beats of a port, or one on chip."""

    ifm: int
    residual: int
    ofm: int
    wgt: int


def word_cycles(layer: Layer, accel: Accelerator) -> WordCycles:
    """How fast maps and weights of ``layer`` move."""
    return WordCycles(
        ifm=1 if layer.ifm_on_chip else ifm_word_beats(layer, accel),
        residual=1 if layer.residual_on_chip else accel.ofm_beats_per_word,
        ofm=1 if layer.ofm_on_chip else accel.ofm_beats_per_word,
        wgt=1 if layer.weights_on_chip else accel.wgt_beats_per_plane,
    )


@dataclass(frozen=True)
class Tile:
    """Output rows and columns computed at a time, chosen per layer."""

    tr: int
    tc: int


@dataclass(frozen=True)
class LayerPlan:
    """All loop counts of a layer on an accelerator; field names are the descriptor's.

    Pairs ``x``/``x_last`` hold the size of every tile but the last, and of the last one.
    """

    tiles_r: int
    tiles_c: int
    tiles_m: int  # output tiles of Tm channels (Td when channelwise)
    tiles_n: int  # input slices a compute step sums over (1 when channelwise)
    slices: int  # input slices loaded per tile (tiles_m when channelwise)
    chunks: int  # weight jobs per (m, n)
    tr: int  # output rows
    tr_last: int
    tc: int  # output columns
    tc_last: int
    th: int  # footprint rows of a tile, padding included
    th_last: int
    tw: int  # footprint columns
    tw_last: int
    slice_px: int  # words one slice occupies in an IFM bank
    slice_blocks: int  # channel blocks per input slice
    slice_blocks_last: int
    m_blocks: int  # channel blocks per output tile
    m_blocks_last: int
    entries: int  # entries per chunk
    entries_last: int
    groups: int  # bit-plane groups per entry and output tile
    groups_last: int
    bias_beats: int  # planes of the bias section (first job of an output tile)
    ifm_merged: bool  # a tile's channel block is one run of the IFM: its rows are whole, and in line
    ofm_merged: bool  # and one of the OFM

    @property
    def tiles(self) -> int:
        """Spatial tiles."""
        return self.tiles_r * self.tiles_c

    @property
    def steps(self) -> int:
        """Compute steps (= weight jobs) of the layer."""
        return self.tiles * self.tiles_m * self.tiles_n * self.chunks


@functools.lru_cache(maxsize=KNOWN)
def plan_layer(layer: Layer, accel: Accelerator, tile: Tile) -> LayerPlan:
    """Loop counts of ``layer`` computed in tiles of ``tile`` (clipped to the layer)."""
    conv = layer.kind is LayerKind.CONV
    block = accel.channel_block
    tr, tc = min(tile.tr, layer.out_rows), min(tile.tc, layer.out_columns)
    tiles_r, tiles_c = ceil_div(layer.out_rows, tr), ceil_div(layer.out_columns, tc)
    tr_last = layer.out_rows - (tiles_r - 1) * tr
    tc_last = layer.out_columns - (tiles_c - 1) * tc

    def rows_in(rows: int) -> int:
        return (rows - 1) * layer.stride_rows + layer.kernel_rows

    def columns_in(columns: int) -> int:
        return (columns - 1) * layer.stride + layer.kernel_columns

    slice_blocks = (accel.tn if conv else accel.td) // block
    m_blocks = (accel.tm if conv else accel.td) // block
    n_total, m_total = ceil_div(layer.n, block), ceil_div(layer.m, block)
    slices, tiles_m = ceil_div(n_total, slice_blocks), ceil_div(m_total, m_blocks)
    m_blocks_last = m_total - (tiles_m - 1) * m_blocks
    total_entries = entry_count(layer, accel.taps)
    # A maximum has no weights, so nothing limits the entries of a step.
    chunks = 1 if layer.kind is LayerKind.MAXPOOL else ceil_div(total_entries, accel.wgt_entries)
    entries = ceil_div(total_entries, chunks)
    if layer.kind is LayerKind.CONV:
        groups, groups_last = accel.groups(accel.tm), accel.groups(m_blocks_last * block)
    elif layer.kind is LayerKind.DEPTHWISE:
        groups = groups_last = accel.groups(accel.taps)
    else:
        groups = groups_last = 0
    return LayerPlan(
        tiles_r=tiles_r,
        tiles_c=tiles_c,
        tiles_m=tiles_m,
        tiles_n=slices if conv else 1,
        slices=slices,
        chunks=chunks,
        tr=tr,
        tr_last=tr_last,
        tc=tc,
        tc_last=tc_last,
        th=rows_in(tr),
        th_last=rows_in(tr_last),
        tw=columns_in(tc),
        tw_last=columns_in(tc_last),
        slice_px=rows_in(tr) * columns_in(tc),
        slice_blocks=slice_blocks,
        slice_blocks_last=n_total - (slices - 1) * slice_blocks,
        m_blocks=m_blocks,
        m_blocks_last=m_blocks_last,
        entries=entries,
        entries_last=total_entries - (chunks - 1) * entries,
        groups=groups,
        groups_last=groups_last,
        bias_beats=ceil_div(accel.tm * BIAS_BITS, accel.plane_width),
        ifm_merged=layer.reads_in_line
        and tiles_c == 1
        and columns_in(tc) - layer.padding[1] >= layer.read_columns,
        ofm_merged=layer.writes_in_line and tiles_c == 1,
    )


def for_layers(accel: Accelerator, layers: Sequence[Layer]) -> Accelerator:
    """``accel`` with what its layers decide."""
    return dataclasses.replace(accel, **decided_by(layers, accel.taps)._asdict())


class DecidedByLayers(NamedTuple):
    """Fields of an accelerator that follow from its layers."""

    wgt_entries: int
    max_entries: int
    weight_bits: int
    patterns: bool
    activation_lines: bool
    products: bool


def decided_by(layers: Sequence[Layer], taps: int) -> DecidedByLayers:
    """What the layers decide of an accelerator with so many taps."""
    pruned = [layer.positions for layer in layers if layer.pattern_ones is not None]
    return DecidedByLayers(
        wgt_entries=max([SLOT_ENTRIES, *pruned]),
        max_entries=max(entry_count(layer, taps) for layer in layers),
        weight_bits=max(layer.weight_bits for layer in layers),
        patterns=bool(pruned),
        activation_lines=any(layer.activation_lines for layer in layers),
        products=any(layer.residual_multiplies or layer.residual_vector for layer in layers),
    )


def plan_violations(layer: Layer, accel: Accelerator, tile: Tile) -> list[str]:
    """Why ``layer`` cannot run on ``accel`` with ``tile``, each with its cure; empty when it can."""
    plan = plan_layer(layer, accel, tile)
    found = []
    if plan.tr * plan.tc > accel.ofm_depth:
        found.append(
            f"{layer.name}: a tile of {plan.tr} x {plan.tc} output pixels exceeds Tr x Tc = "
            f"{accel.ofm_depth}; use a smaller tile or a larger Tr, Tc"
        )
    if plan.slices * plan.slice_px > accel.ifm_depth:
        found.append(
            f"{layer.name}: the tile's footprint needs {plan.slices * plan.slice_px} words a bank, "
            f"ifm_depth = {accel.ifm_depth}; use a smaller tile or a deeper IFM buffer"
        )
    if entry_count(layer, accel.taps) > accel.max_entries:
        found.append(
            f"{layer.name}: {layer.positions} kernel positions, max_entries = {accel.max_entries}; raise it"
        )
    if layer.weight_bits > accel.weight_bits:
        found.append(
            f"{layer.name}: {layer.weight_bits}-bit weights, the design stores {accel.weight_bits}; "
            f"raise weight_bits or quantise the layer further"
        )
    if layer.activation_lines and not accel.activation_lines:
        found.append(
            f"{layer.name}: its activation is no clamp, but the design has activation_lines off; turn them on"
        )
    if (layer.residual_multiplies or layer.residual_vector) and not accel.products:
        what = "multiplies" if layer.residual_multiplies else "is a vector"
        found.append(f"{layer.name}: its residual {what}, but the design has products off; turn them on")
    if layer.pattern_ones is not None:
        if layer.kind is not LayerKind.CONV:
            found.append(f"{layer.name}: only a convolution over all channels can be pattern pruned")
        if accel.dsp_packing and not layer.pairs_channels:
            found.append(
                f"{layer.name}: with dsp_packing output channels 2k and 2k + 1 must share patterns, but "
                f"pattern_rows = {layer.pattern_rows}; choose patterns for pairs of channels (an even "
                f"pattern_rows), or turn dsp_packing off"
            )
        if not accel.patterns:
            found.append(f"{layer.name}: pattern pruned, but the design has patterns off; turn them on")
        if plan.chunks > 1:
            found.append(
                f"{layer.name}: a pruned kernel must fit one weight slot, but {layer.positions} ones exceed "
                f"wgt_entries = {accel.wgt_entries}; raise wgt_entries"
            )
    return found


def layer_beats(plan: LayerPlan, layer: Layer) -> int:
    """Planes of a layer's weight image: the jobs of one spatial tile."""
    return sum(
        job_beats(plan, layer, m, n, k)
        for m in range(plan.tiles_m)
        for n in range(plan.tiles_n)
        for k in range(plan.chunks)
    )


def job_beats(plan: LayerPlan, layer: Layer, m: int, n: int, k: int) -> int:
    """Planes of weight job (m, n, k), beats of a weight port as wide: bias, pattern indices, bit planes."""
    groups = plan.groups_last if m == plan.tiles_m - 1 else plan.groups
    entries = plan.entries_last if k == plan.chunks - 1 else plan.entries
    beats = plan.bias_beats if n == 0 and k == 0 else 0
    if layer.pattern_ones is not None:
        beats += PATTERN_BITS * groups
    return beats + entries * groups * layer.weight_bits
