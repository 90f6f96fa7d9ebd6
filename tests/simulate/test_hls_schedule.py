"""The cycles that the schedule build of the HLS C++ gives, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from codegen.test_hls import generate as hls_package
from codegen.test_hls import needs_csim, write
from hls_cases import Case
from small_designs import ACCEL, on_chip_design, small_design

from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.latency import NetworkLatency, network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.pipeline import ARRAY_STAGES
from hotnas_hls.codegen.render import TEMPLATES
from hotnas_hls.errors import ConfigError, SimulationFailed
from hotnas_hls.fuzzing import network_fuzz
from hotnas_hls.fuzzing.network_fuzz import (
    CASES_PER_DESIGN,
    check_hls,
    fuzz_design,
    network_case,
    predicted,
)
from hotnas_hls.simulate import flow
from hotnas_hls.simulate import hls_schedule as module
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.csim import CsimResult, run_csim
from hotnas_hls.simulate.flow import generate, simulate
from hotnas_hls.simulate.hls_schedule import PROMISED, FifoDepth, LayerSchedule, fifo_depths, hls_schedule
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
  const schedule::Run run;
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
  const schedule::Run run;
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

// Two stages, each of which takes eight beats of a port of its own.
void two_ports() {{
  int memory[16] = {{0}};
  schedule::burst_maxi<int> ports[] = {{memory, memory}};
  const schedule::Run run;
  const schedule::Region region;
  for (int stage = 0; stage < 2; ++stage) {{
    schedule::begin_stage(stage == 0 ? "one" : "two");
    schedule::iterate(true, 1);
    ports[stage].read_request(8 * stage, 8);
    for (int i = 0; i < 8; ++i) {{
      schedule::iterate(i == 0, 3);
      ports[stage].read();
    }}
  }}
}}

// Three layers of two stages: the first one's second word waits for the second one in the layer before.
void layers() {{
  const schedule::Run run;
  Words back;
  schedule::declare_fifos("back", 1);
  for (int layer = 0; layer < 3; ++layer) {{
    const schedule::Region region;
    Words words;
    schedule::declare_fifos("words", 4);
    schedule::begin_stage("load");
    for (int i = 0; i < 2; ++i) {{
      schedule::iterate(i == 0, 3);
      if (i == 1 && layer > 0) back.read();
      words.write(i);
    }}
    schedule::begin_stage("store");
    for (int i = 0; i < 10; ++i) {{
      schedule::iterate(i == 0, 2);
      if (i < 2) words.read();
    }}
    if (layer < 2) back.write(0);
  }}
}}

// Four layers of two stages, whose FIFO would hold all words.
void ahead() {{
  const schedule::Run run;
  for (int layer = 0; layer < 4; ++layer) {{
    const schedule::Region region;
    Words words;
    schedule::declare_fifos("words", 4);
    schedule::begin_stage("load");
    schedule::iterate(true, 1);
    words.write(layer);
    schedule::begin_stage("store");
    for (int i = 0; i < 10; ++i) {{
      schedule::iterate(i == 0, 2);
      if (i == 0) words.read();
    }}
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
  }} else if (std::strcmp(argument[1], "two_ports") == 0) {{
    two_ports();
  }} else if (std::strcmp(argument[1], "layers") == 0) {{
    layers();
  }} else if (std::strcmp(argument[1], "ahead") == 0) {{
    ahead();
  }} else if (std::strcmp(argument[1], "refused") == 0) {{
    refused(std::atoi(argument[2]));
  }} else {{
    pipeline(std::atoi(argument[2]), std::atoi(argument[3]), arguments > 4);
  }}
}}
"""
Played = Callable[..., tuple[int, list[str]]]  # arguments to exit status and lines


def built(folder: Path, shared_bus: int) -> Played:
    (folder / "program.cpp").write_text(PROGRAM)
    constants = {"kPortBeats": PORT_BEATS, "kSharedBus": shared_bus, "kStartFifoDepth": 2}
    lines = (f"constexpr int {name} = {value};\n" for name, value in constants.items())
    (folder / "params.h").write_text("".join(lines))
    flags = ["-std=c++14", "-DHOTNAS_READ_LATENCY=10", "-DHOTNAS_WRITE_LATENCY=5", "-Wall", "-Werror"]
    command = ["g++", *flags, f"-I{folder}", f"-I{TEMPLATES}/hls/tb", "program.cpp", "-o", "program"]
    subprocess.run(command, check=True, cwd=folder)

    def play(*arguments: str) -> tuple[int, list[str]]:
        run = subprocess.run([folder / "program", *arguments], capture_output=True, text=True)
        return run.returncode, run.stdout.splitlines()

    return play


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return built(tmp_path_factory.mktemp("schedule"), shared_bus=0)


def test_two_stages_take_what_one_reckons_by_hand(played: Played) -> None:
    """Begun in cycle 1, the first word is asked for in 2, comes in 12 and is in the FIFO in 16."""
    assert played("pipeline", "0", "4") == (
        0,
        ["SCHEDULE load 22 9 3 10 0 0", "SCHEDULE store 30 9 2 5 14 0", "SCHEDULE layer 30"],
    )


def test_a_stage_goes_on_with_the_next_layer(played: Played) -> None:
    """The first layer's last read is in 7, its loop ends in 15 and its pipeline in 17. The second one is
    loaded from 7 on, but for its second word: that is read in 18, when the first layer's store has told it
    to, and is in the FIFO in 22; the loop ends in 30, its pipeline in 32. So does the third, 15 later.
    """
    assert played("layers") == (
        0,
        [
            *("SCHEDULE load 6 3 3 0 0 0", "SCHEDULE store 17 11 2 0 4 0", "SCHEDULE layer 17"),
            *("SCHEDULE load 21 3 3 0 9 0", "SCHEDULE store 32 11 2 0 2 0", "SCHEDULE layer 15"),
            *("SCHEDULE load 36 3 3 0 9 0", "SCHEDULE store 47 11 2 0 2 0", "SCHEDULE layer 15"),
        ],
    )


def test_a_stage_is_not_further_ahead_than_those_behind_it_can_be_started(played: Played) -> None:
    """The first word is in the FIFO in 4, and that layer's last iteration is 9 later, its end in 15. Then the
    third layer may begin, and in 28 the fourth, when the second has ended.
    """
    assert played("ahead") == (
        0,
        [
            *("SCHEDULE load 3 2 1 0 0 0", "SCHEDULE store 15 11 2 0 2 0", "SCHEDULE layer 15"),
            *("SCHEDULE load 6 2 1 0 0 0", "SCHEDULE store 28 11 2 0 0 0", "SCHEDULE layer 13"),
            *("SCHEDULE load 18 2 1 0 0 9", "SCHEDULE store 41 11 2 0 0 0", "SCHEDULE layer 13"),
            *("SCHEDULE load 31 2 1 0 0 10", "SCHEDULE store 54 11 2 0 0 0", "SCHEDULE layer 13"),
        ],
    )


def test_runs_that_are_asked_for_ahead_follow_each_other(played: Played) -> None:
    """Asked for in cycle 2, at the memory in 3, the first beat comes in 13 and the others behind it, for the
    second run is at the memory in 4. Word 7 is there in 24; the last write leaves in 26, is answered in 31.
    """
    assert played("bursts") == (
        0,
        ["SCHEDULE load 23 11 4 8 0 0", "SCHEDULE store 32 11 3 3 15 0", "SCHEDULE layer 32"],
    )


def test_runs_of_ports_on_a_shared_bus_follow_each_other(played: Played, tmp_path: Path) -> None:
    """Asked for in cycle 2, each port's beats come in 13 to 20; over one bus in 13 to 28."""
    alone, shared = (play("two_ports")[1] for play in (played, built(tmp_path, shared_bus=1)))
    assert alone == ["SCHEDULE one 23 10 4 9 0 0", "SCHEDULE two 23 10 4 9 0 0", "SCHEDULE layer 23"]
    assert shared == ["SCHEDULE one 23 10 4 9 0 0", "SCHEDULE two 31 10 4 17 0 0", "SCHEDULE layer 31"]


def test_bursts_that_a_port_would_hang_on_are_refused(played: Played) -> None:
    for number, message in enumerate(REFUSED.values()):
        assert played("refused", str(number)) == (1, [f"MISMATCH burst_maxi: {message}"])


def test_stages_that_wait_for_each_other_are_named(played: Played) -> None:
    """The second FIFO is full of 4 words, while the reader wants 8 of the first."""
    assert played("pipeline", "1", "4") == (
        1,
        [
            "DEADLOCK load waits at FIFO second in layer 0: 4 of 4 words",
            "DEADLOCK store waits at FIFO first in layer 0: 0 of 4 words",
        ],
    )


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


def scheduled(point: DesignPoint, folder: Path) -> tuple[LayerSchedule, ...]:
    generate(point, folder / "package", images=1)
    return hls_schedule(folder / "package", point.memory, folder / "build")


def of_twin(point: DesignPoint) -> NetworkLatency:
    layers = [entry.layer for entry in point.layers]
    return network_latency(layers, point.accelerator, point.tiles, point.memory)


@pytest.mark.whole
@pytest.mark.parametrize("design", [small_design, on_chip_design])
def test_every_cycle_of_a_stage_has_a_reason(design: Callable[[], DesignPoint], tmp_path: Path) -> None:
    """And none is missing: the array does the twin's work. The C++ keeps what the certificate promises."""
    point = design()
    layers = scheduled(point, tmp_path)
    assert len(layers) == len(point.layers)
    ended = dict.fromkeys(layers[0].stages, 0)
    total = 0
    for layer in layers:
        total += layer.cycles
        assert total == max(stage.end for stage in layer.stages.values())
        for name, stage in layer.stages.items():
            told = dataclasses.replace(stage, end=0)
            assert stage.end == ended[name] + sum(dataclasses.astuple(told)), name
            ended[name] = stage.end
    twin = of_twin(point)
    for layer, term in zip(layers, twin.layers.values(), strict=True):
        assert layer.stages["compute"].looping >= term.compute
    assert total <= PROMISED * twin.cycles


@pytest.mark.whole
def test_a_word_on_chip_that_is_read_too_soon_is_found(tmp_path: Path) -> None:
    """C simulation alone does not see it: there a layer ends before the next one begins."""
    point = on_chip_design()
    generate(point, tmp_path / "package", images=1)
    source = tmp_path / "package" / "include" / "stored.h"
    waits, never = "layer.ifm_after > 0", "layer.ifm_after > 0xFFFF"
    assert source.read_text().count(waits) == 1
    source.write_text(source.read_text().replace(waits, never))
    assert run_csim(tmp_path / "package", images=1).layers == 5
    found = r"MISMATCH a word on chip is read in cycle \d+, before it is written"
    with pytest.raises(SimulationFailed, match=found):
        hls_schedule(tmp_path / "package", point.memory, tmp_path / "build")


def test_a_tile_whose_words_nobody_waits_for_yet_holds_nothing_up(tmp_path: Path) -> None:
    """The second layer is at its first tile, with sums finished, while the first one's last is stored."""
    size = (32, 8)
    maps = tuple(
        FeatureMap(name, channels, *size)
        for name, channels in {"image": 4, "first.out": 4, "logits": 8}.items()
    )
    layers = (
        Layer("first", LayerKind.CONV, "image", "first.out", 4, 4, *size, *size, 1, 1, weight_bits=8),
        Layer("second", LayerKind.CONV, "first.out", "logits", 4, 8, *size, *size, 1, 1, weight_bits=8),
    )
    point = on_chip_design(
        accelerator=dataclasses.replace(ACCEL, tr=16, max_entries=16),
        feature_maps=maps,
        layers=tuple(DesignLayer(layer, Tile(16, 8)) for layer in layers),
    )
    assert [entry.layer.ofm_on_chip for entry in point.layers] == [True, False]
    cycles = sum(layer.cycles for layer in scheduled(point, tmp_path))
    assert of_twin(point).cycles <= cycles <= PROMISED * of_twin(point).cycles


# Maps on chip, a shared bus, weights of two ports, products, lines, a large entry table: see fuzz_design.
@pytest.mark.whole
@pytest.mark.parametrize("number", [0, 20, 21, 40, 60, 80])
def test_drawn_networks_keep_their_bounds(number: int, tmp_path: Path) -> None:
    accel = fuzz_design(0, number // CASES_PER_DESIGN)
    assert check_hls(network_case(0, number, accel), accel, tmp_path) == ()


def test_a_schedule_out_of_its_bounds_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accel = fuzz_design(0, 2)
    case = network_case(0, 40, accel)
    least, most = network_fuzz.schedule_bounds(case, accel)
    twin = predicted(case, accel).cycles
    assert accel.shared_bus and 0 < least < twin < most < 1.5 * twin
    monkeypatch.setattr(network_fuzz, "run_csim", lambda folder: None)
    for cycles, kept in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        found = (LayerSchedule(cycles, {}),)
        monkeypatch.setattr(network_fuzz, "hls_schedule", lambda *given, found=found: found)
        told = f"the HLS schedule takes {cycles} cycles, at least {least} and at most {most} expected"
        assert check_hls(case, accel, tmp_path) == (() if kept else (told,))


@pytest.mark.whole
@pytest.mark.parametrize("number", [0, 20, 60, 80])
def test_without_latency_the_schedule_saves_only_what_the_twins_array_waits(
    number: int, tmp_path: Path
) -> None:
    """With a memory that answers in the next cycle: its array works as long, and its pipeline fills.

    Of these networks it is as near below the twin as any may be above it.
    """
    accel = fuzz_design(0, number // CASES_PER_DESIGN)
    network, at_once = network_case(0, number, accel).network, MemoryTiming(1, 1)
    package = write(hls_package(Case(network.net, accel, network.tiles), images=1), tmp_path)
    cycles = sum(layer.cycles for layer in hls_schedule(package, at_once, tmp_path / "build"))
    twin = network_latency(network.net.layers, accel, network.tiles, at_once)
    work = sum(layer.compute + ARRAY_STAGES + accel.tree_levels for layer in twin.layers.values())
    assert work < cycles
    assert (2 - PROMISED) * twin.cycles <= cycles <= PROMISED * twin.cycles


@pytest.mark.whole
def test_two_ports_of_weights_take_the_cycles_of_one_as_wide(tmp_path: Path) -> None:
    whole = small_design()
    accel = dataclasses.replace(whole.accelerator, wgt_bits=32, wgt_masters=2)
    one, two = (
        [layer.cycles for layer in scheduled(point, tmp_path / name)]
        for name, point in {"one": whole, "two": small_design(accelerator=accel)}.items()
    )
    assert one == two
