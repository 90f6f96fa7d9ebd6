"""Writing files so that a full disk or an interrupt leaves the earlier ones untouched.

A process that is killed can leave a file that waited, under a hidden name; the folder's next sole writer
(:mod:`.writer`) removes it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

WAITING = ".part"  # ending of a file that is not whole yet


def replace_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (name to contents) into ``folder``: all are on disk before the first is renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting: list[tuple[str, Path]] = []
    try:
        for name, contents in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=WAITING, dir=folder)
            waiting.append((temporary, folder / name))
            with os.fdopen(handle, "wb") as file:
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, usual_mode())
        for temporary, target in waiting:
            os.replace(temporary, target)
    finally:
        for temporary, _ in waiting:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def usual_mode(executable: bool = False) -> int:
    """Permissions a new file gets from the user's umask."""
    mask = os.umask(0)
    os.umask(mask)
    return (0o777 if executable else 0o666) & ~mask
