"""Check a generated package against its manifest, and its certificate against design and model.

Says which files were changed, are missing or were added since it was written, and what of the
certificate no longer holds; the exit status is 1 when there is any. What tools leave beside the package's own
folders (build/, a Vitis project, logs) is mentioned and is no difference.

This proves that the files fit together, not who made them: whoever changes a file can write a manifest that
fits, and a certificate too. Two options prove more.

--signers FILE: that the maker signed it ('hotnas package --sign'). FILE has a line for everyone you trust: a
name and a public key of OpenSSH.

--again: that its design gives these files and this certificate. Everything is generated again from the design
point (by the same version of hotnas), compared, and simulated; nothing of the package is run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "hand-off"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas verify``."""
    parser = subparsers.add_parser("verify", description=__doc__)
    parser.add_argument("folder", type=Path, help="the package's folder, e.g. hls_out/digits")
    parser.add_argument("--signers", type=Path, metavar="FILE", help="who may have signed it")
    parser.add_argument("--again", action="store_true", help="generate and simulate it again, and compare")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print every difference; 1 when there is one."""
    from hotnas_hls.api.package import Package

    found = Package(args.folder).verify(signers=args.signers, again=args.again)
    if args.json:
        print(json.dumps({"holds": found.holds, **dataclasses.asdict(found)}, indent=2))
    elif found.holds:
        print(f"{args.folder}: {found.headline}")
        print("\n".join(found.proven))
        if found.beside:
            print(f"not part of it: {', '.join(found.beside)}")
    else:
        print(f"{args.folder}: {found.headline}:")
        print("\n".join(f"  - {difference}" for difference in found.differences))
    return 0 if found.holds else 1
