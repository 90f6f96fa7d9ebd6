"""Pack a generated package into one archive.

The archive (.tar.gz) holds one folder, which 'hotnas verify' checks after unpacking. The same design gives
the same bytes. Files that were changed since the package was generated are refused; files that were added
(reports, build folders) stay behind.

--sign KEY signs the package first, by OpenSSH's ssh-keygen: manifest.json.sig, in the folder and in the
archive. Whoever knows your public key checks it by 'hotnas verify --signers FILE'.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from hotnas_hls.commands import Subparsers

GROUP = "hand-off"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas package``."""
    parser = subparsers.add_parser("package", description=__doc__)
    parser.add_argument("folder", type=Path, help="the package's folder, e.g. hls_out/digits")
    parser.add_argument("--output", type=Path, help="the archive (default: FOLDER.tar.gz)")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="sign it with this key of OpenSSH")


def run(args: argparse.Namespace) -> None:
    """Write the archive and print its size and SHA-256."""
    from hotnas_hls.api.package import Package

    package = Package(args.folder)
    target = package.archive(args.output, sign=args.sign)
    if args.sign is not None:
        print(package.signature)
    data = target.read_bytes()
    print(f"{target}: {len(data):,} bytes")
    print(f"sha256 {hashlib.sha256(data).hexdigest()}")
