"""Latency of a network on a design, layer by layer: by the published rule or by the true one.

The true rule is the model that simulation confirms to the cycle. Its design is --design-file (a
design_point.json), --accel, or the accelerator nearest to the published --design that can be built; what had
to change for that is printed. The published rule reproduces HotNAS's tables and is wrong about real networks.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, parse_shape
from hotnas_hls.errors import ConfigError, raise_all

if TYPE_CHECKING:
    from hotnas_hls import PublishedHardware
    from hotnas_hls.accel.accelerator import Accelerator
    from hotnas_hls.accel.pixel_packing import PackingChoice
    from hotnas_hls.api.latency import Latency
    from hotnas_hls.api.network import Network
    from hotnas_hls.api.published import PublishedEstimate

GROUP = "explore"
PIPED_WIDTH = 140  # columns of the table when nobody looks at a terminal
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
    "fabric_rows",
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
    _check(args)
    found = _true(args) if args.rule == "true" else _published(args)
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return
    console = text_console(PIPED_WIDTH)
    console.print(*found.tables())
    for note in found.notes():
        console.print(note, soft_wrap=True)


def _check(args: argparse.Namespace) -> None:
    from hotnas_hls.api.latency import LatencyOptions

    options = LatencyOptions(args.clock, dram_name(args), args.read_latency)
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
    if args.genes and args.accel:
        found.append("--genes goes with --design: its port genes change the published ports")
    raise_all(ConfigError, "these options do not go together:", found + options.violations())


def add_dram_options(parser: argparse.ArgumentParser) -> None:
    """``--dram``, ``--no-dram`` and ``--read-latency``."""
    parser.add_argument("--dram", metavar="NAME", help="another DRAM than the board's: PYNQ-Z2, dram.yaml")
    parser.add_argument("--no-dram", action="store_true", help="an ideal memory, of fixed latency, alone")
    parser.add_argument("--read-latency", type=int, help="of the ideal memory, in cycles (default 40)")


def dram_name(args: argparse.Namespace) -> str | None:
    """The DRAM of the options, "own" where none is named; None with ``--no-dram``."""
    from hotnas_hls.api.latency import OWN

    if args.no_dram and args.dram:
        raise ConfigError(f"--dram {args.dram} --no-dram: give one of them")
    return None if args.no_dram else args.dram or OWN


def add_packed_option(parser: argparse.ArgumentParser, default: str | None) -> None:
    """``--packed-resolutions``; without a default, None where it is not given."""
    parser.add_argument(
        "--packed-resolutions",
        choices=("0", "1", "2", "best"),
        default=default,
        help="resolutions, from the image's down, whose maps hold several pixels as one of as many times "
        "the channels, squares or parts of a row, whichever is faster (default best: as is fastest)",
    )


def packing_choice(text: str) -> PackingChoice:
    """``--packed-resolutions`` as the arrangements take it."""
    return "best" if text == "best" else int(text)  # type: ignore[return-value]


def _published(args: argparse.Namespace) -> PublishedEstimate:
    """By the published rule: a network of the zoo by its name, any other as a module."""
    from hotnas_hls.api.published import CLOCK_MHZ, published_latency

    zoo = _zoo_inputs()
    asked = parse_shape(args.input) if args.input else zoo.get(args.model)
    known = args.model in zoo and asked == zoo[args.model]
    network = args.model if known else _network(args)
    genes = _numbers(args.genes) if args.genes else None
    clock = args.clock or CLOCK_MHZ
    return published_latency(network, _engine(args), genes=genes, formula=args.formula, clock_mhz=clock)


def _zoo_inputs() -> dict[str, tuple[int, ...]]:
    from hotnas_hls.api.zoo import zoo

    return {name: known.input for name, known in zoo().networks.items()}


def _engine(args: argparse.Namespace) -> PublishedHardware:
    from hotnas_hls import PublishedHardware

    return PublishedHardware.parse(args.design, args.dconv)


def _network(args: argparse.Namespace) -> Network:
    from hotnas_hls.api.network import load_network

    network = load_network(args.model, parse_shape(args.input) if args.input else None)
    progress(network.proof)
    return network


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--genes {text}: give whole numbers, separated by commas") from None


def _true(args: argparse.Namespace) -> Latency:
    """By the true rule: a design file as it stands, or the model on the design that is asked for."""
    from hotnas_hls.api.design import load_design

    asked: dict[str, Any] = {
        "clock_mhz": args.clock,
        "dram": dram_name(args),
        "read_latency": args.read_latency,
    }
    design = load_design(args.design_file) if args.design_file else None
    if design is not None and args.model is None:
        return design.latency(**asked)
    on = design or (parse_accel(args.accel) if args.accel else _engine(args))
    return _network(args).latency(
        on,
        args.board,
        keep_depth="ifm_depth" in (args.accel or ""),
        genes=_numbers(args.genes) if args.genes else None,
        stem=args.stem or ("plain" if args.design else "best"),
        packed_resolutions=packing_choice(args.packed_resolutions or ("0" if args.design else "best")),
        **asked,
    )


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
