"""Reports of AMD's tools, in the formats of several versions; samples written for these tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotnas_hls.cli import main
from hotnas_hls.errors import DataMissing
from hotnas_hls.implementation.vendor_reports import (
    Cosim,
    Loop,
    Resources,
    parse_cosim,
    parse_csynth,
    parse_timing,
    parse_transactions,
    parse_utilisation,
    read_reports,
)

CSYNTH = """<?xml version="1.0" encoding="UTF-8" ?>
<profile>
<section name="Vitis HLS Report for 'hotnas_accel'" level="0"></section>
<ReportVersion><Version>2022.2</Version></ReportVersion>
<UserAssignments>
<unit>ns</unit><ProductFamily>zynquplus</ProductFamily><Part>xczu9eg-ffvb1156-2-e</Part>
<TopModelName>hotnas_accel</TopModelName><TargetClockPeriod>5.00</TargetClockPeriod>
<ClockUncertainty>1.35</ClockUncertainty><FlowTarget>vivado</FlowTarget>
</UserAssignments>
<PerformanceEstimates>
<PipelineType>no</PipelineType>
<SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>3.650</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><unit>clock cycles</unit>
<Best-caseLatency>{best}</Best-caseLatency><Average-caseLatency>undef</Average-caseLatency>
<Worst-caseLatency>{worst}</Worst-caseLatency><Interval-min>{best}</Interval-min><Interval-max>{worst}</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
<Resources><BRAM_18K>212</BRAM_18K><{dsp}>530</{dsp}><FF>48211</FF><LUT>61023</LUT>{uram}</Resources>
<AvailableResources><BRAM_18K>1824</BRAM_18K><DSP>2520</DSP><FF>548160</FF><LUT>274080</LUT></AvailableResources>
</AreaEstimates>
</profile>
"""  # noqa: E501
VITIS_CSYNTH = CSYNTH.format(best=1210, worst=20311, dsp="DSP", uram="<URAM>0</URAM>")
VIVADO_CSYNTH = CSYNTH.format(best="undef", worst="undef", dsp="DSP48E", uram="")

BORDER = "+" + "-" * 10 + "+" + "-" * 10 + "+" + ("-" * 47 + "+") * 2
COSIM = f"""Report time       : Mon Nov 02 10:11:12 CET 2026.
Solution          : solution.
Simulation tool   : xsim.

{BORDER}
|          |          |             Latency(Clock Cycles)             |              Interval(Clock Cycles)           |
+   RTL    +  Status  +-----------------------------------------------+-----------------------------------------------+
|          |          |      min      |      avg      |      max      |      min      |      avg      |      max      |
{BORDER}
|      VHDL|        NA|             NA|             NA|             NA|             NA|             NA|             NA|
|   Verilog|      {{status}}|           {{low}}|           1800|           2211|             NA|             NA|             NA|{{total}}
{BORDER}
"""  # noqa: E501

TRANSACTIONS = """                             latency        interval
transaction       0:             259               0
transaction       1:            2211             260
"""

UTILISATION = """Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
------------------------------------------------------------------------------------------------------------
| Tool Version : Vivado v.2022.2 (lin64) Build 3671981 Fri Oct 14 04:59:54 MDT 2022
| Command      : report_utilization -file utilization.rpt
| Design       : system_wrapper
| Device       : xczu9eg-ffvb1156-2-e
| Design State : {state}
------------------------------------------------------------------------------------------------------------

+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| {luts:<27}| 55120 |     0 |          0 |    274080 | 20.11 |
|   LUT as Logic             | 51000 |     0 |          0 |    274080 | 18.61 |
| {ffs:<27}| 70233 |     0 |          0 |    548160 | 12.81 |
+----------------------------+-------+-------+------------+-----------+-------+
+-------------------+-------+-------+------------+-----------+-------+
|     Site Type     |  Used | Fixed | Prohibited | Available | Util% |
+-------------------+-------+-------+------------+-----------+-------+
| Block RAM Tile    | 104.5 |     0 |          0 |       912 | 11.46 |
|   RAMB36/FIFO*    |   100 |     0 |          0 |       912 | 10.96 |
+-------------------+-------+-------+------------+-----------+-------+
+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| DSPs           |  512 |     0 |          0 |      2520 | 20.32 |
|   DSP48E2 only |  512 |       |            |           |       |
+----------------+------+-------+------------+-----------+-------+
"""
ROUTED = UTILISATION.format(state="Routed", luts="CLB LUTs", ffs="CLB Registers")

TIMING = """| Tool Version      : Vivado v.2022.2 (lin64) Build 3671981
| Device            : xczu9eg-ffvb1156
| Design State      : Routed
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------
      {wns}        0.000                      0               124537        0.011        0.000                      0

------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock       Waveform(ns)         Period(ns)      Frequency(MHz)
-----       ------------         ----------      --------------
clk_pl_0    {{0.000 2.500}}        5.000           200.000
"""  # noqa: E501


def test_csynth_of_vitis_and_vivado_hls() -> None:
    found = parse_csynth(VITIS_CSYNTH)
    assert found is not None
    assert (found.top, found.part, found.tool_version) == ("hotnas_accel", "xczu9eg-ffvb1156-2-e", "2022.2")
    assert (found.target_ns, found.estimated_ns) == (5.0, 3.65)
    assert (found.latency_min, found.latency_max, found.interval_max) == (1210, 20311, 20311)
    assert found.resources == Resources(lut=61023, ff=48211, dsp=530, bram18=212, uram=0)
    older = parse_csynth(VIVADO_CSYNTH)
    assert older is not None
    assert (older.latency_min, older.latency_max) == (None, None)  # undef is not 0
    assert (older.resources.dsp, older.resources.uram) == (530, None)
    assert parse_csynth("<profile>") is None
    assert parse_csynth("<PerformanceEstimates> cut off") is None


# Of a whole design: loops stand in the module that has them, inner ones in outer ones. A version names the
# element after the loop, another has a name in it.
LOOPS = """<profile><UserAssignments><TopModelName>hotnas_accel</TopModelName></UserAssignments>
<PerformanceEstimates><SummaryOfLoopLatency><RUN_IMAGE><TripCount>1</TripCount></RUN_IMAGE></SummaryOfLoopLatency>
</PerformanceEstimates>
<ModuleInformation>
<Module><Name>compute</Name><PerformanceEstimates><SummaryOfLoopLatency><COMPUTE_TILE><TripCount>3</TripCount>
<COMPUTE_CYCLE><TripCount>undef</TripCount><PipelineII>2</PipelineII><PipelineDepth>11</PipelineDepth></COMPUTE_CYCLE>
</COMPUTE_TILE></SummaryOfLoopLatency></PerformanceEstimates></Module>
<Module><Name>load_ifm</Name><PerformanceEstimates><SummaryOfLoopLatency><Loop><Name>LOAD_IFM_BEAT</Name>
<PipelineII>{interval}</PipelineII><PipelineDepth>{depth}</PipelineDepth></Loop></SummaryOfLoopLatency>
</PerformanceEstimates></Module>
</ModuleInformation></profile>"""


def test_loops_of_csynth_keep_the_ii_of_the_sources_or_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, kept = Loop("compute", "COMPUTE_CYCLE", 2, 11), Loop("load_ifm", "LOAD_IFM_BEAT", 1, 4)
    found = parse_csynth(LOOPS.format(interval=1, depth=4))
    assert found is not None and found.loops == (slow, kept) and found.slow_loops == (slow,)
    unknown = parse_csynth(LOOPS.format(interval="?", depth="undef"))
    assert unknown is not None and unknown.slow_loops[1] == Loop("load_ifm", "LOAD_IFM_BEAT", None, None)
    (tmp_path / "csynth.xml").write_text(LOOPS.format(interval=1, depth=4))
    (tmp_path / "load_ifm_csynth.xml").write_text(LOOPS.format(interval=1, depth=4))
    assert main(["import-reports", str(tmp_path)]) == 0
    said = "loops: 1 of 2 that are pipelined keep their II\n  compute/COMPUTE_CYCLE: II = 2, required 1\n"
    assert said in capsys.readouterr().out
    record = json.loads((tmp_path / "vendor_reports.json").read_text())
    assert record["csynth"]["loops"][1] == {
        "module": "load_ifm", "name": "LOAD_IFM_BEAT", "interval": 1, "depth": 4
    }  # fmt: skip


def test_cosim_with_and_without_total() -> None:
    passed = COSIM.format(status="Pass", low=1210, total="")
    assert parse_cosim(passed) == Cosim(True, 1210, 1800, 2211, None)
    with_total = COSIM.format(status="Fail", low="  NA", total="                 39602|")
    assert parse_cosim(with_total) == Cosim(False, None, 1800, 2211, 39602)
    assert parse_cosim("nothing of that kind") is None


def test_transactions_of_cosim() -> None:
    assert parse_transactions(TRANSACTIONS) == (259, 2211)
    assert parse_transactions("latency interval\n") is None
    assert parse_transactions(COSIM) is None


def test_utilisation_of_both_families() -> None:
    expected = Resources(lut=55120, ff=70233, dsp=512, bram18=209, uram=None)
    found = parse_utilisation(ROUTED)
    assert found is not None and found.resources == expected
    assert (found.state, found.part, found.tool_version) == ("Routed", "xczu9eg-ffvb1156-2-e", "2022.2")
    text = UTILISATION.format(state="Synthesized", luts="Slice LUTs*", ffs="Slice Registers")
    older = parse_utilisation(text)
    assert older is not None and older.resources == expected


@pytest.mark.parametrize(("wns", "fmax"), [("0.214", 208.94), ("-1.250", 160.0), ("inf", None), ("NA", None)])
def test_timing(wns: str, fmax: float | None) -> None:
    found = parse_timing(TIMING.format(wns=wns))
    assert found is not None
    assert (found.whs_ns, found.period_ns, found.fmax_mhz) == (0.011, 5.0, fmax)
    two_clocks = TIMING.format(wns=wns) + "clk_pl_1    {0.000 5.000}       10.000          100.000\n"
    found = parse_timing(two_clocks)
    assert found is not None and found.period_ns is None and found.fmax_mhz is None


def write_project(folder: Path) -> None:
    """A project as the tools leave it: reports of parts and of the top, of synthesis and of routing."""
    part = VITIS_CSYNTH.replace("20311", "7")
    for place, text in {
        "solution/syn/report/load_ifm_csynth.xml": part,
        "solution/syn/report/csynth.xml": VITIS_CSYNTH,
        "solution/sim/report/hotnas_accel_cosim.rpt": COSIM.format(status="Pass", low=1210, total=""),
        "solution/sim/report/verilog/result.transaction.rpt": TRANSACTIONS,
        "impl/a_synth.rpt": ROUTED.replace("Routed", "Synthesized").replace("55120", "60000"),
        "impl/utilization.rpt": ROUTED,
        "impl/timing.rpt": TIMING.format(wns="0.214"),
        "clock.json": '{"asked_mhz": 200.0, "actual_mhz": 199.998001}\n',
        "other/clock.json": "not ours",
        "notes.txt": "not a report",
    }.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_project_folder_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path)
    assert main(["import-reports", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "csynth: 20,311 cycles, 3.65 ns of 5.0 ns" in said
    assert "cosim: passed, 2,211 cycles a transaction" in said
    assert "implementation: 55,120 LUT, 70,233 FF, 512 DSP, 209 BRAM18; worst slack 0.214 ns" in said
    assert "clock of the processor: 199.998001 MHz" in said
    assert "unknown: csynth.loops, cosim.total, implementation.resources.uram" in said
    record = json.loads((tmp_path / "vendor_reports.json").read_text())
    assert record["csynth"]["latency_max"] == 20311
    assert record["implementation"]["fmax_mhz"] == 208.94
    assert record["implementation"]["resources"]["uram"] is None
    assert record["cosim"]["latency_avg"] == 1800 and record["cosim"]["transactions"] == [259, 2211]
    assert record["files"]["utilisation"] == "impl/utilization.rpt"
    first = (tmp_path / "vendor_reports.json").read_bytes()
    assert main(["import-reports", str(tmp_path), "--output", str(tmp_path / "again.json")]) == 0
    assert (tmp_path / "again.json").read_bytes() == first


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "csynth.xml").write_text(VIVADO_CSYNTH)
    reports = read_reports(tmp_path)
    assert reports.cosim is None and reports.implementation is None
    missing = {"cosim", "implementation", "csynth.latency_max", "csynth.resources.uram", "csynth.loops"}
    assert missing <= set(reports.unknown())
    assert main(["import-reports", str(tmp_path)]) == 0
    assert "csynth: unknown cycles" in capsys.readouterr().out
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataMissing, match=r"no report of Vitis HLS or Vivado in it; expected \*_csynth.xml"):
        read_reports(empty)
    assert main(["import-reports", str(tmp_path / "nowhere")]) == 1
    assert "no such folder; give the project folder" in capsys.readouterr().err
