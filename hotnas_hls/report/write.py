"""From a folder to the three files of its report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.base.atomic import replace_files
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.data import ReportData
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.simulate.flow import put_reports

PAGE_FILE, MARKDOWN_FILE, JSON_FILE = "report.html", "report.md", "report.json"


@dataclass(frozen=True)
class Written:
    """A report and its files, the page first."""

    data: ReportData
    paths: tuple[Path, ...]


def write_report(folder: Path, run: Path | None = None, output: Path | None = None) -> Written:
    """Assemble and write the report of a package, of a run's folder, or of a design point's file.

    Into the package's ``reports`` (its manifest then lists them), or into ``output``.
    """
    data = assemble(folder, run)
    files = {
        PAGE_FILE: page(data).encode(),
        MARKDOWN_FILE: markdown(data).encode(),
        JSON_FILE: (json.dumps(data.record(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(),
    }
    if output is None:
        return Written(data, tuple(put_reports(folder, files)))
    replace_files(output, files)
    return Written(data, tuple(output / name for name in files))
