"""The package around the sources: documents, Vivado scripts, archive."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from small_designs import small_design

from hotnas_hls.accel.design_point import Accuracy, DesignPoint
from hotnas_hls.accel.memory.pricing import worst_phase
from hotnas_hls.accel.port_plan import PortPlan, masters
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base.tools import find
from hotnas_hls.boards.board import Ports, board_names, load_board
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import Bundle, verify
from hotnas_hls.codegen.package import add_package, archive, package_files
from hotnas_hls.codegen.processors import processor_of
from hotnas_hls.codegen.registers import BLOCKS, REGISTERS, STATUS_BITS
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.errors import ConfigError, OutputRefused
from hotnas_hls.simulate import flow

RECORDER = Path(__file__).with_name("vivado_recorder.tcl")
needs_tclsh = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="needs tclsh (Debian: apt install tcl)"
)


@pytest.fixture(scope="module")
def point() -> DesignPoint:
    return small_design()


@pytest.fixture(scope="module")
def files(point: DesignPoint) -> dict[str, str]:
    return {path: str(contents) for path, contents in package_files(point, "small").items()}


@pytest.fixture(scope="module")
def whole(point: DesignPoint) -> Bundle:
    """The package as the flow makes it: sources, and what is added here."""
    bundle = flow.package(point, "small")
    if "README.md" not in bundle:
        add_package(bundle, point)
    return bundle


def write_package(point: DesignPoint, folder: Path) -> Path:
    """A package of RTL alone, quick to make."""
    bundle = Bundle("small", point.digest())
    rtl = rtl_files(point.accelerator, len(point.layers), Banner("small", point.digest()))
    for name, text in rtl.items():
        bundle.add(f"rtl/{name}", text)
    add_package(bundle, point)
    bundle.add("tools/run.sh", "#!/bin/sh\n", executable=True)
    return bundle.write(folder)


# --- documents ------------------------------------------------------------------------------------------


def test_readme_has_the_numbers_of_the_design(point: DesignPoint, files: dict[str, str]) -> None:
    readme = files["README.md"]
    net = point.integer_network()
    latency = network_latency(net.layers, point.accelerator, point.tiles, point.memory)
    behind = worst_phase(net, point.accelerator, point.tiles, point.dram, point.clock_mhz).cycles
    assert behind != latency.cycles
    of_ideal = f"{latency.cycles:,} cycles with an ideal memory"
    for needed in (
        f"| Predicted | {behind:,} cycles, {point.cycles_to_ms(behind):.4g} ms an image, behind "
        f"{point.dram.name} at the worst phase of its refresh; {of_ideal} |",
        point.digest(),
        point.board.part,
        "200 MHz (5.000 ns)",
        f"{latency.cycles:,} cycles",
        f"{point.latency_bound_cycles:,} cycles",
        "Accuracy | unknown",
        "vitis_hls -f scripts/run_hls.tcl",
        "vitis-run --mode hls --tcl scripts/run_hls.tcl",
        "--config scripts/hls_config.cfg",
    ):
        assert needed in readme, needed
    for layer, counts in latency.layers.items():
        assert f"| `{layer}` | {counts.cycles:,} |" in readme
    for register in REGISTERS:
        assert f"| `0x{register.offset:02x}` | `{register.hwh}` | {register.bits} |" in readme
    assert all(bit.meaning in readme for bit in STATUS_BITS)
    known = dataclasses.replace(point, accuracy=Accuracy(0.99, 0.9825, 360), latency_bound_ms=None)
    readme = str(package_files(known, "small")["README.md"])
    assert (
        "98.25 % on 360 test images (float network: 99.00 %)" in readme and "| Bound | none given |" in readme
    )


def test_everything_the_readme_names_is_there(whole: Bundle) -> None:
    readme = whole.text("README.md")
    paths = set(whole)
    folders = {f"{parent}/" for path in paths for parent in map(str, Path(path).parents)}
    assert set(re.findall(r"\]\(([^)]+)\)", readme)) <= paths
    assert set(re.findall(r"(?:scripts|docs|driver|rtl|src|weights)/\w+\.\w+", readme)) <= paths
    assert set(re.findall(r"^\| `(\w+/)`", readme, re.MULTILINE)) <= folders
    assert "make csim" in readme and "\ncsim:" in whole.text("Makefile")


def test_assumptions_and_tables(point: DesignPoint, files: dict[str, str]) -> None:
    text = files["ASSUMPTIONS.md"]
    assert "one DRAM behind all ports: DDR4-2133-64" in text
    assert "| Ideal memory of the prediction | 40 cycles" in text
    assert "HLS synthesis, co-simulation | not run" in text
    assert ("weights are random" in text) == (point.numbers is None)
    descriptors = files["docs/descriptors.md"]
    assert "| 19 | 15:0 | `clamp_low` | smallest OFM value, signed |" in descriptors
    for layer in point.layers:
        assert f"`{layer.layer.name}`" in files["docs/memory_map.md"]


def test_the_same_design_gives_the_same_files(point: DesignPoint) -> None:
    assert package_files(point, "small") == package_files(small_design(), "small")


# --- RTL ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(find("verilator") is None, reason="needs Verilator")
def test_the_wrapper_fits_the_accelerator(point: DesignPoint, files: dict[str, str], tmp_path: Path) -> None:
    folder = write_package(point, tmp_path / "small") / "rtl"
    names = [line for line in files["rtl/hotnas_accel.f"].splitlines() if line and not line.startswith("//")]
    beside = ["hotnas_accel.f", "hotnas_accel_ip.v", "hotnas_accel_ooc.xdc"]
    assert sorted([*names, *beside]) == sorted(os.listdir(folder))
    verilator = find("verilator")
    assert verilator is not None
    lint = subprocess.run(
        [
            *(verilator.path, "--lint-only", "-Wall", "-Wno-fatal", "-Wno-SYMRSVDWORD"),
            *("--top-module", "hotnas_accel_ip", "-f", "hotnas_accel.f", "hotnas_accel_ip.v"),
        ],
        cwd=folder,
        env=verilator.full_environment(),
        capture_output=True,
        text=True,
    )
    ours = [line for line in lint.stderr.splitlines() if "hotnas_accel_ip.v" in line and "%" in line]
    assert not ours and "%Error" not in lint.stderr, lint.stderr


# --- Vivado ---------------------------------------------------------------------------------------------


def run_script(script: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in ``folder`` as Vivado or Vitis HLS would, every command of theirs recorded."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["tclsh", RECORDER, script]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)


def recorded(script: Path, folder: Path, status: int = 0, **environment: str) -> list[str]:
    """The vendor's commands a script runs, in order; it must end with ``status``."""
    done = run_script(script, folder, **environment)
    assert done.returncode == status, done.stderr + done.stdout
    return [line.removeprefix("VIVADO ") for line in done.stdout.splitlines() if line.startswith("VIVADO ")]


HLS_PROJECT = ["open_project", "set_top", "add_files", "add_files", "open_solution", "set_part"]
HLS_PROJECT += ["create_clock", "set_clock_uncertainty", "config_interface"]


@needs_tclsh
@pytest.mark.parametrize(
    ("name", "command", "says"),
    [
        ("run_hls.tcl", "csynth_design -fast", "csynth_design has no option -fast"),
        ("run_hls.tcl", "launch_runs impl_1", 'invalid command name "launch_runs"'),
        ("pack.tcl", "launch_runs impl_1 -step route_design", "launch_runs has no option -step"),
        ("pack.tcl", "ipx::package_project -root ip", "ipx::package_project has no option -root"),
    ],
)
def test_a_command_or_option_that_no_manual_has_is_refused(
    name: str, command: str, says: str, tmp_path: Path
) -> None:
    """Which ones the manuals have, and which manuals, stands in vendor_commands.txt."""
    (tmp_path / name).write_text(f"{command}\n")
    run = run_script(tmp_path / name, tmp_path)
    assert run.returncode == 1 and says in run.stderr


@needs_tclsh
def test_hls_runs_the_steps_that_the_options_switch_on(whole: Bundle, tmp_path: Path) -> None:
    package = whole.write(tmp_path / "small")
    script, options = package / "scripts" / "run_hls.tcl", package / "scripts" / "options.tcl"
    commands = recorded(script, tmp_path / "work")
    assert [line.split()[0] for line in commands] == [
        *HLS_PROJECT, "csim_design", "csynth_design", "export_design",
    ]  # fmt: skip
    assert commands[-1].endswith(" -version 1.0.0")  # of two parts it overflows (AR 76960)
    added = [word for line in commands if line.startswith("add_files") for word in line.split()]
    assert all(Path(word).is_file() for word in added if word.endswith(".cpp"))
    assert {"set_part xczu9eg-ffvb1156-2-e", "create_clock -period 5.0 -name default"} <= set(commands)
    switched = re.sub(r"set run_(csim|csynth|export) 1", r"set run_\1 0", options.read_text())
    options.write_text(switched.replace("set run_cosim 0", "set run_cosim 1"))
    *_, cosim = recorded(script, tmp_path / "work")
    assert cosim == f"cosim_design -O -argv {{--per-layer --images 1 {package}}}"


@needs_tclsh
def test_hls_says_how_long_each_phase_took_and_which_one_failed(whole: Bundle, tmp_path: Path) -> None:
    script = whole.write(tmp_path / "small") / "scripts" / "run_hls.tcl"
    done = run_script(script, tmp_path / "work")
    phases = re.findall(r"^HOTNAS: (\w+) took \d+ s$", done.stdout, re.MULTILINE)
    assert (done.returncode, phases) == (0, ["csim", "csynth", "export"])
    failed = run_script(script, tmp_path / "work", RECORDED_FAILURE="csynth_design")
    assert failed.returncode == 1
    assert re.search(
        r"^HOTNAS: csynth failed after \d+ s: csynth_design as told$", failed.stdout, re.MULTILINE
    )
    assert "export_design" not in failed.stdout


@pytest.mark.parametrize("key", ["syn.file", "tb.file"])
def test_the_unified_flow_finds_its_files(key: str, whole: Bundle) -> None:
    config = whole.text("scripts/hls_config.cfg")
    (named,) = re.findall(rf"^{key}=\.\./(.+)$", config, re.MULTILINE)
    assert named in whole
    assert re.search(r"^syn\.top=hotnas_accel$", config, re.MULTILINE)


def test_the_unified_flow_has_keys_that_the_manual_lists(whole: Bundle) -> None:
    table = RECORDER.with_name("vendor_commands.txt").read_text().splitlines()
    known = {key for line in table if line.startswith("config ") for key in line.split()[1:]}
    config = whole.text("scripts/hls_config.cfg")
    used = re.findall(r"^([\w.]+)=", config, re.MULTILINE)
    assert len(used) >= 15 and set(used) <= known


def test_each_flow_of_hls_has_a_folder_which_the_readme_names(whole: Bundle) -> None:
    (project,) = re.findall(r"^open_project -reset (\w+)$", whole.text("scripts/run_hls.tcl"), re.MULTILINE)
    (solution,) = re.findall(r"^open_solution -reset (\w+)$", whole.text("scripts/run_hls.tcl"), re.MULTILINE)
    (work,) = set(re.findall(r"--work_dir (\w+)", whole.text("scripts/hls_config.cfg")))
    assert work != project
    readme = whole.text("README.md")
    assert set(re.findall(r"--work_dir (\w+)", readme)) == {work}
    assert f"`{project}/{solution}/impl`, or of `{work}/hls/impl`" in readme


@needs_tclsh
def test_the_rtl_is_packed_as_an_ip(point: DesignPoint, tmp_path: Path) -> None:
    package = write_package(point, tmp_path / "small")
    commands = recorded(package / "scripts" / "package_rtl.tcl", tmp_path / "work")
    added = next(command for command in commands if command.startswith("add_files"))
    sources = [Path(word) for word in re.findall(r"[^\s{}]+\.s?v\b", added)]
    assert all(source.is_file() for source in sources)
    assert sources[0].name == "hotnas_pkg.sv" and sources[-1].name == "hotnas_accel_ip.v"
    made = [command.split()[1] for command in commands if command.startswith("ipx::add_register")]
    assert made == [each.hwh for each in (*REGISTERS, *BLOCKS)] + ["Memory_profile"]
    for bus in ("s_axi_control", "m_axi_ifm", "m_axi_wgt", "m_axi_ofm"):
        assert any(f"-busif {bus} -clock ap_clk" in command for command in commands)
    assert commands[-2].startswith("ipx::save_core")
    told = [line.split()[1] for line in commands if line.startswith("ipx::add_bus_parameter")]
    described = ["READ_WRITE_MODE", "SUPPORTS_NARROW_BURST", "MAX_BURST_LENGTH"]
    assert told == ["SENSITIVITY", *3 * [*described, "NUM_READ_OUTSTANDING", "NUM_WRITE_OUTSTANDING"]]
    text = (package / "scripts" / "package_rtl.tcl").read_text()
    for line in ("m_axi_ifm READ_ONLY 64 0", "m_axi_wgt READ_ONLY 64 0", "m_axi_ofm READ_WRITE 64 64"):
        assert f"    {line}\n" in text


@needs_tclsh
def test_the_ip_has_a_clock_out_of_context(whole: Bundle, tmp_path: Path) -> None:
    package = whole.write(tmp_path / "small")
    packed = recorded(package / "scripts" / "package_rtl.tcl", tmp_path / "work")
    constraints = package / "rtl" / "hotnas_accel_ooc.xdc"
    assert f"add_files -fileset constrs_1 -norecurse {constraints}" in packed
    used = "set_property USED_IN {out_of_context synthesis implementation} <get_files hotnas_accel_ooc.xdc>"
    assert used.replace("<", "{<").replace(">", ">}") in packed
    ports = "get_ports ap_clk"
    assert recorded(constraints, tmp_path / "work") == [
        ports,
        f"create_clock -name ap_clk -period 5.000 {{<{ports}>}}",
    ]


@needs_tclsh
def test_the_array_is_kept_in_clock_regions_where_they_are_named(whole: Bundle, tmp_path: Path) -> None:
    package, work = whole.write(tmp_path / "small"), tmp_path / "work"
    script, clock = package / "scripts" / "block_design.tcl", {"RECORDED_CLOCK": "200000000"}
    (tmp_path / "ip").mkdir()
    leave_implementation(work)
    given = {"HOTNAS_IP": str(tmp_path / "ip"), **clock}
    added = f"add_files -fileset constrs_1 -norecurse {work / 'array.xdc'}"
    assert added not in recorded(script, work, **given)
    regions = "CLOCKREGION_X0Y0:CLOCKREGION_X1Y3"
    commands = recorded(script, work, HOTNAS_PBLOCK=regions, **given)
    assert commands.index(added) < next(at for at, c in enumerate(commands) if c.startswith("launch_runs"))
    assert recorded(work / "array.xdc", work) == [
        "create_pblock array",
        "get_pblocks array",
        "get_cells -hierarchical -filter {NAME =~ */u_array}",
        "add_cells_to_pblock {<get_pblocks array>} "
        "{<get_cells -hierarchical -filter {NAME =~ */u_array}>}",
        "get_pblocks array",
        f"resize_pblock {{<get_pblocks array>}} -add {regions}",
    ]


@needs_tclsh
def test_scripts_run_in_a_folder_with_spaces(whole: Bundle, tmp_path: Path) -> None:
    package = whole.write(tmp_path / "my designs [1] $x" / "small")
    commands = recorded(package / "scripts" / "package_rtl.tcl", tmp_path / "some work")
    added, _ = (command for command in commands if command.startswith("add_files"))
    assert str(package / "rtl" / "hotnas_pkg.sv") in added.replace("\\", "")
    ip = {"HOTNAS_IP": str(tmp_path / "my ip"), "RECORDED_CLOCK": "200000000", "HOTNAS_BITSTREAM": "0"}
    recorded(package / "scripts" / "block_design.tcl", tmp_path / "some work", **ip)
    said = run_script(package / "scripts" / "run_hls.tcl", tmp_path / "some work")
    assert said.returncode == 1
    assert said.stdout == (
        "HOTNAS: Vitis HLS cannot take sources from a folder with a space in its name: "
        f"{package}; move the package\n"
    )


PORTS = {
    "ZCU102": ("ps/S_AXI_HP0_FPD", "ps/S_AXI_HP1_FPD", "ps/S_AXI_HP3_FPD", "ps/pl_clk0", "ps/pl_ps_irq0"),
    "PYNQ-Z2": ("ps/S_AXI_HP0", "ps/S_AXI_HP1", "ps/S_AXI_HP2", "ps/FCLK_CLK0", "ps/IRQ_F2P"),
}


def on_board(name: str, **changes) -> DesignPoint:
    """The small design on another board, its streams planned and its DRAM found anew."""
    found = {"board": load_board(name), "port_plan": None, "dram": None}
    return dataclasses.replace(small_design(), **(found | changes))


def leave_implementation(work: Path) -> None:
    """What Vivado's implementation leaves in a work folder."""
    project = work / "hotnas_accel_system"
    bitstream = project / "hotnas_accel_system.runs" / "impl_1" / "system_wrapper.bit"
    handoff = project / "gen" / "sources_1" / "bd" / "system" / "hw_handoff" / "system.hwh"
    for made in (bitstream, handoff):
        made.parent.mkdir(parents=True)
        made.write_text(made.name)


@needs_tclsh
@pytest.mark.parametrize("board", PORTS)
def test_the_block_design_connects_every_interface(board: str, tmp_path: Path) -> None:
    point = on_board(board, clock_mhz=100.0)
    package = write_package(point, tmp_path / "small")
    work = tmp_path / "work"
    leave_implementation(work)
    script = package / "scripts" / "block_design.tcl"
    commands = recorded(script, work)
    nets = [command for command in commands if command.startswith("connect_bd")]
    *memories, clock, interrupt = PORTS[board]
    for master, memory in zip(("ifm", "wgt", "ofm"), memories, strict=True):
        assert f"connect_bd_intf_net hotnas_accel_0/m_axi_{master} memory_{master}/S00_AXI" in nets
        assert f"connect_bd_intf_net memory_{master}/M00_AXI {memory}" in nets
    assert "connect_bd_intf_net control/M00_AXI hotnas_accel_0/s_axi_control" in nets
    assert f"connect_bd_net {clock} hotnas_accel_0/ap_clk" in nets
    assert [net for net in nets if "interrupt" in net or "direct" in net or "intc/irq" in net] == [
        "connect_bd_net hotnas_accel_0/interrupt intc/intr",
        "connect_bd_net hotnas_accel_0/interrupt direct/Din",
        "connect_bd_net intc/irq interrupts/In0",
        "connect_bd_net direct/Dout interrupts/In1",
        f"connect_bd_net interrupts/dout {interrupt}",
    ]
    assert f"connect_bd_net {clock} intc/s_axi_aclk" in nets
    assert "connect_bd_intf_net control/M01_AXI intc/s_axi" in nets
    assert not any("ila" in command for command in commands)
    assert "connect_bd_net reset/peripheral_aresetn hotnas_accel_0/ap_rst_n" in nets
    files = f"vendor.com*{point.board.board_part}:1.9"
    assert f"set_property board_part {files} {{<current_project >}}" in commands
    assert sorted(os.listdir(work / "pynq")) == ["design.bit", "design.hwh"]
    (platform,) = (command.split()[-1] for command in commands if command.startswith("write_hw_platform"))
    assert Path(platform).stem != "design"
    assert json.loads((work / "clock.json").read_text()) == {"asked_mhz": 100.0, "actual_mhz": 99.999001}
    short = recorded(script, tmp_path / "short", HOTNAS_BITSTREAM="0")
    assert "save_bd_design " in short and not any(command.startswith("launch_runs") for command in short)


@needs_tclsh
def test_the_newest_files_of_the_board_are_taken_and_none_stop_the_build(
    point: DesignPoint, tmp_path: Path
) -> None:
    package = write_package(point, tmp_path / "small")
    script = package / "scripts" / "block_design.tcl"
    short = {"HOTNAS_BITSTREAM": "0", "RECORDED_CLOCK": "200000000"}
    parts = " ".join(f"xilinx.com:zcu102:part0:{version}" for version in ("3.4", "3.10", "3.9"))
    commands = recorded(script, tmp_path / "work", RECORDED_BOARD_PARTS=parts, **short)
    assert "set_property board_part xilinx.com:zcu102:part0:3.10 {<current_project >}" in commands
    assert "get_board_parts -quiet *xilinx.com:zcu102:part0*" in commands
    named = recorded(script, tmp_path / "named", HOTNAS_BOARD="other:part0:1.0", **short)
    assert "get_board_parts -quiet *other:part0:1.0*" in named
    none = recorded(script, tmp_path / "none", HOTNAS_BOARD="", **short)
    assert not any("board_part" in command for command in none)
    said = run_script(script, tmp_path / "missing", RECORDED_BOARD_PARTS="", **short)
    assert said.returncode == 1
    assert said.stdout.endswith(
        "HOTNAS: no files of the board xilinx.com:zcu102:part0 are installed (get_board_parts), and without "
        "their preset it does not boot.\n"
        "HOTNAS: Install them (README.md), name others in HOTNAS_BOARD, or set it to nothing for Vivado's "
        "defaults.\n"
    )


@needs_tclsh
def test_a_debug_build_watches_every_master(tmp_path: Path) -> None:
    package = write_package(on_board("PYNQ-Z2", clock_mhz=100.0), tmp_path / "small")
    short = {"HOTNAS_BITSTREAM": "0", "RECORDED_CLOCK": "100000000"}
    script = package / "scripts" / "block_design.tcl"
    commands = recorded(script, tmp_path / "work", HOTNAS_DEBUG="1", **short)
    plain = recorded(script, tmp_path / "plain", **short)
    assert not any("ila" in command or "check_" in command for command in plain)
    watched = [command for command in commands if command not in plain and command.startswith("connect")]
    for slot, bus in enumerate(("m_axi_ifm", "m_axi_wgt", "m_axi_ofm")):
        for end in (f"check_{bus}/PC_AXI", f"ila/SLOT_{slot}_AXI"):
            assert f"connect_bd_intf_net hotnas_accel_0/{bus} {end}" in watched
        assert f"connect_bd_net check_{bus}/pc_asserted ila/probe{slot}" in watched
        assert f"connect_bd_net ps/FCLK_CLK0 check_{bus}/aclk" in watched
        assert f"connect_bd_net reset/peripheral_aresetn check_{bus}/aresetn" in watched
    assert "connect_bd_net ps/FCLK_CLK0 ila/clk" in watched


@pytest.fixture(scope="module")
def bitstream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The block design's script, and a work folder in which implementation has left its results."""
    package = write_package(small_design(), tmp_path_factory.mktemp("package") / "small")
    work = tmp_path_factory.mktemp("work")
    leave_implementation(work)
    return package / "scripts" / "block_design.tcl", work


@needs_tclsh
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WNS", "-0.2", "worst setup slack is -0.2 ns"),
        ("WHS", "-0.01", "worst hold slack is -0.01 ns"),
        ("TPWS", "-0.5", "total pulse width slack is -0.5 ns"),
        ("TPWS", "", "total pulse width slack is  ns"),
        ("UNCONSTRAINED", "7", "unconstrained_internal_endpoints is 7"),
        ("UNCONSTRAINED", "?", "unconstrained_internal_endpoints is unknown"),
    ],
)
def test_a_bitstream_that_misses_its_timing_is_no_success(
    variable: str, value: str, said: str, bitstream: tuple[Path, Path]
) -> None:
    clock = {"RECORDED_CLOCK": "200000000"}
    done = run_script(*bitstream, **clock | {f"RECORDED_{variable}": value})
    assert done.returncode == 1
    message = f"HOTNAS: timing is NOT met: {said} (timing.rpt); the bitstream may compute wrongly.\n"
    assert message in done.stdout
    met = run_script(*bitstream, **clock)
    assert met.returncode == 0 and "HOTNAS: timing is met" in met.stdout


@needs_tclsh
def test_another_clock_than_the_designs_stops_the_build(bitstream: tuple[Path, Path]) -> None:
    done = run_script(*bitstream, RECORDED_CLOCK="187481262")
    assert done.returncode == 1 and "launch_runs" not in done.stdout
    said = " ".join(re.findall("^HOTNAS: (?!board files)(.*)$", done.stdout, re.MULTILINE))
    assert said == (
        "the processor gives 187.481262 MHz, not the 200.0 MHz of the design, and every predicted "
        "millisecond would be wrong. Set clock_mhz of the design point to 187.481262 and run hotnas hls "
        "again, or choose another source or divider of pl_clk0."
    )
    assert json.loads((bitstream[1] / "clock.json").read_text())["actual_mhz"] == 187.481262


@pytest.mark.parametrize("board", board_names())
def test_ports_of_the_processor_keep_their_native_width(board: str) -> None:
    point = on_board(board)
    processor = processor_of(point.board.part)
    if processor is None:
        return
    script = str(package_files(point, "small")["scripts/block_design.tcl"])
    widths = re.findall(r"CONFIG\.(?:PSU__SAXIGP\d__|PCW_S_AXI_HP\d_)DATA_WIDTH (\d+)", script)
    native = "64" if point.board.part.startswith("xc7z") else "128"
    assert widths == [native] * 3 and max(point.board.ports[0].bits) == int(native)


PARAMETERS = {  # of the processor: what switches a port on, and its width
    "ZCU102": (r"PSU__USE__S_AXI_GP(\d) 1", r"PSU__SAXIGP(\d)__DATA_WIDTH 128"),
    "PYNQ-Z2": (r"PCW_USE_S_AXI_HP(\d) 1", r"PCW_S_AXI_HP(\d)_DATA_WIDTH 64"),
}
PLANS = {  # ports of ifm, wgt and ofm, and their numbers among the processor's parameters
    "ZCU102": (PortPlan(("HPC1",), ("HP2",), ("HP0",)), ["1", "4", "2"]),
    "PYNQ-Z2": (PortPlan(("HP3",), ("HP0",), ("HP2",)), ["3", "0", "2"]),
}


@needs_tclsh
@pytest.mark.parametrize("kind", ["three masters", "shared bus", "striped weights"])
@pytest.mark.parametrize("board", PLANS)
def test_the_block_design_wires_exactly_the_plan(board: str, kind: str, tmp_path: Path) -> None:
    plan, numbers = PLANS[board]
    accel = small_design().accelerator
    if kind == "striped weights":
        accel = dataclasses.replace(accel, wgt_bits=32, wgt_masters=2)
        plan = dataclasses.replace(plan, wgt=(*plan.wgt, "HP1"))
        numbers = [*numbers[:2], "3" if board == "ZCU102" else "1", numbers[2]]
    if kind == "shared bus":
        accel = dataclasses.replace(accel, ifm_bits=32, wgt_bits=32, shared_bus=True)
        plan, numbers = PortPlan(ofm=plan.ofm), numbers[2:]
    point = on_board(board, accelerator=accel, clock_mhz=50.0, port_plan=plan)
    assert point.violations() == []
    package = write_package(point, tmp_path / "small")
    clock = {"RECORDED_CLOCK": "50000000", "HOTNAS_BITSTREAM": "0"}
    commands = recorded(package / "scripts" / "block_design.tcl", tmp_path / "work", **clock)
    of_ps = [each for each in commands if each.startswith("set_property -dict") and each.endswith(" ps")]
    (settings,) = of_ps
    enable, width = PARAMETERS[board]
    assert re.findall(enable, settings) == re.findall(width, settings) == numbers
    nets = [command.split() for command in commands if command.startswith("connect_bd_intf_net")]
    into = [pin for _, source, pin in nets if source.startswith("hotnas_accel_0/m_axi_")]
    # Idle masters of a shared bus too: HLS C++ uses them.
    assert len(into) == len(set(into)) == (4 if kind == "striped weights" else 3)
    out = [pin for _, source, pin in nets if source.startswith("memory_")]
    ports = [name for stream in masters(accel) for name in plan.of(stream)]
    assert [re.sub(r"ps/S_AXI_|_FPD", "", pin) for pin in out] == ports
    for name in ports:  # at native width the port is never narrower than its master
        assert max(point.board.port(name).bits) >= max(bits for bits, _ in masters(accel).values())


def test_a_port_the_processor_does_not_have_is_refused(point: DesignPoint) -> None:
    ports = (Ports(("left", "right", "up"), (32, 64)),)
    named = dataclasses.replace(point.board, ports=ports)
    with pytest.raises(ConfigError) as caught:
        package_files(dataclasses.replace(point, board=named, port_plan=None), "small")
    cure = "the Zynq UltraScale+ has HPC0, HPC1, HP0, HP1, HP2, HP3; rename it in the board's record"
    lines = [f"  - {name}: {cure}" for name in ("left", "right", "up")]
    assert str(caught.value) == "\n".join(["ZCU102: the block design cannot wire these ports:", *lines])


@pytest.mark.parametrize("board", board_names())
def test_boards_without_a_processor_get_no_block_design(board: str) -> None:
    point = on_board(board)
    files = package_files(point, "small")
    processor = processor_of(point.board.part)
    assert ("Alveo" in board) == (processor is None)
    assert ("scripts/block_design.tcl" in files) == (processor is not None)
    assert ("has no processor beside the logic" in str(files["README.md"])) == (processor is None)


# --- reports of the vendor's tools ----------------------------------------------------------------------


def test_reports_become_part_of_a_package(
    whole: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = whole.write(tmp_path / "small")
    (tmp_path / "csynth.xml").write_text("<profile><PerformanceEstimates></PerformanceEstimates></profile>")
    assert main(["import-reports", str(tmp_path), "--into", str(package)]) == 0
    assert "csynth: unknown cycles" in capsys.readouterr().out
    assert verify(package) == []
    assert json.loads((package / "reports" / "vendor_reports.json").read_text())["csynth"]["top"] is None
    assert main(["import-reports", str(tmp_path), "--into", str(tmp_path)]) == 1
    assert "not a package of hotnas" in capsys.readouterr().err


# --- the archive ----------------------------------------------------------------------------------------


def test_the_archive_is_deterministic_and_verifies(
    point: DesignPoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (write_package(point, tmp_path / place / "small") for place in ("one", "two"))
    (second / "build").mkdir()
    (second / "build" / "log.txt").write_text("added later")
    assert main(["package", str(first)]) == 0
    assert "sha256" in capsys.readouterr().out
    made = archive(second, tmp_path / "out" / "other.tar.gz")
    assert (tmp_path / "one" / "small.tar.gz").read_bytes() == made.read_bytes()
    with tarfile.open(made) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    unpacked = tmp_path / "unpacked" / "small"
    assert verify(unpacked) == []
    assert os.access(unpacked / "tools" / "run.sh", os.X_OK)
    assert not os.access(unpacked / "README.md", os.X_OK)
    assert main(["verify", str(unpacked)]) == 0
    assert f"design {point.digest()}" in capsys.readouterr().out


def test_what_was_changed_is_not_packed(
    point: DesignPoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = write_package(point, tmp_path / "small")
    (package / "README.md").write_text("mine")
    with pytest.raises(OutputRefused, match=r"generate it again with 'hotnas hls'\n  - README.md: changed"):
        archive(package, tmp_path / "small.tar.gz")
    assert not (tmp_path / "small.tar.gz").exists()
    assert main(["package", str(tmp_path)]) == 1
    assert "is not a package of hotnas" in capsys.readouterr().err
    assert main(["package", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
