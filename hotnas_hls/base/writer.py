"""One writer a folder: a lock that says who holds it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import filelock

from hotnas_hls.base.atomic import WAITING
from hotnas_hls.errors import OutputRefused

FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)  # by a disk or its rights


@contextlib.contextmanager
def sole_writer(folder: Path, command: str, reading: bool = False) -> Iterator[None]:
    """While this block runs, no other process writes to ``folder`` (or to a file); it need not exist.

    command: who asks, for whoever comes second. The lock lies beside the folder, so that a folder can be
    replaced as a whole, and ends with the process that holds it, however that ends. A thread may take it
    again. reading: nothing will be written; a folder in which nothing can be written has no writer.
    Raises OutputRefused, at once, when another process holds the lock or nothing can be written.
    """
    folder = folder.resolve()
    path = folder.parent / f".{folder.name}.lock"
    lock = filelock.FileLock(path, timeout=0, is_singleton=True)
    try:
        if not reading:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _require_writable(folder)
        lock.acquire()
    except filelock.Timeout:
        if not path.exists():  # some file systems say of a file that cannot be made that it is held
            raise OutputRefused(f"{folder}: cannot be written; name a folder that can be") from None
        raise OutputRefused(
            f"{folder}: {_holder(path)} is at work there; wait until it ends, or name another folder"
        ) from None
    except OSError as reason:
        if not (reading and reason.errno in FORBIDDEN):
            raise OutputRefused(
                f"{folder}: cannot be written: {reason.strerror or reason}; name a folder that can be"
            ) from None
    if not lock.is_locked:  # nothing can be written here
        yield
        return
    try:
        if lock.lock_counter == 1:
            path.write_text(f"{command} (process {os.getpid()} on {socket.gethostname()})")
            if not reading:
                _forget_interrupted_writes(folder)
        yield
    finally:
        lock.release()


def _require_writable(folder: Path) -> None:
    """An OSError where a folder exists and nothing can be written into it."""
    if folder.exists() and not os.access(folder, os.W_OK):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number))


def _forget_interrupted_writes(folder: Path) -> None:
    """Remove what writers that were killed left halfway."""
    inside = (path for pattern in (f".*{WAITING}", f"*/.*{WAITING}") for path in folder.glob(pattern))
    for path in (*inside, *folder.parent.glob(f".{folder.name}.*{WAITING}")):
        path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    """Who holds a lock, in the words of whoever took it."""
    with contextlib.suppress(OSError):
        return path.read_text() or "another process"
    return "another process"
