"""Who made a package: a detached signature of its manifest, by OpenSSH's ssh-keygen.

The manifest holds the SHA-256 of every file, so that its signature is one of the whole package.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from hotnas_hls.base import tools
from hotnas_hls.codegen.bundle import MANIFEST, SIGNATURE
from hotnas_hls.errors import ConfigError, OutputRefused

NAMESPACE = "hotnas-package"  # a signature made for another purpose does not count
SECONDS = 60


def sign(root: Path, key: Path) -> Path:
    """Sign the manifest of the package in ``root``; returns the signature's file.

    key: a private key of OpenSSH without a passphrase, or the public half of one that ssh-agent holds.
    """
    if not key.is_file():
        raise ConfigError(f"--sign {key}: no such file; make a key: ssh-keygen -t ed25519 -f {key}")
    signature = root / SIGNATURE
    signature.unlink(missing_ok=True)
    done = _ssh_keygen("sign", ("-f", key, "-n", NAMESPACE, root / MANIFEST))
    if done.returncode != 0 or not signature.is_file():
        raise ConfigError(f"--sign {key}: ssh-keygen cannot sign with it: {_said(done)}")
    return signature


def signer(root: Path, signers: Path) -> str:
    """Who of the file ``signers`` signed the package in ``root``; OutputRefused when nobody did.

    signers: lines of a name and a public key, as ``man ssh-keygen`` describes under ALLOWED SIGNERS.
    """
    if not signers.is_file():
        raise ConfigError(f"--signers {signers}: no such file; write lines 'NAME ssh-ed25519 AAAA...'")
    signature = root / SIGNATURE
    if not signature.is_file() or signature.is_symlink():
        raise OutputRefused(f"{root}: is not signed (no {SIGNATURE}); its maker can: hotnas package --sign")
    known = ("-f", signers, "-s", signature)
    manifest = (root / MANIFEST).read_bytes()
    for name in _ssh_keygen("find-principals", known).stdout.decode(errors="replace").splitlines():
        done = _ssh_keygen("verify", (*known, "-I", name, "-n", NAMESPACE), manifest)
        if done.returncode == 0:
            return name
    raise OutputRefused(
        f"{root}: its signature is by nobody in {signers}, or the manifest has changed since; "
        "get the package from its maker again"
    )


def _ssh_keygen(
    action: str, arguments: Sequence[str | Path], data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = [tools.require("ssh-keygen").path, "-Y", action, *arguments]
    return subprocess.run(command, input=data, capture_output=True, timeout=SECONDS)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode(errors="replace").strip() or f"it ended with status {done.returncode}"
