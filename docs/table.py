"""A table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable


def markdown(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """The lines of a table."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
