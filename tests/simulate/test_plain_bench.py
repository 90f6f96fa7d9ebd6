"""The bench without cocotb, for simulators that are not to be had here; Verilator stands in for them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from small_designs import small_design

from hotnas_hls.base import tools
from hotnas_hls.simulate.flow import generate

SHELL = "#!/bin/sh\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "small"
    generate(small_design(), folder, images=1)
    return folder


def xsim(package: Path, folder: Path, elaborated: str) -> tuple[int, str]:
    """``make xsim``, where the three programs of xsim note what they are given; the last one does more."""
    folder.mkdir()
    for name, does in (("xsc", ""), ("xvlog", ""), ("xelab", elaborated)):
        program = folder / name
        program.write_text(f'{SHELL}echo "$0" "$@" >> {folder}/asked\n{does}\n')
        program.chmod(stat.S_IRWXU)
    command = ["make", "-C", package, "-s", "xsim", f"PYTHON={sys.executable}", f"BUILD={folder}/built"]
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    return ran.returncode, ran.stdout


@pytest.mark.whole
def test_it_counts_the_cycles_that_cocotb_counts(package: Path, tmp_path: Path) -> None:
    """Built from the file lists of the package; a wrong value of the golden data is found."""
    verilator = tools.require("verilator")
    command = [
        *(verilator.path, "--binary", "--timing", "--output-split", "0", "-Wno-fatal", "-Wno-lint"),
        *("--timescale", "1ns/1ps", "--top-module", "tb_plain", "--Mdir", tmp_path / "obj"),
        *("-CFLAGS", "-std=c++20", "-MAKEFLAGS", "OPT_FAST=-Og OPT_SLOW=-O0 CFG_CXXFLAGS_PCH_I=-include"),
        *("-F", "rtl/hotnas_accel.f", "-F", "sim/tb_plain.f"),
        *(package / "sim" / name for name in ("dram.cpp", "dram_timing.cpp")),
    ]
    environment = verilator.full_environment() | tools.compiler_cache()
    subprocess.run(command, cwd=package, check=True, capture_output=True, env=environment)
    program = f"{tmp_path}/obj/Vtb_plain"
    assert xsim(package, tmp_path / "good", f"{program} > log") == (0, "PASS: 2 runs, 5 layers, 0 differ\n")
    golden = package / "tb_data" / "golden_0.bin"
    kept = golden.read_bytes()
    golden.write_bytes(bytes(byte ^ 1 for byte in kept))
    status, printed = xsim(package, tmp_path / "bad", f"{program} > log")
    golden.write_bytes(kept)
    assert status != 0 and "image 0, layer fc: the output differs\n" in printed


def test_xsim_gets_every_source_once_and_its_failure_is_no_pass(package: Path, tmp_path: Path) -> None:
    status, printed = xsim(package, tmp_path / "fake", "exit 0")
    built = tmp_path / "fake" / "built" / "xsim"
    assert status != 0
    assert printed == f"FAIL: the simulation ended early; {built} holds no whole results.json\n"
    asked = {Path(line.split()[0]).name: line.split()[1:] for line in (tmp_path / "fake" / "asked").open()}
    assert [Path(name).name for name in asked["xsc"]] == ["dram.cpp", "dram_timing.cpp"]
    flag, first, *_ = sources = asked["xvlog"]
    assert (flag, Path(first).name) == ("-sv", "hotnas_pkg.sv")
    assert all(Path(name).is_file() for name in sources[1:]) and len(set(sources)) == len(sources)
    listed = set()
    for name in ("rtl/hotnas_accel.f", "sim/tb_plain.f"):
        lines = (package / name).read_text().splitlines()
        listed |= {(package / name).parent / line for line in lines if line and not line.startswith("//")}
    assert {Path(name) for name in sources[1:]} == listed
    assert asked["xelab"] == ["-timescale", "1ns/1ps", "-sv_lib", "dpi", "-R", "tb_plain"]
