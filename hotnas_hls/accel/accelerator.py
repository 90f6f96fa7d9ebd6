"""The hardware decisions of one design, and the rules they must obey."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hotnas_hls.base.records import LATER

LEGAL_PORT_BITS = (32, 64, 128, 256, 512)
LEGAL_PLANE_BITS = (*LEGAL_PORT_BITS, 1024)  # no port has a plane's width, memory on chip may
LEGAL_TAPS = (1, 2, 4, 5)  # five: a 3x3 kernel in two entries
LEGAL_MASTERS = (1, 2, 4)  # of the weights
PACKED_BITS = 8  # widest factors of two products that fit one DSP slice
OUTSTANDING_READS = 64  # bursts in flight per read port; latencies up to this minus 4 are hidden
MAX_BURST_BEATS = 64
STRIPE_QUEUE = 32  # beats of a master of striped weights that wait for the others', behind the next one
DESCRIPTOR_HEADER_WORDS = 32
CHIP_HEADER_WORDS = 48  # of a design that keeps data on chip: where, behind the others
LINE_WORDS = 64  # of a descriptor in a design with activations of lines, behind the header
LARGEST_ARRAY = 1 << 16  # multipliers: more than any FPGA has, two in a DSP slice
# The hardware numbers entries in 8 bits and addresses a buffer in 20.
LARGEST = {"wgt_entries": 256, "max_entries": 256, "ifm_depth": 1 << 20}


@dataclass(frozen=True)
class Accelerator:
    """One tiled convolution engine.

    Feature maps lie in memory as ``[channel block][row][column][channel in block]``; a *word* is one
    pixel of one channel block (``channel_block`` activations). A word may be wider than the ports, which
    then move it in several beats; memory on chip moves it in one cycle.
    """

    tm: int  # output channels in parallel
    tn: int  # input channels in parallel
    tr: int  # output rows of the largest tile
    tc: int  # output columns of the largest tile
    ifm_bits: int  # data width of m_axi_ifm
    wgt_bits: int  # data width of m_axi_wgt, of each master the weights are striped over
    ofm_bits: int  # data width of m_axi_ofm
    ifm_depth: int  # words per IFM bank and half: slices x footprint of the largest tile
    wgt_entries: int  # entries (kernel positions, or taps of them) per weight slot
    max_entries: int  # entries of the largest layer (rows of the entry table)
    act_bits: int = 16  # activations: 8 or 16 bits, signed
    weight_bits: int = 16  # widest weight held on chip
    shared_bus: bool = False  # all reads in one fixed order through m_axi_ofm; three ports when False
    patterns: bool = True  # four IFM read ports and a pattern index per kernel
    activation_lines: bool = False  # activations of lines behind requantisation, not clamps alone
    taps: int = 1  # kernel positions a cycle of the layers that keep every channel to itself
    dsp_packing: bool = False  # output channels 2k and 2k + 1 share their DSP slices: 8-bit factors only
    word_bits: int | None = None  # of a feature map's word; None: those of the wider feature-map port
    map_words: int = 0  # words of feature maps kept on chip; 0: all maps lie in DRAM
    plane_bits: int | None = None  # of a plane of weights; None: those of the weight port
    weight_planes: int = 0  # planes of weights kept on chip; 0: all weights are streamed
    ultra_ram: bool = False  # maps and weights on chip lie in UltraRAM; in block RAM when False
    # Masters that the weights are striped over, and the descriptors with them.
    wgt_masters: int = dataclasses.field(default=1, metadata=LATER)
    # Residuals may multiply, and be vectors; without, they are maps and added.
    products: bool = dataclasses.field(default=False, metadata=LATER)
    # Rows of the array, the last, whose products are in the fabric: LUTs and carry chains, no DSP slices.
    fabric_rows: int = dataclasses.field(default=0, metadata=LATER)
    # Of ``map_words`` the first, which residuals read from a memory of their own; None: all of them.
    residual_words: int | None = dataclasses.field(default=None, metadata=LATER)

    @property
    def word_width(self) -> int:
        """Bits of a word."""
        return self.word_bits or max(self.ifm_bits, self.ofm_bits)

    @property
    def plane_width(self) -> int:
        """Bits of a plane of weights."""
        return self.plane_bits or self.wgt_stream_bits

    @property
    def wgt_stream_bits(self) -> int:
        """Bits of a beat of weights: one of each master they are striped over."""
        return self.wgt_bits * self.wgt_masters

    @property
    def channel_block(self) -> int:
        """Channels per word (Cb)."""
        return self.word_width // self.act_bits

    @property
    def keeps(self) -> bool:
        """Whether there is memory on chip for maps or weights."""
        return bool(self.map_words or self.weight_planes)

    @property
    def residual_depth(self) -> int:
        """Words of the memory on chip that residuals read."""
        return self.map_words if self.residual_words is None else self.residual_words

    @property
    def header_words(self) -> int:
        """Words of a descriptor's header."""
        return CHIP_HEADER_WORDS if self.keeps else DESCRIPTOR_HEADER_WORDS

    @property
    def line_words(self) -> int:
        """Words of the lines of an activation, between header and entry table."""
        return LINE_WORDS if self.activation_lines else 0

    @property
    def port_bits(self) -> int:
        """Data bits of all memory ports."""
        return self.ofm_bits if self.shared_bus else self.ifm_bits + self.wgt_stream_bits + self.ofm_bits

    @property
    def ports_text(self) -> str:
        """Data bits of the memory ports as tables show them: ifm/wgt/ofm, or one number on a shared bus."""
        if self.shared_bus:
            return f"{self.ofm_bits} shared"
        wgt = f"{self.wgt_masters} x {self.wgt_bits}" if self.wgt_masters > 1 else str(self.wgt_bits)
        return f"{self.ifm_bits}/{wgt}/{self.ofm_bits}"

    @property
    def summary(self) -> str:
        """The accelerator in a line: array, tiles, ports, what stays on chip."""
        lines = ", activations of lines" if self.activation_lines else ""
        lines += ", products of maps" if self.products else ""
        packed = ", two products a DSP slice" if self.dsp_packing else ""
        packed += f", those of {self.fabric_rows} rows in LUTs" if self.fabric_rows else ""
        on_chip = ""
        if self.map_words:
            twice = "all" if self.residual_words is None else self.residual_words
            on_chip += (
                f", {self.map_words} words of {self.word_width} bits for maps on chip, {twice} of them twice"
            )
        if self.weight_planes:
            on_chip += f", {self.weight_planes} planes of {self.plane_width} bits for weights"
        return (
            f"array {self.tm} x {self.tn}{packed}, {self.td} lanes x {self.taps} taps, "
            f"tiles up to {self.tr} x {self.tc}, ports I/W/O "
            f"{self.ports_text} bits, {self.ifm_depth} words an IFM bank{lines}{on_chip}"
        )

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
        return max(4 if self.patterns else 1, self.taps)

    @property
    def entry_words(self) -> int:
        """Words (32 bits) of an entry in a descriptor's table: a byte a read port."""
        return -(-self.read_ports // 4)

    @property
    def ofm_depth(self) -> int:
        """Output pixels per accumulator bank and half."""
        return self.tr * self.tc

    @property
    def ifm_beats_per_word(self) -> int:
        """Beats of the IFM port in a word."""
        return self.word_width // self.ifm_bits

    @property
    def ofm_beats_per_word(self) -> int:
        """Beats of the OFM port in a word."""
        return self.word_width // self.ofm_bits

    @property
    def word_bytes(self) -> int:
        """Bytes of a word."""
        return self.word_width // 8

    @property
    def wgt_beats_per_plane(self) -> int:
        """Beats of weights in a plane."""
        return self.plane_width // self.wgt_stream_bits

    @property
    def rows_per_group(self) -> int:
        """Weight rows (of Tn weights) in one bit-plane group of ``plane_width`` weights."""
        return max(1, self.plane_width // self.tn)

    @property
    def parts_per_row(self) -> int:
        """Bit-plane groups that make one weight row (more than 1 only when Tn > plane_width)."""
        return -(-self.tn // self.plane_width)

    @property
    def tree_levels(self) -> int:
        """Register levels of a MAC row's adder tree: clog2(Tn)."""
        return (self.tn - 1).bit_length()

    def groups(self, rows: int) -> int:
        """Bit-plane groups that hold ``rows`` weight rows."""
        return -(-rows // self.rows_per_group) * self.parts_per_row

    @property
    def descriptor_bytes(self) -> int:
        """Bytes of one layer descriptor in DRAM: header, lines, entry table, whole 64-byte lines."""
        words = self.header_words + self.line_words + self.max_entries * self.entry_words
        return -(-4 * words // 64) * 64

    @property
    def table_rows(self) -> int:
        """Rows of a descriptor's entry table, those that fill up its last 64 bytes included."""
        return (self.descriptor_bytes // 4 - self.header_words - self.line_words) // self.entry_words

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
        if self.wgt_masters not in LEGAL_MASTERS:
            found.append(f"wgt_masters = {self.wgt_masters}: weights are striped over 1, 2 or 4 masters")
        elif self.wgt_masters > 1 and self.shared_bus:
            found.append(
                f"wgt_masters = {self.wgt_masters}: on a shared bus all reads have one master; set "
                "shared_bus to false or wgt_masters to 1"
            )
        elif self.wgt_stream_bits > LEGAL_PORT_BITS[-1]:
            found.append(
                f"wgt_masters = {self.wgt_masters}, wgt_bits = {self.wgt_bits}: together at most "
                f"{LEGAL_PORT_BITS[-1]} bits; use narrower masters or one"
            )
        if self.word_bits is not None:
            widest = max(self.ifm_bits, self.ofm_bits)
            found += _wide_violations(
                "word_bits", self.word_bits, widest, LEGAL_PORT_BITS, "a word", "the feature-map ports"
            )
        if self.plane_bits is not None:
            ports = "the weight port" if self.wgt_masters == 1 else "the ports of the weights together"
            found += _wide_violations(
                "plane_bits", self.plane_bits, self.wgt_stream_bits, LEGAL_PLANE_BITS, "a plane", ports
            )
        for field, what in (("map_words", "map is"), ("weight_planes", "weights are")):
            kept = getattr(self, field)
            if kept < 0:
                found.append(f"{field} = {kept}: must be 0 (no {what} kept on chip) or more")
            elif kept and self.shared_bus:
                found.append(
                    f"{field} = {kept}: on a shared bus every read has its turn, so none can come from "
                    f"memory on chip; set shared_bus to false or {field} to 0"
                )
        if self.residual_words is not None and not 0 <= self.residual_words <= max(0, self.map_words):
            found.append(
                f"residual_words = {self.residual_words}: residuals read the first of the words on chip; "
                f"use 0 (none) to map_words = {self.map_words}"
            )
        if self.act_bits not in (8, 16):
            found.append(f"act_bits = {self.act_bits}: activations are 8 or 16 bits")
        if not 2 <= self.weight_bits <= 16:
            found.append(f"weight_bits = {self.weight_bits}: weights are 2 to 16 bits")
        if self.taps not in LEGAL_TAPS:
            found.append(f"taps = {self.taps}: a channel lane takes 1, 2, 4 or 5 kernel positions a cycle")
        if self.dsp_packing and (self.act_bits > PACKED_BITS or self.weight_bits > PACKED_BITS):
            found.append(
                f"dsp_packing: two products of {self.act_bits}-bit activations and {self.weight_bits}-bit "
                f"weights do not fit one DSP slice; take at most {PACKED_BITS} bits of both, or turn it off"
            )
        rows = self.fabric_rows
        if rows < 0 or rows > max(0, self.tm):
            found.append(f"fabric_rows = {rows}: must be 0 (all products in DSP slices) to tm = {self.tm}")
        elif rows % self.rows_per_dsp:
            found.append(
                f"fabric_rows = {rows}: with dsp_packing rows 2k and 2k + 1 have their products in LUTs both "
                f"or neither; use {rows - 1} or {rows + 1}"
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
                    f"{block} (= bits of a word / act_bits); use {nearest}"
                )
        plane, name = self.plane_width, "wgt_bits" if self.plane_bits is None else "plane_bits"
        if self.tn > plane and self.tn % plane:
            found.append(
                f"tn = {self.tn}: above {name} = {plane} it must be a multiple of it; "
                f"use {self.tn // plane * plane}"
            )
        if self.wgt_stream_bits < 32 * self.entry_words:
            found.append(
                f"taps = {self.taps}: an entry of the table takes {32 * self.entry_words} bits, a beat of "
                f"weights has {self.wgt_stream_bits}; take 4 taps, or wider ports for the weights"
            )
        if self.taps > self.td:
            found.append(f"taps = {self.taps}: must be at most tm and tn; use fewer taps or a larger array")
        return found


def _wide_violations(
    field: str, bits: int, least: int, legal: tuple[int, ...], what: str, ports: str
) -> list[str]:
    if bits in legal and bits >= least:
        return []
    widths = ", ".join(str(width) for width in legal if width >= least)
    return [f"{field} = {bits}: {what} is as wide as {ports} or wider; use {widths}"]
