"""Boards: the shipped ones, look-up by name, and users' own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotnas_hls.boards.board import Board, Ports, board_names, known_boards, load_board
from hotnas_hls.commands.boards import annotated
from hotnas_hls.errors import ConfigError

OWN = """\
name: Mine
part: xc7z010clg400-1
dsp: 80
bram18: 120
uram: 0
lut: 17600
lutram: 6000
ff: 35200
ports:
  - {names: [HP0, HP1], bits: [32, 64], clock_mhz: 250}
dram_mb_per_s: 2.1e3
clock_mhz: 100
"""


def test_zcu102_is_the_board_of_hotnas():
    board = load_board("zcu102")
    assert (board.dsp, board.bram18, board.uram, board.port_bits) == (2520, 1824, 0, 6 * 128)
    assert board.part == "xczu9eg-ffvb1156-2-e"
    assert board.clock_mhz == 200.0


def test_issue_boards_are_known():
    assert set(board_names()) >= {"ZCU102", "ZCU104", "KV260", "Ultra96-V2", "PYNQ-Z2", "Alveo U50"}


@pytest.mark.parametrize("name", ["Ultra96-V2", "ultra96_v2", "ULTRA96 V2"])
def test_names_are_forgiving(name):
    assert load_board(name).name == "Ultra96-V2"


def test_alveo_may_be_left_out():
    assert load_board("u50").name == "Alveo U50"


@pytest.mark.parametrize("board", known_boards(), ids=lambda board: board.name)
def test_shipped_boards_are_plausible(board):
    assert board.violations() == []
    assert board.ff == 2 * board.lut
    assert board.part.startswith("xc")


def test_unknown_board_names_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        load_board("ZCU999")
    assert str(caught.value) == (
        f"unknown board 'ZCU999'; known: {', '.join(board_names())}; for one of your own give the path "
        "of a YAML file with the same keys (hotnas boards ZCU102 shows them)"
    )


def refusal(tmp_path: Path, text: str) -> str:
    """What is said of a board's file that is no valid board, behind the heading that names the file."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_board(path)
    heading, _, problems = str(caught.value).partition("\n")
    assert heading == f"{path}: not a valid board:"
    return problems


def test_own_board(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    ports = (Ports(("HP0", "HP1"), (32, 64), 250.0),)
    assert load_board(path) == Board(
        "Mine", "xc7z010clg400-1", 80, 120, 17600, 6000, 35200, ports, 2100.0, 100.0, uram=0
    )


def test_own_board_lists_every_problem(tmp_path: Path):
    keys = "name, part, dsp, bram18, uram, lut, lutram, ff, ports, dram_mb_per_s, clock_mhz, "
    keys += "board_part, board_files, dram"
    wrong = OWN.replace("dsp: 80", "dps: 80").replace("[32, 64]", "wide") + "colour: red\n"
    assert refusal(tmp_path, wrong) == (
        f"  - dps: unknown key; did you mean dsp? accepted here: {keys}\n"
        f"  - colour: unknown key; accepted here: {keys}\n"
        "  - dsp: missing key; give a whole number\n"
        '  - ports[0].bits: expected a list, each a whole number, not "wide"'
    )


def test_own_board_with_impossible_numbers(tmp_path: Path):
    assert refusal(tmp_path, OWN.replace("dsp: 80", "dsp: 0").replace("lutram: 6000", "lutram: 99999")) == (
        "  - dsp: must be more than 0, not 0\n"
        "  - lutram: 99999 is more than lut = 17600; it counts a part of them"
    )


def test_a_board_part_is_written_without_its_version(tmp_path: Path):
    assert refusal(tmp_path, OWN + "board_part: xilinx.com:zcu102:part0:3.4\n") == (
        "  - board_part: 'xilinx.com:zcu102:part0:3.4' is none of Vivado's; write vendor, board and part0, "
        "without a version, e.g. xilinx.com:zcu102:part0"
    )


def test_a_chip_without_ultraram_need_not_say_so(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(line for line in OWN.splitlines() if not line.startswith("uram")))
    assert load_board(path).uram == 0


@pytest.mark.parametrize("part", ["zynq7010", "xc7z010", "XC7Z010-1CLG400C"])
def test_a_part_is_written_as_vivado_does(tmp_path: Path, part: str):
    assert refusal(tmp_path, OWN.replace("xc7z010clg400-1", part)) == (
        f"  - part: {part!r} is none of Vivado's; write device, package and speed grade, "
        "e.g. xczu3eg-sbva484-1-e or xc7z010clg400-1"
    )


def test_every_key_of_a_template_is_explained(tmp_path: Path):
    for board in known_boards():
        text = annotated(board)
        (tmp_path / "own.yaml").write_text(text)
        assert load_board(tmp_path / "own.yaml") == board
        keys = [line for line in text.splitlines() if ":" in line.partition("#")[0]]
        assert len(keys) >= 15 and all("  # " in line for line in keys), text


def test_ports_that_cannot_be(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    ports = "names: [HP0, HP1], bits: [32, 64], clock_mhz: 250"
    assert refusal(tmp_path, OWN.replace(ports, "names: [A, A], bits: [48], clock_mhz: 0")) == (
        "  - ports: A is named 2 times; name each port once\n"
        "  - ports[0].bits: 48: AXI ports have 32, 64, 128, 256, 512 bits\n"
        "  - ports[0].clock_mhz: must be more than 0, not 0"
    )
    path.write_text(OWN.replace("  - {names: [HP0, HP1], bits: [32, 64], clock_mhz: 250}", "  []"))
    with pytest.raises(ConfigError, match="ports: the board has none; name at least one"):
        load_board(path)


def test_ports_as_a_count_and_a_width_still_load(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    older = OWN.replace("\n  - {names: [HP0, HP1], bits: [32, 64], clock_mhz: 250}", " {count: 2, bits: 64}")
    path.write_text(older)
    board = load_board(path)
    assert board.ports == (Ports(("HP0", "HP1"), (32, 64), None),) and board.dram is None
    path.write_text(older.replace("name: Mine", "name: pynq z2"))
    assert load_board(path).ports == load_board("PYNQ-Z2").ports
    assert load_board(path).dram == load_board("PYNQ-Z2").dram


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "line 1: not valid YAML: expected the node content, but found '<stream end>'"),
        ("dsp: 1\ndsp: 2\n", "line 2: not valid YAML: the key 'dsp' is given twice; keep one"),
    ],
)
def test_broken_yaml(tmp_path: Path, text: str, message: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_board(path)
    assert str(caught.value) == f"{path}: {message}"


def test_missing_file(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load_board(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}: no such file"
