"""iDetect: what bounds each layer on a board, by the true model, and what would help.

The design is the best uncompressed one of the board. Labels: I loading feature maps, W loading weights,
C computing, O storing feature maps. Every remedy is priced by the model, not guessed. --reductions prices the
strongest edits the search may choose, kind by kind, on the hardware that suits them best: the time a search
could save, whatever it costs in accuracy.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from hotnas_hls.base.pictures import picture_violations
from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, parse_shape
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.search.config import DEFAULT_CONFIG, load_config

GROUP = "explore"
PIPED_WIDTH = 160  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas detect``."""
    parser = subparsers.add_parser("detect", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--config", default=DEFAULT_CONFIG, help="a shipped configuration, or a YAML file")
    parser.add_argument("--board", help="board, instead of the configuration's")
    parser.add_argument("--bars", type=Path, metavar="FILE", help="draw the terms of each layer (.svg, .png)")
    parser.add_argument("--roofline", type=Path, metavar="FILE", help="draw the roofline (.svg, .png)")
    parser.add_argument("--reductions", action="store_true", help="what the strongest edits save, by kind")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the table or JSON, and draw what was asked for."""
    config = load_config(args.config)
    if args.board:
        config = dataclasses.replace(config, board=args.board, clock_mhz=None)
    shape = parse_shape(args.input) if args.input else config.network.input if not args.model else None
    pictures = [path for path in (args.bars, args.roofline) if path]
    problems = [problem for path in pictures for problem in picture_violations(path)]
    raise_all(ConfigError, "these pictures cannot be drawn:", problems)

    from hotnas_hls.api.bottlenecks import find_bottlenecks
    from hotnas_hls.api.network import load_network
    from hotnas_hls.base.pictures import save_picture

    network = load_network(args.model or config.network.model, shape)
    progress(network.proof)
    found = find_bottlenecks(network.loaded, config, reductions=args.reductions)
    if args.bars:
        save_picture(found.figure(), args.bars)
    if args.roofline:
        save_picture(found.roofline(), args.roofline)
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return
    console = text_console(PIPED_WIDTH)
    for table in found.tables():
        console.print(table)
    for line in found.notes():
        console.print(line, soft_wrap=True)
