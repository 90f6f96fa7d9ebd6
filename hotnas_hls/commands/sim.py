"""Simulate a package: HLS C++ with g++, the RTL under Verilator and cocotb; certify it.

Every layer's output must equal the integer reference, and every cycle count of the SystemVerilog twin must
be as predicted. Writes reports/certificate.json into the package; the exit status is 1 when the certificate
does not hold (a layer is slower than predicted, or the whole slower than its bound).

--rtl DIR runs other RTL with the same top level instead, such as solution/syn/verilog of a Vitis project,
under the same bench. Limits: plain Verilog that Verilator reads (no encrypted or vendor IP cores), the
design's own interfaces and data widths, .dat files beside it. Its outputs must equal the reference; its
cycles are shown beside the prediction, which is of the twin, and no certificate is written.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, OutputRefused

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from hotnas_hls.accel.design_point import DesignPoint
    from hotnas_hls.certificate import Certificate
    from hotnas_hls.sweep import SweepPoint

GROUP = "flow"
PIPED_WIDTH = 120  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas sim``."""
    parser = subparsers.add_parser("sim", description=__doc__)
    parser.add_argument("package", type=Path, help="the package's folder, e.g. hls_out/digits")
    parser.add_argument("--images", type=int, default=2, help="images on the RTL, back to back (default 2)")
    parser.add_argument("--no-csim", action="store_true", help="leave the C simulation out")
    parser.add_argument("--rtl", type=Path, metavar="DIR", help="run the RTL of this folder instead")
    parser.add_argument("--build", type=Path, metavar="DIR", help="for programs and logs (default: beside)")
    parser.add_argument(
        "--sweep",
        nargs="?",
        const="",
        metavar="LATENCIES",
        help="also one image per read latency (default 5,10,...,250): reports/sweep.json, .svg and .png",
    )
    parser.add_argument("--json", action="store_true", help="print the certificate as JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate, print the table, say whether the certificate holds."""
    started = time.monotonic()
    if args.images < 1:
        raise ConfigError(f"--images {args.images}: give at least one")
    latencies = _latencies(args.sweep)
    if not args.package.is_dir():
        raise OutputRefused(f"{args.package}: no such folder; make a package: hotnas hls RUN")
    if args.rtl and not args.rtl.is_dir():
        raise ConfigError(f"--rtl {args.rtl}: no such folder")

    from rich.console import Console

    from hotnas_hls.flow import REPORTS, build_folder, simulate

    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, stderr=args.json)
    build = args.build or build_folder(args.package)
    done = simulate(
        args.package,
        images=args.images,
        csim=not args.no_csim,
        rtl=args.rtl,
        build=build,
        stage=lambda text: console.print(f"[{time.monotonic() - started:5.1f} s] {text}", markup=False),
    )
    if done.changed:
        console.print("the package is not as it was generated:\n  " + "\n  ".join(done.changed), markup=False)
    console.print(certificate_table(done.certificate))
    if latencies is not None:
        _sweep(args.package, args.rtl, build, latencies, console)
    if args.json:
        print(json.dumps(json.loads(done.certificate.to_json()), indent=2))
    for reason in done.certificate.reasons:
        console.print(f"  - {reason}", markup=False, soft_wrap=True)
    console.print(done.certificate.line(), markup=False, soft_wrap=True)
    if args.rtl is None:
        console.print(f"{args.package / REPORTS / 'certificate.json'}", markup=False, soft_wrap=True)
    return 0 if done.certificate.holds else 1


def _latencies(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not text:
        from hotnas_hls.sweep import READ_LATENCIES

        return READ_LATENCIES
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(f"--sweep {text}: give cycles, at least 1 each, e.g. 10,40,160")
    return tuple(int(part) for part in parts)


def certificate_table(certificate: Certificate) -> Table:
    """A line a layer: its share of the bound, prediction, simulation, bottleneck, margin."""
    from rich.table import Table

    def number(value: int | None) -> str:
        return "-" if value is None else f"{value:,}"

    title = f"{certificate.design} on {certificate.board}"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("layer", footer="total")
    for head, value in (
        ("bound", certificate.bound_cycles),
        ("predicted", certificate.predicted_cycles),
        ("simulated", certificate.simulated_cycles),
    ):
        table.add_column(head, justify="right", footer=number(value))
    table.add_column("difference", justify="right", footer=_gap(certificate))
    table.add_column("bound by")
    table.add_column("margin", justify="right", footer=number(certificate.margin))
    table.add_column("output", footer="equal" if certificate.outputs_match else "DIFFERS")
    for layer in certificate.layers:
        cycles = layer.simulated["cycles"]
        table.add_row(
            layer.name,
            number(layer.bound),
            number(layer.predicted.cycles),
            number(cycles),
            f"{cycles - layer.predicted.cycles:+,}" if cycles != layer.predicted.cycles else "0",
            layer.bottleneck,
            number(layer.margin),
            "equal" if layer.outputs_match else "DIFFERS",
        )
    return table


def _gap(certificate: Certificate) -> str:
    gap = certificate.simulated_cycles - certificate.predicted_cycles
    return f"{gap:+,}" if gap else "0"


def _sweep(
    package: Path, rtl: Path | None, build: Path, latencies: tuple[int, ...], console: Console
) -> None:
    from hotnas_hls.flow import REPORTS, add_reports, load_package, read_rtl
    from hotnas_hls.sweep import sweep, sweep_chart, sweep_json

    point = load_package(package)
    found = sweep(point, read_rtl(package, rtl), build / ("rtl_given" if rtl else "rtl"), latencies)
    chart = sweep_chart(point, found)
    reports = {"sweep.json": sweep_json(point, found).encode()}
    for form in ("svg", "png"):
        picture = io.BytesIO()
        chart.savefig(picture, format=form, metadata={"Date": None} if form == "svg" else None)
        reports[f"sweep.{form}"] = picture.getvalue()
    add_reports(package, reports)
    console.print(_sweep_table(point, found))
    console.print(f"{package / REPORTS / 'sweep.svg'}", markup=False, soft_wrap=True)


def _sweep_table(point: DesignPoint, found: list[SweepPoint]) -> Table:
    from rich.table import Table

    table = Table(title="read latency of the memory, and what it costs", title_justify="left")
    for head in ("read latency", "predicted", "simulated", "ms", "array waits"):
        table.add_column(head, justify="right")
    for p in found:
        table.add_row(
            f"{p.read_latency}",
            f"{p.predicted_cycles:,}",
            f"{p.simulated_cycles:,}",
            f"{point.cycles_to_ms(p.simulated_cycles):.4f}",
            f"{p.stall_cycles / p.simulated_cycles:.1%}",
        )
    return table
