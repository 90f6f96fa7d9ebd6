"""What the dependence pragmas of the HLS C++ claim, against what happens in C simulation."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hls_cases import Case, random_case

from codegen.test_hls import generate, needs_csim, small_case, write
from hotnas_hls.accel.plan import MIN_SWEEP, Tile
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.simulate.csim import run_csim

pytestmark = [needs_csim, pytest.mark.whole]

OBSERVER = """
#include <cstdio>
struct Observer {
  long cycle = 0, loop = 0, least = 1 << 30, both = 0;
  long written[kOfmDepth], filled[2] = {-1, -1}, read[2] = {-1, -1};  // cycle; loop
  void sum(int pixel, bool first) {
    if (!first && cycle - written[pixel] < least) least = cycle - written[pixel];
    written[pixel] = cycle;
  }
  void reach(long (&these)[2], const long (&others)[2], int half) {
    these[half] = loop;
    both += others[half] == loop;
  }
  ~Observer() { std::printf("LEAST DISTANCE %ld, HALVES FILLED AND READ %ld\\n", least, both); }
};
static Observer observer;

// Where the array stands"""
# (file, what is there, what takes its place): every sum, every read and write of the IFM buffer
OBSERVED = (
    ("mac.h", "\n// Where the array stands", OBSERVER),
    ("mac.h", "COMPUTE_ROW:\n", "  observer.sum(work.pixel, first);\nCOMPUTE_ROW:\n"),
    ("mac.h", "COMPUTE_PORT:\n", "  observer.reach(observer.read, observer.filled, half);\nCOMPUTE_PORT:\n"),
    ("compute.h", "FILL_PORT:\n", "  observer.reach(observer.filled, observer.read, half);\nFILL_PORT:\n"),
    ("compute.h", "COMPUTE_CYCLE:\n", "  ++observer.loop;\nCOMPUTE_CYCLE:\n"),
    ("compute.h", "    if (word_is_due(", "    ++observer.cycle;\n    if (word_is_due("),
)
NEVER_IDLE = ("mac.h", "larger(tile.rows * tile.columns, kMinSweep)", "tile.rows * tile.columns")
ONE_HALF = ("compute.h", "ifm_words.read(), 1 - half,", "ifm_words.read(), half,")


def observed(case: Case, folder: Path, *broken: tuple[str, str, str]) -> tuple[int, int]:
    """The least distance of two sums into a pixel, and how often a half is both filled and read in a loop."""
    files = generate(case, images=1)
    claimed = re.findall(r"dependence variable = (\w+) inter (.*)\)", str(files["include/compute.h"]))
    distance = f"RAW distance = {MIN_SWEEP} true"
    assert claimed == [("acc", distance), ("even", "false"), ("odd", "false")]
    for name, text, instead in (*OBSERVED, *broken):
        source = str(files[f"include/{name}"])
        assert source.count(text) == 1, text
        files[f"include/{name}"] = source.replace(text, instead)
    write(files, folder)
    try:
        run_csim(folder, extra_flags=("-O1",))
    except SimulationFailed:
        assert broken
    printed = (folder / "build" / "csim.log").read_text()
    (found,) = re.findall(r"^LEAST DISTANCE (\d+), HALVES FILLED AND READ (\d+)$", printed, re.MULTILINE)
    return int(found[0]), int(found[1])


def test_drawn_networks_keep_what_the_pragmas_say(tmp_path: Path) -> None:
    """Convolutions and channel-wise layers in tiles of one pixel and of two: they idle up to the distance."""
    case = random_case(8)
    case = dataclasses.replace(case, tiles={layer.name: Tile(1, 2) for layer in case.net.layers})
    assert observed(case, tmp_path) == (MIN_SWEEP, 0)


def test_what_breaks_the_claims_is_seen(tmp_path: Path) -> None:
    case = small_case()
    case = dataclasses.replace(case, tiles={layer.name: Tile(1, 2) for layer in case.net.layers})
    least, both = observed(case, tmp_path, NEVER_IDLE, ONE_HALF)
    assert least == 1
    assert both > 0
