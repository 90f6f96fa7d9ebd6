"""What open and vendor tools say of a design: resources, clock, their reports; kept beside the design."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.base.arguments import checked
from hotnas_hls.implementation import place, synth, timing
from hotnas_hls.implementation.vendor_reports import VendorReports, read_reports
from hotnas_hls.report.run_record import refuse_model
from hotnas_hls.simulate.flow import add_reports, load_package, put_reports

SECONDS = 3600.0  # a tool may take
VENDOR_FILE = "vendor_reports.json"


@dataclass(frozen=True)
class Measured:
    """What tools found of a design: plain values, lines for people, and the file it is kept in."""

    record: dict[str, Any]
    lines: tuple[str, ...]
    path: Path | None  # None where the sources are no design's
    missed: timing.ClockMissed | None = None  # why the design's clock cannot be, by an estimate of it

    def __str__(self) -> str:
        return "\n".join(self.lines)


@checked
def synthesise(
    design: str | Path, *, on_ecp5: bool = False, log: str | Path | None = None, timeout: float = SECONDS
) -> Measured:
    """Resources by Yosys, beside the model's; on_ecp5: placed and routed on a Lattice ECP5 instead.

    design: a design point, its folder, or a package. log: where everything the tools print goes.
    timeout: seconds. Raises ToolNotFound with what to install, SimulationFailed where a tool fails.
    """
    place_of_design, kept = Path(design), None if log is None else Path(log)
    refuse_model(place_of_design)
    source = synth.load_source(place_of_design)
    if on_ecp5:
        placed = place.place(source, kept, timeout)
        record, lines, name = placed.record(), place.table(placed), place.PLACE_FILE
    else:
        comparison = synth.compare(source, kept, timeout)
        record, lines, name = comparison.record(), synth.table(comparison), synth.SYNTH_FILE
    path = None
    if source.design_digest is not None:
        (path,) = put_reports(place_of_design, {name: _text(record)})
    return Measured(record, tuple(lines), path)


@checked
def estimate_clock(
    design: str | Path, *, log: str | Path | None = None, timeout: float = SECONDS
) -> Measured:
    """How fast a design can be clocked, before any vendor tool: its worst paths, by Yosys.

    Arguments and errors as of :func:`synthesise`; ``missed`` of the result says where the design's clock is
    above the estimate.
    """
    place_of_design = Path(design)
    refuse_model(place_of_design)
    point = DesignPoint.load(place_of_design)
    source = synth.load_source(place_of_design)
    kept = None if log is None else Path(log)
    found = timing.time_design(source, point.board.part, point.clock_mhz, kept, timeout)
    record = found.record()
    (path,) = put_reports(place_of_design, {timing.TIMING_FILE: _text(record)})
    missed = None
    try:
        timing.refuse_if_missed(found)
    except timing.ClockMissed as reason:
        missed = reason
    return Measured(record, tuple(timing.table(found)), path, missed)


@checked
def import_reports(reports: str | Path, package: str | Path | None = None) -> VendorReports:
    """Read reports of Vitis HLS and Vivado, and a board's self-test, into a package; None: read them only.

    Raises OutputRefused for a folder that is no package, ConfigError for reports that cannot be read.
    """
    if package is None:
        return read_reports(Path(reports))
    load_package(Path(package))
    found = read_reports(Path(reports))
    add_reports(Path(package), {VENDOR_FILE: found.to_json().encode()})
    return found


def _text(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=2) + "\n").encode()
