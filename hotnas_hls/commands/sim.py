"""Simulate a package: HLS C++ with g++, the RTL under Verilator and cocotb; certify it.

Where the open HLS compiler Bambu is found and the array is small, Verilog that it makes of the HLS C++ runs
under the package's testbench too, layer by layer.

What runs is what lies in the package: its RTL, its weights, its bench (sim/). A bench or weights that were
changed certify nothing, and what was left out is named in the first line.

Every layer's output must equal the integer reference, and every cycle count of the SystemVerilog twin must
be as predicted, with an ideal memory in every term. One image runs behind the DRAM of the board, at the phase
of its refresh that takes longest of 16: this time is certified. Writes reports/certificate.json into the
package; the exit status is 1 when the certificate does not hold (a layer is not as predicted, or the whole
slower than its bound). --no-dram leaves the DRAM out; what is certified then is of the ideal memory.

--rtl DIR runs other RTL with the same top level instead, such as solution/syn/verilog of a Vitis project,
under the same bench. Limits: plain Verilog that Verilator reads (no encrypted or vendor IP cores), the
design's own interfaces and data widths, .dat files beside it. Its outputs must equal the reference; its
cycles are shown beside the prediction, which is of the twin, and no certificate is written.

--dram NAME runs one image behind another DRAM too (by name, by its board, or a YAML file): what the model
expects, what simulation counts, the difference; reports/dram.json. The exit status is 1 when they differ by
more than 2 %. It says what this DRAM would cost; the certificate's stays that of the board.

--sweep draws what the memory's latency costs; with --dram its idle read latency and its bandwidth.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.accel.timing.memory_timing import LEAST_LATENCY
from hotnas_hls.base.terminal import next_command, progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, OutputRefused

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

    from hotnas_hls.accel.design_point import DesignPoint
    from hotnas_hls.accel.memory.dram_timing import DramTiming
    from hotnas_hls.simulate.certify import Rtl
    from hotnas_hls.simulate.sweep import SweepPoint

GROUP = "flow"
PIPED_WIDTH = 120  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas sim``."""
    parser = subparsers.add_parser("sim", description=__doc__)
    parser.add_argument("package", type=Path, help="the package's folder, e.g. hls_out/digits")
    parser.add_argument("--images", type=int, default=2, help="images on the RTL, back to back (default 2)")
    parser.add_argument("--no-csim", action="store_true", help="leave the C simulation out")
    parser.add_argument(
        "--bambu",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="synthesise the HLS C++ by Bambu and co-simulate an image (default: where Bambu is found and "
        "the array is small)",
    )
    parser.add_argument("--rtl", type=Path, metavar="DIR", help="run the RTL of this folder instead")
    parser.add_argument("--build", type=Path, metavar="DIR", help="for programs and logs (default: beside)")
    parser.add_argument(
        "--dram",
        metavar="NAME",
        help="also behind this DRAM, e.g. ZCU102, PYNQ-Z2, dram.yaml: reports/dram.json",
    )
    parser.add_argument(
        "--no-dram", action="store_true", help="certify with an ideal memory alone, without the board's DRAM"
    )
    parser.add_argument(
        "--sweep",
        nargs="?",
        const="",
        metavar="LATENCIES",
        help="also one image per read latency in cycles (default 5,10,...,250): reports/sweep.json, .svg and "
        ".png; with --dram of an idle read (default 10,...,250), and per bandwidth: reports/dram_sweep.*",
    )
    parser.add_argument("--json", action="store_true", help="print the certificate as JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate, print the table, say whether the certificate holds."""
    started = time.monotonic()
    if args.images < 1:
        raise ConfigError(f"--images {args.images}: give at least one")
    latencies = _latencies(args.sweep)
    dram = None
    if args.dram is not None:
        from hotnas_hls.accel.memory.dram_timing import load_dram

        dram = load_dram(args.dram)
    if not args.package.is_dir():
        raise OutputRefused(f"{args.package}: no such folder; make a package: hotnas hls RUN")
    if args.rtl and not args.rtl.is_dir():
        raise ConfigError(f"--rtl {args.rtl}: no such folder; give the one HLS wrote, solution/syn/verilog")

    from hotnas_hls.base.writer import sole_writer
    from hotnas_hls.simulate.flow import build_folder

    build = args.build or build_folder(args.package)
    with sole_writer(args.package, "hotnas sim"), sole_writer(build, "hotnas sim"):
        return _simulate(args, build, dram, latencies, started)


def _simulate(
    args: argparse.Namespace,
    build: Path,
    dram: DramTiming | None,
    latencies: tuple[int, ...] | None,
    started: float,
) -> int:
    """What :func:`run` does once the package is its own."""
    from hotnas_hls.simulate.dram_check import check_dram
    from hotnas_hls.simulate.flow import (
        DRAM_FILE,
        REPORTS,
        add_reports,
        load_package,
        read_rtl,
        simulate,
    )
    from hotnas_hls.simulate.sweep import DRAM_LATENCIES, READ_LATENCIES
    from hotnas_hls.simulate.tables import certificate_table, dram_table

    console = text_console(PIPED_WIDTH, stderr=args.json)
    done = simulate(
        args.package,
        images=args.images,
        csim=not args.no_csim,
        rtl=args.rtl,
        build=build,
        behind=not args.no_dram,
        bambu=False if args.rtl and args.bambu is None else args.bambu,
        stage=lambda text: progress(f"[{time.monotonic() - started:5.1f} s] {text}"),
    )
    if done.certificate.unchecked or done.changed:
        console.print(f"{done.certificate.design}: {done.certificate.verdict}", soft_wrap=True)
    if done.changed:
        console.print("the package is not as it was generated:\n  " + "\n  ".join(done.changed))
    console.print(certificate_table(done.certificate))
    rtl = read_rtl(args.package, args.rtl)
    point = load_package(args.package)
    folder = build / ("rtl_given" if args.rtl else "rtl")
    check = None
    if dram is not None:
        check = check_dram(point, dram, rtl, folder)
        console.print(dram_table(check))
        add_reports(args.package, {DRAM_FILE: check.to_json().encode()})
    if latencies is not None and dram is None:
        _sweep(args.package, point, rtl, folder, latencies or READ_LATENCIES, console)
    if latencies is not None and dram is not None:
        _sweep_dram(args.package, point, dram, rtl, folder, latencies or DRAM_LATENCIES, console)
    if args.json:
        print(json.dumps(json.loads(done.certificate.to_json()), indent=2))
    for reason in done.certificate.reasons:
        console.print(f"  - {reason}", soft_wrap=True)
    console.print(done.certificate.line(), soft_wrap=True)
    if check is not None:
        console.print(check.line(), soft_wrap=True)
        console.print(f"{args.package / REPORTS / DRAM_FILE}", soft_wrap=True)
    if args.rtl is None:
        console.print(f"{args.package / REPORTS / 'certificate.json'}", soft_wrap=True)
    if done.certificate.holds and args.rtl is None:
        console.print(next_command("report", args.package), soft_wrap=True)
    dram_wrong = check is not None and rtl.is_twin and not check.holds
    return 0 if done.certificate.holds and not dram_wrong else 1


def _latencies(text: str | None) -> tuple[int, ...] | None:
    """The latencies of ``--sweep``, none given: empty; None without the option."""
    if text is None:
        return None
    parts = text.split(",") if text else []
    if not all(part.isascii() and part.isdigit() and int(part) >= LEAST_LATENCY for part in parts):
        raise ConfigError(f"--sweep {text}: give cycles, at least {LEAST_LATENCY} each, e.g. 10,40,160")
    return tuple(int(part) for part in parts)


def _sweep(
    package: Path, point: DesignPoint, rtl: Rtl, folder: Path, latencies: tuple[int, ...], console: Console
) -> None:
    from hotnas_hls.simulate.sweep import record_text, sweep, sweep_chart, sweep_record

    found = sweep(point, rtl, folder, latencies)
    _add(package, "sweep", record_text(sweep_record(point, found)), sweep_chart(point, found), console)
    console.print(_sweep_table(point, found, "read latency of the memory, and what it costs"))


def _sweep_dram(
    package: Path,
    point: DesignPoint,
    dram: DramTiming,
    rtl: Rtl,
    folder: Path,
    latencies: tuple[int, ...],
    console: Console,
) -> None:
    from hotnas_hls.simulate.sweep import dram_sweep_chart, dram_sweep_record, record_text, sweep_dram

    nearer, wider = sweep_dram(point, dram, rtl, folder, latencies)
    text = record_text(dram_sweep_record(point, dram, nearer, wider))
    _add(package, "dram_sweep", text, dram_sweep_chart(point, dram, nearer, wider), console)
    console.print(_sweep_table(point, nearer, f"idle read latency of {dram.name}, and what it costs"))
    console.print(_sweep_table(point, wider, f"bandwidth of {dram.name}, and what it costs"))


def _add(package: Path, name: str, text: str, chart: Figure, console: Console) -> None:
    """A sweep's record and its drawing, into the package's reports."""
    from hotnas_hls.simulate.flow import REPORTS, add_reports

    reports = {f"{name}.json": text.encode()}
    for form in ("svg", "png"):
        picture = io.BytesIO()
        chart.savefig(picture, format=form, metadata={"Date": None} if form == "svg" else None)
        reports[f"{name}.{form}"] = picture.getvalue()
    add_reports(package, reports)
    console.print(f"{package / REPORTS / name}.svg", soft_wrap=True)


def _sweep_table(point: DesignPoint, found: list[SweepPoint], title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for head in ("read latency", "MB/s", "predicted", "simulated", "difference", "ms", "array waits"):
        table.add_column(head, justify="right")
    for p in found:
        table.add_row(
            f"{p.read_latency}",
            "-" if p.mb_per_s is None else f"{p.mb_per_s:,.0f}",
            f"{p.predicted_cycles:,}",
            f"{p.simulated_cycles:,}",
            f"{p.difference:+.2%}",
            f"{point.cycles_to_ms(p.simulated_cycles):.4f}",
            f"{p.stall_cycles / p.simulated_cycles:.1%}",
        )
    return table
