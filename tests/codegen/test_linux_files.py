"""What Linux needs to load a design: bitstream, overlay, Kria's shell; read by dtc."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.boards.board import load_board
from hotnas_hls.codegen.package import package_files

BOARDS = ("ZCU102", "KV260", "PYNQ-Z2")
# As much of AMD's device trees as an overlay refers to.
BASE = """/dts-v1/;
/ {
	#address-cells = <CELLS>;
	#size-cells = <CELLS>;
	gic: intc: interrupt-controller { #address-cells = <0>; #interrupt-cells = <3>; interrupt-controller; };
	zynqmp_clk: clkc: clock-controller { #clock-cells = <1>; };
	zynqmp_reset: reset-controller { #reset-cells = <1>; };
	fpga_full: fpga-full { };
	amba: axi { compatible = "simple-bus"; #address-cells = <CELLS>; #size-cells = <CELLS>; ranges; };
};
"""
needs_dtc = pytest.mark.skipif(
    shutil.which("dtc") is None, reason="needs dtc (Debian: apt install device-tree-compiler)"
)


def on_board(name: str) -> DesignPoint:
    """The small design on another board, its streams planned and its DRAM found anew."""
    return dataclasses.replace(small_design(), board=load_board(name), port_plan=None, dram=None)


def run(*command: str | Path) -> str:
    """What a tool prints; it must not complain."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), (command, done.stderr)
    return done.stdout.strip()


@needs_dtc
@pytest.mark.parametrize("board", BOARDS)
def test_the_overlay_describes_the_block_design(board: str, tmp_path: Path) -> None:
    point = on_board(board)
    files = package_files(point, "small")
    ultrascale = board != "PYNQ-Z2"
    (tmp_path / "hotnas.dtso").write_text(str(files["linux/hotnas.dtso"]))
    (tmp_path / "base.dts").write_text(BASE.replace("CELLS", "2" if ultrascale else "1"))
    for source in ("hotnas.dtso", "base.dts"):
        run("dtc", "-@", "-I", "dts", "-O", "dtb", "-o", tmp_path / f"{source}.dtb", tmp_path / source)
    tree = tmp_path / "whole.dtb"
    run("fdtoverlay", "-i", tmp_path / "base.dts.dtb", "-o", tree, tmp_path / "hotnas.dtso.dtb")

    def get(node: str, name: str, kind: str = "s") -> str:
        return run("fdtget", "-t", kind, tree, node, name)

    placed = r"assign_bd_address -offset 0x(\w+) .*\n.*get_bd_addr_segs hotnas_accel_0/"
    (base,) = re.findall(placed, str(files["scripts/block_design.tcl"]))
    accel = f"/axi/hotnas_accel@{base.lower()}"
    address = base.lower().lstrip("0")
    assert get(accel, "reg", "x") == (f"0 {address} 0 10000" if ultrascale else f"{address} 10000")
    assert get(accel, "interrupts", "u") == ("0 90 4" if ultrascale else "0 30 4")
    assert get(accel, "compatible") == "generic-uio"
    linux = str(files["driver/hotnas_linux.h"])
    assert f'HOTNAS_LINUX_UIO "{get(accel, "linux,uio-name")}"' in linux
    design = json.loads(files["driver/hotnas_design.json"])
    for name, size in (("maps", design["feature_map_bytes"]), ("weights", design["weight_bytes"])):
        buffer = f"/axi/hotnas-{name}"
        assert get(buffer, "compatible") == "ikwzm,u-dma-buf" and get(buffer, "size", "u") == str(size)
        assert f'HOTNAS_LINUX_{name.upper()} "{get(buffer, "device-name")}"' in linux
    assert get("/axi/hotnas-clock", "assigned-clock-rates", "u") == f"{1e6 * point.clock_mhz:.0f}"
    assert get("/axi/hotnas-clock", "clocks", "u").split()[1] == ("71" if ultrascale else "15")
    assert get("/fpga-full", "firmware-name") == "hotnas.bit.bin"
    if ultrascale:  # HP0, HP1 and HP3 are ports 2, 3 and 5: 128 bits both ways
        afi = get("/axi/hotnas-afi", "config-afi", "u")
        assert afi == "4 0 5 0 6 0 7 0 10 0 11 0 14 2560"
        assert len(get("/fpga-full", "resets", "u").split()) == 8


@pytest.mark.parametrize("board", [*BOARDS, "Alveo-U50"])
def test_every_board_gets_what_its_linux_loads(board: str) -> None:
    files = package_files(on_board(board), "small")
    found = {path.removeprefix("linux/") for path in files if path.startswith("linux/")}
    kria = {"shell.json"} if board == "KV260" else set()
    assert found == ({"hotnas.bif", "hotnas.dtso"} | kria if board in BOARDS else set())
    readme = str(files["README.md"])
    assert ("xmutil loadapp small" in readme) == (board == "KV260")
    if board in BOARDS:
        assert re.search(r"^ +pynq/design\.bit$", str(files["linux/hotnas.bif"]), re.MULTILINE)
        arch = "zynq" if board == "PYNQ-Z2" else "zynqmp"
        assert f"bootgen -image linux/hotnas.bif -arch {arch} -process" in str(files["linux/hotnas.bif"])
    if kria:
        assert json.loads(files["linux/shell.json"]) == {"shell_type": "XRT_FLAT", "num_slots": "1"}
