"""Resources of an accelerator, block by block as ``templates/rtl`` builds it.

A block is an RTL module and carries its name; modules without one of their own (FIFOs, walkers, RAMs)
count for the block they are in. How a block is counted: ``block_counts``. LUTs are those of Yosys's
mapping, not Vivado's: Vivado packs product registers into the DSP slices and shares wide multiplexers,
and needs fewer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.block_counts import BLOCKS, blocks, total, totals
from hotnas_hls.accel.fpga_memories import uram
from hotnas_hls.boards.board import Board

ROUTABLE = 0.85  # share of a board's LUTs that arrays with rows in the fabric may take: a rule of thumb
RESOURCES = ("dsp", "bram18", "uram", "lut", "ff", "port_bits", "lutram")
COUNTED = ("dsp", "bram18", "lut", "ff", "lutram")  # in the order of block_counts.Counts


@dataclass(frozen=True)
class Resources:
    """What a design, or a part of it, takes of an FPGA. Adds up."""

    dsp: int = 0
    bram18: int = 0
    uram: int = 0
    lut: int = 0
    ff: int = 0
    port_bits: int = 0
    lutram: int = 0  # part of ``lut``

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.dsp + other.dsp,
            self.bram18 + other.bram18,
            self.uram + other.uram,
            self.lut + other.lut,
            self.ff + other.ff,
            self.port_bits + other.port_bits,
            self.lutram + other.lutram,
        )

    def times(self, count: int) -> Resources:
        """``count`` of these."""
        return Resources(*(count * value for value in vars(self).values()))


def accelerator_resources(accel: Accelerator, layer_count: int = 31) -> Resources:
    """The whole design: the sum of its :func:`breakdown`. Up to 31 layers share one window size.

    The accelerator must be legal; that is not checked here.
    """
    dsp, bram, lut, ff, lutram = total(*_arguments(accel, layer_count))
    return Resources(dsp, bram, sum(_ultra(accel).values()), lut, ff, accel.port_bits, lutram)


def by_buffer_depths(
    accel: Accelerator, ofm_depths: np.ndarray, ifm_depths: np.ndarray, layer_count: int = 31
) -> np.ndarray:
    """Resources of ``accel`` with every pair of buffer depths, int64 (OFM depths, IFM depths, RESOURCES).

    ofm_depths: pixels of an output tile; ifm_depths: words of an IFM bank. Both int64.
    """
    fixed = _arguments(accel, layer_count)
    arguments: tuple[Any, ...] = (*fixed[:10], ifm_depths, ofm_depths, *fixed[12:])
    counted = totals(*arguments)
    found = np.empty((*counted.shape[:2], len(RESOURCES)), dtype=np.int64)
    known = {"uram": sum(_ultra(accel).values()), "port_bits": accel.port_bits}
    for at, name in enumerate(RESOURCES):
        found[..., at] = known[name] if name in known else counted[..., COUNTED.index(name)]
    return found


def breakdown(accel: Accelerator, layer_count: int = 31) -> dict[str, Resources]:
    """Every block by the name of its RTL module; all rows, lanes and channels of one together."""
    found = {
        name: Resources(dsp, bram, _ultra(accel).get(name, 0), lut, ff, 0, lutram)
        for name, (dsp, bram, lut, ff, lutram) in zip(
            BLOCKS, blocks(*_arguments(accel, layer_count)), strict=True
        )
    }
    found[BLOCKS[0]] += Resources(port_bits=accel.port_bits)
    return found


def least_fabric_rows(accel: Accelerator, board: Board) -> int:
    """Rows of the array for whose products ``board`` has no DSP slices left beside all else of ``accel``."""
    rest = accelerator_resources(dataclasses.replace(accel, fabric_rows=accel.tm)).dsp
    rows = max(0, board.dsp - rest) // accel.tn * accel.rows_per_dsp
    return max(0, accel.tm - rows)


def limits_of(board: Board, accel: Accelerator) -> np.ndarray:
    """What exploration takes of ``board`` at most, int64 (RESOURCES,).

    Of the LUTs only ROUTABLE where ``accel`` has rows in the fabric: wires need the rest.
    """
    limits = np.array([getattr(board, name) for name in RESOURCES], dtype=np.int64)
    if accel.fabric_rows:
        limits[RESOURCES.index("lut")] *= ROUTABLE
    return limits


def routable(resources: Resources, board: Board, accel: Accelerator) -> bool:
    """Whether an accelerator of these resources leaves wires the LUTs that they need."""
    return bool(resources.lut <= limits_of(board, accel)[RESOURCES.index("lut")])


def violations(resources: Resources, board: Board, parts: Mapping[str, Resources] | None = None) -> list[str]:
    """What does not fit ``board``, each with its cure; empty when all does. Ports: see ``port_plan``.

    parts: what ``resources`` is the sum of, by name; each sentence then says what each takes.
    """
    fewer_macs = "choose a smaller Tm or Tn, fewer weight bits, or turn patterns off"
    limits = (
        ("DSP slices", "dsp", board.dsp, "choose a smaller Tm or Tn, fewer taps, or more fabric_rows"),
        (
            "BRAM18",
            "bram18",
            board.bram18,
            "choose a smaller ifm_depth or Tr x Tc, or turn patterns off or take fewer taps (each read "
            "port has a copy of the IFM), or keep fewer maps and weights on chip",
        ),
        ("UltraRAM blocks", "uram", board.uram, "keep fewer maps and weights on chip"),
        ("LUTs", "lut", board.lut, fewer_macs),
        ("LUTs as memory", "lutram", board.lutram, "choose fewer wgt_entries or weight bits"),
        ("flip-flops", "ff", board.ff, fewer_macs),
    )

    def shares(key: str) -> str:
        told = ", ".join(f"{name} {getattr(part, key):,}" for name, part in (parts or {}).items())
        return f" ({told})" if told else ""

    return [
        f"{getattr(resources, key):,} {name}{shares(key)}, {board.name} has {available:,}; {cure}"
        for name, key, available, cure in limits
        if getattr(resources, key) > available
    ]


def _ultra(accel: Accelerator) -> dict[str, int]:
    """UltraRAM blocks by RTL module: the maps, those that residuals read once more, and the weights."""
    if not accel.ultra_ram:
        return {}
    return {
        "map_memory": uram(accel.word_width, accel.map_words) + uram(accel.word_width, accel.residual_depth),
        "weight_memory": uram(accel.plane_width, accel.weight_planes),
    }


def _arguments(accel: Accelerator, layer_count: int = 31) -> tuple[int, ...]:
    return (
        accel.tm, accel.tn, accel.act_bits, accel.weight_bits, accel.acc_bits, accel.word_width,
        accel.plane_width, accel.ifm_bits, accel.wgt_stream_bits, accel.ofm_bits, accel.ifm_depth,
        accel.tr * accel.tc, accel.wgt_entries, 32 * accel.entry_words * accel.table_rows,
        4 if accel.patterns else 1, accel.taps, max(32, 1 << layer_count.bit_length()),
        int(accel.shared_bus), accel.rows_per_dsp, accel.map_words, accel.weight_planes,
        32 * accel.header_words, int(accel.ultra_ram), accel.line_words, accel.wgt_masters,
        int(accel.products), accel.fabric_rows,
        accel.residual_depth,
    )  # fmt: skip
