"""How an HLS build counts its cycles: the stage alone, and beside all others."""

from __future__ import annotations

import subprocess
from pathlib import Path

from codegen.test_hls import generate, needs_csim, small_case, write
from hotnas_hls.base.tools import require
from hotnas_hls.simulate.csim import run_csim

HERE = Path(__file__).parent / "counted_cycles"
UNKNOWN = 0xFFFFFFFF
SLOTS = 32  # rows of the profile


def compiled(folder: Path) -> Path:
    program = folder / "program"
    command = [
        *(require("g++").path, "-std=c++14", "-O1", "-Wall", "-Wextra", "-DHOTNAS_COUNTS=1"),
        *(f"-I{place}" for place in (HERE, folder / "include", folder / "tb")),
        *("-isystem", require("ap_types").path, HERE / "bench.cpp", "-o", program),
    ]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0 and made.stderr == "", made.stderr
    return program


@needs_csim
def test_layers_last_from_end_to_end_and_rows_are_of_the_last_image(tmp_path: Path) -> None:
    program = compiled(write(generate(small_case()), tmp_path))
    ran = subprocess.run([program, "2", "5", "6", "20", "1000"], capture_output=True, text=True)
    assert ran.returncode == 0
    rows = [[int(word) for word in line.split()] for line in ran.stdout.splitlines()]
    unknown = [UNKNOWN] * 5 + [0, 0]
    assert rows[:2] == [[20 - 6, *unknown], [1000 - 20, *unknown]]
    assert rows[2:] == [[0] * 8] * (SLOTS - 3) + [[1000, 0, 0, 0, 0, 0, 0, 0]]


@needs_csim
def test_a_build_that_counts_computes_the_same(tmp_path: Path) -> None:
    folder = write(generate(small_case()), tmp_path)
    assert run_csim(folder, extra_flags=("-DHOTNAS_COUNTS=1",)).layers == 2
