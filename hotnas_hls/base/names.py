"""What may be a name: of a layer, a map, a network or a board; and, stricter, of a file or a part."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from hotnas_hls.base.escaping import UNPRINTABLE

LONGEST_NAME = 255  # characters
LONGEST_OPERATOR = 200  # of a network: layers that are made of it have a few more
LONGEST_FILE_NAME = 100  # file systems take 255 bytes; temporary names beside it are longer
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


def name_violation(name: str, longest: int = LONGEST_NAME) -> str | None:
    """Why ``name`` cannot be shown to people; None when it can. Everything that prints is allowed."""
    if not name:
        return "a name is empty; give one"
    if len(name) > longest:
        return f"{name[:20]!r}... has {len(name)} characters; use at most {longest}"
    return unprintable(name)


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean X? `` for the nearest of ``known``, empty where none is near."""
    plain = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), plain, 1)
    return f"did you mean {plain[near[0]]}? " if near else ""


def article(noun: str) -> str:
    """``a float``, ``an int``."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def unprintable(text: str) -> str | None:
    """What of ``text`` does not print, with the cure; None when all does."""
    found = UNPRINTABLE.search(text)
    if found is None:
        return None
    return f"{ascii(text)} holds {ascii(found.group())}, which does not print; leave it out"


def file_name_violation(name: str) -> str | None:
    """Why ``name`` cannot be a file's on every system; None when it can."""
    if len(name) > LONGEST_FILE_NAME:
        return f"{name[:20]!r}... has {len(name)} characters; use at most {LONGEST_FILE_NAME}"
    if not _FILE_NAME.fullmatch(name):
        return f"{name!r}: use letters, digits, '_', '-' and '.', and no '.' in front"
    return None
