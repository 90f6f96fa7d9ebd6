"""The register map of s_axi_control: RTL, HLS, bench, drivers, IP and documentation are written from it.

Its lower part lies at fixed offsets, so that a driver can ask any bitstream what it is; the cycle counts of
the layers lie above it, as many as the design has layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.accel.encoding.images import ALIGNMENT
from hotnas_hls.accel.traffic import PORTS


@dataclass(frozen=True)
class Register:
    """A register: its name in the driver, in Vitis HLS's .hwh, and in AMD's header."""

    name: str
    offset: int
    hwh: str  # name in the hardware hand-off file, as PYNQ reads it
    bits: str  # what is in it

    @property
    def constant(self) -> str:
        """Its name in hotnas_pkg."""
        return "Reg" + "".join(part.capitalize() for part in self.name.split("_"))


@dataclass(frozen=True)
class Block:
    """Registers one behind another, an array in HLS C++."""

    name: str
    offset: int
    hwh: str
    words: tuple[str, ...]
    meaning: str
    bytes: int = 32

    def register(self, word: str) -> Register:
        """One of them."""
        return Register(f"{self.name}_{word}", self.offset + 4 * self.words.index(word), self.hwh, word)


REGISTERS = (
    Register(
        "ctrl",
        0x00,
        "CTRL",
        "0 ap_start, 1 ap_done (clears on read), 2 ap_idle, 3 ap_ready, 7 auto_restart, 9 interrupt",
    ),
    Register("gier", 0x04, "GIER", "0 enables the interrupt output"),
    Register("ier", 0x08, "IP_IER", "0 ap_done, 1 ap_ready enabled"),
    Register("isr", 0x0C, "IP_ISR", "0 ap_done, 1 ap_ready; a written 1 toggles"),
    Register("status", 0x10, "ap_return", "status word of the last run, see below"),
    Register("ifm", 0x18, "ifm_1", "byte address of the feature maps, bits 31:0"),
    Register("ifm_high", 0x1C, "ifm_2", "bits 63:32"),
    Register("wgt", 0x24, "wgt_1", "byte address of the weight image, bits 31:0"),
    Register("wgt_high", 0x28, "wgt_2", "bits 63:32"),
    Register("ofm", 0x30, "ofm_1", "the same address as ifm, bits 31:0"),
    Register("ofm_high", 0x34, "ofm_2", "bits 63:32"),
    Register("layers", 0x3C, "layer_count", "layers to run"),
    Register("images", 0x44, "images", "images to run them on, one after another"),
    Register(
        "image_stride",
        0x4C,
        "image_stride",
        "bytes from the feature maps of an image to those of the next, a multiple of 64",
    ),
    Register("abort", 0x54, "abort", "a written 1 ends the run; 1 until the bus is quiet. RTL twin alone"),
)
# Of an HLS build with striped weights: pointers of the further masters, the first in the place of `abort`.
STRIPE_POINTERS = (("wgt_second", 0x54), ("wgt_third", 0xA0), ("wgt_fourth", 0xAC))
IDENTITY = Block(
    "identity",
    0x60,
    "Memory_identity",
    ("map", "features", "hardware", "hardware_high", "clock_khz"),
    "what the bitstream is; an HLS build files it when it runs",
)
PORT_COUNTS = Block(
    "ports",
    0x80,
    "Memory_ports",
    tuple(f"{port}_{count}" for port in PORTS for count in ("beats", "stalls")),
    "of the last run: beats moved, and cycles in which one was wanted and memory had none or took none. "
    "RTL twin alone",
)
BLOCKS = (IDENTITY, PORT_COUNTS)

MAP = 0x484E_0001  # "HN" and the version of this map: any change of meaning makes another
COUNTS, ABORTS = 1 << 0, 1 << 1  # features: bits of what the RTL twin has and an HLS build has not
RTL_FEATURES = COUNTS | ABORTS

PROFILE_HWH = "Memory_profile"
PROFILE_TERMS = ("cycles", "load_ifm", "load_wgt", "compute", "store_ofm", "stall")
PROFILE_ROW_BYTES = 32
UNKNOWN_CYCLES = 0xFFFFFFFF  # of terms but the cycles in an HLS build, and of a counter that is full


@dataclass(frozen=True)
class StatusBit:
    """One bit of the status word; bits 31:16 name the layer."""

    name: str
    bit: int
    meaning: str


STATUS_BITS = (
    StatusBit("ifm_read", 0, "m_axi_ifm was answered with an error (feature-map address)"),
    StatusBit("wgt_read", 1, "m_axi_wgt was answered with an error (weight address)"),
    StatusBit("ofm_read", 2, "m_axi_ofm was answered with an error while reading a residual map"),
    StatusBit("ofm_write", 3, "m_axi_ofm was answered with an error while writing"),
    StatusBit("descriptor", 4, "the descriptor is damaged or not one of this design; are these its weights?"),
    StatusBit("layers", 5, "more layers were asked for than the profile has rows"),
    StatusBit("weights", 6, "the weights are not those its descriptor was made with: they are damaged"),
    StatusBit("aborted", 7, "the run was ended by the abort register"),
)


@dataclass(frozen=True)
class Identity:
    """What the registers of IDENTITY hold; ``clock_khz`` 0: nobody said."""

    hardware: int  # 64 bits of the digest of the RTL
    clock_khz: int

    def words(self, features: int) -> dict[str, int]:
        """The registers' values, by word."""
        return {
            "map": MAP,
            "features": features,
            "hardware": self.hardware & 0xFFFF_FFFF,
            "hardware_high": self.hardware >> 32,
            "clock_khz": self.clock_khz,
        }


def stripe_registers(masters: int) -> tuple[Register, ...]:
    """What an HLS build has for the others of the masters that weights are striped over."""
    found: list[Register] = []
    for page, (name, offset) in enumerate(STRIPE_POINTERS[: masters - 1], 1):
        address = f"byte address of the weight image and {ALIGNMENT * page:,} more, bits 31:0"
        found.append(Register(name, offset, f"{name}_1", address))
        found.append(Register(f"{name}_high", offset + 4, f"{name}_2", "bits 63:32"))
    return tuple(found)
