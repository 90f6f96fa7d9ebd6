"""Code that numba compiled and kept, thrown away when what it calls has changed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import ModuleType


def forget_stale(file: str, *called: ModuleType) -> None:
    """Remove compiled code of the module ``file`` that is older than the modules it calls.

    numba keeps compiled code until the file it is written in changes, and does not see the others.
    """
    changed = max(Path(str(module.__file__)).stat().st_mtime for module in called)
    for kept in (Path(file).parent / "__pycache__").glob(f"{Path(file).stem}.*.nb[ic]"):
        with contextlib.suppress(OSError):  # a read-only installation, or another process was faster
            if kept.stat().st_mtime < changed:
                kept.unlink()
