"""Files that pictures are drawn into."""

from __future__ import annotations

from pathlib import Path

PICTURE_SUFFIXES = (".svg", ".png", ".pdf")


def picture_violations(path: Path) -> list[str]:
    """What keeps a picture from being drawn into ``path``: known before anything is computed."""
    found = []
    if path.suffix not in PICTURE_SUFFIXES:
        found.append(
            f"{path}: cannot draw into {path.suffix or 'a file without suffix'}; "
            f"use one of {', '.join(PICTURE_SUFFIXES)}"
        )
    if not path.parent.is_dir():
        found.append(f"{path}: there is no folder {path.parent}; make it first")
    elif path.is_dir():
        found.append(f"{path}: is a folder; name a file")
    return found
