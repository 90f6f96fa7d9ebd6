"""How the report's figures are drawn: by matplotlib, as SVG that takes its colours and font from the page.

Each figure is drawn twice, for wide and for narrow screens; the page shows one. Colours are written as
place-holders that no figure uses otherwise and become CSS variables, so that one drawing serves light and
dark.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Place-holders: what the page calls --<name>.
COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "surface": "#040404",
    "accent": "#050505",
    "good": "#060606",
    "bad": "#070707",
    "faint": "#080808",
    "I": "#0a0a0a",
    "W": "#0b0b0b",
    "C": "#0c0c0c",
    "O": "#0d0d0d",
}
INK, MUTED, GRID, SURFACE, ACCENT = (COLOURS[n] for n in ("ink", "muted", "grid", "surface", "accent"))
FULL, HALF, NARROW = 1120, 540, 348  # pixels
LABEL_SIZE = 10.5  # of names beside points
STYLE: Any = {  # matplotlib's own type lists every key
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "legend.fontsize": 12,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}


@dataclass(frozen=True)
class Chart:
    """One figure of the page: a heading, what it shows in words, and its two drawings."""

    key: str
    title: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[tuple[str, str], ...] = ()  # (colour name, text), drawn by the page


def figure_of(width: int, height: int) -> tuple[Figure, Axes]:
    """A figure of so many pixels (a point is a pixel) with one set of axes."""
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.03)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout=layout)
    return figure, figure.add_subplot()


def grid(axes: Axes, axis: Literal["x", "y", "both"]) -> None:
    axes.grid(axis=axis, linewidth=1)
    axes.tick_params(length=0, pad=5)
    if axis == "y":
        axes.spines["left"].set_visible(False)
    if axis == "x":
        axes.spines["bottom"].set_visible(False)


def name_points(figure: Figure, axes: Axes, places: Mapping[str, tuple[float, float]]) -> None:
    """Names beside points, the first ones first; one that would cover a name, point or line is left out."""
    figure.draw_without_rendering()
    dots = {name: axes.transData.transform(place) for name, place in places.items()}
    right_edge = axes.transData.transform((axes.get_xlim()[1], 1))[0]
    taken: list[tuple[float, float, float, float]] = [(x - 5, y - 5, x + 5, y + 5) for x, y in dots.values()]
    for line in axes.get_lines():
        points = axes.transData.transform(line.get_xydata())
        steps = max(2, int(np.ptp(points[:, 0]) / LABEL_SIZE))
        along = np.linspace(points[0], points[-1], steps)  # straight on the screen, on these axes
        taken += [(x - 3, y - 3, x + 3, y + 3) for x, y in along]
    for name, (x, y) in dots.items():
        length = LABEL_SIZE * 0.62 * len(name)
        for left, ha, shift in ((x + 7, "left", 7), (x - 7 - length, "right", -7)):
            box = (left, y - LABEL_SIZE / 2, left + length, y + LABEL_SIZE / 2)
            inside = left > 0 and left + length < right_edge
            if inside and not any(_overlap(box, other) for other in taken):
                axes.annotate(
                    name, places[name], xytext=(shift, 0), textcoords="offset points", ha=ha, va="center",
                    fontsize=LABEL_SIZE, color=MUTED,
                )  # fmt: skip
                taken.append(box)
                break


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def chart(
    key: str,
    title: str,
    caption: str,
    draw: Callable[[int], Figure],
    width: int,
    legend: tuple[tuple[str, str], ...] = (),
) -> Chart:
    drawings = []
    for pixels in (width, NARROW):
        with rc_context(STYLE | {"svg.hashsalt": f"{key}{pixels}"}):
            drawings.append(_svg(draw(pixels), f"{title}: {caption}"))
    return Chart(key, title, caption, drawings[0], drawings[1], legend)


def _svg(figure: Figure, description: str) -> str:
    """The figure as an inline element: no header, no metadata, colours and font by the page."""
    target = io.StringIO()
    figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<style.*?</style>", "", text, flags=re.DOTALL)  # would hold for the whole page
    text = re.sub(r' id="[\w.]+_\d+"', "", text)  # groups, the same in every figure
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    text = re.sub(r"font: ([^;\"]*?[\d.]+px) [^;\"]*", r"font: \1 var(--font)", text)
    text = re.sub(r'\bd="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), text)
    for name, placeholder in COLOURS.items():
        text = text.replace(placeholder, f"var(--{name})")
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)[0]
    head = (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
        f'aria-label="{html.escape(description)}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + text[text.index(">") + 1 :].strip()
