"""Functions that numba compiles and keeps, and compiles anew when something that they call has changed.

numba keeps compiled code until the file it is written in changes. It does not see that another has changed
which this file imports, whose code and constants are part of what it kept.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).resolve().parents[1]
IMPORT = re.compile(r"^from hotnas_hls([\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


def compiled(function: Function) -> Function:
    """``function``, compiled when it is first called with arguments of its types.

    An integer divided by zero gives what it gives in numpy, which costs no test.
    """
    _forget_stale(function.__code__.co_filename)
    return cast(Function, numba.njit(cache=True, error_model="numpy")(function))


@functools.cache
def _forget_stale(file: str) -> None:
    """Remove what is kept of a file and is older than what the file imports."""
    path = Path(file)
    changed = max(each.stat().st_mtime for each in imported(path))
    for kept in (path.parent / "__pycache__").glob(f"{path.stem}.*.nb[ic]"):
        with contextlib.suppress(OSError):  # a read-only installation, or another process was faster
            if kept.stat().st_mtime < changed:
                kept.unlink()


def imported(path: Path) -> set[Path]:
    """A file of this package, and those it imports, and those that they import."""
    found, waiting = {path}, [path]
    while waiting:
        for each in _imports(waiting.pop()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


@functools.cache
def _imports(path: Path) -> list[Path]:
    found = []
    for module, names in IMPORT.findall(path.read_text(encoding="utf-8")):
        place = PACKAGE.joinpath(*module.split(".")[1:])
        found += [place.with_suffix(".py"), *(place / f"{name}.py" for name in re.findall(r"\w+", names))]
    return [each for each in found if each.is_file()]
