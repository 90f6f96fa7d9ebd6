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
import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, named_network, parse_shape
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all

if TYPE_CHECKING:
    from rich.table import Table

    from hotnas_hls.accel.design_point import DesignPoint
    from hotnas_hls.accel.memory.dram_timing import DramTiming
    from hotnas_hls.boards.board import Board
    from hotnas_hls.explore.behind_dram import Decision
    from hotnas_hls.explore.exhaustive import Exploration, Explored

GROUP = "explore"
HEADS = (
    *("ms", "cycles", "Tm", "Tn", "packed", "taps", "Tr x Tc", "IFM depth", "ports I/W/O"),
    *("DSP", "BRAM18", "LUT", "board"),
)
PACKING_CHOICES = {"best": (False, True), "on": (True,), "off": (False,)}
SEARCHED = ("search.json", "study.db", "study.journal")  # what a search leaves in its folder
PIPED_WIDTH = 140  # columns of the tables when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas dse``."""
    from hotnas_hls.accel.image_layout import BEST, STEM_CHOICES
    from hotnas_hls.commands.latency import add_dram_options, add_packed_option

    parser = subparsers.add_parser("dse", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--board", default="ZCU102", help="a name, or the path of a YAML file")
    parser.add_argument("--clock", type=float, metavar="MHZ", help="clock (default: the board's)")
    parser.add_argument("--top", type=int, default=5, help="designs to show (default 5)")
    add_dram_options(parser)
    parser.add_argument("--act-bits", type=int, choices=(8, 16), default=16, help="activations (default 16)")
    parser.add_argument("--weight-bits", type=int, default=16, help="weights (default 16)")
    parser.add_argument("--array", metavar="TMxTN", help="this MAC array only, e.g. 4x4 (default: all)")
    parser.add_argument(
        "--dsp-packing",
        choices=tuple(PACKING_CHOICES),
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
        help="write the fastest design as RUN/design_point.json, without weights: hotnas hls and hotnas sim "
        "then use random ones (seed 0), good for timing and bit-exactness",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="let --save replace another design point (never a search's)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    from hotnas_hls.base.writer import sole_writer

    with contextlib.ExitStack() as held:
        if args.save and not args.save.is_file():
            held.enter_context(sole_writer(args.save, "hotnas dse"))  # before anything is computed for it
        _explore(args)


def _explore(args: argparse.Namespace) -> None:
    """Explore and print."""
    from hotnas_hls.accel.memory.pricing import least_memory
    from hotnas_hls.accel.timing.efficiency import multipliers, needed_macs
    from hotnas_hls.accel.timing.latency import network_latency
    from hotnas_hls.accel.timing.latency_report import latency_table, record, rows_of
    from hotnas_hls.accel.timing.memory_timing import MemoryTiming
    from hotnas_hls.base.pictures import picture_violations
    from hotnas_hls.boards.board import clock_violations, load_board
    from hotnas_hls.commands.latency import dram_of, packing_choice
    from hotnas_hls.explore.fastest_design import explore_arrangements, fastest_point
    from hotnas_hls.explore.space import Space
    from hotnas_hls.frontends.source import load_model

    model_name = named_network(args)
    board = load_board(args.board)
    clock = board.clock_mhz if args.clock is None else args.clock
    memory = MemoryTiming() if args.read_latency is None else MemoryTiming(read_latency=args.read_latency)
    dram = dram_of(args, board.dram, board.name)
    problems = [f"--clock {problem}" for problem in clock_violations(clock)]
    if args.top < 1:
        problems.append(f"--top {args.top}: must be more than 0")
    problems += picture_violations(args.plot) if args.plot else []
    if args.save and args.save.exists() and not args.save.is_dir():
        problems.append(f"--save {args.save}: is a file; name a folder")
    if not 2 <= args.weight_bits <= 16:
        problems.append(f"--weight-bits {args.weight_bits}: must be 2 to 16")
    if args.pattern_ones is not None and not 1 <= args.pattern_ones <= 8:
        problems.append(f"--pattern-ones {args.pattern_ones}: must be 1 to 8")
    space = Space(act_bits=args.act_bits, dsp_packing=PACKING_CHOICES[args.dsp_packing])
    if not space.packing(args.weight_bits):
        problems.append("--dsp-packing on: needs --act-bits 8 and --weight-bits of at most 8")
    raise_all(ConfigError, "these options cannot be:", problems + memory.violations())
    loaded = load_model(model_name, None, parse_shape(args.input) if args.input else None)
    progress(loaded.proof)
    graph = loaded.graph
    if args.array:
        tm, tn = parse_array(args.array)
        space = dataclasses.replace(space, tm=(tm,), packed_tm=(tm,), tn=(tn,))
    packed = packing_choice(args.packed_resolutions)
    explored = explore_arrangements(
        graph, board, dram or memory, space, args.top, args.stem, args.weight_bits, args.pattern_ones, packed,
        clock, args.on_chip,
    )  # fmt: skip
    model, found, arrangement = explored.model, explored.found, explored.arrangement
    least = {str(tried): cycles for tried, cycles in explored.cycles.items()}
    point = dataclasses.replace(fastest_point(explored, board, dram or memory, clock), memory=memory)
    layers, least_of = [entry.layer for entry in point.layers], least_memory(dram, clock) if dram else memory
    best = network_latency(layers, point.accelerator, point.tiles, least_of)
    macs = needed_macs(model.layers, model.image, model.image_layout)
    rows = rows_of(best, macs, multipliers(point.accelerator))
    if args.save:
        print(save(point, args.save, args.overwrite), file=sys.stderr)
    if args.plot:
        front_chart(found, board, clock, model.name).savefig(args.plot)
    if args.json:
        about = {
            "network": model.name,
            "board": board.name,
            **dataclasses.asdict(arrangement),
            "cycles_by_arrangement": least,
        }
        if explored.kept is not None:
            about["on_chip"] = {
                "cycles": point.predicted_cycles,
                "accelerator": dataclasses.asdict(point.accelerator),
            }
        found_record = exploration_record(found, clock)
        if explored.decision is not None:
            about |= behind_record(explored.decision, dram, clock)
        print(json.dumps(found_record | about | {"best_latency": record(rows, clock, rule="true")}, indent=2))
        return
    console, streaming = text_console(PIPED_WIDTH), "designs, all maps and weights streamed"
    title = f"{model.name} on {board.name} at {clock:g} MHz, {arrangement}"
    if explored.decision is None or dram is None:
        console.print(designs_table(found.best, clock, f"{title}: the fastest {streaming}, ideal memory"))
    else:
        designs = tuple(
            dataclasses.replace(one.candidate, cycles=one.price) for one in explored.decision.best
        )
        console.print(designs_table(designs, clock, f"{title}: the fastest {streaming} behind {dram.name}"))
    which = "" if explored.decision is None else ", by the bound"
    title = f"Pareto front: latency against share of the board{which}"
    console.print(designs_table(found.front, clock, title))
    console.print(latency_table(rows, clock, "layers of the fastest design"))
    if explored.decision is not None and dram is not None:
        price, bound = explored.price, best.cycles
        console.print(
            f"behind {dram.name}: {price:,} cycles, {price / (clock * 1000):.4g} ms; the bound, "
            f"of which the layers above are, says {bound:,} ({price / bound - 1:+.1%}); "
            f"{explored.decision.priced:,} designs stepped",
            soft_wrap=True,
        )
    if args.on_chip:
        console.print(on_chip_line(point, explored.streamed), soft_wrap=True)
    tried = "; ".join(f"{name} {cycles / (clock * 1000):.3f} ms" for name, cycles in least.items())
    console.print(f"fastest design by arrangement: {tried}", soft_wrap=True)
    console.print(
        f"{found.designs:,} designs decided in {found.seconds:.1f} s ({found.designs_per_second:,.0f}/s): "
        f"{found.priced:,} priced, {found.pruned:,} pruned by lower bounds, "
        f"{found.designs - found.priced - found.pruned:,} do not fit; "
        f"{found.evaluations:,} layer evaluations",
        soft_wrap=True,
    )


def save(point: DesignPoint, folder: Path, overwrite: bool) -> Path:
    """Write a design point into a folder that has none, or the same, or another if it may be replaced.

    OutputRefused otherwise, and where the folder is that of a search.
    """
    from hotnas_hls.accel.design_point import DESIGN_FILE
    from hotnas_hls.base.writer import sole_writer

    with sole_writer(folder, "hotnas dse"):
        searched = [str(folder / name) for name in SEARCHED if (folder / name).exists()]
        raise_all(OutputRefused, f"--save {folder}: is the folder of a search; name another:", searched)
        path = folder / DESIGN_FILE
        if path.is_file() and not overwrite and path.read_text() != point.to_json():
            raise OutputRefused(f"{path}: is another design point; name another folder, or give --overwrite")
        return point.save(folder)


def on_chip_line(point: DesignPoint, streamed: int) -> str:
    """What keeping maps and weights on chip brings; ``streamed``: least cycles of designs that keep none."""
    accel, layers = point.accelerator, [entry.layer for entry in point.layers]
    if not accel.keeps:
        return "on chip: no design that keeps maps or weights there is faster"
    maps, weights = (sum(getattr(one, flag) for one in layers) for flag in ("ofm_on_chip", "weights_on_chip"))
    return (
        f"on chip, array {accel.tm}x{accel.tn}: outputs of {maps} of {len(layers)} layers in "
        f"{accel.map_words:,} words of {accel.word_width} bits, weights of {weights} in "
        f"{accel.weight_planes:,} planes of {accel.plane_width} bits: {point.predicted_cycles:,} cycles, "
        f"{point.cycles_to_ms(point.predicted_cycles or 0):.3f} ms; streamed, in the arrangement that suits "
        f"that best, at least {streamed:,}"
    )


def parse_array(text: str) -> tuple[int, int]:
    """``8x4`` as Tm and Tn."""
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise ConfigError(f"--array {text}: give Tm (output channels) and Tn (input channels), e.g. 8x4")
    tm, tn = (int(number) for number in text.split("x"))
    return tm, tn


def designs_table(designs: tuple[Explored, ...], clock: float, title: str) -> Table:
    """A line a design."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for design in designs:
        accel, used = design.accel, design.resources
        table.add_row(
            f"{design.cycles / (clock * 1000):.3f}",
            f"{design.cycles:,}",
            f"{accel.tm}",
            f"{accel.tn}",
            "yes" if accel.dsp_packing else "no",
            f"{accel.taps}",
            f"{accel.tr} x {accel.tc}",
            f"{accel.ifm_depth:,}",
            accel.ports_text,
            f"{used.dsp:,}",
            f"{used.bram18:,}",
            f"{used.lut:,}",
            f"{design.board_share:.0%}",
        )
    return table


def exploration_record(found: Exploration, clock: float) -> dict[str, Any]:
    """JSON of an exploration."""

    def design(d: Explored) -> dict[str, Any]:
        return {
            "cycles": d.cycles,
            "ms": d.cycles / (clock * 1000),
            "board_share": d.board_share,
            "accelerator": dataclasses.asdict(d.accel),
            "resources": dataclasses.asdict(d.resources),
        }

    figures = {
        name: getattr(found, name)
        for name in ("designs", "priced", "pruned", "evaluations", "seconds", "designs_per_second")
    }
    return {
        "clock_mhz": clock,
        **figures,
        "best": [design(d) for d in found.best],
        "front": [design(d) for d in found.front],
    }


def behind_record(decision: Decision[Explored], dram: DramTiming | None, clock: float) -> dict[str, Any]:
    """JSON of what was decided behind the DRAM, the fastest first."""
    return {
        "dram": None if dram is None else dram.name,
        "stepped": decision.priced,
        "behind_dram": [
            {
                "cycles": one.price,
                "ms": one.price / (clock * 1000),
                "bound_cycles": one.bound,
                "accelerator": dataclasses.asdict(one.candidate.accel),
            }
            for one in decision.best
        ],
    }


def front_chart(found: Exploration, board: Board, clock: float, name: str) -> Any:
    """The front as a figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [100 * d.board_share for d in found.front], [d.cycles / (clock * 1000) for d in found.front], "o-"
    )
    for d in found.front[:: max(1, len(found.front) // 6)]:
        place = (100 * d.board_share, d.cycles / (clock * 1000))
        axes.annotate(f"{d.accel.tm}x{d.accel.tn}", place, (4, 4), textcoords="offset points", fontsize=8)
    axes.set_yscale("log")
    axes.set_xlabel(f"share of {board.name}, of the scarcest resource (%)")
    axes.set_ylabel(f"ms per image at {clock:g} MHz")
    axes.set_title(f"{name}: Pareto front")
    axes.grid(alpha=0.3, which="both")
    return figure
