"""The buses of the accelerator, wire by wire: RTL, bench and IP wrapper are written from this one table.

AXI wires bear the names Vitis HLS gives those of the C++ twin. Streams join the engine to its memory ports:
the runs (address, beats) it asks for, and their beats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator

DATA = "data"  # in Signal.bits: the number that sizes the bus, a constant of hotnas_pkg


@dataclass(frozen=True)
class Signal:
    """A wire of a channel, or some side by side."""

    name: str
    bits: str = ""  # a number, DATA, or DATA divided by a number; empty: one wire without a range
    to_slave: bool = True  # driven by the master
    always: str = ""  # what our masters drive for ever; empty: a value that changes
    meaning: str = ""  # of ``always``
    idle: str = "'0"  # what our masters drive on a channel they never use


ADDRESS = (
    Signal("VALID"),
    Signal("READY", to_slave=False),
    Signal("ADDR", "64"),
    Signal("ID", always="1'b0"),
    Signal("LEN", "8"),
    Signal("SIZE", "3", always="3'($clog2({data} / 8))", meaning="whole beats"),
    Signal("BURST", "2", always="2'b01", meaning="INCR"),
    Signal("LOCK", "2", always="2'b00"),
    Signal("CACHE", "4", always="4'b0011", meaning="normal, non-cacheable, bufferable"),
    Signal("PROT", "3", always="3'b000"),
    Signal("QOS", "4", always="4'b0000"),
    Signal("REGION", "4", always="4'b0000"),
)
AXI4 = {
    "AW": ADDRESS,
    "W": (
        Signal("VALID"),
        Signal("READY", to_slave=False),
        Signal("DATA", DATA),
        Signal("STRB", f"{DATA}/8", always="'1"),
        Signal("LAST"),
    ),
    "B": (
        Signal("VALID", to_slave=False),
        Signal("READY", idle="1'b1"),
        Signal("RESP", "2", to_slave=False),
        Signal("ID", to_slave=False),
    ),
    "AR": ADDRESS,
    "R": (
        Signal("VALID", to_slave=False),
        Signal("READY", idle="1'b1"),
        Signal("DATA", DATA, to_slave=False),
        Signal("LAST", to_slave=False),
        Signal("ID", to_slave=False),
        Signal("RESP", "2", to_slave=False),
    ),
}
LITE_ADDRESS = (Signal("VALID"), Signal("READY", to_slave=False), Signal("ADDR", DATA))
AXI4_LITE = {
    "AW": LITE_ADDRESS,
    "W": (Signal("VALID"), Signal("READY", to_slave=False), Signal("DATA", "32"), Signal("STRB", "4")),
    "B": (Signal("VALID", to_slave=False), Signal("READY"), Signal("RESP", "2", to_slave=False)),
    "AR": LITE_ADDRESS,
    "R": (
        Signal("VALID", to_slave=False),
        Signal("READY"),
        Signal("DATA", "32", to_slave=False),
        Signal("RESP", "2", to_slave=False),
    ),
}
RUNS = (Signal("valid"), Signal("ready", to_slave=False), Signal("addr", "64"), Signal("beats", "32"))
READ_STREAM = {
    "run_": RUNS,
    "beat_": (Signal("valid", to_slave=False), Signal("ready"), Signal("data", DATA, to_slave=False)),
}
WRITE_STREAM = {
    "run_": RUNS,
    "beat_": (Signal("valid"), Signal("ready", to_slave=False), Signal("data", DATA)),
}


@dataclass(frozen=True)
class Port:
    """A port of a module."""

    direction: str
    bits: str  # an expression of hotnas_pkg constants; empty: one wire without a range
    name: str
    wire: str  # what it connects to
    channel: str = ""
    signal: Signal = Signal("")

    @property
    def declaration(self) -> str:
        """The port in SystemVerilog."""
        return f"{self.direction:<6} logic {_range(self.bits)}{self.name}"

    @property
    def wire_declaration(self) -> str:
        """The wire it connects to in SystemVerilog."""
        return f"logic {_range(self.bits)}{self.wire}"

    def width(self, numbers: Mapping[str, int]) -> int:
        """Bits; ``numbers`` are the constants of hotnas_pkg by name."""
        whole, _, divisor = self.bits.removeprefix("hotnas_pkg::").partition("/")
        value = numbers[whole] if whole in numbers else int(whole or 1)
        return value // int(divisor or 1)

    def verilog(self, numbers: Mapping[str, int]) -> str:
        """The port in Verilog, its width a plain number."""
        width = self.width(numbers)
        return f"{self.direction:<6} wire {_range(str(width)) if width > 1 else ''}{self.name}"


def _range(bits: str) -> str:
    if not bits:
        return ""
    return f"[{int(bits) - 1 if bits.isdecimal() else f'{bits}-1'}:0] "


@dataclass(frozen=True)
class Bus:
    """A bus of the accelerator, or inside it."""

    name: str
    channels: Mapping[str, tuple[Signal, ...]]
    sized_by: str  # constant of hotnas_pkg: the bits of its data, of its addresses for AXI4-Lite
    meaning: str
    uses: tuple[str, ...] = ()  # channels its master uses

    @property
    def size(self) -> str:
        """The number that sizes it, in SystemVerilog."""
        return f"hotnas_pkg::{self.sized_by}"

    def ports(self, master: bool, suffix: bool = False) -> tuple[Port, ...]:
        """Ports of a module that is its master or its slave; with ``_i`` and ``_o`` if wanted."""
        return tuple(
            self._port(channel, signal, "output" if signal.to_slave == master else "input", suffix)
            for channel, signals in self.channels.items()
            for signal in signals
        )

    def _port(self, channel: str, signal: Signal, direction: str, suffix: bool) -> Port:
        wire = f"{self.name}_{channel}{signal.name}"
        name = f"{wire}_{direction[0]}" if suffix else wire
        return Port(direction, signal.bits.replace(DATA, self.size), name, wire, channel, signal)

    @property
    def mode(self) -> str:
        """What its master does, as Vivado's IP packager says it."""
        reads, writes = "AR" in self.uses, "AW" in self.uses
        return "READ_WRITE" if reads and writes else "READ_ONLY" if reads else "WRITE_ONLY"

    def constants(self) -> tuple[tuple[Port, str], ...]:
        """Ports on which our master drives one value for ever, and that value in SystemVerilog."""
        idle = [port for port in self.ports(master=True) if port.channel not in self.uses]
        values = {port.name: port.signal.idle for port in idle if port.signal.to_slave}
        values |= {port.name: port.signal.always for port in self.ports(master=True) if port.signal.always}
        ports = [port for port in self.ports(master=True) if port.name in values]
        return tuple((port, values[port.name].format(data=self.size)) for port in ports)

    def live(self, channels: tuple[str, ...]) -> tuple[Port, ...]:
        """Our master's ports, of those channels it uses among ``channels``, that it drives or looks at."""
        return tuple(
            port
            for port in self.ports(master=True)
            if port.channel in channels
            and port.channel in self.uses
            and not port.signal.always
            and port.signal.name != "ID"
        )

    def unread(self) -> tuple[Port, ...]:
        """Ports that our master never looks at."""
        inputs = [port for port in self.ports(master=True) if not port.signal.to_slave]
        return tuple(port for port in inputs if port not in self.live(self.uses))


READS, WRITES = ("AR", "R"), ("AW", "W", "B")
STRIPED = "striped_reads.sv"  # the module that joins the masters of a stream
CONTROL = Bus("s_axi_control", AXI4_LITE, "ControlAddrBits", "registers, see control_regs.sv")
MASTERS = (
    Bus("m_axi_ifm", AXI4, "IfmPortBits", "feature maps, read", READS),
    Bus("m_axi_wgt", AXI4, "WgtPortBits", "descriptors and weights, read", READS),
    Bus("m_axi_ofm", AXI4, "OfmPortBits", "feature maps, written; residuals read", READS + WRITES),
)


def masters(accel: Accelerator) -> tuple[Bus, ...]:
    """The AXI masters of a design: those of :data:`MASTERS`, behind them the others of striped weights."""
    if accel.wgt_masters == 1:
        return MASTERS
    wgt = dataclasses.replace(MASTERS[1], sized_by="WgtMasterBits", meaning="its part of every weight beat")
    more = (dataclasses.replace(wgt, name=f"m_axi_wgt_{at}") for at in range(1, accel.wgt_masters))
    return (MASTERS[0], wgt, MASTERS[2], *more)


STREAMS = (
    Bus("ifm", READ_STREAM, "IfmPortBits", "feature maps"),
    Bus("wgt", READ_STREAM, "WgtPortBits", "descriptors and weights"),
    Bus("res", READ_STREAM, "OfmPortBits", "residuals"),
    Bus("ofm", WRITE_STREAM, "OfmPortBits", "feature maps, written"),
)


def top_ports(accel: Accelerator) -> tuple[Port, ...]:
    """Every port of the accelerator, in order."""
    plain = (("input", "ap_clk"), ("input", "ap_rst_n"), ("output", "interrupt"))
    return (
        *(Port(direction, "", name, name) for direction, name in plain),
        *CONTROL.ports(master=False),
        *(port for bus in masters(accel) for port in bus.ports(master=True)),
    )
