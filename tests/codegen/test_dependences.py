"""What the dependence pragmas of the HLS C++ claim, against what happens in C simulation."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hls_cases import Case, random_case
from small_designs import on_chip_design

from codegen.test_hls import generate, needs_csim, small_case, write
from hotnas_hls.accel.plan import MIN_SWEEP, Tile
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.simulate.csim import run_csim

pytestmark = [needs_csim, pytest.mark.whole]

OBSERVER = """
#include <cstdio>
// The least distance, in iterations of a loop, from a write to the read of what it wrote.
struct Watched {
  long least = 1 << 30, written[1 << 18] = {0};
  long now = 1 << 20;  // long after what was never written
  void write(int place) { written[place] = now; }
  void read(int place) {
    if (now - written[place] < least) least = now - written[place];
  }
};
struct Observer {
  Watched sums, words, entries;
  long both = 0, loop = 0, loop_wrote[1 << 18] = {0};
  void cycle() {
    ++sums.now;
    ++words.now;
    ++entries.now;
  }
  ~Observer() {
    std::printf("LEAST DISTANCES %ld %ld %ld, KEPT WORDS READ AND WRITTEN %ld\\n", sums.least, words.least,
                entries.least, both);
  }
};
static Observer observer;

// Where the array stands"""
STORE_LOOP = "STORE_OFM_BEAT:\n  for (std::uint32_t beat = 0; beat < beats"
WORD = "half * kIfmDepth * kIfmBanks + "
# (file, what is there, what takes its place): every sum, entry and word of the IFM buffer, and the words on
# chip that a loop of store_ofm reads and writes
OBSERVED = (
    ("mac.h", "\n// Where the array stands", OBSERVER),
    (
        "mac.h",
        "COMPUTE_ROW:\n",
        "  if (!first) observer.sums.read(work.pixel);\n  observer.sums.write(work.pixel);\n"
        "  observer.entries.read(work.table_row);\nCOMPUTE_ROW:\n",
    ),
    (
        "mac.h",
        "      const Act held =",
        f"      if (inside) observer.words.read({WORD}bank * kIfmDepth + address);\n      const Act held =",
    ),
    (
        "compute.h",
        "FILL_PORT:\n",
        f"  observer.words.write({WORD}filling.block * kIfmDepth + address);\nFILL_PORT:\n",
    ),
    (
        "compute.h",
        "    if (at.entries < layer.total_entries) entry",
        "    observer.cycle();\n"
        "    if (at.entries < layer.total_entries) observer.entries.write(at.entries);\n"
        "    if (at.entries < layer.total_entries) entry",
    ),
    ("store_ofm.h", STORE_LOOP, f"  ++observer.loop;\n{STORE_LOOP}"),
    (
        "store_ofm.h",
        "        part_word(kept_residuals[",
        "        observer.both += observer.loop_wrote[output.residual_at] == observer.loop;\n"
        "        part_word(kept_residuals[",
    ),
    (
        "store_ofm.h",
        "      ++output.at;",
        "      observer.loop_wrote[output.at] = observer.loop;\n      ++output.at;",
    ),
)
NEVER_IDLE = ("mac.h", "larger(tile.pixels, kMinSweep)", "tile.pixels")
TOO_SOON = ("compute.h", "smaller(larger(first, last), words) + kFillDistance - 1", "0 * (first + last) + 1")
READS_ITS_OWN = ("store_ofm.h", "output.residual_at = run.first;", "output.residual_at = output.at - 8;")
DISTANCE = f"RAW distance = {MIN_SWEEP} true"


def observed(case: Case, folder: Path, *broken: tuple[str, str, str]) -> tuple[int, int, int, int]:
    """The least distances of sums, words and entries; words on chip that a loop reads behind their write."""
    files = generate(case, images=1)
    claimed = {
        name: re.findall(r"dependence variable = (\w+) inter (.*)\)", str(files[f"include/{name}"]))
        for name in ("compute.h", "store_ofm.h")
    }
    assert claimed == {
        "compute.h": [(name, DISTANCE) for name in ("acc", "even", "odd", "entry_table")],
        "store_ofm.h": [("kept_residuals", "false")],
    }
    for name, text, instead in (*OBSERVED, *broken):
        source = str(files[f"include/{name}"])
        assert source.count(text) == 1, text
        files[f"include/{name}"] = source.replace(text, instead)
    write(files, folder)
    try:
        run_csim(folder)
    except SimulationFailed:
        assert broken
    printed = (folder / "build" / "csim.log").read_text()
    (found,) = re.findall(
        r"^LEAST DISTANCES (\d+) (\d+) (\d+), KEPT WORDS READ AND WRITTEN (\d+)$", printed, re.MULTILINE
    )
    sums, words, entries, both = map(int, found)
    return sums, words, entries, both


def in_short_tiles(case: Case) -> Case:
    """In tiles of one pixel and of two: the array idles up to the distance."""
    return dataclasses.replace(case, tiles={layer.name: Tile(1, 2) for layer in case.net.layers})


def test_drawn_networks_keep_what_the_pragmas_say(tmp_path: Path) -> None:
    """Convolutions and channel-wise layers."""
    sums, words, entries, _ = observed(in_short_tiles(random_case(8)), tmp_path)
    assert sums == MIN_SWEEP
    assert min(words, entries) >= MIN_SWEEP


def test_a_design_on_chip_keeps_what_the_pragmas_say(tmp_path: Path) -> None:
    """A residual is read on chip while its sum is written there."""
    point = on_chip_design()
    assert any(entry.layer.residual_on_chip and entry.layer.ofm_on_chip for entry in point.layers)
    case = Case(point.integer_network(), point.accelerator, point.tiles)
    sums, words, entries, both = observed(case, tmp_path)
    assert min(sums, words, entries) >= MIN_SWEEP
    assert both == 0


def test_what_breaks_the_claims_is_seen(tmp_path: Path) -> None:
    sums, words, _, _ = observed(in_short_tiles(small_case()), tmp_path / "streamed", NEVER_IDLE, TOO_SOON)
    assert sums == 1
    assert words < MIN_SWEEP
    point = on_chip_design()
    whole = dataclasses.replace(point.accelerator, residual_words=None)  # where its own lies is there to read
    case = Case(point.integer_network(), whole, point.tiles)
    assert observed(case, tmp_path / "chip", READS_ITS_OWN)[3] > 0
