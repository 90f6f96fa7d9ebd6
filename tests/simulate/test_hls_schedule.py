"""The cycles that the schedule build of the HLS C++ gives, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from codegen.test_hls import needs_csim
from small_designs import small_design

from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.codegen.render import TEMPLATES
from hotnas_hls.errors import ConfigError
from hotnas_hls.simulate import flow
from hotnas_hls.simulate import hls_schedule as module
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.csim import CsimResult
from hotnas_hls.simulate.flow import generate, simulate
from hotnas_hls.simulate.hls_schedule import FifoDepth, LayerSchedule, fifo_depths, hls_schedule
from hotnas_hls.simulate.tables import certificate_table
from simulate.test_certificate import faked  # noqa: F401 (a fixture)

pytestmark = needs_csim

PORT_BEATS = 4
REFUSED = {
    "port.read();": "a beat is read that nobody asked for",
    "port.read_request(0, 1); port.read(); port.read();": "a beat is read that nobody asked for",
    "port.write(1);": "a beat is written that nobody announced",
    "port.write_request(0, 2); port.write(1); port.write_response();": (
        "an answer is awaited before the last beat"
    ),
    "port.read_request(0, 1); plain::burst_maxi<int> again(memory);": "a beat was asked for and not read",
    "port.write_request(0, 1); plain::burst_maxi<int> again(memory);": "a beat was announced and not written",
    "port.write_request(0, 1); port.write(1); plain::burst_maxi<int> again(memory);": (
        "nobody waited for the answer to a write"
    ),
}
CASES = "".join(f"case {number}: {{ {calls} break; }}" for number, calls in enumerate(REFUSED))
PROGRAM = f"""
#include <cstring>
#include "schedule.h"
using Words = schedule::Fifo<int, 1>;

// Two stages of a word a cycle, the second of which takes its words in the wrong order where `order` is 1.
void pipeline(int order, int depth, bool depths) {{
  int memory[16] = {{0}};
  const schedule::Port<const int> from(memory);
  const schedule::Port<int> to(memory);
  const schedule::Region region;
  Words first;
  schedule::declare_fifos("first", depth);
  Words second;
  schedule::declare_fifos("second", depth);
  schedule::begin_stage("load");
  for (int i = 0; i < 8; ++i) {{
    schedule::iterate(i == 0, 3);
    first.write(from[i]);
    second.write(i);
  }}
  schedule::begin_stage("store");
  for (int pass = 0; pass < 1 + order; ++pass) {{
    for (int i = 0; i < 8; ++i) {{
      schedule::iterate(i == 0, 2);
      const int word = pass == 0 ? first.read() : second.read();
      if (order == 0) to[i] = word + second.read();
    }}
  }}
  if (depths) schedule::print_depths(schedule::trace());
}}

// Two runs of four beats, asked for ahead, written as two runs.
void bursts() {{
  int memory[16] = {{0}}, copied[16];
  schedule::burst_maxi<int> from(memory), to(copied);
  const schedule::Region region;
  Words words;
  schedule::declare_fifos("words", 4);
  schedule::begin_stage("load");
  for (int run = 0; run < 2; ++run) {{
    schedule::iterate(run == 0, 1);
    from.read_request(4 * run, 4);
  }}
  for (int i = 0; i < 8; ++i) {{
    schedule::iterate(i == 0, 3);
    words.write(from.read());
  }}
  schedule::begin_stage("store");
  for (int i = 0; i < 8; ++i) {{
    schedule::iterate(i == 0, 2);
    if (i % 4 == 0) to.write_request(i, 4);
    to.write(words.read());
  }}
  for (int run = 0; run < 2; ++run) {{
    schedule::iterate(run == 0, 1);
    to.write_response();
  }}
}}

void refused(int number) {{
  int memory[16] = {{0}};
  plain::burst_maxi<int> port(memory);
  switch (number) {{
    {CASES}
  }}
}}

int main(int arguments, char** argument) {{
  if (std::strcmp(argument[1], "bursts") == 0) {{
    bursts();
  }} else if (std::strcmp(argument[1], "refused") == 0) {{
    refused(std::atoi(argument[2]));
  }} else {{
    pipeline(std::atoi(argument[2]), std::atoi(argument[3]), arguments > 4);
  }}
}}
"""
Played = Callable[..., tuple[int, list[str]]]  # arguments to exit status and lines


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("schedule")
    (folder / "program.cpp").write_text(PROGRAM)
    (folder / "params.h").write_text(f"constexpr int kPortBeats = {PORT_BEATS};\n")
    flags = ["-std=c++14", "-DHOTNAS_READ_LATENCY=10", "-DHOTNAS_WRITE_LATENCY=5", "-Wall", "-Werror"]
    command = ["g++", *flags, f"-I{folder}", f"-I{TEMPLATES}/hls/tb", "program.cpp", "-o", "program"]
    subprocess.run(command, check=True, cwd=folder)

    def play(*arguments: str) -> tuple[int, list[str]]:
        run = subprocess.run([folder / "program", *arguments], capture_output=True, text=True)
        return run.returncode, run.stdout.splitlines()

    return play


def test_two_stages_take_what_one_reckons_by_hand(played: Played) -> None:
    """The first word is asked for in cycle 1 and comes in 11, is in the FIFO in 15; the last leaves in 22."""
    assert played("pipeline", "0", "4") == (
        0,
        ["SCHEDULE load 21 8 3 10 0 0", "SCHEDULE store 29 8 2 5 14 0", "SCHEDULE layer 29"],
    )


def test_runs_that_are_asked_for_ahead_follow_each_other(played: Played) -> None:
    """Asked for in cycle 1, at the memory in 2, the first beat comes in 12 and the others behind it, for the
    second run is at the memory in 3. Word 7 is there in 23; the last write leaves in 25, is answered in 30.
    """
    assert played("bursts") == (
        0,
        ["SCHEDULE load 22 10 4 8 0 0", "SCHEDULE store 31 10 3 3 15 0", "SCHEDULE layer 31"],
    )


def test_bursts_that_a_port_would_hang_on_are_refused(played: Played) -> None:
    for number, message in enumerate(REFUSED.values()):
        assert played("refused", str(number)) == (1, [f"MISMATCH burst_maxi: {message}"])


def test_stages_that_wait_for_each_other_are_named(played: Played) -> None:
    """The second FIFO is full of 4 words, while the reader wants 8 of the first."""
    assert played("pipeline", "1", "4") == (1, ["DEADLOCK load waits at FIFO second"])


def test_fifos_may_be_as_small_as_the_order_of_words_allows(played: Played) -> None:
    """Before the reader has its 8 words of the first, the writer has sent 7 to the second."""
    assert played("pipeline", "1", "16", "depths")[1][:2] == ["DEPTH first 16 1", "DEPTH second 16 7"]
    assert [played("pipeline", "1", depth)[0] for depth in ("7", "6")] == [0, 1]


def test_the_depth_of_a_package_is_the_largest_of_its_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    log.write_text("DEPTH rows 18 2\nDEPTH sums 64 3\nSCHEDULE layer 7\nDEPTH rows 18 1\nDEPTH sums 64 63\n")
    done = CsimResult(2, 1, 2, 1.0, 1.0, 0, log)
    monkeypatch.setattr(module, "run_csim", lambda *given, **options: done)
    assert fifo_depths(tmp_path, tmp_path) == {"rows": FifoDepth(18, 2), "sums": FifoDepth(64, 63)}


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


@pytest.mark.whole
def test_two_ports_of_weights_take_the_cycles_of_one_as_wide(tmp_path: Path) -> None:
    whole = small_design()
    accel = dataclasses.replace(whole.accelerator, wgt_bits=32, wgt_masters=2)
    cycles = []
    for name, point in {"one": whole, "two": small_design(accelerator=accel)}.items():
        generate(point, tmp_path / name, images=1)
        cycles.append([layer.cycles for layer in hls_schedule(tmp_path / name, point.memory, tmp_path)])
    assert cycles[0] == cycles[1]
