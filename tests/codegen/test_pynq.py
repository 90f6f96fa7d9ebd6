"""PYNQ's own parser reads what the block design hands over: the accelerator, its registers, its interrupt.

The hand-off file is written here from the commands the scripts give Vivado. The parser is that of the package
``pynq``, whose installer wants a board: ``make pynq`` fetches its sources.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from codegen.test_package import leave_implementation, needs_tclsh, on_board, recorded, write_package
from hotnas_hls.codegen.processors import processor_of
from hotnas_hls.codegen.registers import BLOCKS, REGISTERS

BOARDS = {"ZCU102": ("_HWHUltrascale", 121), "PYNQ-Z2": ("_HWHZynq", 61)}
PROCESSOR = {  # of the clocks, which PYNQ reads from every hand-off
    **{f"PSU__CRL_APB__PL{i}_REF_CTRL__DIVISOR{j}": 5 for i in range(4) for j in range(2)},
    **{f"PCW_FCLK{i}_PERIPHERAL_DIVISOR{j}": 5 for i in range(4) for j in range(2)},
    **{f"PSU__FPGA_PL{i}_ENABLE": 1 for i in range(4)},
    **{f"PCW_FPGA_FCLK{i}_ENABLE": 1 for i in range(4)},
}


@pytest.fixture(params=["3.0.1", "4.0.0"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``pynq.pl_server.hwh_parser``, without the rest of PYNQ, which imports on boards alone."""
    folder = Path(sys.prefix) / f"pynq-{request.param}" / "pynq"
    if not folder.is_dir():
        pytest.skip(f"the sources of PYNQ {request.param} are not here; make pynq fetches them")
    monkeypatch.setitem(sys.modules, "pynq", ModuleType("pynq"))
    for name, file in (("pynq.ps", "ps.py"), ("hwh_parser", "pl_server/hwh_parser.py")):
        spec = importlib.util.spec_from_file_location(name, folder / file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    return module


def handoff(design: list[str], packing: list[str]) -> str:
    """The hand-off file of a block design, as far as PYNQ reads one, from the commands of both scripts."""
    root = ElementTree.Element("EDKSYSTEM")
    ElementTree.SubElement(root, "EXTERNALPORTS")
    modules = ElementTree.SubElement(root, "MODULES")
    cells: dict[str, Any] = {}
    for command in design:
        if made := re.fullmatch(r"create_bd_cell -type ip -vlnv (\S+) (\S+)", command):
            vlnv, name = made[1].replace("*", "1.0"), made[2]
            about = {"INSTANCE": name, "FULLNAME": f"/{name}", "VLNV": vlnv, "MODTYPE": vlnv.split(":")[2]}
            cells[name] = ElementTree.SubElement(modules, "MODULE", about)
            for part in ("PARAMETERS", "PORTS", "REGISTERS", "MEMORYMAP"):
                ElementTree.SubElement(cells[name], part)
    for name, value in PROCESSOR.items():
        ElementTree.SubElement(cells["ps"].find("PARAMETERS"), "PARAMETER", NAME=name, VALUE=str(value))
    ElementTree.SubElement(cells["interrupts"].find("PARAMETERS"), "PARAMETER", NAME="NUM_PORTS", VALUE="2")
    nets: list[set[str]] = []
    for command in design:
        if command.startswith("connect_bd_net "):
            ends = set(command.split()[1:])
            touched = [net for net in nets if net & ends]
            nets = [net for net in nets if net not in touched] + [ends.union(*touched)]
    for number, net in enumerate(nets):
        for end in net:
            cell, _, port = end.partition("/")
            about = {"NAME": port, "SIGNAME": f"net_{number}", "DIR": "O"}
            ElementTree.SubElement(cells[cell].find("PORTS"), "PORT", about)
    for command in design:
        if placed := re.match(r"assign_bd_address -offset (\S+) .*get_bd_addr_segs (\w+)/", command):
            base = int(placed[1], 16)
            about = {"INSTANCE": placed[2], "BASEVALUE": hex(base), "HIGHVALUE": hex(base + 0xFFFF)}
            about |= {"SLAVEBUSINTERFACE": "S_AXI", "MEMTYPE": "REGISTER"}
            ElementTree.SubElement(cells["ps"].find("MEMORYMAP"), "MEMRANGE", about)
    registers: dict[str, dict[str, str]] = {}
    for command in packing:
        if told := re.match(r"set_property (address_offset|size) (\S+) \{<ipx::add_register (\w+)", command):
            registers.setdefault(told[3], {})[told[1].upper()] = told[2]
    for name, properties in registers.items():
        element = ElementTree.SubElement(cells["hotnas_accel_0"].find("REGISTERS"), "REGISTER", NAME=name)
        for key, value in (properties | {"ACCESS": "read-write", "DESCRIPTION": name}).items():
            ElementTree.SubElement(element, "PROPERTY", NAME=key, VALUE=value)
        ElementTree.SubElement(element, "FIELDS")
    return ElementTree.tostring(root, encoding="unicode")


@needs_tclsh
@pytest.mark.parametrize("board", BOARDS)
def test_pynq_finds_the_accelerator_and_what_it_waits_for(
    board: str, parser: ModuleType, tmp_path: Path
) -> None:
    point = on_board(board, clock_mhz=100.0)
    package, work = write_package(point, tmp_path / "small"), tmp_path / "work"
    leave_implementation(work)
    clock = {"RECORDED_CLOCK": "100000000"}
    design = recorded(package / "scripts" / "block_design.tcl", work, **clock)
    packing = recorded(package / "scripts" / "package_rtl.tcl", tmp_path / "packing")
    hwh = Path(parser.get_hwh_name(str(work / "pynq" / "design.bit")))
    assert hwh.is_file()  # where PYNQ looks for it
    hwh.write_text(handoff(design, packing))
    kind, wire = BOARDS[board]
    found = getattr(parser, kind)(str(hwh))
    processor = processor_of(point.board.part)
    assert processor is not None
    about = found.ip_dict["hotnas_accel_0"]
    assert about["type"].split(":")[2] == "hotnas_accel" and about["phys_addr"] == processor.base
    offsets = {name: each["address_offset"] for name, each in about["registers"].items()}
    assert {each.hwh: each.offset for each in (*REGISTERS, *BLOCKS)}.items() <= offsets.items()
    # PYNQ waits on the controller, and the controller on the wire that PYNQ's kernels know.
    pin = {"controller": "intc", "index": 0, "fullpath": "hotnas_accel_0/interrupt"}
    assert about["interrupts"] == {"interrupt": pin}
    assert found.interrupt_controllers == {"intc": {"parent": "", "index": 0, "raw_irq": wire}}
    assert found.ip_dict["intc"]["phys_addr"] == processor.base + 0x10000
