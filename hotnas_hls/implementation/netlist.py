"""A mapped netlist as Yosys writes it (JSON), and the timing arcs of its cells.

A *kind* is what cells of several vendors have in common; the delays of ``delays.py`` are by kind. Bits are
the netlist's own numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hotnas_hls.errors import HotnasError

# How the types of a kind begin: AMD's and Lattice's cells.
KINDS = {
    "flip_flop": ("FDRE", "FDSE", "FDCE", "FDPE", "TRELLIS_FF"),
    "lutram": ("RAM32", "RAM64", "RAM128", "RAM256", "RAM512", "SRL", "TRELLIS_DPR16X4"),
    "ram": ("RAMB18", "RAMB36", "DP16KD", "PDPW16KD"),
    "uram": ("URAM288",),
    "dsp": ("DSP48", "MULT18X18D"),
    "carry": ("CARRY4", "CARRY8", "CCU2C"),
    "mux": ("MUXF", "PFUMX", "L6MUX21"),
    "lut": ("LUT",),
    "free": ("INV", "BUFG", "IBUF", "OBUF", "GND", "VCC", "VHI", "VLO"),
}
CLOCKS = ("C", "CLK", "WCLK", "WCK", "CLKA", "CLKB", "CLKARDCLK", "CLKBWRCLK", "CLK0", "CLK1", "CLK2", "CLK3")
RESETS = ("R", "S", "CLR", "PRE", "LSR")
ENABLES = ("CE",)
_READ_ADDRESS = {"DPO": "DPRA", "DO": "RAD"}  # of outputs of memories of LUTs; others read at A


class NetlistRefused(HotnasError):
    """A netlist about whose timing nothing can be said."""


@dataclass(frozen=True)
class Cell:
    """One cell; pins hold bits, constants are left out."""

    name: str
    type: str
    kind: str
    inputs: Mapping[str, tuple[tuple[int, int], ...]]  # port -> (place in the port, bit)
    outputs: Mapping[str, tuple[tuple[int, int], ...]]
    parameters: Mapping[str, Any]

    def has(self, *names: str) -> bool:
        """Whether one of the parameters called so is not 0."""
        values = (str(self.parameters.get(name, "0")) for name in names)
        return any(re.search("[1-9]", value) for value in values)


@dataclass(frozen=True)
class Name:
    """What a bit is called in the sources."""

    signal: str  # with the instances it lies in
    declared: str | None  # file and line, None where Yosys made it


class Netlist:
    """One flat module of a netlist, ready for timing."""

    def __init__(self, module: Mapping[str, Any], files: Mapping[str, str] | None = None) -> None:
        """files: the sources by name, to find where signals are declared."""
        self._lines = {name: text.splitlines() for name, text in (files or {}).items()}
        self._names = module["netnames"]
        self._aliases: dict[int, list[str]] | None = None
        self.cells = [_cell(name, record) for name, record in module["cells"].items()]
        if unknown := sorted({cell.type for cell in self.cells if not cell.kind}):
            raise NetlistRefused(
                f"no delays are known of cells of type {', '.join(unknown)}; nothing can be said of the clock"
            )
        self.driver: dict[int, tuple[Cell, str, int]] = {}
        self.sinks: Counter[int] = Counter()
        for cell in self.cells:
            for port, pins in cell.outputs.items():
                self.driver.update({bit: (cell, port, place) for place, bit in pins})
            for pins in cell.inputs.values():
                self.sinks.update(bit for _, bit in pins)
        self.outputs = {
            bit
            for port in module.get("ports", {}).values()
            if port["direction"] == "output"
            for bit in port["bits"]
            if isinstance(bit, int)
        }
        self.luts = sum(cell.kind == "lut" for cell in self.cells)
        if not any(cell.kind == "flip_flop" for cell in self.cells):
            raise NetlistRefused(
                "the netlist has no registers: no path begins and ends at a clock, so it has no Fmax"
            )

    def name(self, bit: int) -> Name:
        """The register's name where the bit has one, else the one deepest in the hierarchy."""
        names = [name for name in self._aliases_of(bit) if not name.startswith("$")]
        if not names:
            return Name("unnamed", None)
        best = min(names, key=lambda name: (not name.endswith("_q"), -name.count("."), len(name), name))
        return Name(best, self._declaration(best))

    def _aliases_of(self, bit: int) -> list[str]:
        if self._aliases is None:
            self._aliases = {}
            for name, record in self._names.items():
                for each in record["bits"]:
                    if isinstance(each, int):
                        self._aliases.setdefault(each, []).append(name)
        return self._aliases.get(bit, [])

    def _declaration(self, signal: str) -> str | None:
        """Yosys lists the signal's own line among those of the instances around it."""
        leaf = signal.rsplit(".", 1)[-1]
        for place in str(self._names[signal].get("attributes", {}).get("src", "")).split("|"):
            found = re.fullmatch(r"(?:.*/)?([^/:]+):(\d+)\.\d+-(\d+)\.\d+", place)
            if not found or found[2] != found[3]:
                continue
            file, row = found[1], int(found[2])
            if re.search(rf"\b{re.escape(leaf)}\b", "\n".join(self._lines.get(file, [])[row - 1 : row])):
                return f"{file}:{row}"
        return None


def arcs(cell: Cell, port: str, place: int) -> Iterator[tuple[int, str, int]]:
    """Input bits an output follows without a clock: (bit, delay by name, steps along a carry chain)."""
    if cell.kind == "carry":
        yield from _carry_arcs(cell, port, place)
    elif cell.kind == "lutram":
        address = f"ADDR{port[2]}" if re.fullmatch("DO[A-H]", port) else _READ_ADDRESS.get(port, "A")
        for name, pins in cell.inputs.items():
            if name.startswith(address):
                yield from ((bit, "lut", 0) for _, bit in pins)
    elif cell.kind in ("lut", "mux", "free", "dsp"):
        for name, pins in cell.inputs.items():
            if name not in CLOCKS:
                yield from ((bit, cell.kind, 0) for _, bit in pins)


def launch(cell: Cell) -> str | None:
    """The delay, by name, from the clock to the outputs; None where they follow the inputs alone."""
    if cell.kind == "flip_flop":
        return "flip_flop_out"
    if cell.kind == "lutram":
        return "lutram_out"
    if cell.kind == "ram":
        return "ram_out_registered" if cell.has("DOA_REG", "DOB_REG") else "ram_out"
    if cell.kind == "uram":
        return "uram_out_registered" if cell.has("OREG_A", "OREG_B") else "uram_out"
    if cell.kind == "dsp":
        if cell.has("PREG"):
            return "dsp_out"
        if cell.has("MREG"):
            return "dsp_sum"
        return "dsp" if cell.has("AREG", "BREG") else None
    return None


def follows_inputs(cell: Cell) -> bool:
    """Whether outputs change without a clock when inputs do."""
    return cell.kind in ("lut", "mux", "free", "carry", "lutram") or launch(cell) is None


def captures(cell: Cell) -> Iterator[tuple[str, int, str]]:
    """Inputs that a clock edge takes: (port, bit, set-up time by name)."""
    for port, pins in cell.inputs.items():
        setup = None if port in CLOCKS else _setup(cell, port)
        if setup is not None:
            yield from ((port, bit, setup) for _, bit in pins)


def _setup(cell: Cell, port: str) -> str | None:
    if cell.kind == "flip_flop":
        return (
            "flip_flop_reset"
            if port in RESETS
            else "flip_flop_enable"
            if port in ENABLES
            else "flip_flop_data"
        )
    if cell.kind == "lutram":
        return None if _reads_only(cell, port) else "lutram_in"
    if cell.kind in ("ram", "uram"):
        return "ram_in"
    if cell.kind == "dsp":
        if cell.has(f"{port[0]}REG"):
            return "dsp_in"
        return "dsp_product" if cell.has("MREG", "PREG") else None
    return None


def _reads_only(cell: Cell, port: str) -> bool:
    """Whether an input of a memory of LUTs is an address only read at; of ADDRA to H the last is written."""
    shared = [name for name in cell.inputs if re.fullmatch("ADDR[A-H]", name)]
    return port.startswith(("DPRA", "RAD")) or (port in shared and port != max(shared))


def _carry_arcs(cell: Cell, port: str, place: int) -> Iterator[tuple[int, str, int]]:
    if cell.type == "CCU2C":  # bits have ports of their own
        place, is_sum = (1 if port in ("S1", "COUT") else 0), port != "COUT"
    else:
        is_sum = port == "O"
    for name, pins in cell.inputs.items():
        for at, bit in pins:
            if name in ("CI", "CIN", "CYINIT", "CI_TOP"):
                yield bit, "carry_out" if is_sum else "carry_bit", place
                continue
            entry = int(name[-1]) if cell.type == "CCU2C" else at
            if entry == place and is_sum:
                yield bit, "carry_sum", 0
            elif entry <= place - is_sum:
                yield bit, "carry_in", place - entry


def _cell(name: str, record: Mapping[str, Any]) -> Cell:
    kind = next((kind for kind, types in KINDS.items() if record["type"].startswith(types)), "")
    ways = record["port_directions"]
    pins = {
        port: tuple((place, bit) for place, bit in enumerate(bits) if isinstance(bit, int))
        for port, bits in record["connections"].items()
    }
    return Cell(
        name,
        record["type"],
        kind,
        {port: bits for port, bits in pins.items() if ways[port] != "output"},
        {port: bits for port, bits in pins.items() if ways[port] == "output"},
        record.get("parameters", {}),
    )
