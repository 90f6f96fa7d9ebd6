"""Best designs of a network on a board by the true latency model: exhaustive, with true tiles.

Every legal array, ports that can be wired and buffer size of the space is decided. Behind the board's DRAM
time is priced in two steps: a quick bound prunes, and what it cannot tell from the best is stepped cycle by
cycle; the fastest is never lost. The Pareto front of latency against the share of the board (of the resource
a design takes most of) is that of the bound. --no-dram explores with an ideal memory instead. These designs
stream all maps and weights; of the arrays that promise most, the fastest that keeps some in the block RAM or
UltraRAM left free is told beside them, and taken where it is faster.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from pathlib import Path

from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, named_network, parse_shape
from hotnas_hls.errors import ConfigError, raise_all

GROUP = "explore"
PACKING_CHOICES = ("best", "on", "off")
PIPED_WIDTH = 140  # columns of the tables when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas dse``."""
    from hotnas_hls.accel.image_layout import BEST, STEM_CHOICES
    from hotnas_hls.commands.latency import add_dram_options, add_packed_option

    parser = subparsers.add_parser("dse", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--board", default="ZCU102", help="a name, or the path of a YAML file")
    parser.add_argument(
        "--clock",
        type=parse_clock,
        metavar="MHZ",
        help="clock (default: the board's); best: each that the board's ports and the estimates of arrays "
        "allow is explored, the fastest in milliseconds is taken",
    )
    parser.add_argument("--top", type=int, default=5, help="designs to show (default 5)")
    add_dram_options(parser)
    parser.add_argument("--act-bits", type=int, choices=(8, 16), default=16, help="activations (default 16)")
    parser.add_argument("--weight-bits", type=int, default=16, help="weights (default 16)")
    parser.add_argument("--array", metavar="TMxTN", help="this MAC array only, e.g. 4x4 (default: all)")
    parser.add_argument(
        "--dsp-packing",
        choices=PACKING_CHOICES,
        default="best",
        help="two multiplications in one DSP slice, with --act-bits 8 and --weight-bits of at most 8 "
        "(default best: designs with and without are explored)",
    )
    parser.add_argument(
        "--pattern-ones",
        type=int,
        metavar="N",
        help="keep N of the 9 positions of every 3x3 convolution by pattern pruning (default: no pruning); "
        "says what it would bring in time, not what it costs in accuracy",
    )
    parser.add_argument(
        "--stem",
        choices=STEM_CHOICES,
        default=BEST,
        help="how the first convolution reads the image: as it is (plain), or laid by the driver with more "
        "channels and fewer kernel positions (default best: each is explored, the fastest is taken)",
    )
    add_packed_option(parser, BEST)
    parser.add_argument(
        "--on-chip",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let designs keep maps and weights in the block RAM or UltraRAM they leave free (default: yes)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the front (.svg, .png)")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="RUN",
        help="write the fastest design as RUN/design_point.json, with the integers of a network that was "
        "quantised elsewhere, else without weights: hotnas hls and hotnas sim then use random ones (seed 0), "
        "good for timing and bit-exactness",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="let --save replace another design point (never a search's)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Explore, save, draw and print."""
    from hotnas_hls.base.writer import sole_writer

    with contextlib.ExitStack() as held:
        if args.save and not args.save.is_file():
            held.enter_context(sole_writer(args.save, "hotnas dse"))  # before anything is computed for it
        _explore(args)


def _explore(args: argparse.Namespace) -> None:
    from hotnas_hls.api.exploration import ExploreOptions
    from hotnas_hls.api.latency import LatencyOptions
    from hotnas_hls.api.network import load_network
    from hotnas_hls.base.pictures import picture_violations, save_picture
    from hotnas_hls.boards.board import load_board
    from hotnas_hls.commands.latency import dram_name, packing_choice

    model_name = named_network(args)
    board = load_board(args.board)
    dram = LatencyOptions(dram=dram_name(args)).dram_behind(board.dram, board.name)
    options = ExploreOptions(
        clock_mhz=args.clock,
        read_latency=args.read_latency,
        act_bits=args.act_bits,
        weight_bits=args.weight_bits,
        array=parse_array(args.array) if args.array else None,
        dsp_packing=args.dsp_packing,
        pattern_ones=args.pattern_ones,
        stem=args.stem,
        packed_resolutions=packing_choice(args.packed_resolutions),
        on_chip=args.on_chip,
        top=args.top,
    )
    problems = options.violations()
    problems += picture_violations(args.plot) if args.plot else []
    if args.save and args.save.exists() and not args.save.is_dir():
        problems.append(f"--save {args.save}: is a file; name a folder")
    raise_all(ConfigError, "these options cannot be:", problems)
    network = load_network(model_name, parse_shape(args.input) if args.input else None)
    progress(network.proof)
    found = network.explore(board, dram=dram, **vars(options))
    if args.save:
        print(found.best.save(args.save, overwrite=args.overwrite), file=sys.stderr)
    if args.plot:
        save_picture(found.figure(), args.plot)
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return
    console = text_console(PIPED_WIDTH)
    console.print(*found.tables())
    for line in found.notes():
        console.print(line, soft_wrap=True)


def parse_clock(text: str) -> float | str:
    """A number, or ``best``."""
    try:
        return text if text == "best" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no clock; give MHz, or best") from None


def parse_array(text: str) -> tuple[int, int]:
    """``8x4`` as Tm and Tn."""
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise ConfigError(f"--array {text}: give Tm (output channels) and Tn (input channels), e.g. 8x4")
    tm, tn = (int(number) for number in text.split("x"))
    return tm, tn
