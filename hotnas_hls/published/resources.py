"""DSP, port and BRAM limits of the published rule (section 1.7), 16-bit data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from hotnas_hls.published.design import PublishedDesign, PublishedHardware
from hotnas_hls.published.latency import WORD_BITS, DesignArrays

DSP_LIMIT = 2520  # ZCU102
PORT_BITS = 512  # four high-performance ports of 128 bits
PORT_LANES = PORT_BITS // WORD_BITS


@dataclass(frozen=True)
class BramLimit:
    """How many blocks there are, and how many bits the check takes one to hold."""

    blocks: int
    block_bits: int


class BramPolicy(Enum):
    """What to do about on-chip memory."""

    OFF = None  # HEAD: the check is commented out
    AS_PUBLISHED = BramLimit(blocks=18_000, block_bits=1_824)  # the exploration: two constants swapped
    STRICT = BramLimit(blocks=1_824, block_bits=18_000)  # the printed limits; no grid design is feasible


@dataclass(frozen=True)
class EngineBram:
    """Blocks of one engine: double-buffered maps and the weights."""

    ifm: int  # bI
    ofm: int  # bO
    wgt: int  # bW

    @property
    def total(self) -> int:
        return self.ifm + self.ofm + self.wgt


@dataclass(frozen=True)
class PublishedResources:
    """What an accelerator uses."""

    dsp: int
    port_lanes: int  # 16-bit words a cycle
    bram: int | None  # None under BramPolicy.OFF


def cconv_bram(design: PublishedDesign, block_bits: int) -> EngineBram:
    """Blocks of ``block_bits`` bits of a conventional engine (section 1.7)."""
    area = _blocks(design.tr * design.tc * WORD_BITS, block_bits)
    return EngineBram(
        ifm=2 * design.tn * area,
        ofm=2 * design.tm * area,
        wgt=design.tm * design.tn * _blocks(4 * design.tk * design.tk * WORD_BITS, block_bits),
    )


def dconv_bram(design: PublishedDesign, block_bits: int) -> EngineBram:
    """Blocks of a depthwise engine; its check is called with Tn = 1 (section 1.7)."""
    area = _blocks(design.tr * design.tc * WORD_BITS, block_bits)
    return EngineBram(
        ifm=2 * area,
        ofm=2 * design.tm * area,
        wgt=design.tm * _blocks(4 * design.tk * design.tk * WORD_BITS, block_bits),
    )


def resources(hardware: PublishedHardware, policy: BramPolicy = BramPolicy.OFF) -> PublishedResources:
    """DSP slices, port lanes and BRAM blocks of ``hardware`` (section 1.7)."""
    dsp = hardware.cconv.tm * hardware.cconv.tn
    if hardware.dconv is not None:
        dsp += hardware.dconv.tm
    bram = None if policy.value is None else _bram(hardware, policy.value.block_bits)
    return PublishedResources(dsp=dsp, port_lanes=hardware.lanes, bram=bram)


def _bram(hardware: PublishedHardware, block_bits: int) -> int:
    blocks = cconv_bram(hardware.cconv, block_bits).total
    if hardware.dconv is not None:
        blocks += dconv_bram(hardware.dconv, block_bits).total
    return blocks


def violations(hardware: PublishedHardware, policy: BramPolicy = BramPolicy.OFF) -> list[str]:
    """Every limit of section 1.7 that ``hardware`` exceeds, one sentence each; empty when it fits."""
    used = resources(hardware, policy)
    found = []
    if used.dsp > DSP_LIMIT:
        found.append(f"{used.dsp} DSP slices; the board has {DSP_LIMIT}")
    if used.port_lanes > PORT_LANES:
        found.append(f"{used.port_lanes} port lanes of {WORD_BITS} bits; the board has {PORT_LANES}")
    if policy.value is not None and used.bram is not None and used.bram > policy.value.blocks:
        found.append(
            f"{used.bram} BRAM blocks of {policy.value.block_bits} bits; the board has {policy.value.blocks}"
        )
    return found


def cconv_fits(designs: DesignArrays, policy: BramPolicy) -> np.ndarray:
    """:func:`violations` of many cconv-only designs at once: True where there is none, shape (designs,)."""
    d = designs
    fits = (d.tm * d.tn <= DSP_LIMIT) & (d.wp + d.ip + d.op <= PORT_LANES)
    if policy.value is not None:
        bits = policy.value.block_bits
        area = _blocks(d.tr * d.tc * WORD_BITS, bits)
        weights = d.tm * d.tn * _blocks(4 * d.tk * d.tk * WORD_BITS, bits)
        fits &= 2 * (d.tn + d.tm) * area + weights <= policy.value.blocks
    return fits[:, 0]


def _blocks(bits: Any, block_bits: int) -> Any:
    """Blocks that hold ``bits`` (an int, or an array of them)."""
    return -(-bits // block_bits)
