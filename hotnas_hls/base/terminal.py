"""Output for people: tables in which text is text, on whatever terminal there is."""

from __future__ import annotations

import io
import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def text_console(piped_width: int | None = None, *, stderr: bool = False) -> Console:
    """A console that reads no markup and no emoji codes in strings: a name such as ``[/x]`` stays one.

    piped_width: columns of tables when nobody looks at a terminal.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else piped_width
    return Console(width=width, stderr=stderr, markup=False, emoji=False)


_quiet = False


def be_quiet(wanted: bool) -> None:
    """From here on, ``progress`` says nothing, or something again."""
    global _quiet
    _quiet = wanted


def progress_console() -> Console:
    """Where a command tells how it goes: standard error, or nowhere with ``--quiet``."""
    console = text_console(stderr=True)
    console.quiet = _quiet
    return console


def progress(text: object) -> None:
    """A line of how a command goes, beside its results."""
    if not _quiet:
        print(text, file=sys.stderr, flush=True)


def next_command(*words: object) -> str:
    """A line that names the command to go on with, ready to be copied into a shell."""
    return f"next: {shlex.join(['hotnas', *map(str, words)])}"


def show_everything() -> None:
    """From here on, characters that a terminal's encoding lacks are printed by number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not so under a test's capture
            stream.reconfigure(errors="backslashreplace")
