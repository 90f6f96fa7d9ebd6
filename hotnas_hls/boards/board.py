"""FPGA boards: what a design may use, by name from ``boards/boards.yaml`` or from a user's own file."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path

from hotnas_hls.base.names import file_name_violation, name_violation
from hotnas_hls.base.records import load_yaml, read_value
from hotnas_hls.errors import ConfigError, raise_all

CLOCK_RANGE_MHZ = (0.001, 10_000.0)
BOARDS_FILE = Path(__file__).with_name("boards.yaml")


@dataclass(frozen=True)
class Ports:
    """Memory ports the programmable logic has, all of one width."""

    count: int
    bits: int  # data width of one


@dataclass(frozen=True)
class Board:
    """Resources of one board."""

    name: str
    part: str  # as Vivado writes it
    dsp: int
    bram18: int  # 18 Kb halves
    uram: int
    lut: int
    lutram: int  # LUTs that can be memory; part of ``lut``
    ff: int
    ports: Ports
    dram_mb_per_s: float  # peak of the pins
    clock_mhz: float  # default clock of a design

    @property
    def port_bits(self) -> int:
        """Data bits all memory ports move per cycle and direction."""
        return self.ports.count * self.ports.bits

    def violations(self) -> list[str]:
        """What cannot be true of a board, each with its place."""
        may_be_zero = ("uram", "lutram")
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float):
                if value < 0 or (value == 0 and field.name not in may_be_zero):
                    least = "0 or more" if field.name in may_be_zero else "more than 0"
                    found.append(f"{field.name}: must be {least}, not {value:g}")
        for name in ("count", "bits"):
            if getattr(self.ports, name) < 1:
                found.append(f"ports.{name}: must be more than 0, not {getattr(self.ports, name)}")
        if problem := name_violation(self.name):
            found.append(f"name: {problem}")
        if problem := file_name_violation(self.part):
            found.append(f"part: {problem}; write it as Vivado does")
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


def load_board(name: str | Path) -> Board:
    """A board by name (case, spaces, ``-`` and ``_`` do not matter) or by the path of a YAML file."""
    text = str(name)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        return read_board(Path(text))
    for board in known_boards():
        if plain_name(board.name) == plain_name(text) or plain_name(board.name) == "alveo" + plain_name(text):
            return board
    raise ConfigError(
        f"unknown board {text!r}; known: {', '.join(board_names())}; "
        "for one of your own give the path of a YAML file with the same keys "
        "(hotnas boards ZCU102 shows them)"
    )


def read_board(path: Path) -> Board:
    """A board from a user's YAML file: one record with the keys of :class:`Board`."""
    problems: list[str] = []
    board = read_value(Board, load_yaml(path), "", problems)
    if not problems:
        problems = board.violations()
    raise_all(ConfigError, f"{path}: not a valid board:", problems)
    return board


def plain_name(name: str) -> str:
    """A name by its letters and digits alone: case and punctuation do not matter."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
