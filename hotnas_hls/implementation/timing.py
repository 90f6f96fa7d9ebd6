"""Static timing of a design before any vendor tool: how fast its RTL can be clocked, and what holds it.

Yosys maps the RTL; delays of cells and wires come from ``delays.yaml``. Nothing is placed, so the figure is
an estimate, and it is called one wherever it is shown. Its range comes from wires that are as much shorter
and longer as a router made them on the device where one was to be had (``delays.yaml``: wire_low, wire_high).
Ports of the accelerator count as registers outside: an interconnect has its own logic.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotnas_hls.base.records import to_record
from hotnas_hls.codegen.rtl import TOP
from hotnas_hls.errors import ConfigError, HotnasError
from hotnas_hls.implementation.delays import Device, Family, Grade, family_of
from hotnas_hls.implementation.netlist import Cell, Netlist, arcs, captures, follows_inputs, launch
from hotnas_hls.implementation.synth import TIMEOUT_SECONDS, Source, synthesised, tool_text

TIMING_FILE = "timing.json"
PATHS = 10
NETLIST = "netlist.json"


class ClockMissed(HotnasError):
    """The design's clock is above the estimate."""


@dataclass(frozen=True)
class Point:
    """Where a path begins or ends."""

    name: str  # with the instances it lies in
    module: str | None
    declared: str | None  # file and line


@dataclass(frozen=True)
class TimingPath:
    """A path from register to register."""

    ns: float
    logic_ns: float
    levels: int  # cells in between
    cells: dict[str, int]  # in between, by type
    start: Point
    end: Point
    through: tuple[str, ...]  # named signals in between, in order


@dataclass(frozen=True)
class Estimate:
    """The static timing of one design."""

    family: str
    grade: str
    luts: int
    fmax_mhz: float
    low_mhz: float
    high_mhz: float
    clock_tree_mhz: float
    paths: tuple[TimingPath, ...]  # the worst, one from each register into each instance
    remembered: tuple[str, ...]  # delays that were not looked up


@dataclass(frozen=True)
class Timing:
    """A design's estimate beside its clock."""

    design: str
    design_digest: str | None
    part: str
    clock_mhz: float
    tool: str  # name and version
    seconds: float
    estimate: Estimate

    @property
    def met(self) -> bool:
        """Whether the design's clock is within the estimate."""
        return self.clock_mhz <= self.estimate.fmax_mhz

    def line(self) -> str:
        """The estimate in one sentence."""
        found = self.estimate
        return (
            f"estimated {found.fmax_mhz:.0f} MHz, {found.low_mhz:.0f} to {found.high_mhz:.0f}, on "
            f"{self.part} before placement; the clock of {self.clock_mhz:g} MHz is "
            f"{'within' if self.met else 'above'} it"
        )

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = self.estimate
        return {
            "design": self.design,
            "design_digest": self.design_digest,
            "part": self.part,
            "clock_mhz": self.clock_mhz,
            "met": self.met,
            "line": self.line(),
            "speaks_of": "an estimate before placement; not Vivado's, no board confirms it",
            "tool": self.tool,
            "seconds": round(self.seconds, 1),
            "family": found.family,
            "grade": found.grade,
            "luts": found.luts,
            "fmax_mhz": round(found.fmax_mhz, 1),
            "low_mhz": round(found.low_mhz, 1),
            "high_mhz": round(found.high_mhz, 1),
            "remembered": list(found.remembered),
            "paths": [
                to_record(path) | {"ns": round(path.ns, 3), "logic_ns": round(path.logic_ns, 3)}
                for path in found.paths
            ],
        }


class _Arrivals:
    """When the bits of a netlist are there, in ns after the clock edge."""

    def __init__(self, netlist: Netlist, device: Device, wire: float = 1.0) -> None:
        """wire: what every wire's delay is multiplied by."""
        self.netlist, self.device, self._factor = netlist, device, wire
        self.at: dict[int, float] = {}
        self.before: dict[int, int] = {}  # the input that came last
        self.logic: dict[int, float] = {}

    def wire(self, bit: int) -> float:
        return self._factor * self.device.wire(self.netlist.sinks[bit] + (bit in self.netlist.outputs))

    def arrive(self, bit: int) -> float:
        """Depth first without recursion; a loop that no single bit closes is left where it is met again."""
        stack, entered = [(bit, False)], set()
        while stack:
            here, ready = stack.pop()
            if here in self.at:
                continue
            driver = self.netlist.driver.get(here)
            if driver is None:  # a port: a register outside
                start = self.device.delay("flip_flop_out")
                self._settle(here, start, start, None)
                continue
            cell, port, place = driver
            if ready or not follows_inputs(cell):
                self._through(here, cell, port, place)
            elif here not in entered:
                entered.add(here)
                stack.append((here, True))
                stack += [(b, False) for b, _, _ in arcs(cell, port, place) if b not in self.at]
        return self.at[bit]

    def _through(self, bit: int, cell: Cell, port: str, place: int) -> None:
        clocked = launch(cell)
        best = logic = 0.0 if clocked is None else self.device.delay(clocked)
        last = None
        if follows_inputs(cell):
            for source, name, steps in arcs(cell, port, place):
                if source not in self.at:
                    continue
                delay = 0.0 if cell.kind == "free" else self.device.delay(name)
                delay += steps * self.device.delay("carry_bit")
                reached = self.at[source] + delay + (0.0 if self._beside(source, cell) else self.wire(source))
                if reached > best:
                    best, last, logic = reached, source, self.logic[source] + delay
        self._settle(bit, best, logic, last)

    def _settle(self, bit: int, at: float, logic: float, before: int | None) -> None:
        self.at[bit], self.logic[bit] = at, logic
        if before is not None:
            self.before[bit] = before

    def _beside(self, bit: int, cell: Cell) -> bool:
        """Whether a bit reaches a cell without the routing: along a carry chain, into a mux of LUTs."""
        driver = self.netlist.driver.get(bit)
        if driver is None or cell.kind == "free":
            return cell.kind == "free"
        chained = cell.kind == "carry" and driver[0].kind == "carry" and driver[1] in ("CO", "COUT")
        return chained or (cell.kind == "mux" and driver[0].kind in ("lut", "mux"))

    def ends(self) -> Iterator[tuple[float, int, int | None, float]]:
        """Every path's end: (ns with set-up, bit that arrives, output of the cell there, logic ns)."""
        for cell in self.netlist.cells:
            own = next((bit for pins in cell.outputs.values() for _, bit in pins), None)
            for _, bit, setup in captures(cell):
                least = self.device.delay(setup)
                yield self.arrive(bit) + self.wire(bit) + least, bit, own, self.logic[bit] + least
        for bit in self.netlist.outputs:
            least = self.device.delay("flip_flop_data")
            yield self.arrive(bit) + self.wire(bit) + least, bit, bit, self.logic[bit] + least

    def steps(self, bit: int) -> list[int]:
        """The bits of the slowest path to ``bit``, in order."""
        found = [bit]
        while found[-1] in self.before:
            found.append(self.before[found[-1]])
        return found[::-1]


def estimate(netlist: Netlist, family: Family, grade: Grade, paths: int = PATHS) -> Estimate:
    """Static timing of a netlist; its worst ``paths``, each from another register or to another instance."""
    device = Device(family, grade, netlist.luts)
    arrivals = _Arrivals(netlist, device)
    ends = sorted(arrivals.ends(), key=lambda end: (-end[0], end[1]))
    limits = {
        factor: max(end[0] for end in _Arrivals(netlist, device, factor).ends())
        for factor in (family.wire_low, family.wire_high)
    }
    return Estimate(
        family=family.name,
        grade=grade.name,
        luts=netlist.luts,
        fmax_mhz=_mhz(ends[0][0], device),
        low_mhz=_mhz(limits[family.wire_high], device),
        high_mhz=_mhz(limits[family.wire_low], device),
        clock_tree_mhz=device.grade.clock_mhz,
        paths=tuple(_distinct(netlist, arrivals, ends, paths)),
        remembered=family.remembered,
    )


def time_design(
    source: Source, part: str, clock_mhz: float, log: Path | None = None, timeout: float = TIMEOUT_SECONDS
) -> Timing:
    """Synthesise ``source`` for ``part`` and time it.

    timeout: of Yosys, in seconds. Raises ConfigError for a part without known delays, ToolNotFound without
    Yosys, SynthesisFailed when it fails, NetlistRefused for a netlist without registers.
    """
    family, grade = family_of(part)
    if not family.yosys:
        raise ConfigError(f"{part}: {family.name} is placed and routed, not estimated: hotnas synth --place")
    script = f"synth_xilinx -family {family.yosys} -flatten -top {TOP}; write_json {NETLIST}; stat"
    with synthesised(source, script, log, timeout) as (finished, folder):
        netlist = read_netlist(folder / NETLIST, source)
    found = estimate(netlist, family, grade)
    return Timing(source.name, source.design_digest, part, clock_mhz, tool_text(), finished.seconds, found)


def read_netlist(path: Path, source: Source) -> Netlist:
    """The flat netlist that Yosys wrote of ``source``."""
    return Netlist(json.loads(path.read_text(encoding="utf-8"))["modules"][TOP], source.files)


def refuse_if_missed(timing: Timing) -> None:
    """Raise ClockMissed where the design's clock is above the estimate."""
    if not timing.met:
        worst, found = timing.estimate.paths[0], timing.estimate
        raise ClockMissed(
            f"{timing.design}: its clock of {timing.clock_mhz:g} MHz is above the estimate of "
            f"{found.fmax_mhz:.0f} MHz ({found.low_mhz:.0f} to {found.high_mhz:.0f}) on {timing.part}; held "
            f"by {worst.start.name} -> {worst.end.name}, {worst.ns:.2f} ns. Set clock_mhz of the design to "
            f"{int(found.fmax_mhz)} or less, or import a post-route report that meets it (hotnas "
            "import-reports)"
        )


def table(timing: Timing) -> list[str]:
    """Lines of text, the estimate first."""
    found = timing.estimate
    lines = [
        f"{timing.design} on {timing.part}: estimated {found.fmax_mhz:.0f} MHz, {found.low_mhz:.0f} to "
        f"{found.high_mhz:.0f} by what is known of wires; its clock is {timing.clock_mhz:g} MHz",
        f"(static timing before placement, {found.family} grade {found.grade}, {found.luts:,} LUTs; "
        "not Vivado's)",
        "",
    ]
    for at, path in enumerate(found.paths, 1):
        cells = ", ".join(f"{count} {kind}" for kind, count in path.cells.items())
        lines += [
            f"{at:2} {path.ns:6.2f} ns {1000 / path.ns:5.0f} MHz  {path.levels} levels, "
            f"{path.logic_ns:.2f} ns logic, {path.ns - path.logic_ns:.2f} ns wires",
            f"     from {_where(path.start)}",
            f"     to   {_where(path.end)}",
            f"     by   {cells or 'a wire'}" + (f"; {' -> '.join(path.through)}" if path.through else ""),
        ]
    remembered = f"; delays from memory: {', '.join(found.remembered)}" if found.remembered else ""
    return [*lines, "", f"{timing.tool} in {timing.seconds:.0f} s{remembered}"]


def _mhz(ns: float, device: Device) -> float:
    return min(1000 / ns, device.grade.clock_mhz)


def _distinct(
    netlist: Netlist, arrivals: _Arrivals, ends: Sequence[tuple[float, int, int | None, float]], paths: int
) -> Iterator[TimingPath]:
    """The worst path from each register into each instance: what has one cause is told once."""
    seen: set[tuple[str, str]] = set()
    for ns, bit, own, logic in ends:
        steps = arrivals.steps(bit)
        start, end = _point(netlist, steps[0]), _point(netlist, bit if own is None else own)
        pair = start.name, end.name.rpartition(".")[0] or end.name
        if pair in seen:
            continue
        seen.add(pair)
        passed = [netlist.driver[step][0] for step in steps[1:]]
        named = dict.fromkeys(_point(netlist, step).name for step in steps[1:-1])
        cells = Counter(cell.type for cell in passed if cell.kind != "free")
        yield TimingPath(
            ns=ns,
            logic_ns=logic,
            levels=cells.total(),
            cells=dict(cells.most_common()),
            start=start,
            end=end,
            through=tuple(name for name in named if name not in (start.name, end.name, "unnamed")),
        )
        if len(seen) == paths:
            return


def _point(netlist: Netlist, bit: int) -> Point:
    name = netlist.name(bit)
    module = name.declared.partition(".")[0] if name.declared else None
    return Point(name.signal, module, name.declared)


def _where(point: Point) -> str:
    return f"{point.name} ({point.declared})" if point.declared else point.name
