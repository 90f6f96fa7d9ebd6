"""Random networks on random designs in RTL simulation: outputs bit-exact, cycles as predicted.

A seed and a number make a case: a network of every operator, with additions and concatenations, and a
design, which 20 cases in a row share. Each case runs without and with random stalls of the memory. Verdicts
are kept in the output folder: a run that was interrupted goes on where it stopped, and only passed cases of
the same code are left out. A case that fails prints the command that repeats it alone.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "machine"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas fuzz``."""
    parser = subparsers.add_parser("fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of all cases (default: 0)")
    parser.add_argument("--count", type=int, default=1000, help="cases 0 to COUNT - 1 (default: 1000)")
    parser.add_argument(
        "--case", type=int, action="append", metavar="NUMBER", help="only this one (may be given again)"
    )
    parser.add_argument("--csim", action="store_true", help="C simulation and HLS schedule of each case too")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="designs at a time (default: one a CPU)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs/fuzz"), metavar="FOLDER", help="default: runs/fuzz"
    )


def run(args: argparse.Namespace) -> int:
    """Check the cases; 1 when one fails."""
    from hotnas_hls.api.fuzzing import CaseVerdict, fuzz_networks

    repeat = f"hotnas fuzz --seed {args.seed} --case {{}}" + (" --csim" if args.csim else "")

    def report(verdict: CaseVerdict) -> None:
        if verdict.problems:
            print(f"case {verdict.number} FAILED", *verdict.problems, sep="\n  ")
            print(f"  repeat it: {repeat.format(verdict.number)}", flush=True)

    found = fuzz_networks(
        args.seed,
        args.count,
        cases=args.case,
        csim=args.csim,
        jobs=args.jobs,
        output=args.output,
        report=report,
    )
    print(found.line)
    return int(bool(found.failed))
