"""Print or draw a network's graph: every operator with its true shape."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError
from hotnas_hls.tools import require

if TYPE_CHECKING:
    from hotnas_hls.graph import Graph, Shape

GROUP = "explore"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas graph``."""
    parser = subparsers.add_parser("graph", description=__doc__)
    parser.add_argument("model", help="a name of 'hotnas zoo list', or package.module:function")
    parser.add_argument("--input", metavar="CxHxW", help="shape of one image, e.g. 3x224x224")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw it into a .svg, .png or .pdf file")


def run(args: argparse.Namespace) -> None:
    """Print the graph, or draw it."""
    require("torch")
    graph = load_graph(args.model, parse_shape(args.input) if args.input else None)
    if args.draw:
        from hotnas_hls.drawing import draw_graph

        draw_graph(graph, args.draw)
        print(args.draw)
    else:
        print("\n".join(listing(graph)))


def listing(graph: Graph) -> list[str]:
    """One line an operator: its name, kind, output shape, settings and what it reads."""
    rows = []
    for node in graph:
        settings = []
        if node.kernel != (1, 1) or node.kind == "conv":
            settings.append(f"{node.kernel[0]}x{node.kernel[1]}")
        if node.stride != (1, 1):
            settings.append(f"stride {node.stride[0]}")
        if node.groups > 1:
            settings.append("depthwise")
        shape = "x".join(map(str, node.shape))
        rows.append((node.name, str(node.kind), shape, " ".join(settings), ", ".join(node.inputs)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in rows]


def parse_shape(text: str) -> Shape:
    """``3x224x224`` as numbers."""
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*x[1-9]\d*", text):
        raise ConfigError(f"--input {text}: give channels, rows and columns, e.g. 3x224x224")
    channels, rows, columns = (int(number) for number in text.split("x"))
    return channels, rows, columns


def load_graph(model: str, shape: Shape | None) -> Graph:
    """The graph of a network of the zoo, or of what ``package.module:function`` returns."""
    from hotnas_hls.models.trace import trace
    from hotnas_hls.models.zoo import build, zoo_entry

    if ":" not in model:
        entry = zoo_entry(model)
        return trace(build(model), shape or entry.input_shape, model)
    if shape is None:
        raise ConfigError(f"{model}: give the shape of one image, e.g. --input 3x224x224")
    module_name, _, function_name = model.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as reason:
        raise ConfigError(f"{model}: {module_name} cannot be imported: {reason}") from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"{model}: {module_name} has no function {function_name!r}")
    return trace(function(), shape, model)
