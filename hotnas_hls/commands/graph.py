"""Print or draw a network's graph: every operator with its true shape."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from hotnas_hls.base.pictures import picture_violations
from hotnas_hls.base.terminal import text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError

GROUP = "explore"
PIPED_WIDTH = 120  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas graph``."""
    parser = subparsers.add_parser("graph", description=__doc__)
    parser.add_argument("model", help="a name of 'hotnas zoo list', package.module:function, or x.onnx")
    parser.add_argument("--input", metavar="CxHxW", help="shape of one image (default: the network's own)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a checkpoint that must fit the network")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw it into a .svg, .png or .pdf file")


def run(args: argparse.Namespace) -> None:
    """Print the graph as a table, or draw it."""
    shape = parse_shape(args.input) if args.input else None
    if args.draw and (problems := picture_violations(args.draw)):
        raise ConfigError("\n".join(problems))
    from hotnas_hls.frontends.source import load_model
    from hotnas_hls.network.drawing import draw_graph, graph_table

    loaded = load_model(args.model, args.weights, shape)
    print(loaded.proof, file=sys.stderr)
    graph = loaded.graph
    if args.draw:
        draw_graph(graph, args.draw)
        print(args.draw)
    else:
        text_console(PIPED_WIDTH).print(graph_table(graph))
    if graph.host.is_some:
        print(graph.host)


def parse_shape(text: str) -> tuple[int, ...]:
    """``3x224x224`` as numbers; ``4x64`` for a network of one row, ``640`` for one of vectors."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){0,2}", text):
        raise ConfigError(f"--input {text}: give channels, rows and columns, e.g. 3x224x224")
    return tuple(int(number) for number in text.split("x"))
