"""Output for people: tables in which text is text, on whatever terminal there is."""

from __future__ import annotations

import io
import logging
import shlex
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def text_console(piped_width: int | None = None, *, stderr: bool = False) -> Console:
    """A console that reads no markup and no emoji codes in strings: a name such as ``[/x]`` stays one.

    piped_width: columns of tables when nobody looks at a terminal.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else piped_width
    return Console(width=width, stderr=stderr, markup=False, emoji=False)


def plain_console(width: int) -> Console:
    """A console whose text is kept: of this width whoever looks, without colours."""
    from rich.console import Console

    return Console(width=width, markup=False, emoji=False, highlight=False, color_system=None)


LOG = logging.getLogger("hotnas_hls")  # how things go; results are printed


class _StandardError(logging.StreamHandler[TextIO]):
    """A handler of whatever standard error is when something is said."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def log_to_terminal(quiet: bool = False, verbose: bool = False) -> None:
    """Say on standard error how things go; quiet: errors only, verbose: every program that is run, too."""
    if not LOG.handlers:
        LOG.addHandler(_StandardError())
        LOG.propagate = False
    LOG.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)


def progress_console() -> Console:
    """Where a search tells how it goes: standard error, or nowhere with ``--quiet``."""
    console = text_console(stderr=True)
    console.quiet = LOG.level > logging.INFO
    return console


def progress(text: object) -> None:
    """A line of how a command goes, beside its results."""
    LOG.info("%s", text)


def next_command(*words: object) -> str:
    """A line that names the command to go on with, ready to be copied into a shell."""
    return f"next: {shlex.join(['hotnas', *map(str, words)])}"


def show_everything() -> None:
    """From here on, characters that a terminal's encoding lacks are printed by number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not so under a test's capture
            stream.reconfigure(errors="backslashreplace")
