"""Vendor reports from elsewhere: nothing in them is expanded, fetched or printed as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotnas_hls.cli import main

TOP = "<profile><UserAssignments><TopModelName>&a9;</TopModelName></UserAssignments></profile>"
BOMB = "<!ENTITY a0 'lolololol'>" + "".join(
    f"<!ENTITY a{at + 1} '{f'&a{at};' * 10}'>" for at in range(9)
)  # a billion characters
OUTSIDE = "<!ENTITY a9 SYSTEM 'file:///etc/passwd'>"


@pytest.mark.parametrize(
    "text", [f"<!DOCTYPE x [{BOMB}]>{TOP}", f"<!DOCTYPE x [{OUTSIDE}]>{TOP}", "<profile>" * 200_000, "\0"]
)
def test_xml_that_nobody_means_is_no_report(tmp_path: Path, capsys, text: str):
    (tmp_path / "x_csynth.xml").write_text(text)
    assert main(["import-reports", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"hotnas: {tmp_path}: no report of Vitis HLS or Vivado in it; ")
    assert [path.name for path in tmp_path.iterdir()] == ["x_csynth.xml"]


def test_names_in_reports_stay_text(tmp_path: Path, capsys):
    name = "&lt;/script&gt;[/x]|$(touch x)"
    text = TOP.replace("&a9;", name) + "\n"
    timing = "<PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>3.5</EstimatedClockPeriod>"
    timing += "</SummaryOfTimingAnalysis></PerformanceEstimates></profile>"
    (tmp_path / "x_csynth.xml").write_text(text.replace("</profile>", timing))
    assert main(["import-reports", str(tmp_path)]) == 0
    assert "3.5 ns" in capsys.readouterr().out
    record = json.loads((tmp_path / "vendor_reports.json").read_text())
    assert record["csynth"]["top"] == "</script>[/x]|$(touch x)"
