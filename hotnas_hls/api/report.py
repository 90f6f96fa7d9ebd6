"""The report of a design as an object: its three files, and the page as a notebook shows it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from hotnas_hls.base.arguments import checked
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.errors import ConfigError
from hotnas_hls.report import write
from hotnas_hls.report.data import ReportData
from hotnas_hls.report.run_record import refuse_model

FRAME_ROWS = 640  # pixels of the page in a notebook


@dataclass(frozen=True)
class Report:
    """A report and where it lies: report.html, report.md, report.json."""

    data: ReportData
    paths: tuple[Path, ...]  # the page first

    @property
    def notes(self) -> list[str]:
        """What it could not find, and why."""
        return list(self.data.notes)

    def _repr_html_(self) -> str:
        text = escape(self.paths[0].read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{text}" width="100%" height="{FRAME_ROWS}" style="border: 0"></iframe>'


@checked
def write_report(
    folder: str | Path, *, run: str | Path | None = None, output: str | Path | None = None
) -> Report:
    """Write the report of a package, of a run's folder or of a design_point.json.

    run: the search's folder, where the design does not name it. output: where the files go instead of
    ``reports`` beside the design.
    Raises ConfigError where there is no design, OutputRefused where another process works in the folder, and
    for a package of several engines.
    """
    from hotnas_hls.simulate.flow import refuse_engines

    place = Path(folder)
    if not place.exists():
        raise ConfigError(f"{place}: no such folder; make a package: hotnas hls RUN")
    refuse_engines(place)
    refuse_model(place)
    given = None if output is None else Path(output)
    with contextlib.ExitStack() as held:
        at = place if place.is_dir() else place.parent
        held.enter_context(sole_writer(at, "hotnas report", reading=given is not None))
        if given is not None:
            held.enter_context(sole_writer(given, "hotnas report"))
        written = write.write_report(place, None if run is None else Path(run), given)
    return Report(written.data, written.paths)
