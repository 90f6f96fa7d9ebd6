"""Latency of a network on a design, layer by layer: by the published rule or by the true one.

The true rule is the model that simulation confirms to the cycle. Its design is --design-file (a
design_point.json), --accel, or the accelerator nearest to the published --design that can be built; what had
to change for that is printed. The published rule reproduces HotNAS's tables and is wrong about real networks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, parse_shape
from hotnas_hls.errors import ConfigError, raise_all

if TYPE_CHECKING:
    from hotnas_hls.accel.accelerator import Accelerator
    from hotnas_hls.accel.memory.dram_timing import DramTiming
    from hotnas_hls.accel.pixel_packing import PackingChoice
    from hotnas_hls.accel.timing.latency_report import LayerRow
    from hotnas_hls.api.latency import Built, Latency, LatencyOptions
    from hotnas_hls.explore.arrangement import Arrangement
    from hotnas_hls.network.graph import Graph
    from hotnas_hls.published.design import PublishedHardware
    from hotnas_hls.published.genes import PublishedSpace
    from hotnas_hls.published.layers import PublishedLayer

GROUP = "explore"
PIPED_WIDTH = 140  # columns of the table when nobody looks at a terminal
PUBLISHED_MHZ = 200.0
PUBLISHED_NOTE = "convolutions alone, sizes as the published code walks them: see hotnas published"
ACCEL_REQUIRED = ("tm", "tn", "tr", "tc")
ACCEL_DEFAULTS = {"ifm_bits": 128, "wgt_bits": 128, "ofm_bits": 128}
ACCEL_SWITCHES = ("shared_bus", "dsp_packing", "ultra_ram")  # 0 or 1
ACCEL_KEYS = (
    *ACCEL_REQUIRED,
    "ifm_bits",
    "wgt_bits",
    "ofm_bits",
    "ifm_depth",
    "act_bits",
    "weight_bits",
    "taps",
    "word_bits",
    "map_words",
    "plane_bits",
    "weight_planes",
    *ACCEL_SWITCHES,
)


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas latency``."""
    from hotnas_hls.accel.image_layout import STEM_CHOICES

    parser = subparsers.add_parser("latency", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--rule", choices=("published", "true"), default="true", help="(default true)")
    parser.add_argument("--design", metavar="TM,TN,TR,TC,TK,WP,IP,OP", help="a published engine")
    parser.add_argument("--dconv", metavar="TM,1,TR,TC,TK,WP,IP,OP", help="its depthwise engine")
    parser.add_argument("--genes", metavar="G,G,...", help="a DNA of the model's published search space")
    parser.add_argument("--formula", choices=("HEAD", "A"), default="HEAD", help="of the published rule")
    parser.add_argument("--design-file", type=Path, metavar="FILE", help="a design_point.json, or its folder")
    parser.add_argument(
        "--accel", metavar="KEY=N,...", help=f"an accelerator: {', '.join(ACCEL_KEYS)} (ports: 128 bits)"
    )
    parser.add_argument("--board", default="ZCU102", help="that the accelerator must fit (default ZCU102)")
    parser.add_argument(
        "--clock",
        type=float,
        metavar="MHZ",
        help="clock (default: the board's, or the design's; 200 by the published rule)",
    )
    add_dram_options(parser)
    parser.add_argument(
        "--stem",
        choices=STEM_CHOICES,
        help="how the first convolution of --model reads the image, under the true rule (default: best, "
        "the fastest on the design; plain with --design, as it was published)",
    )
    add_packed_option(parser, None)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the table, or JSON."""
    options = _checked(args)
    console = text_console(PIPED_WIDTH)
    if args.rule == "true":
        found = _true(args, options)
        if args.json:
            print(json.dumps(found.record(), indent=2))
            return
        for table in found.tables():
            console.print(table)
        for note in found.notes():
            console.print(note, soft_wrap=True)
        return
    from hotnas_hls.accel.timing.latency_report import latency_table, record

    rows, clock, design = _published(args)
    if args.json:
        about = {"rule": args.rule, "model": args.model, "design": design, "notes": [PUBLISHED_NOTE]}
        print(json.dumps(record(rows, clock, **about), indent=2))
        return
    console.print(latency_table(rows, clock, f"{args.model} by the {args.rule} rule at {clock:g} MHz"))
    console.print(f"design: {design}", soft_wrap=True)
    console.print(f"  - {PUBLISHED_NOTE}", soft_wrap=True)


def _checked(args: argparse.Namespace) -> LatencyOptions:
    from hotnas_hls.api.latency import OWN, LatencyOptions

    options = LatencyOptions(args.clock, None if args.no_dram else args.dram or OWN, args.read_latency)
    designs = [args.design, args.design_file, args.accel]
    found = []
    if args.rule == "published" and not args.design:
        found.append("--rule published needs --design, eight numbers")
    if args.rule == "published" and (args.design_file or args.accel):
        found.append("--design-file and --accel are designs of the true rule; leave them out")
    if args.rule == "true" and sum(d is not None for d in designs) != 1:
        found.append("--rule true needs one of --design, --design-file and --accel")
    if args.dconv and not args.design:
        found.append("--dconv goes with --design")
    if args.model is None and not args.design_file:
        found.append("--model says which network")
    if args.stem and (args.rule == "published" or args.model is None):
        found.append("--stem goes with --model and the true rule; a design file has a stem of its own")
    if args.packed_resolutions and (args.rule == "published" or args.model is None):
        found.append("--packed-resolutions goes with --model and the true rule; a design file has its own")
    if args.genes and args.stem not in (None, "plain"):
        found.append("--genes edit the plain stem; leave --stem out")
    if args.genes and args.packed_resolutions not in (None, "0"):
        found.append("--genes edit plain pixels; leave --packed-resolutions out")
    raise_all(ConfigError, "these options do not go together:", found + options.violations())
    return options


def add_dram_options(parser: argparse.ArgumentParser) -> None:
    """``--dram``, ``--no-dram`` and ``--read-latency``."""
    parser.add_argument("--dram", metavar="NAME", help="another DRAM than the board's: PYNQ-Z2, dram.yaml")
    parser.add_argument("--no-dram", action="store_true", help="an ideal memory, of fixed latency, alone")
    parser.add_argument("--read-latency", type=int, help="of the ideal memory, in cycles (default 40)")


def dram_of(args: argparse.Namespace, known: str | None, board: str) -> DramTiming | None:
    """The DRAM of the options, else ``known``; None with ``--no-dram``. ConfigError where there is none."""
    from hotnas_hls.api.latency import OWN, LatencyOptions

    if args.no_dram and args.dram:
        raise ConfigError(f"--dram {args.dram} --no-dram: give one of them")
    return LatencyOptions(dram=None if args.no_dram else args.dram or OWN).dram_behind(known, board)


def add_packed_option(parser: argparse.ArgumentParser, default: str | None) -> None:
    """``--packed-resolutions``; without a default, None where it is not given."""
    parser.add_argument(
        "--packed-resolutions",
        choices=("0", "1", "2", "best"),
        default=default,
        help="resolutions, from the image's down, whose maps hold four pixels as one of four times the "
        "channels (default best: as is fastest)",
    )


def packing_choice(text: str) -> PackingChoice:
    """``--packed-resolutions`` as the arrangements take it."""
    return "best" if text == "best" else int(text)  # type: ignore[return-value]


def _published(args: argparse.Namespace) -> tuple[list[LayerRow], float, str]:
    """Rows, clock and design by the published rule."""
    from hotnas_hls.accel.timing.latency_report import LayerRow
    from hotnas_hls.published.latency import Formula, network_latency

    hardware = _hardware(args)
    layers, hardware = _edited(args, _published_layers(args.model, args.input), hardware)
    rows = [
        LayerRow(
            report.layer.name,
            report.latency.cycles,
            str(report.latency.bottleneck),
            {
                name: report.latency.totals[label]
                for name, label in zip(
                    ("load_ifm", "load_wgt", "compute", "store_ofm"), _labels(), strict=True
                )
            },
        )
        for report in network_latency(layers, hardware, Formula(args.formula))
    ]
    return rows, args.clock or PUBLISHED_MHZ, str(hardware)


def _labels() -> tuple[Any, ...]:
    from hotnas_hls.published.latency import Bottleneck

    return Bottleneck.LOAD_IFM, Bottleneck.LOAD_WGT, Bottleneck.COMPUTE, Bottleneck.STORE


def _hardware(args: argparse.Namespace) -> PublishedHardware:
    from hotnas_hls.published.design import PublishedHardware

    return PublishedHardware.parse(args.design, args.dconv)


def _published_layers(model: str, shape: str | None) -> tuple[PublishedLayer, ...]:
    from hotnas_hls.models.zoo import ZOO
    from hotnas_hls.published.layers import walk
    from hotnas_hls.published.networks import zoo_layers

    given = parse_shape(shape) if shape else None
    if model in ZOO and given in (None, ZOO[model].input_shape):
        return zoo_layers(model)
    if given is not None and (len(given) != 3 or given[1] != given[2]):
        raise ConfigError(f"--input {shape}: the published rule knows square images only")
    from hotnas_hls.frontends.source import load_model

    loaded = load_model(model, None, given)
    if loaded.module is None:
        raise ConfigError(f"{model}: the published rule walks torch modules, not ONNX files; use --rule true")
    return tuple(walk(loaded.module, loaded.graph.input.shape[1]))


def _edited(
    args: argparse.Namespace, layers: Sequence[PublishedLayer], hardware: PublishedHardware
) -> tuple[tuple[PublishedLayer, ...], PublishedHardware]:
    """Layers and hardware after ``--genes``."""
    if args.genes is None:
        return tuple(layers), hardware
    from hotnas_hls.published.genes import apply

    space = dataclasses.replace(_space(args.model), hardware=hardware)
    applied = apply(space, _numbers(args.genes), layers)
    return applied.layers, applied.hardware


def _space(model: str) -> PublishedSpace:
    from hotnas_hls.published.spaces import SPACES

    for space in SPACES.values():
        if space.model == model:
            return space
    known = ", ".join(sorted({space.model for space in SPACES.values()}))
    raise ConfigError(f"--genes: {model} has no published search space; these have one: {known}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--genes {text}: give whole numbers, separated by commas") from None


def _true(args: argparse.Namespace, options: LatencyOptions) -> Latency:
    """By the true rule: a design file as it stands, or the model on the design that is asked for."""
    from hotnas_hls.accel.design_point import DesignPoint
    from hotnas_hls.api.latency import latency_of_design, latency_of_network
    from hotnas_hls.api.network import on_accelerator, on_design
    from hotnas_hls.boards.board import load_board
    from hotnas_hls.frontends.source import load_model

    point = DesignPoint.load(args.design_file) if args.design_file else None
    if point is not None and args.model is None:
        return latency_of_design(point, options)
    board = point.board if point else load_board(args.board)
    dram = dram_of(args, board.dram, board.name)
    loaded = load_model(args.model, None, parse_shape(args.input) if args.input else None)
    progress(loaded.proof)
    graph = loaded.graph
    if point is not None:
        build = on_design(graph, point)
    elif args.accel:
        if args.genes:
            raise ConfigError("--genes goes with --design: its port genes change the published ports")
        given = parse_accel(args.accel)
        build = on_accelerator(graph, given, board, args.clock, "ifm_depth" in args.accel)
    else:
        build = _nearest(args, graph)
    return latency_of_network(
        graph,
        build,
        options.clock_mhz or (point.clock_mhz if point else board.clock_mhz),
        options.ideal(point.memory if point else MemoryTiming()),
        dram,
        args.stem or ("plain" if args.design else "best"),
        packing_choice(args.packed_resolutions or ("0" if args.design else "best")),
    )


def _nearest(args: argparse.Namespace, graph: Graph) -> Callable[[Arrangement], Built]:
    """The buildable accelerator nearest to the published ``--design``, after ``--genes``."""
    from hotnas_hls.boards.board import load_board
    from hotnas_hls.explore.model_layers import layers_of
    from hotnas_hls.explore.nearest import edited_layers, nearest_accelerator

    def build(arrangement: Arrangement) -> Built:
        hardware, model = _hardware(args), layers_of(graph, arrangement=arrangement)
        if args.genes:
            before = _published_layers(args.model, args.input)
            after, hardware = _edited(args, before, hardware)
            model = dataclasses.replace(model, layers=edited_layers(model.layers, before, after))
        nearest = nearest_accelerator(hardware, model.layers, load_board(args.board), model.blocks)
        changes = [f"nearest accelerator to {hardware}: {change}" for change in nearest.changes]
        return model, nearest.accel, changes

    return build


def parse_accel(text: str) -> Accelerator:
    """``tm=64,tn=32,tr=14,tc=14`` and optionally ports, depth, widths and switches (0 or 1)."""
    from hotnas_hls.accel.accelerator import Accelerator

    values: dict[str, int] = dict(ACCEL_DEFAULTS)
    found = []
    for part in text.split(","):
        key, _, number = part.partition("=")
        if key not in ACCEL_KEYS:
            found.append(f"unknown key {key!r}; accepted: {', '.join(ACCEL_KEYS)}")
        elif not (number.isascii() and number.isdigit()):
            found.append(f"{key}: must be a whole number, not {number!r}")
        elif key in ACCEL_SWITCHES and number not in ("0", "1"):
            found.append(f"{key}: must be 0 or 1, not {number}")
        else:
            values[key] = int(number)
    found += [f"{key} is missing" for key in ACCEL_REQUIRED if key not in values and not found]
    raise_all(ConfigError, f"--accel {text}:", found)
    values |= {key: bool(values[key]) for key in ACCEL_SWITCHES if key in values}
    accel = Accelerator(**{"ifm_depth": 1, **values}, wgt_entries=1, max_entries=1)  # type: ignore[arg-type]
    raise_all(ConfigError, f"--accel {text}:", accel.violations())
    return accel
