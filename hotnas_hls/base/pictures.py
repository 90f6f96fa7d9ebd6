"""Pictures as files: which can be drawn into, and a figure's bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.errors import ConfigError, OutputRefused

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def picture(figure: Figure, kind: str) -> bytes:
    """A figure as a file of this kind (svg, png, pdf); the same figure gives the same bytes."""
    from matplotlib import rc_context

    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    contents = BytesIO()
    with rc_context({"svg.hashsalt": "hotnas-hls"}):
        figure.savefig(contents, format=kind, dpi=120, metadata=undated.get(kind))
    return contents.getvalue()


def save_picture(figure: Figure, path: Path) -> None:
    """Write a picture; its suffix says which kind."""
    if problems := picture_violations(path):
        raise ConfigError("\n".join(problems))
    try:
        path.write_bytes(picture(figure, path.suffix[1:]))
    except OSError as reason:
        raise OutputRefused(
            f"{path}: cannot be written ({reason.strerror}); choose another place"
        ) from reason
