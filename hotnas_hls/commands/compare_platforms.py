"""One network on every platform: what it costs there, what finished searches found and simulations counted.

Each platform runs the uncompressed network of 8 bits on its best hardware. Figures of models, for which
nothing is run, are told apart from those that simulation confirms, and from certified ones.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hotnas_hls.base.pictures import picture_violations
from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, named_network, parse_shape
from hotnas_hls.errors import ConfigError, raise_all

GROUP = "explore"
PIPED_WIDTH = 180  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas compare-platforms``."""
    parser = subparsers.add_parser("compare-platforms", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--board", default="ZCU102", help="of platforms that run on one (default ZCU102)")
    parser.add_argument("--platforms", metavar="NAMES", help="only these, e.g. nass,nacim (default: all)")
    parser.add_argument(
        "--run", action="append", default=[], type=Path, metavar="FOLDER", help="a finished search, too"
    )
    parser.add_argument(
        "--package", action="append", default=[], type=Path, metavar="FOLDER", help="a simulated design, too"
    )
    parser.add_argument("--data", metavar="NAME", help="tell accuracies on: digits, cifar10, a folder")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw what bounds it (.svg, .png, .pdf)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the table or JSON, and draw what was asked for."""
    model = named_network(args)
    shape = parse_shape(args.input) if args.input else None
    if args.draw:
        raise_all(ConfigError, "the picture cannot be drawn:", picture_violations(args.draw))
    from hotnas_hls.api.network import load_network
    from hotnas_hls.api.platform_comparison import compare_platforms
    from hotnas_hls.base.pictures import save_picture

    network = load_network(model, shape)
    progress(network.proof)
    platforms = [name.strip() for name in args.platforms.split(",")] if args.platforms else ()
    found = compare_platforms(
        network, args.board, platforms=platforms, runs=args.run, packages=args.package, data=args.data
    )
    if args.draw:
        save_picture(found.figure(), args.draw)
    if args.json:
        print(json.dumps(found.record(), indent=2))
        return
    text_console(PIPED_WIDTH).print(*found.tables())
    print("\n".join(found.notes()))
