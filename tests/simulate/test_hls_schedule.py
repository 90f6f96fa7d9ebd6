"""The cycles that the schedule build of the HLS C++ gives, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest
from codegen.test_hls import needs_csim
from small_designs import ACCEL, small_design

from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.codegen.render import TEMPLATES
from hotnas_hls.errors import ConfigError
from hotnas_hls.simulate import flow
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.csim import CsimResult
from hotnas_hls.simulate.flow import generate, simulate
from hotnas_hls.simulate.hls_schedule import LayerSchedule, hls_schedule, why_no_schedule
from hotnas_hls.simulate.tables import certificate_table
from simulate.test_certificate import faked  # noqa: F401 (a fixture)

pytestmark = needs_csim

# Two stages of a word a cycle, the second of which takes its words in the wrong order where ORDER is 1.
PIPELINE = """
#include "schedule.h"
using Words = schedule::Fifo<int, 4>;
int main() {
  int memory[16] = {0};
  const schedule::Port<const int> from(memory);
  const schedule::Port<int> to(memory);
  const schedule::Region region;
  Words first, second;
  schedule::begin_stage("load");
  for (int i = 0; i < 8; ++i) {
    schedule::iterate(i == 0, 3);
    first.write(from[i]);
    second.write(i);
  }
  schedule::begin_stage("store");
  for (int pass = 0; pass < 1 + ORDER; ++pass) {
    for (int i = 0; i < 8; ++i) {
      schedule::iterate(i == 0, 2);
      const int word = pass == 0 ? first.read() : second.read();
      if (ORDER == 0) to[i] = word + second.read();
    }
  }
}
"""


def played(order: int, folder: Path) -> subprocess.CompletedProcess[str]:
    source, program = folder / "pipeline.cpp", folder / "pipeline"
    source.write_text(PIPELINE)
    flags = [f"-DORDER={order}", "-DHOTNAS_READ_LATENCY=10", "-DHOTNAS_WRITE_LATENCY=5", "-Wall", "-Werror"]
    command = ["g++", "-std=c++14", *flags, f"-I{TEMPLATES}/hls/tb", source, "-o", program]
    subprocess.run(command, check=True)
    return subprocess.run([program], capture_output=True, text=True)


def test_two_stages_take_what_one_reckons_by_hand(tmp_path: Path) -> None:
    """The first word is asked for in cycle 1 and comes in 11, is in the FIFO in 15; the last leaves in 22."""
    assert played(0, tmp_path).stdout.splitlines() == [
        "SCHEDULE load 21 8 3 10 0 0",
        "SCHEDULE store 29 8 2 5 14 0",
        "SCHEDULE layer 29",
    ]


def test_stages_that_wait_for_each_other_are_named(tmp_path: Path) -> None:
    """The second FIFO is full of 4 words, while the reader wants 8 of the first."""
    run = played(1, tmp_path)
    assert (run.returncode, run.stdout) == (1, "DEADLOCK load waits at FIFO 1\n")


def test_the_certificate_holds_a_count_a_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faked: object  # noqa: F811
) -> None:
    """And its table a column; a count too few is refused when the certificate is read."""
    generate(small_design(), tmp_path / "small", images=1)
    done = CsimResult(2, 1, 5, 1.0, 1.0, 0, tmp_path)
    monkeypatch.setattr(flow, "run_csim", lambda *given, **options: done)
    reckoned = tuple(LayerSchedule(100 + layer, {}) for layer in range(5))
    monkeypatch.setattr(flow, "hls_schedule", lambda *given: reckoned)
    told: list[str] = []
    found = simulate(tmp_path / "small", stage=told.append).certificate
    assert found.hls_schedule == (100, 101, 102, 103, 104)
    assert "HLS schedule: 510 cycles if every loop keeps its II" in told
    (column,) = (column for column in certificate_table(found).columns if column.header == "HLS schedule")
    assert (column.footer, list(column.cells)) == ("510", ["100", "101", "102", "103", "104"])
    path = tmp_path / "certificate.json"
    path.write_text(found.to_json())
    assert Certificate.from_json(path).hls_schedule == found.hls_schedule
    path.write_text(dataclasses.replace(found, hls_schedule=(1,)).to_json())
    with pytest.raises(ConfigError) as raised:
        Certificate.from_json(path)
    assert str(raised.value) == (
        f"{path}: not a certificate:\n  - hls_schedule: must have a count for each of 5 layers"
    )


@pytest.mark.whole
def test_every_cycle_of_a_stage_has_a_reason(tmp_path: Path) -> None:
    point = small_design()
    generate(point, tmp_path / "small", images=1)
    layers = hls_schedule(tmp_path / "small", point.memory, tmp_path / "build")
    assert len(layers) == len(point.layers)
    for layer in layers:
        first, start = next((name, stage.end) for name, stage in layer.stages.items())
        assert layer.cycles == max(stage.end for stage in layer.stages.values())
        for name, stage in layer.stages.items():
            told = dataclasses.replace(stage, end=0)
            begun = 0 if name == first else start
            assert stage.end == begun + sum(dataclasses.astuple(told)), name
    of_point = [entry.layer for entry in point.layers]
    twin = network_latency(of_point, point.accelerator, point.tiles, point.memory)
    for layer, of_twin in zip(layers, twin.layers.values(), strict=True):
        assert layer.stages["compute"].looping >= of_twin.compute  # the array does the same work


def test_striped_weights_are_not_reckoned() -> None:
    assert why_no_schedule(ACCEL) is None
    assert why_no_schedule(dataclasses.replace(ACCEL, wgt_masters=2)) == (
        "not reckoned: its weights are striped, so that no loop reads them as a burst"
    )
