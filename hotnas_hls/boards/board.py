"""FPGA boards: what a design may use, by name from ``boards/boards.yaml`` or from a user's own file."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.base.names import article, file_name_violation, name_violation, nearest
from hotnas_hls.base.notebook import Shown
from hotnas_hls.base.records import load_yaml, read_value, to_record
from hotnas_hls.errors import ConfigError, raise_all

if TYPE_CHECKING:
    from rich.table import Table

CLOCK_RANGE_MHZ = (0.001, 10_000.0)
AXI_BITS = (32, 64, 128, 256, 512)  # data widths of the AXI ports that designs have
BOARD_PART = re.compile(r"[\w.-]+:[\w.-]+:part0")
PART = re.compile(r"x[acq][a-z0-9]+-[A-Za-z0-9-]+")
BOARDS_FILE = Path(__file__).with_name("boards.yaml")


@dataclass(frozen=True)
class Ports:
    """Memory ports of one kind that the programmable logic has."""

    names: tuple[str, ...]  # as the board's documents call them, the one to be wired first in front
    bits: tuple[int, ...]  # widths of masters that each takes at a beat a cycle
    clock_mhz: float | None = None  # highest clock of one; None: not known, any is taken


@dataclass(frozen=True)
class Board(Shown):
    """Resources of one board."""

    name: str
    part: str  # as Vivado writes it
    dsp: int
    bram18: int  # 18 Kb halves
    uram: int = field(default=0, kw_only=True)
    lut: int
    lutram: int  # LUTs that can be memory; part of ``lut``
    ff: int
    ports: tuple[Ports, ...]
    dram_mb_per_s: float  # peak of the pins
    clock_mhz: float  # default clock of a design
    board_part: str | None = None  # Vivado's name of the board's files, without version; None: not known
    board_files: str | None = None  # where to get them; None: Vivado's Store
    dram: str | None = None  # behind the ports: a name of ``accel/memory/drams.yaml``, or a YAML file of one

    def tables(self) -> Sequence[Table]:
        """A line a figure."""
        from rich.table import Table

        table = Table(title=f"{self.name} ({self.part})", show_header=False)
        table.add_column()
        table.add_column(justify="right")
        for name, value in (
            *(("DSP slices", self.dsp), ("block RAMs of 18 Kb", self.bram18), ("UltraRAMs", self.uram)),
            *(("LUTs", self.lut), ("of them memory", self.lutram), ("flip-flops", self.ff)),
            *(("bits of all ports", self.port_bits), ("DRAM, MB/s", self.dram_mb_per_s)),
            ("clock, MHz", self.clock_mhz),
        ):
            table.add_row(name, f"{value:,g}" if isinstance(value, float) else f"{value:,}")
        table.add_row("DRAM", self.dram or "not known")
        return (table,)

    def record(self) -> dict[str, Any]:
        """As plain values: what a YAML file of it holds."""
        return dict(to_record(self))

    @property
    def port_bits(self) -> int:
        """Data bits all memory ports move per cycle and direction."""
        return sum(len(kind.names) * max(kind.bits) for kind in self.ports)

    def port(self, name: str) -> Ports | None:
        """The kind of the port called ``name``, None where the board has none of that name."""
        return next((kind for kind in self.ports if name in kind.names), None)

    def violations(self) -> list[str]:
        """What cannot be true of a board, each with its place."""
        may_be_zero = ("uram", "lutram")
        found = []
        for key in fields(self):
            value = getattr(self, key.name)
            if isinstance(value, int | float):
                if value < 0 or (value == 0 and key.name not in may_be_zero):
                    least = "0 or more" if key.name in may_be_zero else "more than 0"
                    found.append(f"{key.name}: must be {least}, not {value:g}")
        if problem := name_violation(self.name):
            found.append(f"name: {problem}")
        if problem := file_name_violation(self.part):
            found.append(f"part: {problem}; write it as Vivado does")
        elif not PART.fullmatch(self.part):
            found.append(
                f"part: {self.part!r} is none of Vivado's; write device, package and speed grade, "
                "e.g. xczu3eg-sbva484-1-e or xc7z010clg400-1"
            )
        if self.board_part is not None and not BOARD_PART.fullmatch(self.board_part):
            found.append(
                f"board_part: {self.board_part!r} is none of Vivado's; write vendor, board and part0, "
                "without a version, e.g. xilinx.com:zcu102:part0"
            )
        names = [name for kind in self.ports for name in kind.names]
        if not names:
            found.append("ports: the board has none; name at least one")
        found += [
            f"ports: {name} is named {names.count(name)} times; name each port once"
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        for at, kind in enumerate(self.ports):
            found += [
                f"ports[{at}].bits: {bits}: AXI ports have {', '.join(map(str, AXI_BITS))} bits"
                for bits in kind.bits
                if bits not in AXI_BITS
            ]
            if not kind.bits:
                found.append(f"ports[{at}].bits: give at least one width")
            if kind.clock_mhz is not None and kind.clock_mhz <= 0:
                found.append(f"ports[{at}].clock_mhz: must be more than 0, not {kind.clock_mhz:g}")
        if self.lutram > self.lut:
            found.append(f"lutram: {self.lutram} is more than lut = {self.lut}; it counts a part of them")
        return found


def clock_violations(clock_mhz: float) -> list[str]:
    """A clock that no accelerator runs at, NaN and infinity among them."""
    low, high = CLOCK_RANGE_MHZ
    if low <= clock_mhz <= high:
        return []
    return [f"{clock_mhz:g}: must be {low:g} to {high:g} MHz"]


def board_names() -> list[str]:
    """Names of the boards that ship with the package."""
    return [board.name for board in known_boards()]


@functools.cache
def known_boards() -> tuple[Board, ...]:
    """The boards of ``boards/boards.yaml``, in its order."""
    problems: list[str] = []
    boards = read_value(tuple[Board, ...], load_yaml(BOARDS_FILE), "", problems)
    if not problems:
        problems = [f"{board.name}.{problem}" for board in boards for problem in board.violations()]
    raise_all(ConfigError, f"{BOARDS_FILE}: not a list of boards:", problems)
    return boards


def load_board(name: str | Path | Board) -> Board:
    """A board by name (case, spaces, ``-`` and ``_`` do not matter) or by the path of a YAML file.

    A :class:`Board` is taken as it is, where it can be one. Raises ConfigError for anything else.
    """
    if isinstance(name, Board):
        raise_all(ConfigError, f"{name.name}: not a valid board:", name.violations())
        return name
    if not isinstance(name, str | Path):
        raise ConfigError(
            f"a board is a name, the path of a YAML file or a Board; not {article(type(name).__name__)}"
        )
    text = str(name)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        return read_board(Path(text))
    for board in known_boards():
        if plain_name(board.name) == plain_name(text) or plain_name(board.name) == "alveo" + plain_name(text):
            return board
    raise ConfigError(
        f"unknown board {text!r}; {nearest(text, board_names())}known: {', '.join(board_names())}; "
        "for one of your own give the path of a YAML file with the same keys "
        "(hotnas boards ZCU102 shows them)"
    )


def read_board(path: Path) -> Board:
    """A board from a user's YAML file: one record with the keys of :class:`Board`."""
    problems: list[str] = []
    board = read_value(Board, with_port_names(load_yaml(path)), "", problems)
    if board is not None:
        problems += board.violations()
    raise_all(ConfigError, f"{path}: not a valid board:", problems)
    return board


def with_port_names(record: Any) -> Any:
    """A board's record, whose ports may be a count and one width: then those of the known board of that name.

    The ports of a board that is not known are called HP0, HP1, ... and take every width up to the one given;
    nothing is said of their clock.
    """
    ports = record.get("ports") if isinstance(record, dict) else None
    if not isinstance(ports, dict) or set(ports) != {"count", "bits"}:
        return record
    for board in known_boards():
        if plain_name(board.name) == plain_name(str(record.get("name"))):
            return record | {"ports": to_record(board.ports), "dram": board.dram}
    count = ports["count"] if isinstance(ports["count"], int) else 0
    widest = ports["bits"]
    bits = [width for width in AXI_BITS if isinstance(widest, int) and width < widest]
    named = {"names": [f"HP{at}" for at in range(count)], "bits": [*bits, widest], "clock_mhz": None}
    return record | {"ports": [named]}


def plain_name(name: str) -> str:
    """A name by its letters and digits alone: case and punctuation do not matter."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
