"""The HLS C++ through an open HLS compiler, and what is said where that does not end well."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from small_designs import ACCEL, small_design

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.base import tools
from hotnas_hls.codegen.hls import bambu_sizes
from hotnas_hls.errors import SimulationFailed, ToolNotFound
from hotnas_hls.simulate import bambu as module
from hotnas_hls.simulate.bambu import run_bambu, why_not
from hotnas_hls.simulate.flow import generate, simulate
from simulate.test_certificate import faked  # noqa: F401 (a fixture)

INSTALLED = "/opt/bambu/bin"
# Beats of 128 bits: with the words of a ring before its pointers Bambu makes too small a memory of one.
ONE_PORT = dataclasses.replace(ACCEL, max_entries=16, wgt_bits=128)
STRIPED = dataclasses.replace(ONE_PORT, wgt_bits=64, wgt_masters=2)
VERSION = 'if [ "$1" = --version ]; then echo "Version: PandA 2024.10"; exit; fi\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    generate(small_design(), tmp_path / "small", images=1)
    return tmp_path / "small"


def pretend(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called bambu that does what ``script`` says, and a Verilator that nobody calls."""
    folder.mkdir()
    for name, text in (("bambu", f"#!/bin/sh\n{script}"), ("verilator", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "bambu"


@pytest.mark.whole
@pytest.mark.skipif(not Path(INSTALLED, "bambu").is_file(), reason=f"Bambu is not in {INSTALLED}")
@pytest.mark.parametrize(
    "accel",
    [
        pytest.param(ONE_PORT, id="one port"),
        pytest.param(STRIPED, id="two ports", marks=pytest.mark.long("five minutes")),
    ],
)
def test_hardware_made_of_the_sources_computes_what_the_reference_does(
    accel: Accelerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Convolution, residual, pooling, mean, pruned and of 2 to 8 bits, in one design."""
    generate(small_design(accelerator=accel), tmp_path / "small", images=1)
    monkeypatch.setattr(tools, "BAMBU_FOLDER", INSTALLED)
    found = run_bambu(tmp_path / "small", tmp_path / "build", accel.wgt_masters)
    assert found.line() == "HLS C++ synthesised by Bambu 2024.10: every layer equal (5 layers, 1 image)"


def test_the_verdict_is_the_testbenchs(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = "mkdir -p HLS_output/simulation; echo '{}' > HLS_output/simulation/testbench.log"
    passed = "PASS: 2 transactions, 5 layers, 0 values differ"
    pretend(tmp_path / "good", VERSION + say.format(passed), monkeypatch)
    assert run_bambu(package, tmp_path / "build").layers == 5
    wrong = "MISMATCH image 0 layer stem channel 0 row 0 column 0: 3, expected 4"
    pretend(tmp_path / "bad", VERSION + say.format(wrong), monkeypatch)
    with pytest.raises(SimulationFailed) as raised:
        run_bambu(package, tmp_path / "build")
    assert str(raised.value) == (
        f"Bambu on {package}: {wrong}; all it printed is in {tmp_path / 'build' / 'bambu.log'}"
    )


CURE = "arrays of up to 64 multipliers are known to work, or leave it out (--no-bambu)"
ENDINGS = {
    "exit 3": "ended with status 3",
    "kill -9 $$": f"was killed, as is usual when memory runs out; {CURE}",
    "sleep 60": f"did not end within 0.2 s; {CURE}",
}


@pytest.mark.parametrize("script", ENDINGS)
def test_whatever_else_happens_is_no_pass(
    script: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path / "fake", VERSION + script, monkeypatch)
    with pytest.raises(SimulationFailed) as raised:
        run_bambu(package, tmp_path / "build", seconds=0.2 if "sleep" in script else 60)
    assert str(raised.value) == (
        f"Bambu on {package}: {ENDINGS[script]}; all it printed is in {tmp_path / 'build' / 'bambu.log'}"
    )


def test_missing_or_too_old_is_one_message(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ToolNotFound) as raised:
        run_bambu(package, tmp_path / "build")
    assert str(raised.value) == (
        "bambu not found: it is needed for HLS synthesis by an open compiler, co-simulated; "
        "build PandA Bambu 2024.10 (github.com/ferrandi/PandA-bambu) into /opt/bambu"
    )
    program = pretend(tmp_path / "old", 'echo "Version: PandA 2023.1"', monkeypatch)
    with pytest.raises(ToolNotFound) as raised:
        run_bambu(package, tmp_path / "build")
    assert str(raised.value) == f"{program}: Bambu 2023.1, 2024.10 or newer is needed"
    (program.parent / "verilator").unlink()
    program.write_text("#!/bin/sh\n" + VERSION)
    monkeypatch.setenv("PATH", f"{program.parent}:{tmp_path}")
    with pytest.raises(ToolNotFound) as raised:
        run_bambu(package, tmp_path / "build")
    assert str(raised.value) == (
        "Bambu co-simulates by a Verilator of the system, which is not found; on Debian or Ubuntu: "
        "apt install verilator"
    )


def test_unasked_it_runs_where_it_is_found_and_the_array_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert why_not(ACCEL) == "not found (hotnas doctor says where it can be had)"
    pretend(tmp_path / "fake", VERSION, monkeypatch)
    assert why_not(ACCEL) is None
    assert why_not(dataclasses.replace(ACCEL, tm=32)) == (
        "left out, the array has 128 multipliers and up to 64 take minutes; --bambu"
    )


def test_what_was_synthesised_is_in_the_certificate(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faked: object  # noqa: F811
) -> None:
    result = module.BambuResult("2024.10", 1, 5, 90.0, tmp_path / "log")
    monkeypatch.setattr("hotnas_hls.simulate.flow.run_bambu", lambda *given: result)
    assert simulate(package, csim=False, bambu=True).certificate.hls_synthesis == result.line()
    assert simulate(package, csim=False).certificate.hls_synthesis is None


def test_each_port_of_striped_weights_begins_a_page_behind_the_one_before() -> None:
    sizes = dict(item.split(":") for item in bambu_sizes(512, 3 * 4096, 2, 3).split(","))
    ports = {name: int(size) for name, size in sizes.items() if name.startswith("wgt")}
    assert ports == {"wgt": 3 * 4096, "wgt_second": 2 * 4096, "wgt_third": 4096}
