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

--wave FILE.fst --layer NAME records what the RTL does while it works on a layer, in the run that is
certified, and writes a view for GTKWave beside the file (.fst or .vcd); nothing is certified then.

A package of several engines (hotnas engines --output) runs all of them at the same time behind the DRAM of
the board, and keeps reports/engines.json; it takes --build and --json alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any

from hotnas_hls.accel.timing.memory_timing import LEAST_LATENCY
from hotnas_hls.base.terminal import next_command, progress, text_console
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.commands import Subparsers
from hotnas_hls.errors import ConfigError, raise_all

GROUP = "flow"
IMAGES = 2
CERTIFYING = ("images", "no_csim", "bambu", "rtl", "dram", "no_dram", "sweep")  # options of a certificate
PIPED_WIDTH = 160  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas sim``."""
    parser = subparsers.add_parser("sim", description=__doc__)
    parser.add_argument("package", type=Path, help="the package's folder, e.g. hls_out/digits")
    parser.add_argument(
        "--images", type=int, default=IMAGES, help="images on the RTL, back to back (default 2)"
    )
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
    parser.add_argument(
        "--wave", type=Path, metavar="FILE.fst", help="record a waveform of --layer instead; .gtkw beside it"
    )
    parser.add_argument("--layer", metavar="NAME", help="the layer to record")
    parser.add_argument(
        "--json", action="store_true", help="print the certificate as JSON, with what --dram and --sweep find"
    )


def run(args: argparse.Namespace) -> int:
    """Simulate, print the tables, say whether the certificate holds."""
    from hotnas_hls.api.engines import is_shared_board

    if is_shared_board(args.package):
        return _simulate_engines(args)
    if args.wave is not None or args.layer is not None:
        return _record(args)
    latencies = _latencies(args.sweep)
    if args.dram is not None:
        from hotnas_hls.accel.memory.dram_timing import load_dram

        load_dram(args.dram)  # refused before anything is simulated
    with contextlib.ExitStack() as held:
        if args.package.is_dir():
            held.enter_context(sole_writer(args.package, "hotnas sim"))  # from the first step to the last
        return _simulate(args, latencies)


def _simulate_engines(args: argparse.Namespace) -> int:
    from hotnas_hls.api.engines import load_shared_board

    given = _given(args, (*CERTIFYING, "wave", "layer"))
    raise_all(
        ConfigError,
        f"{args.package} holds several engines:",
        [f"--{name}: is of a package of one design; leave it out" for name in given],
    )
    console = text_console(PIPED_WIDTH, stderr=args.json)
    shared = load_shared_board(args.package)
    console.print(*shared.tables())
    found = shared.simulate(args.build)
    console.print(*found.tables())
    for line in [*shared.notes(), *found.notes()]:
        console.print(line, soft_wrap=True)
    if args.json:
        print(json.dumps(found.record(), indent=2))
    return 0 if found.holds else 1


def _given(args: argparse.Namespace, options: tuple[str, ...]) -> list[str]:
    """Those of ``options`` that were given, as they are written."""
    usual = {"images": IMAGES, "no_csim": False, "no_dram": False, "json": False}
    return [name.replace("_", "-") for name in options if getattr(args, name) != usual.get(name)]


def _record(args: argparse.Namespace) -> int:
    """Record the waveform of a layer."""
    from hotnas_hls.api.package import Package

    problems = [
        f"--{name}: a waveform is of the package's own RTL, and certifies nothing; leave it out"
        for name in _given(args, (*CERTIFYING, "json"))
    ]
    if args.wave is None or args.layer is None:
        problems.append("--wave FILE.fst and --layer NAME: give both")
    raise_all(ConfigError, "No waveform:", problems)
    progress(f"RTL simulation up to {args.layer}")
    found = Package(args.package).waveform(args.layer, args.wave, build=args.build)
    text_console(PIPED_WIDTH).print(found.line(), soft_wrap=True)
    return 0


def _simulate(args: argparse.Namespace, latencies: tuple[int, ...] | None) -> int:
    from hotnas_hls.api.package import Package

    started = time.monotonic()
    console = text_console(PIPED_WIDTH, stderr=args.json)
    package = Package(args.package)
    where: dict[str, Any] = {"rtl": args.rtl, "build": args.build}
    found = package.simulate(
        images=args.images,
        csim=not args.no_csim,
        behind_dram=not args.no_dram,
        bambu=args.bambu,
        stage=lambda text: progress(f"[{time.monotonic() - started:5.1f} s] {text}"),
        **where,
    )
    certificate = found.certificate
    if certificate.unchecked or found.changed:
        console.print(f"{certificate.design}: {certificate.verdict}", soft_wrap=True)
    if found.changed:
        console.print("the package is not as it was generated:\n  " + "\n  ".join(found.changed))
    console.print(*found.tables())
    record = json.loads(certificate.to_json())
    behind = swept = None
    if args.dram is not None:
        behind = package.simulate_dram(args.dram, **where)
        console.print(*behind.tables())
        record["behind_another_dram"] = json.loads(behind.check.to_json())
    if latencies is not None:
        swept = package.sweep(latencies or None, dram=args.dram, **where)
        console.print(*swept.tables())
        record["sweep"] = swept.record()
    if args.json:
        print(json.dumps(record, indent=2))
    for reason in certificate.reasons:
        console.print(f"  - {reason}", soft_wrap=True)
    lines: list[object] = [certificate.line()]
    lines += [*behind.notes(), behind.path] if behind is not None else []
    lines += swept.paths if swept is not None else ()
    lines += [found.path] if found.path is not None else []
    lines += [next_command("report", args.package)] if found.holds and found.path is not None else []
    for line in lines:
        console.print(str(line), soft_wrap=True)
    return 0 if found.holds and (behind is None or behind.holds) else 1


def _latencies(text: str | None) -> tuple[int, ...] | None:
    """The latencies of ``--sweep``, none given: empty; None without the option."""
    if text is None:
        return None
    parts = text.split(",") if text else []
    if not all(part.isascii() and part.isdigit() and int(part) >= LEAST_LATENCY for part in parts):
        raise ConfigError(f"--sweep {text}: give cycles, at least {LEAST_LATENCY} each, e.g. 10,40,160")
    return tuple(int(part) for part in parts)
