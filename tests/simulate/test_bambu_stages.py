"""Stages of the HLS C++ with dataflow through an open HLS compiler, alone, beside themselves in C.

A stage becomes a top function whose streams are FIFO interfaces and whose ports are AXI masters
(``bambu_stages``). The bench runs the network stage by stage in C; the stage in question runs once more, as
Verilog that Bambu made, and must leave the same in every FIFO and every memory.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_designs import ACCEL, LAYERS, TILES, small_design

from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.codegen.hls import BAMBU_FLAGS, WGT_PORTS, wgt_port_bytes
from hotnas_hls.simulate.flow import generate

BAMBU = Path("/opt/bambu/bin/bambu")
SUPPORT = Path(__file__).parent / "bambu_stages"
HEADERS = ("load_wgt.h", "unpack_descriptor.h", "compute.h", "load_ifm.h", "store_ofm.h")
STAGES = (
    *("load_wgt", "unpack_descriptor", "plan_compute", "ask_ifm", "ask_ofm"),
    *("load_ifm", "compute", "store_ofm"),
)
QUICK = ("unpack_descriptor", "ask_ifm")  # in CI
INCLUDES = ("-I.", "-Iinclude", "-Itb")
NOT_HERE = ("-Iinclude", "-Itb", "-DHOTNAS_DATAFLOW", "--simulate", "--max-sim-cycles")
MEMORIES = {
    **dict.fromkeys(("ifm", "ofm"), "tb_data/golden_0.bin"),
    **dict.fromkeys(WGT_PORTS, "weights/weights.bin"),
}
# As hardware has them: store_ofm tells of a layer's end.
STREAMS = "#define HOTNAS_COUNTS 1\n#include <ap_int.h>\n#include <hls_stream.h>\n"
INCLUDED = "".join(f'#include "{name}"\n' for name in HEADERS)
# All that a stage calls belongs to it, and what it remembers to it alone.
OWN = "#define inline static inline __attribute__((always_inline))\n"
# Loops of a known count are unrolled, as a stage asks for where it has FIFOs in an array: each is an
# interface.
UNROLLED = '#define for _Pragma("clang loop unroll(full)") for\n'


@dataclass(frozen=True)
class Argument:
    """An argument of a stage: its type, what ``run_layers`` calls it, and how many FIFOs it has, if any."""

    kind: str
    name: str
    count: int | None = None

    @property
    def channels(self) -> list[str]:
        return [self.name] if self.count is None else [f"{self.name}_{at}" for at in range(self.count)]

    @property
    def is_port(self) -> bool:
        return self.kind.endswith("Port")

    @property
    def is_fifo(self) -> bool:
        return not self.is_port and self.kind not in ("Lines", "Kept", "std::uint32_t", "std::uint32_t&")

    def parameter(self) -> str:
        """Of the top function."""
        if self.is_port:
            return f"std::uint32_t* {self.name}_bus"
        if self.is_fifo:
            return ", ".join(f"Channel& {channel}_fifo" for channel in self.channels)
        return f"{self.kind} {self.name}"

    def local(self) -> str:
        """What the stage gets, made of it."""
        if self.is_port:
            static = f"  static plain::Requests {self.name}_requests;\n"
            return f"{static}  {self.kind} {self.name}({self.name}_bus, {self.name}_requests);\n"
        if self.is_fifo:
            given = ", ".join(f"{channel}_fifo" for channel in self.channels)
            return f"  {self.kind} {self.name}{f' = {{{given}}}' if self.count else f'({given})'};\n"
        return ""

    def field(self) -> str:
        """Of the world in which the bench calls stages."""
        kind = "Channel" if self.is_fifo else self.kind.removesuffix("&")
        return "".join(f"  {kind} {channel};\n" for channel in self.channels)

    def passed(self, world: str) -> str:
        if self.is_port:
            page = {"wgt_second": " + kWgtPageBeats * kWgtPartWords"}.get(self.name, "")
            return f"{world}.{'weights' if self.name.startswith('wgt') else 'arena'}.data(){page}"
        return ", ".join(f"{world}.{channel}" for channel in self.channels)


@dataclass(frozen=True)
class Stage:
    name: str
    arguments: tuple[Argument, ...]

    def top(self, name: str) -> str:
        """A function that calls it, which Bambu can make a module of."""
        pragma = "#pragma HLS interface port = {0}_bus mode = m_axi offset = direct bundle = {0}\n"
        return (
            "".join(pragma.format(argument.name) for argument in self.arguments if argument.is_port)
            + f"{self.head(name)} {{\n"
            + "".join(argument.local() for argument in self.arguments)
            + f"  {self.name}({', '.join(argument.name for argument in self.arguments)});\n}}\n"
        )

    def head(self, name: str) -> str:
        return f"void {name}({', '.join(argument.parameter() for argument in self.arguments)})"

    def call(self, name: str, world: str) -> str:
        return f"  {name}({', '.join(argument.passed(world) for argument in self.arguments)});\n"


def stages_of(package: Path) -> list[Stage]:
    """By their signatures and by what ``run_layers`` calls them with, in the build with bursts."""
    include = package / "include"
    texts = [(include / name).read_text().split("#else  // HOTNAS_BURSTS")[0] for name in HEADERS]
    calls = (include / "run_layers.h").read_text()
    known = dict(re.findall(r"constexpr int (k\w+) = (\d+);", (include / "params.h").read_text()))
    rows = int(known["kTm"]) * int(known["kPartsPerRow"])
    counts = {
        "Biases": int(known["kBiasPlanes"]),
        "Patterns": rows,
        "Rows": rows,
        "Sums": int(known["kOfmBanks"]),
    }
    found = []
    for name in STAGES:
        signature = re.search(rf"^inline void {name}\(([^)]*)\)", "\n".join(texts), re.MULTILINE)
        call = re.search(rf"^    {name}\(([^)]*)\);", calls, re.MULTILINE)
        assert signature and call, name
        kinds = [word.split()[-2] for word in signature[1].split(",")]
        names = [word.strip() for word in call[1].split(",")]
        arguments = [
            Argument(kind if kind == "std::uint32_t&" else kind.removesuffix("&"), argument, counts.get(kind))
            for kind, argument in zip(kinds, names, strict=True)
        ]
        found.append(Stage(name, tuple(arguments)))
    return found


def bench(stages: list[Stage], tested: Stage) -> str:
    """All stages in C, and the one that is tested once more, of what there was before it."""
    arguments = {argument.name: argument for stage in stages for argument in stage.arguments}
    fields = "".join(argument.field() for argument in arguments.values() if not argument.is_port)
    calls = "".join(
        f"  World before = world;\n{stage.call(f'c_{stage.name}', 'world')}"
        f"{stage.call(f'{stage.name}_top', 'before')}{comparisons(stage)}"
        if stage is tested
        else stage.call(f"c_{stage.name}", "world")
        for stage in stages
    )
    in_c = "".join(stage.top(f"c_{stage.name}") for stage in stages)
    return (
        STREAMS
        + "#include <vector>\n"
        + OWN
        + INCLUDED
        + '#include "network.h"\n#undef inline\n'
        + re.sub("^#pragma.*\n", "", in_c, flags=re.MULTILINE)
        + f"{tested.head(f'{tested.name}_top')};\n"
        + "using Words = std::vector<std::uint32_t>;\n"
        + f"struct World {{\n{fields}  Words arena, weights;\n}};\n"
        + f'#include "bench.h"\nvoid run_stages(World& world) {{\n{calls}}}\n'
    )


def comparisons(stage: Stage) -> str:
    """That its world is as it was made in C."""
    compared = ["arena"] + [
        channel for argument in stage.arguments if not argument.is_port for channel in argument.channels
    ]
    return "".join(
        f'  compare(world.step, "{stage.name} {name}", world.{name}, before.{name});\n' for name in compared
    )


def write(package: Path, name: str) -> Stage:
    """The top function of a stage and its bench, into a package."""
    stages = stages_of(package)
    tested = next(stage for stage in stages if stage.name == name)
    for header in SUPPORT.iterdir():
        shutil.copy(header, package)
    (package / "stage.cpp").write_text(STREAMS + OWN + UNROLLED + INCLUDED + tested.top(f"{name}_top"))
    (package / "bench.cpp").write_text(bench(stages, tested))
    return tested


def bambu(package: Path, name: str, *options: str) -> str:
    """What Bambu says of a stage."""
    environment = {**os.environ, "PATH": os.defpath, "MAKEFLAGS": "OPT_FAST=-O0 OPT_SLOW=-O0"}
    environment.pop("VERILATOR_ROOT", None)
    flags = [flag for flag in BAMBU_FLAGS if flag.split("=")[0] not in NOT_HERE]
    top = ("--generate-interface=INFER", f"--top-fname={name}_top")
    command = [BAMBU, "stage.cpp", *INCLUDES, *flags, *top, *options]
    ended = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)
    return ended.stdout + ended.stderr


def co_simulated(package: Path, tested: Stage) -> str:
    """What the bench printed, or what Bambu said where it came to none."""
    bytes_of = {port: (package / file).stat().st_size for port, file in MEMORIES.items()}
    bytes_of |= wgt_port_bytes(bytes_of["wgt"], len(WGT_PORTS))
    ports = [argument.name for argument in tested.arguments if argument.is_port]
    return simulated(
        package,
        tested.name,
        f"--tb-arg={package}",
        "--tb-extra-gcc-options=" + " ".join(f"-I{package / flag[2:]}" for flag in INCLUDES),
        *(["--tb-param-size=" + ",".join(f"{port}_bus:{bytes_of[port]}" for port in ports)] if ports else []),
    )


def simulated(package: Path, name: str, *options: str) -> str:
    run = ("--simulate", "--max-sim-cycles=20000000", "--generate-tb=bench.cpp")
    said = bambu(package, name, *run, *options)
    printed = package / "HLS_output/simulation/testbench.log"
    return printed.read_text() if printed.is_file() else said


@pytest.fixture
def package(tmp_path: Path) -> Path:
    generate(small_design(), tmp_path / "small", images=1)
    return tmp_path / "small"


def design_with_kept_weights() -> DesignPoint:
    """Weights of two layers stay on chip; two ports bring them and the others."""
    accel = dataclasses.replace(ACCEL, max_entries=16, wgt_bits=32, wgt_masters=2, weight_planes=300)
    layers = (
        dataclasses.replace(layer, weights_on_chip=layer.name in ("residual", "mean")) for layer in LAYERS
    )
    return small_design(
        accelerator=accel, layers=tuple(DesignLayer(layer, TILES[layer.name]) for layer in layers)
    )


# Why the dataflow region as a whole does not go through: what stands between its stages.
REGION = """#include <ac_channel.h>
static void make(ac_channel<int>& in, ac_channel<int>& words, int (&lines)[8]) {
  for (int i = 0; i < 8; ++i) PUT;
}
static void sum(ac_channel<int>& words, int (&lines)[8], ac_channel<int>& out) {
  int total = 0;
  for (int i = 0; i < 8; ++i) total += GET;
  out.write(total);
}
static ac_channel<int> words;
static int lines[8];
void region_top(ac_channel<int>& in, ac_channel<int>& out) {
#pragma HLS dataflow
#pragma HLS stream variable = words depth = 64
  make(in, words, lines);
  sum(words, lines, out);
}
"""
# Two words in a row from a FIFO, and two more behind a branch.
PAIRS = """#include <hls_stream.h>
struct Pair { std::uint32_t first, second; };
void pairs_top(Channel& in_fifo, Channel& out_fifo) {
  hls::stream<Pair> in(in_fifo), out(out_fifo);
  for (int step = 0; step < 3; ++step) {
    Pair pair = in.read();
    if (pair.first & 1) {
      const Pair more = in.read();
      pair.first += more.first;
      pair.second += 10 * more.second;
    }
    out.write(pair);
  }
}
"""
PAIRS_BENCH = """#include <hls_stream.h>
#include <cstdio>
void pairs_top(Channel& in_fifo, Channel& out_fifo);
int main() {
  Channel in, out;
  for (std::uint32_t word = 1; word < 20; ++word) in.write(word);
  pairs_top(in, out);
  while (out.debug_size() > 0) std::printf("%u ", out.read());
  std::printf("\\n");
}
"""
needs_bambu = pytest.mark.skipif(not BAMBU.is_file(), reason=f"Bambu is not in {BAMBU.parent}")


@needs_bambu
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.whole if name in QUICK else pytest.mark.long("a minute"))
        for name in STAGES
    ],
)
def test_a_stage_becomes_hardware(package: Path, name: str) -> None:
    write(package, name)
    said = bambu(package, name)
    assert (package / f"{name}_top.v").is_file(), said[-3000:]


@needs_bambu
@pytest.mark.long("half a minute")
def test_a_fifo_that_is_chosen_by_a_number_does_not(package: Path) -> None:
    source = package / "include" / "store_ofm.h"
    text = source.read_text()
    unrolled = "    if (index == block) word = sums[index].read();\n"
    assert unrolled in text
    source.write_text(text.replace(unrolled, "    if (index == 0) word = sums[block].read();\n"))
    write(package, "store_ofm")
    assert "error -> Vertices not completely allocated" in bambu(package, "store_ofm")
    assert not (package / "store_ofm_top.v").exists()


@needs_bambu
@pytest.mark.whole
def test_a_region_of_stages_has_fifos_of_three_words_and_no_arrays(tmp_path: Path) -> None:
    """Whatever depth is asked for: two bits count the places of a ring, one of which stays free."""
    source = tmp_path / "stage.cpp"
    source.write_text(REGION.replace("PUT", "words.write(in.read())").replace("GET", "words.read()"))
    bambu(tmp_path, "region")
    assert "dataflow_fifo #(.QUEUESIZE_LOG(2)," in (tmp_path / "region_top.v").read_text()
    source.write_text(REGION.replace("PUT", "lines[i] = in.read()").replace("GET", "lines[i]"))
    assert "error -> Dataflow interface not supported: array" in bambu(tmp_path, "region")


@needs_bambu
@pytest.mark.long("two minutes")
def test_reads_of_a_fifo_that_no_loop_parts_are_swapped(tmp_path: Path) -> None:
    """Why a variable counts the pieces of a word in hls_stream.h."""
    (tmp_path / "stage.cpp").write_text(PAIRS)
    (tmp_path / "bench.cpp").write_text(PAIRS_BENCH)
    header = (SUPPORT / "hls_stream.h").read_text()
    assert "piece < count" in header
    for bound, right in (("count", True), ("kPieces", False)):
        (tmp_path / "hls_stream.h").write_text(header.replace("piece < count", f"piece < {bound}"))
        printed = simulated(tmp_path, "pairs", f"--tb-extra-gcc-options=-I{tmp_path}")
        assert ("4 42 12 86 20 130 " in printed.splitlines()) == right, printed


@needs_bambu
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long("one to five minutes")) for name in STAGES]
)
def test_as_hardware_a_stage_does_what_it_does_in_c(package: Path, name: str) -> None:
    printed = co_simulated(package, write(package, name)).splitlines()
    assert "PASS" in printed, "\n".join(printed[-60:])


@needs_bambu
@pytest.mark.long("four minutes")
def test_as_hardware_load_wgt_keeps_weights_and_joins_two_ports(tmp_path: Path) -> None:
    generate(design_with_kept_weights(), tmp_path, images=1)
    printed = co_simulated(tmp_path, write(tmp_path, "load_wgt")).splitlines()
    assert "PASS" in printed, "\n".join(printed[-60:])


# Of a stage: the header that has it, what Bambu gets instead, and what then differs in the first layer.
OTHERS = {
    "plan_compute": ("compute.h", {"cycles += piece.cycles;": "cycles += piece.cycles + 1;"}, ("cycles",)),
    "load_wgt": (
        "load_wgt.h",
        {
            "= beat.word[word % kWgtWords];": "= ~beat.word[word % kWgtWords];",
            "loaded != layer.wgt_sum) damaged": "loaded == layer.wgt_sum) damaged",
        },
        ("biases_0", "rows_0", "status"),
    ),
}


@needs_bambu
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long("two minutes")) for name in OTHERS]
)
def test_hardware_of_another_stage_is_noticed(package: Path, name: str) -> None:
    """The bench keeps the sources."""
    tested = write(package, name)
    header, changes, differing = OTHERS[name]
    other = (package / "include" / header).read_text()
    for text, instead in changes.items():
        assert other.count(text) == 1
        other = other.replace(text, instead)
    (package / "other.h").write_text(other)
    source = package / "stage.cpp"
    source.write_text(source.read_text().replace(f'"{header}"', '"other.h"'))
    printed = co_simulated(package, tested).splitlines()
    for what in differing:
        assert f"MISMATCH layer 0 {name} {what}" in printed, "\n".join(printed[-60:])
    assert "FAIL" in printed
