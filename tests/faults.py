"""Faults at the n-th write below a folder, whoever writes: Python tells an audit hook of each beforehand.

What is written is opened, renamed, linked or made as a folder. A hook cannot be removed, so there is one,
which does nothing while nobody watches.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_watch: Callable[[str], None] | None = None


def _hook(event: str, arguments: tuple) -> None:
    if _watch is None:
        return
    if event == "open" and isinstance(arguments[0], str | Path):
        flags = arguments[2]
        if flags & WRITING and flags & os.O_TMPFILE != os.O_TMPFILE:  # which filelock asks whether it may
            _watch(str(arguments[0]))
    elif event in ("os.rename", "os.symlink", "os.truncate"):
        _watch(str(arguments[1]) if event != "os.truncate" else str(arguments[0]))
    elif event == "os.mkdir" and not os.path.isdir(arguments[0]):
        _watch(str(arguments[0]))


sys.addaudithook(_hook)


@contextlib.contextmanager
def at_write(number: int, folder: Path, fault: Callable[[str], None]) -> Iterator[list[str]]:
    """``fault`` is called at the ``number``-th write below ``folder``; gives the places written until then.

    The lock files of Optuna's journals do not count: they hold nothing.
    """
    global _watch
    seen: list[str] = []

    def watch(place: str) -> None:
        if str(folder) not in place or ".journal.lock" in place:
            return
        seen.append(place)
        if len(seen) == number:
            fault(place)

    _watch = watch
    try:
        yield seen
    finally:
        _watch = None


def full(place: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)


def kill(place: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number: int, folder: Path, run: Callable[[], int]) -> bool:
    """``run`` in a process of its own, killed at its ``number``-th write; False where it ends before."""
    child = os.fork()
    if not child:
        signal.alarm(60)  # one that hangs is no success
        with at_write(number, folder, kill):
            os._exit(run())
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False
