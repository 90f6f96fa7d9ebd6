"""Results that a notebook shows as tables and pictures: the tables are those that commands print."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType
    from rich.table import Table


PRINTED_WIDTH = 160  # columns


class Shown:
    """A result with tables, lines of text and at most one picture, as Jupyter asks for them."""

    def tables(self) -> Sequence[Table]:
        """The tables, in their order."""
        return ()

    def notes(self) -> Sequence[str]:
        """Lines below the tables."""
        return ()

    def figure(self) -> Figure | None:
        """The picture; None where there is none to draw."""
        return None

    def __str__(self) -> str:
        from hotnas_hls.base.terminal import plain_console

        console = plain_console(PRINTED_WIDTH)
        with console.capture() as printed:
            for table in self.tables():
                console.print(table)
            for note in self.notes():
                console.print(note, soft_wrap=True)
        return printed.get().rstrip()

    def __repr__(self) -> str:
        titles = "; ".join(str(table.title) for table in self.tables() if table.title)
        return f"<{type(self).__name__}: {titles}; print() shows it>"

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes())
        return "".join(map(table_html, self.tables())) + notes + (self._repr_svg_() or "")

    def _repr_svg_(self) -> str | None:
        from hotnas_hls.base.pictures import picture

        figure = self.figure()
        if figure is None:
            return None
        text = picture(figure, "svg").decode()
        return text[text.index("<svg") :]


def table_html(table: Table) -> str:
    """A terminal's table as HTML: its title, heads, rows and footers, all of it text."""
    columns = table.columns
    heads = "".join(f"<th>{_plain(column.header)}</th>" for column in columns)
    rows = zip(*(column.cells for column in columns), strict=True)
    body = "".join(f"<tr>{_cells(row, table)}</tr>" for row in rows)
    foot = ""
    if table.show_footer:
        foot = f"<tfoot><tr>{_cells([column.footer for column in columns], table)}</tr></tfoot>"
    caption = f"<caption>{_plain(table.title)}</caption>" if table.title else ""
    whole = f"{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>{foot}"
    return f'<table style="white-space: pre-line">{whole}</table>'


def _cells(values: Sequence[RenderableType], table: Table) -> str:
    return "".join(
        f'<td align="{column.justify}">{_plain(value)}</td>'
        for value, column in zip(values, table.columns, strict=True)
    )


def _plain(value: object) -> str:
    return escape(str(value))
