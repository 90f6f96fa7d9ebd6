"""Verilator's own C++ library: compiled with the first build, kept in the user's cache for later ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OBJECTS = "verilated*.o"
# For Verilator: the makefile it writes is newer than the library that was kept, which would be built anew.
KEEPS_OLDER_OBJECTS = ("-MAKEFLAGS", "--old-file=Vtop.mk")


def kept_library(verilator: str, flags: Sequence[str]) -> Path:
    """The folder of the library for a Verilator (path and version) and the flags that its compiler gets."""
    digest = hashlib.sha256("\0".join((verilator, *flags)).encode()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "hotnas-hls" / f"verilator-{digest}"


@contextmanager
def used(library: Path, objects: Path) -> Iterator[None]:
    """A build in the folder ``objects`` begins with what is kept; what it makes is kept when it has ended."""
    take(library, objects)
    yield
    keep(library, objects)


def take(library: Path, objects: Path) -> None:
    """Copy what is kept into the folder of a build, whose make then finds it up to date."""
    objects.mkdir(parents=True, exist_ok=True)
    for path in sorted(library.glob(OBJECTS)):
        shutil.copyfile(path, objects / path.name)


def keep(library: Path, objects: Path) -> None:
    """Keep the library of a build that has ended; a cache that cannot be written is no error."""
    if library.is_dir():
        return
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as name:
            whole = Path(name) / "library"
            whole.mkdir()
            for path in objects.glob(OBJECTS):
                shutil.copyfile(path, whole / path.name)
            whole.rename(library)  # at once, and only one of builds that end together
    except OSError:
        pass
