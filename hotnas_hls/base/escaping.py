"""Foreign text in what is written: one filter for each language.

Names of layers, networks and boards come from strangers. In a generated file they stand in string literals,
comments, words or table cells, and each filter keeps them there. Code that the generator itself makes is
marked as :class:`Code` and passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup

from hotnas_hls.errors import ConfigError

# Text in the language of its file, made by the generator: it passes as it is. Jinja2 marks so what its macros
# return, and what a template calls ``safe``.
Code = Markup

# What no name needs and no terminal should get: control characters, line ends, overrides of the direction
# of writing, and halves of characters.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_C_SPECIAL = re.compile(r'["\\`]|[^ -~]|\*(?=/)|/(?=\*)|\?(?=\?)')  # comments, trigraphs
_NO_WORD = re.compile(r"[^A-Za-z0-9_.,:/=+-]")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.,:/=+% -]")
_MARKDOWN_SPECIAL = re.compile(r"[\\`*|<>&\[\]$#~!]|" + UNPRINTABLE.pattern)


def c(text: str) -> str:
    """Inside a string literal or a comment of C, C++ and SystemVerilog: the same bytes, as octal escapes."""

    def octal(found: re.Match[str]) -> str:
        return "".join(f"\\{byte:03o}" for byte in found.group().encode("utf-8", "surrogatepass"))

    return _C_SPECIAL.sub(octal, text)


def word(text: str) -> str:
    """One word of Tcl, or inside a string literal or a comment of Python: the same characters by number."""

    def numbered(found: re.Match[str]) -> str:
        number = ord(found.group())
        return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"

    return _NO_WORD.sub(numbered, text)


def plain(text: str) -> str:
    """The text itself, in languages that cannot escape (make, INI, file lists); ConfigError if they must."""
    if found := sorted(set(_NOT_PLAIN.findall(text))):
        raise ConfigError(
            f"{text!r} cannot be written into a build file; do without {', '.join(map(repr, found))}"
        )
    return text


def markdown(text: str) -> str:
    """A piece of a Markdown line, a table's cell or a code span: it begins and ends nothing there."""
    return _MARKDOWN_SPECIAL.sub(lambda found: f"&#{ord(found.group())};", text)


def terminal(text: str) -> str:
    """Lines for a terminal: what could steer it is shown by number instead."""
    return UNPRINTABLE.sub(
        lambda found: found.group() if found.group() in "\n\t" else ascii(found.group())[1:-1], text
    )


# By the suffix of the file, or its name without one; HTML is escaped by Jinja2 itself.
FILTERS: dict[str, Callable[[str], str]] = {
    ".bif": plain,
    ".c": c,
    ".cfg": plain,
    ".cpp": c,
    ".dtso": plain,
    ".f": plain,
    ".h": c,
    ".json": plain,
    ".md": markdown,
    ".py": word,
    ".sv": c,
    ".tcl": word,
    ".xdc": word,
    ".v": c,
    "Makefile": plain,
}
