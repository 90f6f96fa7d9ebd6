"""What the dependence pragmas of the HLS C++ claim, against what happens in C simulation."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from codegen.test_hls import generate, needs_csim, small_case, write
from hotnas_hls.accel.plan import MIN_SWEEP, Tile
from hotnas_hls.simulate.csim import run_csim

pytestmark = [needs_csim, pytest.mark.whole]

OBSERVER = """
#include <cstdio>
struct Distances {
  long cycle = 0, least = 1 << 30;
  long written[2][kOfmDepth];
  void read(int half, int pixel) {
    if (cycle - written[half][pixel] < least) least = cycle - written[half][pixel];
  }
  ~Distances() { std::printf("LEAST DISTANCE %ld\\n", least); }
};
static Distances distances;

// One cycle of the array."""
# (file, what is there, what takes its place): every write of a sum, and every read whose value is used
OBSERVED = (
    ("mac.h", "\n// One cycle of the array.", OBSERVER),
    (
        "mac.h",
        "  ap_int<kSumBits> sums[kTm];",
        "  if (!first) distances.read(half, sweep.pixel);\n"
        "  distances.written[half][sweep.pixel] = distances.cycle;\n"
        "  ap_int<kSumBits> sums[kTm];",
    ),
    ("mac.h", "DRAIN_LANE:", "  distances.read(drain.half, drain.pixel);\nDRAIN_LANE:"),
    ("compute.h", "      const int summed =", "      ++distances.cycle;\n      const int summed ="),
)
NEVER_IDLE = (("mac.h", "larger(tile.rows * tile.columns, kMinSweep)", "tile.rows * tile.columns"),)


@pytest.mark.parametrize(("broken", "least"), [((), MIN_SWEEP), (NEVER_IDLE, 1)])
def test_sums_into_a_pixel_are_as_far_apart_as_the_pragma_says(
    broken: tuple[tuple[str, str, str], ...], least: int, tmp_path: Path
) -> None:
    """Tiles of one pixel and of two idle up to the claimed distance; where they do not, it is not kept."""
    case = small_case()
    case = dataclasses.replace(case, tiles={layer.name: Tile(1, 2) for layer in case.net.layers})
    files = generate(case, images=1)
    claimed = re.findall(r"inter RAW distance = (\d+) true", str(files["include/compute.h"]))
    assert set(claimed) == {str(MIN_SWEEP)}
    for name, text, instead in (*OBSERVED, *broken):
        source = str(files[f"include/{name}"])
        assert source.count(text) == 1, text
        files[f"include/{name}"] = source.replace(text, instead)
    printed = run_csim(write(files, tmp_path), extra_flags=("-O1",)).log.read_text()
    assert re.findall(r"^LEAST DISTANCE (\d+)$", printed, re.MULTILINE) == [str(least)]
