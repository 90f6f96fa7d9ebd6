"""Generate the package of a design: HLS C++, the RTL twin, testbenches, scripts and data.

DESIGN is a run's folder, or a design_point.json (a hand-written one too). The package goes to
OUTPUT/NAME/; an earlier package there is replaced. What others put into its folder, such as the project of
scripts/run_hls.tcl, stays in it; any other folder is left alone.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from hotnas_hls.base.names import file_name_violation
from hotnas_hls.base.terminal import next_command
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError

GROUP = "flow"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas hls``."""
    parser = subparsers.add_parser("hls", description=__doc__)
    parser.add_argument("design", type=Path, help="a run's folder, or a design_point.json")
    parser.add_argument(
        "--output", type=Path, default=Path("hls_out"), help="folder of packages (default hls_out)"
    )
    parser.add_argument("--name", help="name of the package (default: the network's)")
    parser.add_argument("--images", type=int, default=16, help="golden images of the testbench (default 16)")


def run(args: argparse.Namespace) -> None:
    """Write the package, say what it is."""
    started = time.monotonic()
    from hotnas_hls.api.design import load_design

    design = load_design(args.design)
    name = args.name or design.point.network
    if problem := file_name_violation(name):
        raise ConfigError(f"package name {problem}; give one with --name")
    package = design.generate(args.output / name, images=args.images)
    seconds = time.monotonic() - started
    print(package.folder)
    files, lines, size = package.figures
    print(f"{files} files, {lines:,} lines, {size:,} bytes, {seconds:.1f} s")
    print(next_command("sim", package.folder))
