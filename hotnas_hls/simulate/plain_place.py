"""A folder that make can build in, whatever the package's own folder is called."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hotnas_hls.errors import SimulationFailed

_PLAIN = re.compile(r"[A-Za-z0-9_./+,=@%-]*")


@contextmanager
def plain_place(folder: Path, kept: tuple[str, ...]) -> Iterator[Path]:
    """An empty folder for a build; what of it is ``kept`` moves to ``folder`` when the build has ended well.

    It lies in ``folder``, or in the system's temporary folder where make could not read that path: a space, a
    quote, ``$``, ``#`` or ``:`` cannot be written in a makefile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inside = _PLAIN.fullmatch(str(folder.resolve())) is not None
    place = Path(tempfile.mkdtemp(prefix="hotnas_build.", dir=folder if inside else None))
    try:
        refuse_strange(place, "TMPDIR", "a folder")
        yield place
        for name in kept:
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.move(place / name, folder / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def refuse_strange(path: Path, what: str, where: str) -> None:
    """Raise SimulationFailed for a path that cannot be written in a makefile."""
    strange = _PLAIN.sub("", str(path.resolve()))
    if strange:
        raise SimulationFailed(
            f"{path}: make cannot read a path with {strange[0]!r}; {what} must be {where} of plain letters"
        )
