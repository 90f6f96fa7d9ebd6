"""What AMD's tools reported: csynth, co-simulation, utilisation and timing, found by their contents; and what
the package's self-test found on the board.

Every figure that is not in a report stays ``None``: unknown is never a zero. Reports are recognised by
what is in them, since their names differ between tools and versions.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hotnas_hls.base.records import to_record
from hotnas_hls.errors import DataMissing
from hotnas_hls.implementation.selftest import SELFTEST_FILE, Selftest, read_selftest

FORMAT = "hotnas-vendor-reports"
FORMAT_VERSION = 1
SUFFIXES = (".xml", ".rpt", ".txt")
CLOCK_FILE = "clock.json"  # of a package's block_design.tcl
REQUIRED_II = 1  # of every loop of the C++ that has a pipeline pragma
LARGEST = 64 << 20  # bytes of a file that may be a report


@dataclass(frozen=True)
class Resources:
    """What a design uses; ``None`` where a report does not say."""

    lut: int | None = None
    ff: int | None = None
    dsp: int | None = None
    bram18: int | None = None  # 18 Kb halves
    uram: int | None = None


@dataclass(frozen=True)
class Loop:
    """A pipelined loop, as csynth scheduled it."""

    module: str  # function, or the part of it that the tool made a module of
    name: str  # its label in the sources
    interval: int | None  # II achieved, cycles between two iterations
    depth: int | None  # cycles of an iteration

    def line(self) -> str:
        """Where it is, and its II beside the one that the sources ask for."""
        achieved = "unknown" if self.interval is None else str(self.interval)
        return f"{self.module}/{self.name}: II = {achieved}, required {REQUIRED_II}"


@dataclass(frozen=True)
class Csynth:
    """C synthesis by Vitis HLS or Vivado HLS: estimates."""

    top: str | None = None
    part: str | None = None
    tool_version: str | None = None
    target_ns: float | None = None
    estimated_ns: float | None = None
    latency_min: int | None = None  # cycles; HLS writes "undef" where a loop has no fixed bound
    latency_max: int | None = None
    interval_min: int | None = None
    interval_max: int | None = None
    resources: Resources = Resources()
    loops: tuple[Loop, ...] | None = None  # of the whole design

    @property
    def slow_loops(self) -> tuple[Loop, ...]:
        """Loops that do not keep the II that the sources ask for."""
        return tuple(loop for loop in self.loops or () if loop.interval != REQUIRED_II)


@dataclass(frozen=True)
class Cosim:
    """C/RTL co-simulation: cycles of a transaction, which is one layer in the package's own script."""

    passed: bool | None = None
    latency_min: int | None = None
    latency_avg: int | None = None
    latency_max: int | None = None
    total: int | None = None  # cycles of all transactions
    transactions: tuple[int, ...] | None = None  # cycles of each, in order


@dataclass(frozen=True)
class Implementation:
    """Vivado, after synthesis or place and route."""

    state: str | None = None  # as the report says: Synthesized, Routed, ...
    part: str | None = None
    tool_version: str | None = None
    resources: Resources = Resources()
    wns_ns: float | None = None  # worst slack of setup; negative misses the clock
    whs_ns: float | None = None
    period_ns: float | None = None
    fmax_mhz: float | None = None  # 1 / (period - worst slack)
    clock_mhz: float | None = None  # what the processor's PLL really gives, as the block design read it back


@dataclass(frozen=True)
class VendorReports:
    """All that was found; a report that is missing is ``None``."""

    csynth: Csynth | None = None
    cosim: Cosim | None = None
    implementation: Implementation | None = None
    board: Selftest | None = None
    files: dict[str, str] = field(default_factory=dict)  # which file each figure came from

    def to_json(self) -> str:
        """The text that a design's report reads."""
        record = {"format": FORMAT, "format_version": FORMAT_VERSION} | to_record(self)
        return json.dumps(record, indent=2, ensure_ascii=False) + "\n"

    def unknown(self) -> list[str]:
        """Names of all figures that no report gave."""
        return list(_unknown(self, ""))


def read_reports(folder: Path) -> VendorReports:
    """Everything below ``folder`` that is a report of AMD's tools or a self-test; of several the best.

    Best is the top function (not a part of it) in csynth, a routed design before a synthesised one. Raises
    DataMissing when there is none, ConfigError for a self-test that cannot be read.
    """
    if not folder.is_dir():
        raise DataMissing(f"{folder}: no such folder; give the project folder of Vitis HLS or Vivado")
    csynths: list[tuple[Path, Csynth]] = []
    cosims: list[tuple[Path, Cosim]] = []
    transactions: list[tuple[Path, tuple[int, ...]]] = []
    utilisations: list[tuple[Path, Implementation]] = []
    timings: list[tuple[Path, Implementation]] = []
    clocks: list[tuple[Path, Implementation]] = []
    selftests = [(path, read_selftest(path)) for path in sorted(folder.rglob(SELFTEST_FILE))]
    for path in sorted(folder.rglob("*")):
        if path.name == CLOCK_FILE and (clock := parse_clock(path.read_text(errors="replace"))):
            clocks.append((path, clock))
        if path.suffix not in SUFFIXES or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".xml":
            csynth = parse_csynth(text)
            csynths += [(path, csynth)] if csynth else []
            continue
        cosim, utilisation, timing = parse_cosim(text), parse_utilisation(text), parse_timing(text)
        cosims += [(path, cosim)] if cosim else []
        each = parse_transactions(text)
        transactions += [(path, each)] if each else []
        utilisations += [(path, utilisation)] if utilisation else []
        timings += [(path, timing)] if timing else []
    if not (csynths or cosims or transactions or utilisations or timings or clocks or selftests):
        raise DataMissing(
            f"{folder}: no report of Vitis HLS or Vivado in it; expected *_csynth.xml, *_cosim.rpt, what "
            f"report_utilization and report_timing_summary write, or {SELFTEST_FILE} of the drivers"
        )
    files: dict[str, str] = {}

    def note(kind: str, path: Path) -> None:
        files[kind] = path.relative_to(folder).as_posix()

    csynth = cosim = implementation = None
    if csynths:
        path, csynth = min(csynths, key=lambda found: (found[0].name != "csynth.xml", str(found[0])))
        note("csynth", path)
        loops = {loop: None for _, found in csynths for loop in found.loops or ()}
        csynth = replace(csynth, loops=tuple(loops) or None)
    if cosims:
        path, cosim = cosims[0]
        note("cosim", path)
    if transactions:
        path, each = transactions[0]
        cosim = replace(cosim or Cosim(), transactions=each)
        note("transactions", path)
    if utilisations:
        path, implementation = max(
            utilisations, key=lambda found: found[1].state in ("Routed", "Fully Routed")
        )
        note("utilisation", path)
    if timings:
        path, timing = max(timings, key=lambda found: found[1].state in ("Routed", "Fully Routed"))
        note("timing", path)
        implementation = _merged(implementation, timing)
    if clocks:
        path, clock = clocks[0]
        note("clock", path)
        implementation = _merged(implementation, clock)
    board = None
    if selftests:
        path, board = selftests[0]
        note("board", path)
    return VendorReports(csynth, cosim, implementation, board, files)


def parse_csynth(text: str) -> Csynth | None:
    """A ``*_csynth.xml``, or ``None`` if the text is something else."""
    if "<PerformanceEstimates>" not in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None

    def word(path: str) -> str | None:
        found = root.findtext(path)
        return found.strip() if found and found.strip() else None

    modules = [(word("UserAssignments/TopModelName"), root)]
    modules += [(each.findtext("Name"), each) for each in root.iter("Module")]
    loops = [loop for name, module in modules for loop in _loops((name or "unknown").strip(), module)]
    latency = "PerformanceEstimates/SummaryOfOverallLatency"
    used = "AreaEstimates/Resources"
    return Csynth(
        top=word("UserAssignments/TopModelName"),
        part=word("UserAssignments/Part"),
        tool_version=word("ReportVersion/Version"),
        target_ns=_real(word("UserAssignments/TargetClockPeriod")),
        estimated_ns=_real(word("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")),
        latency_min=_whole(word(f"{latency}/Best-caseLatency")),
        latency_max=_whole(word(f"{latency}/Worst-caseLatency")),
        interval_min=_whole(word(f"{latency}/Interval-min")),
        interval_max=_whole(word(f"{latency}/Interval-max")),
        resources=Resources(
            lut=_whole(word(f"{used}/LUT")),
            ff=_whole(word(f"{used}/FF")),
            dsp=_whole(word(f"{used}/DSP") or word(f"{used}/DSP48E")),  # the latter until 2020.1
            bram18=_whole(word(f"{used}/BRAM_18K")),
            uram=_whole(word(f"{used}/URAM")),
        ),
        loops=tuple(loops) or None,
    )


def _loops(name: str, module: ElementTree.Element) -> Iterator[Loop]:
    """The pipelined loops of a module, inner ones too: elements named after a loop or with a name inside."""
    for summary in module.findall("PerformanceEstimates/SummaryOfLoopLatency"):
        for each in summary.iter():
            if (interval := each.findtext("PipelineII")) is not None:
                label = (each.findtext("Name") or each.tag).strip()
                yield Loop(name, label, _whole(interval), _whole(each.findtext("PipelineDepth")))


def parse_cosim(text: str) -> Cosim | None:
    """A ``*_cosim.rpt``, or ``None``: the table's row of Verilog, else of VHDL."""
    if not re.search(r"\bRTL\b.*\bStatus\b", text):
        return None
    rows = {row[0]: row[1:] for row in _table(text) if row[0] in ("Verilog", "VHDL")}
    row = next((rows[name] for name in ("Verilog", "VHDL") if name in rows and rows[name][0] != "NA"), None)
    if row is None:
        return Cosim() if rows else None
    numbers = [_whole(cell) for cell in row[1:]] + [None] * 7
    return Cosim(
        passed={"pass": True, "fail": False}.get(row[0].lower()),
        latency_min=numbers[0],
        latency_avg=numbers[1],
        latency_max=numbers[2],
        total=numbers[6],
    )


def parse_transactions(text: str) -> tuple[int, ...] | None:
    """Latency of every transaction of a ``result.transaction.rpt``, or ``None``."""
    if not re.match(r"\s*latency\s+interval\s*$", text.partition("\n")[0]):
        return None
    rows = re.findall(r"^transaction\s+\d+:\s+(\d+)\b", text, re.MULTILINE)
    return tuple(map(int, rows)) or None


def parse_utilisation(text: str) -> Implementation | None:
    """A report of ``report_utilization``, or ``None``."""
    if not re.search(r"^\|\s*(CLB|Slice) LUTs", text, re.MULTILINE) or "Site Type" not in text:
        return None
    used: dict[str, float] = {}
    for row in _table(text):
        number = _real(row[1]) if len(row) > 2 else None
        if number is not None:
            used.setdefault(row[0].rstrip("*"), number)

    def amount(*names: str) -> int | None:
        return next((int(used[name]) for name in names if name in used), None)

    tiles = used.get("Block RAM Tile")
    return Implementation(
        state=_heading(text, "Design State"),
        part=_heading(text, "Device"),
        tool_version=_version(text),
        resources=Resources(
            lut=amount("CLB LUTs", "Slice LUTs"),
            ff=amount("CLB Registers", "Slice Registers"),
            dsp=amount("DSPs"),
            bram18=None if tiles is None else round(2 * tiles),
            uram=amount("URAM"),
        ),
    )


def parse_timing(text: str) -> Implementation | None:
    """A report of ``report_timing_summary``, or ``None``."""
    found = re.search(r"^\s*WNS\(ns\)\s.*\n[\s-]*\n\s*(\S.*)$", text, re.MULTILINE)
    if found is None:
        return None
    numbers = [_real(word) for word in found[1].split()] + [None] * 6
    wns, whs = numbers[0], numbers[4]
    periods = re.findall(r"^\S+\s+\{[\d. ]+\}\s+([\d.]+)\s+[\d.]+\s*$", text, re.MULTILINE)
    period = _real(periods[0]) if len(set(periods)) == 1 else None  # several clocks: which one is ours?
    return Implementation(
        state=_heading(text, "Design State"),
        part=_heading(text, "Device"),
        tool_version=_version(text),
        wns_ns=wns,
        whs_ns=whs,
        period_ns=period,
        fmax_mhz=None if wns is None or period is None else round(1000 / (period - wns), 2),
    )


def parse_clock(text: str) -> Implementation | None:
    """The clock that ``block_design.tcl`` found, or ``None``."""
    try:
        return Implementation(clock_mhz=float(json.loads(text)["actual_mhz"]))
    except (ValueError, KeyError, TypeError):
        return None


def _merged(first: Implementation | None, second: Implementation) -> Implementation:
    """``first`` with what only ``second`` knows."""
    if first is None:
        return second
    gaps = {
        each.name: getattr(second, each.name)
        for each in fields(Implementation)
        if getattr(first, each.name) is None
    }
    return replace(first, **gaps)


def _table(text: str) -> Iterator[list[str]]:
    """Cells of every line drawn with bars."""
    for line in text.splitlines():
        if line.startswith("|") and line.rstrip().endswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _heading(text: str, name: str) -> str | None:
    found = re.search(rf"^\|\s*{name}\s*:\s*(.+?)\s*$", text, re.MULTILINE)
    return found[1] if found else None


def _version(text: str) -> str | None:
    found = re.search(r"^\|\s*Tool Version\s*:\s*Vivado v\.?(\S+)", text, re.MULTILINE)
    return found[1] if found else None


def _real(word: str | None) -> float | None:
    """A number, ``None`` for NA, undef, ?, an empty cell, or an infinite slack."""
    if word is None or not re.fullmatch(r"[-+]?\d[\d,]*(\.\d+)?", word.strip()):
        return None
    return float(word.replace(",", ""))


def _whole(word: str | None) -> int | None:
    number = _real(word)
    return None if number is None else int(number)


def _unknown(record: Any, place: str) -> Iterator[str]:
    for each in fields(record):
        value = getattr(record, each.name)
        name = f"{place}{each.name}"
        if value is None:
            yield name
        elif hasattr(value, "__dataclass_fields__"):
            yield from _unknown(value, f"{name}.")
