"""What other commands measured of a design and left in its ``reports``, as far as the report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.base.records import load_json, read_record
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.report.data import REPORTS, SweepPoint


@dataclass(frozen=True)
class Amount:
    used: int
    available: int


@dataclass(frozen=True)
class PlaceFile:
    other_keys: ClassVar[bool] = True
    device: str
    fmax_mhz: float
    used: dict[str, Amount]
    slowest_path: dict[str, str | float]


@dataclass(frozen=True)
class Counted:
    other_keys: ClassVar[bool] = True
    yosys: int | None = None


@dataclass(frozen=True)
class SynthFile:
    other_keys: ClassVar[bool] = True
    total: dict[str, Counted]


@dataclass(frozen=True)
class TimedEnd:
    other_keys: ClassVar[bool] = True
    name: str


@dataclass(frozen=True)
class TimedPath:
    other_keys: ClassVar[bool] = True
    start: TimedEnd
    end: TimedEnd


@dataclass(frozen=True)
class TimingFile:
    other_keys: ClassVar[bool] = True
    part: str
    fmax_mhz: float
    low_mhz: float
    high_mhz: float
    paths: tuple[TimedPath, ...]


@dataclass(frozen=True)
class SweepFile:
    other_keys: ClassVar[bool] = True
    points: tuple[SweepPoint, ...]


Measured = TypeVar("Measured")


def measured(
    kind: type[Measured], folder: Path, name: str, by: str, point: DesignPoint, notes: list[str]
) -> Measured | None:
    """What the command ``by`` left in a file of ``reports``, if it speaks of this design."""
    path = folder / REPORTS / name
    if not path.is_file():
        return None
    found = load_json(path)
    if not isinstance(found, dict) or "design_digest" not in found:
        raise ConfigError(f"{path}: was not written by '{by}'; run it again")
    if found["design_digest"] != point.digest():
        notes.append(f"{REPORTS}/{name} speaks of another design; run '{by}' again")
        return None
    problems: list[str] = []
    known = read_record(kind, found, "", problems)
    if isinstance(known, PlaceFile):
        problems += ["used.lut: missing key"] if "lut" not in known.used else []
        ends = [end for end in ("from", "to") if end not in known.slowest_path]
        problems += [f"slowest_path.{end}: missing key" for end in ends]
    if isinstance(known, TimingFile) and not known.paths:
        problems.append("paths: give at least one")
    raise_all(ConfigError, f"{path}: was not written by '{by}'; run it again:", problems)
    return known
