"""The command line: finds the sub-commands, prints errors, sets exit statuses."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import pkgutil
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from hotnas_hls import commands
from hotnas_hls.base.escaping import terminal
from hotnas_hls.base.names import nearest
from hotnas_hls.base.terminal import log_to_terminal, show_everything
from hotnas_hls.errors import HotnasError
from hotnas_hls.version import __version__

FAILED = 1
WRONG_USAGE = 2  # as argparse has it
INTERRUPTED = 130  # as a shell has it
FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)  # by a disk or its rights

GROUPS = {
    "flow": "From a pre-trained network to verified sources",
    "explore": "Networks, latency and designs",
    "hand-off": "Packages and synthesis",
    "machine": "This machine",
}


ORDER = (  # in which a new user meets them; others follow by name
    *("search", "hls", "sim", "report"),
    *("graph", "zoo", "boards", "platforms", "detect", "latency", "dse", "engines"),
    *("compare", "compare-platforms", "published"),
    *("synth", "timing", "import-reports", "package", "verify"),
    *("doctor", "completion", "bench", "fuzz"),
)
ABOUT = "Hot-start hardware/network co-search for CNNs on FPGAs, down to verified accelerator sources."
MORE = "'hotnas COMMAND --help' says more about one; 'hotnas --version' prints the version."
STATUSES = (
    "Exit status: 0 done; 1 refused, failed, or a check does not hold; 2 wrong usage; 130 interrupted. "
    "NO_COLOR=1 leaves colours out."
)
WIDEST = 100  # columns of help that are still easy to read


def help_width() -> int:
    """Columns of the terminal (80 where there is none), at most ``WIDEST``."""
    return min(shutil.get_terminal_size().columns - 2, WIDEST)


class ParagraphFormatter(argparse.HelpFormatter):
    """Descriptions keep their paragraphs, each filled to the terminal's width."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=help_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = re.split(r"\n\s*\n", text.strip())
        return "\n\n".join(super(ParagraphFormatter, self)._fill_text(p, width, indent) for p in paragraphs)


class CommandParser(argparse.ArgumentParser):
    """Parser of one command: descriptions in paragraphs, no abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", ParagraphFormatter)
        super().__init__(allow_abbrev=False, **settings)
        self.add_argument(
            *("-q", "--quiet"),
            action="store_true",
            default=argparse.SUPPRESS,  # or an action's own parser would take it back
            help="results and errors only, no progress",
        )
        self.add_argument(
            *("-v", "--verbose"),
            action="store_true",
            default=argparse.SUPPRESS,
            help="also every program that is run, and how long it took",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``hotnas`` with ``argv``; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    show_everything()
    try:
        return _dispatch(arguments)
    except HotnasError as error:
        print(f"hotnas: {terminal(str(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", ()):
            print(terminal(note), file=sys.stderr)
        print("hotnas: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output (head, less) has left
        _drop_output()
        return FAILED
    except OSError as error:
        if error.errno in FULL:
            place = f" while writing {error.filename}" if error.filename else ""
            message = f"the disk is full{place}; free space and run it again"
        elif error.errno in REFUSED and error.filename:
            message = f"{error.filename}: {error.strerror}; see to the disk and its rights and run it again"
        else:
            raise
        print(f"hotnas: {message}", file=sys.stderr)
        _drop_output()
        return FAILED


def _open_closed_streams() -> None:
    """Nothing behind standard input, output and error that a caller has closed.

    The next file to be opened, a database say, would get its number and everything that is printed.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, open(number, mode, closefd=False))


def _drop_output() -> None:
    """Forget what cannot be printed, or Python would try once more when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command_names() -> list[str]:
    """Every sub-command, found by its module, in the order of the help."""
    names = sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help") and len(arguments) < 2:
        print(help_text(), end="")
        return 0
    if name == "help":
        return _dispatch([arguments[1], "--help"])
    if name in ("-V", "--version"):
        print(f"hotnas {__version__}")
        return 0
    if name not in command_names():
        hint = nearest(name, command_names())
        what = "option" if name.startswith("-") else "command"
        print(f"hotnas: unknown {what} {name!r}; {hint}'hotnas --help' lists them", file=sys.stderr)
        return WRONG_USAGE
    module = _module(name)
    parser = argparse.ArgumentParser(prog="hotnas")
    module.add_parser(parser.add_subparsers(required=True, parser_class=CommandParser))
    try:
        args = parser.parse_args(arguments)
    except SystemExit as done:  # argparse has printed its help or its error
        return int(done.code or 0)
    log_to_terminal(getattr(args, "quiet", False), getattr(args, "verbose", False))
    status = module.run(args)
    sys.stdout.flush()
    return int(status or 0)


def help_text() -> str:
    """What ``hotnas --help`` prints: the commands by group, each with its summary."""
    modules = {name: _module(name) for name in command_names()}
    column = max(map(len, modules), default=0) + 4
    lines = [
        "usage: hotnas COMMAND [options]",
        "",
        *textwrap.wrap(ABOUT, help_width()),
    ]
    for group, title in GROUPS.items():
        members = {name: module for name, module in modules.items() if module.GROUP == group}
        if members:
            lines += ["", f"{title}:"]
            for name, module in members.items():
                lines += textwrap.wrap(
                    _summary(module),
                    help_width(),
                    initial_indent=f"  {name:{column - 2}}",
                    subsequent_indent=" " * column,
                )
    lines += ["", *textwrap.wrap(MORE, help_width()), *textwrap.wrap(STATUSES, help_width())]
    return "\n".join(lines) + "\n"


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")


def _summary(module: ModuleType) -> str:
    text = module.__doc__ or "not described: python -OO leaves documentation out"
    return text.strip().splitlines()[0].rstrip(".")
