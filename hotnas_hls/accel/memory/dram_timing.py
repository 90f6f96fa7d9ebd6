"""What describes a DRAM behind the accelerator's ports, in nanoseconds; known ones are in ``drams.yaml``.

The schedule these parameters mean is written once for simulation (``sim/dram_timing.cpp``) and once for
the model (:mod:`.dram`).
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hotnas_hls.accel.accelerator import MAX_BURST_BEATS
from hotnas_hls.base.names import nearest
from hotnas_hls.base.records import load_yaml, read_value
from hotnas_hls.boards.board import known_boards, plain_name
from hotnas_hls.errors import ConfigError, raise_all

DRAMS_FILE = Path(__file__).with_name("drams.yaml")
WEIGHTS_BASE = 1 << 28  # byte of the DRAM where the weight image lies; feature maps lie at 0
PHASES = 16  # of the refresh, evenly over its interval, that a start may meet
LEAST_ROW = 1024  # bytes: a burst of 4 KiB lies in few rows


class DramNumbers(NamedTuple):
    """A DRAM at an accelerator's clock: picoseconds and bytes, in the order of the simulator's file."""

    cycle: int
    access: int
    access_bytes: int
    row_bytes: int
    banks: int
    cas: int
    rcd: int
    rp: int
    ras: int
    write_recovery: int
    write_to_read: int
    read_to_write: int
    activate_gap: int
    refresh_interval: int
    refresh: int
    path: int
    outstanding: int
    fifo_beats: int
    run_length: int
    weights_base: int
    first_refresh: int  # after the first burst reaches the controller


@dataclass(frozen=True)
class Assumed:
    """What no document says of the way from a port to the pins, at its best or at its worst."""

    path: float
    outstanding: int
    efficiency: float


@dataclass(frozen=True)
class DramTiming:
    """One DRAM with its controller; times in nanoseconds unless their name says otherwise."""

    name: str
    mega_transfers: float  # of the data pins, a second
    bus_bits: int
    banks: int
    row_bytes: int  # of one bank, over all chips
    cas: float  # column command to data (tCL)
    rcd: float  # activation to column command
    rp: float  # precharge to activation
    ras: float  # activation to precharge
    write_recovery: float  # end of write data to precharge (tWR)
    write_to_read: float  # end of write data to a read command (tWTR)
    read_to_write: float  # gap between read and write data
    activate_gap: float  # between two activations (tFAW / 4)
    refresh_interval: float  # tREFI
    refresh: float  # all banks busy (tRFC)
    path: float  # interconnect and controller, each way
    outstanding: int  # bursts a port may have in flight, each direction
    run_length: int  # grants in one direction while the other waits
    burst_length: int = 8  # transfers of one access
    fifo_beats: int = 128  # of a port: beats of the bursts in flight, at most
    efficiency: float = 1  # share of the pins' rate that an access gets at most
    fast: Assumed | None = None  # path, outstanding and efficiency at best; None: nothing is known of it
    slow: Assumed | None = None  # and at worst

    @property
    def mb_per_s(self) -> float:
        """Peak of the data pins."""
        return self.mega_transfers * self.bus_bits / 8

    def assuming(self, case: Assumed) -> DramTiming:
        """The same DRAM at the best or the worst of what is assumed of it."""
        return dataclasses.replace(self, **vars(case), fast=None, slow=None)

    @property
    def idle_read_ns(self) -> float:
        """Read address to the first data of an idle DRAM whose bank is closed."""
        return 2 * self.path + self.rcd + self.cas

    def with_idle_read(self, nanoseconds: float) -> DramTiming:
        """The same DRAM nearer or farther; ConfigError below what its pins need."""
        path = (nanoseconds - self.rcd - self.cas) / 2
        if path <= 0:
            raise ConfigError(
                f"{self.name}: no read is answered within {nanoseconds:g} ns; rcd + cas alone are "
                f"{self.rcd + self.cas:g} ns, so ask for more"
            )
        return dataclasses.replace(self, path=path)

    def with_bandwidth(self, mb_per_s: float) -> DramTiming:
        """The same DRAM with faster or slower data pins."""
        return dataclasses.replace(self, mega_transfers=8 * mb_per_s / self.bus_bits)

    def violations(self) -> list[str]:
        """What is not possible, each with its cure."""
        found = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < 0:
                found.append(f"{field.name}: must be 0 or more, not {value:g}")
        for name in ("mega_transfers", "banks", "refresh_interval", "run_length"):
            if getattr(self, name) == 0:
                found.append(f"{name}: must be more than 0")
        if self.fifo_beats < MAX_BURST_BEATS:
            found.append(f"fifo_beats: must be {MAX_BURST_BEATS} or more, a burst, not {self.fifo_beats}")
        if self.burst_length not in (4, 8, 16):
            found.append(f"burst_length: must be 4, 8 or 16, not {self.burst_length}")
        for place, case in (("", self), ("fast.", self.fast), ("slow.", self.slow)):
            if case is None:
                continue
            for name in ("path", "outstanding", "efficiency"):
                if getattr(case, name) == 0 or (case is not self and getattr(case, name) < 0):
                    found.append(f"{place}{name}: must be more than 0")
            if case.efficiency > 1:
                found.append(f"{place}efficiency: must be at most 1, not {case.efficiency:g}")
        if self.bus_bits not in (8, 16, 32, 64, 128):
            found.append(f"bus_bits: must be 8, 16, 32, 64 or 128, not {self.bus_bits}")
        elif self.row_bytes < LEAST_ROW or self.row_bytes & (self.row_bytes - 1):
            found.append(f"row_bytes: must be a power of two of at least {LEAST_ROW}, not {self.row_bytes}")
        if self.refresh_interval <= self.refresh + self.rp:
            found.append("refresh_interval: must be more than refresh + rp, or nothing is ever answered")
        return found

    def numbers(self, clock_mhz: float, phase: int = PHASES - 1) -> DramNumbers:
        """This DRAM seen by an accelerator at ``clock_mhz``.

        phase: of PHASES; the first refresh comes (phase + 1) / PHASES of its interval after the first burst.
        """
        values = {
            name: round(1000 * getattr(self, name))
            for name in DramNumbers._fields
            if isinstance(getattr(self, name, None), float)
        }
        return DramNumbers(
            **values,
            cycle=round(1e6 / clock_mhz),
            access=round(self.burst_length * 1e6 / (self.mega_transfers * self.efficiency)),
            access_bytes=self.burst_length * self.bus_bits // 8,
            row_bytes=self.row_bytes,
            banks=self.banks,
            outstanding=self.outstanding,
            fifo_beats=self.fifo_beats,
            run_length=self.run_length,
            weights_base=WEIGHTS_BASE,
            first_refresh=round(1000 * self.refresh_interval * (phase + 1) / PHASES),
        )

    def line(self) -> str:
        """The assumptions in a sentence."""
        return (
            f"one DRAM behind all ports: {self.name}, {self.mb_per_s:,.0f} MB/s at the pins of which "
            f"{self.efficiency:.0%} are used at most, "
            f"{self.idle_read_ns:.0f} ns to the first data of an idle read, {self.banks} banks of "
            f"{self.row_bytes}-byte rows, refresh of {self.refresh:g} ns every {self.refresh_interval:g} ns, "
            f"{self.outstanding} bursts and {self.fifo_beats} beats in flight a port and direction"
        )


@functools.cache
def known_drams() -> tuple[DramTiming, ...]:
    """The DRAMs of ``drams.yaml``, in its order."""
    problems: list[str] = []
    drams = read_value(tuple[DramTiming, ...], load_yaml(DRAMS_FILE), "", problems)
    return _checked(DRAMS_FILE, drams, problems)


def load_dram(name: str | Path) -> DramTiming:
    """A DRAM by name, by the name of a board that has it, or by the path of a YAML file of one."""
    text = str(name)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        problems: list[str] = []
        given = read_value(DramTiming, load_yaml(Path(text)), "", problems)
        return _checked(Path(text), (given,), problems)[0]
    boards = {plain_name(board.name): board.dram for board in known_boards()}
    wanted = plain_name(boards.get(plain_name(text)) or text)
    for dram in known_drams():
        if plain_name(dram.name) == wanted:
            return dram
    known = ", ".join(
        f"{dram.name} ({', '.join(board.name for board in known_boards() if board.dram == dram.name)})"
        for dram in known_drams()
    )
    raise ConfigError(
        f"unknown DRAM {text!r}; {nearest(text, [dram.name for dram in known_drams()])}known: {known}; for "
        f"another give the path of a YAML file with the keys of {DRAMS_FILE.name}"
    )


def _checked(path: Path, drams: tuple[DramTiming, ...], problems: list[str]) -> tuple[DramTiming, ...]:
    problems = problems or [f"{dram.name}.{problem}" for dram in drams for problem in dram.violations()]
    raise_all(ConfigError, f"{path}: not a valid DRAM:", problems)
    return drams
