"""The boards that are known, or one board's record.

The record of one board, as YAML, is the starting point for a file of your own: change it and give
its path wherever a board's name is asked for.
"""

from __future__ import annotations

import argparse
import json

import yaml

from hotnas_hls.boards.board import Board, known_boards, load_board
from hotnas_hls.commands import Subparsers

GROUP = "explore"
MEANINGS = {
    "name": "shown in tables and reports",
    "part": "as Vivado writes it: device, package, speed grade",
    "dsp": "DSP slices",
    "bram18": "block RAMs of 18 Kb: twice the number of 36 Kb ones",
    "uram": "UltraRAM blocks; 0, or left out, where the chip has none",
    "lut": "LUTs",
    "lutram": "of them, those that can be memory (SLICEM)",
    "ff": "flip-flops",
    "ports": "memory ports of the logic, a list of kinds",
    "- names": "as the board's documents call them, in the order in which they are wired",
    "bits": "widths of AXI masters that each takes at a beat a cycle",
    "dram_mb_per_s": "peak of the DRAM's pins: transfers a second times bytes, in 10^6",
    "clock_mhz": "clock of a design, unless another is asked for",
    "board_part": "Vivado's name of the board's files, without their version; null: not known",
    "board_files": "where they can be had; null: Vivado's Store",
    "dram": "a name of accel/memory/drams.yaml, or a YAML file of one; null: not known",
}
PORT_CLOCK = "highest clock of one; null: not known"
COLUMNS = ("DSP", "BRAM18", "URAM", "LUT", "FF", "port bits", "DRAM MB/s", "MHz")


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas boards``."""
    parser = subparsers.add_parser("boards", description=__doc__)
    parser.add_argument("board", nargs="?", help="a name, or the path of a YAML file to check")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the table, or one record."""
    boards = [load_board(args.board)] if args.board else list(known_boards())
    if args.json:
        print(json.dumps([board.record() for board in boards], indent=2))
    elif args.board:
        print(annotated(boards[0]), end="")
    else:
        print("\n".join(table(boards)))


def annotated(board: Board) -> str:
    """A board's record as YAML, with what every key means."""
    lines = []
    for line in yaml.safe_dump(board.record(), sort_keys=False).splitlines():
        key = line.partition(":")[0].strip()
        means = PORT_CLOCK if line.startswith("  clock_mhz") else MEANINGS.get(key, "")
        lines.append(f"{line}  # {means}\n" if means else f"{line}\n")
    return "".join(lines)


def table(boards: list[Board]) -> list[str]:
    """One line a board, with its heading."""
    rows = [["", *COLUMNS]] + [[board.name, *_figures(board)] for board in boards]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]


def _figures(board: Board) -> list[str]:
    numbers = (board.dsp, board.bram18, board.uram, board.lut, board.ff, board.port_bits)
    return [*(f"{number:,}" for number in numbers), f"{board.dram_mb_per_s:,.0f}", f"{board.clock_mhz:g}"]
