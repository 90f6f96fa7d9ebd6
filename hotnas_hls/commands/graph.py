"""Print or draw a network's graph: every operator with its true shape.

A network that the accelerator cannot run is printed as far as it can be read, and refused with the reason.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from hotnas_hls.base.pictures import picture_violations
from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError

GROUP = "explore"
FORMS = "a name of 'hotnas zoo', package.module:function, or x.onnx"
PIPED_WIDTH = 120  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas graph``."""
    parser = subparsers.add_parser("graph", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a checkpoint that must fit the network")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw it into a .svg, .png or .pdf file")


class _Network(argparse.Action):
    """One network, as an argument or as an option."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        if getattr(namespace, self.dest, None) not in (None, values):
            parser.error(f"two networks: {getattr(namespace, self.dest)} and {values}; name one")
        setattr(namespace, self.dest, values)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """The network, ``hotnas COMMAND MODEL`` or ``--model MODEL``, as ``args.model``; and ``--input``."""
    parser.add_argument("model", nargs="?", default=argparse.SUPPRESS, action=_Network, help=FORMS)
    parser.add_argument("--model", action=_Network, metavar="MODEL", help="the same as an option")
    parser.add_argument("--input", metavar="CxHxW", help="shape of one image (default: the network's own)")


def named_network(args: argparse.Namespace) -> str:
    """``args.model``; ConfigError where none was given."""
    if args.model is None:
        raise ConfigError(f"no network is named; give {FORMS}")
    return str(args.model)


def run(args: argparse.Namespace) -> None:
    """Print the graph as a table, or draw it."""
    model = named_network(args)
    shape = parse_shape(args.input) if args.input else None
    if args.draw and (problems := picture_violations(args.draw)):
        raise ConfigError("\n".join(problems))
    from hotnas_hls.api.network import read_network

    network = read_network(model, shape, args.weights)
    progress(network.proof)
    if args.draw:
        network.draw(args.draw)
        print(args.draw)
    elif args.json:
        print(json.dumps(network.record(), indent=2))
    else:
        text_console(PIPED_WIDTH).print(*network.tables())
    network.refuse_unbuildable()  # what no command could run is refused by this one too
    if network.graph.host.is_some and not args.json:
        print(network.graph.host)


def parse_shape(text: str) -> tuple[int, ...]:
    """``3x224x224`` as numbers; ``4x64`` for a network of one row, ``640`` for one of vectors."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){0,2}", text):
        raise ConfigError(f"--input {text}: give channels, rows and columns, e.g. 3x224x224")
    return tuple(int(number) for number in text.split("x"))
