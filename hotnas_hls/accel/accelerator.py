"""The hardware decisions of one design, and the rules they must obey."""

from __future__ import annotations

from dataclasses import dataclass

LEGAL_PORT_BITS = (32, 64, 128, 256, 512)
LEGAL_TAPS = (1, 2, 4)
PACKED_BITS = 8  # widest factors of two products that fit one DSP slice
OUTSTANDING_READS = 64  # bursts in flight per read port; latencies up to this minus 4 are hidden
MAX_BURST_BEATS = 64
DESCRIPTOR_HEADER_WORDS = 32
LARGEST_ARRAY = 1 << 16  # multipliers: more than any FPGA has, two in a DSP slice
# The hardware counts entries in 8 bits and addresses a buffer in 20.
LARGEST = {"wgt_entries": 255, "max_entries": 255, "ifm_depth": 1 << 20}


@dataclass(frozen=True)
class Accelerator:
    """One tiled convolution engine.

    Feature maps lie in DRAM as [channel block][row][column][channel in block]; a *word* is one
    pixel of one channel block (``channel_block`` activations, the wider of the IFM and OFM port).
    """

    tm: int  # output channels in parallel
    tn: int  # input channels in parallel
    tr: int  # output rows of the largest tile
    tc: int  # output columns of the largest tile
    ifm_bits: int  # data width of m_axi_ifm
    wgt_bits: int  # data width of m_axi_wgt
    ofm_bits: int  # data width of m_axi_ofm
    ifm_depth: int  # words per IFM bank and half: slices x footprint of the largest tile
    wgt_entries: int  # entries (kernel positions, or taps of them) per weight slot
    max_entries: int  # entries of the largest layer (rows of the entry table)
    act_bits: int = 16  # activations: 8 or 16 bits, signed
    weight_bits: int = 16  # widest weight held on chip
    shared_bus: bool = False  # all reads in one fixed order through m_axi_ofm; three ports when False
    patterns: bool = True  # four IFM read ports and a pattern index per kernel
    taps: int = 1  # kernel positions a cycle of the layers that keep every channel to itself
    dsp_packing: bool = False  # output channels 2k and 2k + 1 share their DSP slices: 8-bit factors only

    @property
    def channel_block(self) -> int:
        """Channels per word (Cb)."""
        return max(self.ifm_bits, self.ofm_bits) // self.act_bits

    @property
    def port_bits(self) -> int:
        """Data bits of all memory ports."""
        return self.ofm_bits if self.shared_bus else self.ifm_bits + self.wgt_bits + self.ofm_bits

    @property
    def ports_text(self) -> str:
        """Data bits of the memory ports as tables show them: ifm/wgt/ofm, or one number on a shared bus."""
        if self.shared_bus:
            return f"{self.ofm_bits} shared"
        return f"{self.ifm_bits}/{self.wgt_bits}/{self.ofm_bits}"

    @property
    def acc_bits(self) -> int:
        """Accumulator width."""
        return 48 if self.act_bits == 16 else 32

    @property
    def td(self) -> int:
        """Channels in parallel of the depthwise engine (Td)."""
        return min(self.tm, self.tn)

    @property
    def rows_per_dsp(self) -> int:
        """Output channels that share their multipliers. They divide Tm: a word has four of 8 bits or more."""
        return 2 if self.dsp_packing else 1

    @property
    def read_ports(self) -> int:
        """Pixels of the IFM buffer read at a time: one a pattern, or one a tap."""
        return 4 if self.patterns else self.taps

    @property
    def ofm_depth(self) -> int:
        """Output pixels per accumulator bank and half."""
        return self.tr * self.tc

    @property
    def ifm_beats_per_word(self) -> int:
        return self.channel_block * self.act_bits // self.ifm_bits

    @property
    def ofm_beats_per_word(self) -> int:
        return self.channel_block * self.act_bits // self.ofm_bits

    @property
    def word_bytes(self) -> int:
        return self.channel_block * self.act_bits // 8

    @property
    def rows_per_group(self) -> int:
        """Weight rows (of Tn weights) in one bit-plane group of ``wgt_bits`` weights."""
        return max(1, self.wgt_bits // self.tn)

    @property
    def parts_per_row(self) -> int:
        """Bit-plane groups that make one weight row (more than 1 only when Tn > wgt_bits)."""
        return -(-self.tn // self.wgt_bits)

    @property
    def tree_levels(self) -> int:
        """Register levels of a MAC row's adder tree: clog2(Tn)."""
        return (self.tn - 1).bit_length()

    def groups(self, rows: int) -> int:
        """Bit-plane groups that hold ``rows`` weight rows."""
        return -(-rows // self.rows_per_group) * self.parts_per_row

    @property
    def descriptor_bytes(self) -> int:
        """Bytes of one layer descriptor in DRAM: header and entry table, whole 64-byte lines."""
        return -(-4 * (DESCRIPTOR_HEADER_WORDS + self.max_entries) // 64) * 64

    def violations(self) -> list[str]:
        """Rules of the generator this design breaks, each with its cure; empty when legal."""
        found = []
        for port in ("ifm", "wgt", "ofm"):
            bits = getattr(self, f"{port}_bits")
            if bits not in LEGAL_PORT_BITS:
                lower = max((b for b in LEGAL_PORT_BITS if b < bits), default=None)
                upper = min((b for b in LEGAL_PORT_BITS if b > bits), default=None)
                nearest = " or ".join(str(b) for b in (lower, upper) if b)
                found.append(f"{port}_bits = {bits}: an AXI data port has a power of two bits; use {nearest}")
        if self.shared_bus and not self.ifm_bits == self.wgt_bits == self.ofm_bits:
            found.append(
                f"ifm_bits = {self.ifm_bits}, wgt_bits = {self.wgt_bits}, ofm_bits = {self.ofm_bits}: "
                f"a shared bus has one width; make them equal or set shared_bus to false"
            )
        if self.act_bits not in (8, 16):
            found.append(f"act_bits = {self.act_bits}: activations are 8 or 16 bits")
        if not 2 <= self.weight_bits <= 16:
            found.append(f"weight_bits = {self.weight_bits}: weights are 2 to 16 bits")
        if self.taps not in LEGAL_TAPS:
            found.append(f"taps = {self.taps}: a channel lane takes 1, 2 or 4 kernel positions a cycle")
        if self.dsp_packing and (self.act_bits > PACKED_BITS or self.weight_bits > PACKED_BITS):
            found.append(
                f"dsp_packing: two products of {self.act_bits}-bit activations and {self.weight_bits}-bit "
                f"weights do not fit one DSP slice; take at most {PACKED_BITS} bits of both, or turn it off"
            )
        for field in ("tm", "tn", "tr", "tc", "ifm_depth", "wgt_entries", "max_entries"):
            if getattr(self, field) < 1:
                found.append(f"{field} = {getattr(self, field)}: must be at least 1")
        for field, most in LARGEST.items():
            if getattr(self, field) > most:
                found.append(f"{field} = {getattr(self, field)}: must be at most {most}")
        if self.tm * self.tn > LARGEST_ARRAY:
            found.append(
                f"tm = {self.tm}, tn = {self.tn}: {self.tm * self.tn} multipliers; at most {LARGEST_ARRAY}"
            )
        if self.ofm_depth > LARGEST["ifm_depth"]:
            found.append(
                f"tr = {self.tr}, tc = {self.tc}: {self.ofm_depth} pixels; at most {LARGEST['ifm_depth']}"
            )
        if found:
            return found
        block = self.channel_block
        for field in ("tm", "tn"):
            value = getattr(self, field)
            if value % block:
                below, above = value // block * block, -(-value // block) * block
                nearest = f"{below} or {above}" if below else str(above)
                found.append(
                    f"{field} = {value}: must be a multiple of the channel block "
                    f"{block} (= widest feature-map port / act_bits); use {nearest}"
                )
        if self.tn > self.wgt_bits and self.tn % self.wgt_bits:
            found.append(
                f"tn = {self.tn}: above wgt_bits = {self.wgt_bits} it must be a multiple of it; "
                f"use {self.tn // self.wgt_bits * self.wgt_bits}"
            )
        if self.taps > self.td:
            found.append(f"taps = {self.taps}: must be at most tm and tn; use fewer taps or a larger array")
        return found
