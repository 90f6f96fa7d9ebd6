"""The SystemVerilog twin of a design: its numbers, buses wired from one table, plain modules beside them."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import CHIP_HEADER_WORDS, MAX_BURST_BEATS, OUTSTANDING_READS, Accelerator
from hotnas_hls.accel.encoding.descriptor import CHIP_FIELDS, FIELDS
from hotnas_hls.accel.encoding.seal import POLYNOMIAL, SEAL_BITS, signature
from hotnas_hls.accel.plan import BIAS_BITS, MIN_SWEEP, PATTERN_BITS, ceil_div
from hotnas_hls.base.escaping import Code
from hotnas_hls.codegen.ports import CONTROL, READS, STREAMS, STRIPED, WRITES, Port, masters
from hotnas_hls.codegen.registers import BLOCKS, REGISTERS, RTL_FEATURES, Identity
from hotnas_hls.codegen.render import Banner, render_folder

TOP = "hotnas_accel"
PACKAGE = "hotnas_pkg.sv"
FABRIC_PRODUCT = "fabric_product.sv"
HEADER_BITS = 32 * CHIP_HEADER_WORDS  # of a descriptor, those of data on chip included


@dataclass(frozen=True)
class Constant:
    """A ``localparam`` of hotnas_pkg."""

    name: str
    value: int
    meaning: str

    @property
    def literal(self) -> Code:
        """The value in SystemVerilog; without a size a number is signed and has 32 bits."""
        return Code(f"32'd{self.value}" if self.value >> 31 else str(self.value))


@dataclass(frozen=True)
class PackedField:
    """A member of descriptor_t; fillers stand for unused header bits and have no meaning."""

    name: str
    width: int
    signed: bool
    meaning: str


def profile_slots(layer_count: int) -> int:
    """Slots of the cycle-count window: one a layer and one for the run, a power of two, at least 32."""
    return max(32, 1 << layer_count.bit_length())


def control_address_bits(layer_count: int) -> int:
    """Address bits of s_axi_control: registers below, the profile window in the upper half."""
    return (profile_slots(layer_count) * 32).bit_length()


def constants(accel: Accelerator, layer_count: int, identity: Identity | None = None) -> tuple[Constant, ...]:
    """Every number of the RTL; without ``identity`` all that makes its digest."""
    identity = identity or Identity(0, 0)
    return (
        Constant("Tm", accel.tm, "output channels in parallel"),
        Constant("Tn", accel.tn, "input channels in parallel"),
        Constant("Td", accel.td, "channels in parallel when every channel keeps to itself"),
        Constant("Taps", accel.taps, "kernel positions a cycle of each such channel"),
        Constant("RowsPerDsp", accel.rows_per_dsp, "output channels that share their DSP slices"),
        Constant("FabricRows", accel.fabric_rows, "of Tm, the last, whose products are in LUTs"),
        Constant("ActBits", accel.act_bits, "bits of an activation"),
        Constant("WgtBits", accel.weight_bits, "bits of the widest weight"),
        Constant("AccBits", accel.acc_bits, "bits of an accumulator"),
        Constant("SumBits", accel.act_bits + accel.weight_bits + accel.tree_levels, "bits of a row's sum"),
        Constant("TreeLevels", accel.tree_levels, "levels of a row's adder tree"),
        Constant("ChannelBlock", accel.channel_block, "channels in a word of a feature map"),
        Constant("WordBits", accel.word_width, "bits of a word"),
        Constant("IfmPortBits", accel.ifm_bits, "data bits of m_axi_ifm"),
        *_weight_ports(accel),
        Constant("OfmPortBits", accel.ofm_bits, "data bits of m_axi_ofm"),
        Constant("SharedBus", int(accel.shared_bus), "1: all reads go through m_axi_ofm"),
        Constant("PlaneBits", accel.plane_width, "bits of a plane of weights"),
        Constant("IfmDepth", accel.ifm_depth, "words per IFM bank and half"),
        Constant("OfmDepth", accel.ofm_depth, "pixels per accumulator bank and half (Tr x Tc)"),
        Constant("IfmAddrBits", (2 * accel.ifm_depth - 1).bit_length(), "address bits of an IFM bank"),
        Constant(
            "AccAddrBits", max(1, (accel.ofm_depth - 1).bit_length()), "address bits of an accumulator half"
        ),
        Constant("WgtEntries", accel.wgt_entries, "entries (kernel positions) per weight slot"),
        Constant("Patterns", 1 << PATTERN_BITS if accel.patterns else 1, "patterns a kernel may follow"),
        Constant("ReadPorts", accel.read_ports, "IFM read ports: one per pattern, or per tap"),
        Constant("RowsPerGroup", accel.rows_per_group, "weight rows in a bit-plane group"),
        Constant("PartsPerRow", accel.parts_per_row, "bit-plane groups in a weight row"),
        Constant("BiasBeats", ceil_div(accel.tm * BIAS_BITS, accel.plane_width), "planes of a bias section"),
        Constant("PatternBits", PATTERN_BITS, "bits of a pattern index"),
        Constant("MinSweep", MIN_SWEEP, "least cycles between two accumulations into a pixel"),
        Constant("MapWords", accel.map_words, "words of feature maps kept on chip"),
        Constant("ResidualWords", accel.residual_depth, "the first of them, which residuals read"),
        Constant("WeightPlanes", accel.weight_planes, "planes of weights kept on chip"),
        Constant("UltraRam", int(accel.ultra_ram), "1: both lie in UltraRAM"),
        Constant("HeaderBits", HEADER_BITS, "bits of a descriptor before its entry table, all fields"),
        Constant(
            "FetchedBits", 32 * accel.header_words, "those of them that this design has; the others are zero"
        ),
        Constant("Products", int(accel.products), "1: residuals may multiply, and be vectors"),
        Constant("LineWords", accel.line_words, "words of an activation's lines behind them"),
        Constant("TableRows", accel.table_rows, "rows of the entry table behind both"),
        Constant("EntryBits", 32 * accel.entry_words, "bits of a row"),
        Constant("DescriptorBytes", accel.descriptor_bytes, "bytes of a layer descriptor"),
        Constant("SealBits", SEAL_BITS, "bits of a descriptor's checksum"),
        Constant("SealPolynomial", POLYNOMIAL, "of the checksum"),
        Constant("Signature", signature(accel), "checksum of every descriptor made for this design"),
        Constant("MaxBurst", MAX_BURST_BEATS, "beats of the longest AXI burst"),
        Constant("Outstanding", OUTSTANDING_READS, "AXI bursts in flight per port and direction"),
        Constant("ProfileSlots", profile_slots(layer_count), "slots of the cycle-count window"),
        Constant("ControlAddrBits", control_address_bits(layer_count), "address bits of s_axi_control"),
        *(Constant(register.constant, register.offset, register.bits) for register in REGISTERS),
        *(Constant(f"Reg{block.name.capitalize()}", block.offset, block.meaning) for block in BLOCKS),
        *(
            Constant(f"Id{word.title().replace('_', '')}", value, "of the identity registers")
            for word, value in identity.words(RTL_FEATURES).items()
        ),
    )


def _unused(accel: Accelerator) -> tuple[str, ...]:
    """Files of modules that the design has none of."""
    striped = () if accel.wgt_masters > 1 else (STRIPED,)
    return striped if accel.fabric_rows else (*striped, FABRIC_PRODUCT)


@dataclass(frozen=True)
class Stripe:
    """A pin of the module that joins striped masters, and their wires, the last master's first."""

    pin: str
    wires: tuple[str, ...]


def _stripes(accel: Accelerator) -> tuple[Stripe, ...]:
    """How the masters of the weights are joined; none where there is one."""
    if accel.wgt_masters == 1:
        return ()
    buses = [bus.live(READS) for bus in reversed(masters(accel)) if bus.name.startswith("m_axi_wgt")]

    def stripe(ports: tuple[Port, ...]) -> Stripe:
        first = ports[0]
        pin = f"{(first.channel + first.signal.name).lower()}_{first.direction[0]}"
        return Stripe(pin, tuple(port.name for port in ports))

    return tuple(map(stripe, zip(*buses, strict=True)))


def _weight_ports(accel: Accelerator) -> tuple[Constant, ...]:
    """Widths of the weights, as they come and, where they are striped, of each master."""
    if accel.wgt_masters == 1:
        return (Constant("WgtPortBits", accel.wgt_bits, "data bits of m_axi_wgt"),)
    return (
        Constant("WgtPortBits", accel.wgt_stream_bits, "bits of a beat of weights, one of each master"),
        Constant("WgtMasterBits", accel.wgt_bits, "data bits of m_axi_wgt, and of the others of weights"),
    )


def identity_of(accel: Accelerator, layer_count: int, clock_mhz: float = 0.0) -> Identity:
    """What the bitstream of a design says of itself.

    The digest is of the RTL, so that every network which this hardware can run finds its own.
    clock_mhz: 0 where it is not known.
    """
    return Identity(_digest(accel, layer_count), round(1000 * clock_mhz))


@functools.cache
def _digest(accel: Accelerator, layer_count: int) -> int:
    """64 bits of SHA-256 over the RTL, without the lines that are comments."""
    whole = hashlib.sha256()
    for name, text in _rendered(accel, layer_count, Banner("", ""), Identity(0, 0)).items():
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
        whole.update(f"{name}\0{code}\0".encode())
    return int.from_bytes(whole.digest()[:8], "big")


def descriptor_members() -> tuple[PackedField, ...]:
    """Members of descriptor_t from the top bit of the last word down to bit 0 of word 0."""
    members: list[PackedField] = []
    above = HEADER_BITS
    for field in sorted(FIELDS + CHIP_FIELDS, key=lambda f: (f.word, f.lsb), reverse=True):
        lsb = field.word * 32 + field.lsb
        if gap := above - (lsb + field.width):
            members.append(PackedField(f"unused_{lsb + field.width}", gap, False, ""))
        members.append(PackedField(field.name, field.width, field.signed, field.meaning))
        above = lsb
    return tuple(members)


def rtl_files(accel: Accelerator, layer_count: int, banner: Banner, clock_mhz: float = 0.0) -> dict[str, str]:
    """Every SystemVerilog file of the design by name, the package first.

    clock_mhz: what the identity register says; 0 where it is not known.
    """
    return _rendered(accel, layer_count, banner, identity_of(accel, layer_count, clock_mhz))


def _rendered(accel: Accelerator, layer_count: int, banner: Banner, identity: Identity) -> dict[str, str]:
    context = {
        "constants": constants(accel, layer_count, identity),
        "descriptor_fields": descriptor_members(),
        "control": CONTROL,
        "masters": masters(accel),
        "stripes": _stripes(accel),
        "streams": STREAMS,
        "reads": READS,
        "writes": WRITES,
    }
    rendered = render_folder("rtl", banner, context, without=_unused(accel))
    return {PACKAGE: rendered.pop(PACKAGE), **rendered}
