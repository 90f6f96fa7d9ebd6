"""Write the compressed network of a design as an ONNX file of quantised maps (QDQ).

DESIGN is a run's folder, a package's, or a design_point.json. The file holds the integers of the
accelerator: onnxruntime must give the same logits on the design's golden images, or nothing is written. With
it the accuracy can be measured on other data, and other tools can read what the accelerator computes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "hand-off"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas export``."""
    parser = subparsers.add_parser("export", description=__doc__)
    parser.add_argument("design", type=Path, help="a run's folder, a package's, or a design_point.json")
    parser.add_argument("--output", type=Path, help="the file (default: the network's name, .onnx)")
    parser.add_argument("--images", type=int, default=16, help="images it is proven on (default 16)")


def run(args: argparse.Namespace) -> None:
    """Write the file, say what was proven."""
    from hotnas_hls.api.design import load_design

    design = load_design(args.design)
    path = args.output or Path(f"{design.point.network}.onnx")
    images = design.export_onnx(path, images=args.images)
    print(path)
    print(f"onnxruntime gives the integers of the accelerator on all of {images} images")
