"""Draws docs/flow.svg: the flow from a model to a certificate. Run ``python docs/flow.py``.

Every box has its own ground and the lines a middle grey, so that the picture reads on light and dark pages.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 430
BOX, TALL = 150, 58
LINE = "#7d8590"
COLUMNS = [20 + 192.5 * index for index in range(5)]
STYLES = {  # ground, border, text
    "search": ("#dbeafe", "#3b82f6", "#172554"),
    "hinge": ("#fef3c7", "#d97706", "#451a03"),
    "model": ("#ede9fe", "#8b5cf6", "#2e1065"),
    "sources": ("#dcfce7", "#16a34a", "#052e16"),
    "proof": ("#fee2e2", "#dc2626", "#450a0a"),
}


def box(x: float, y: float, style: str, title: str, note: str, width: float = BOX) -> str:
    """A titled box."""
    ground, border, text = STYLES[style]
    middle = x + width / 2
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{TALL}" rx="8" fill="{ground}" stroke="{border}"/>'
        f'<g fill="{text}">'
        f'<text x="{middle}" y="{y + 25}" font-size="16" font-weight="600">{escape(title)}</text>'
        f'<text x="{middle}" y="{y + 44}" font-size="11">{escape(note)}</text></g>'
    )


def arrow(*points: tuple[float, float], dashed: bool = False) -> str:
    """A line through ``points`` with a head at its end."""
    path = " ".join(f"{x},{y}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2"{dash} '
        'marker-end="url(#head)"/>'
    )


def label(x: float, y: float, text: str, anchor: str = "middle") -> str:
    """Free text."""
    return f'<text x="{x}" y="{y}" font-size="12" fill="{LINE}" text-anchor="{anchor}">{escape(text)}</text>'


def svg() -> str:
    """The picture."""
    top, middle, upper, lower, centre = 40, 160, 270, 350, 310
    parts = [
        box(COLUMNS[0], top, "search", "model", "PyTorch or zoo, weights"),
        box(COLUMNS[1], top, "search", "graph", "operators, true shapes"),
        box(COLUMNS[2], top, "search", "iDetect", "what bounds each layer"),
        box(COLUMNS[3], top, "search", "iSpace", "edits that would help"),
        box(COLUMNS[4], top, "search", "iSearch", "edits + hardware, tuned"),
        box(COLUMNS[2], middle, "model", "latency and resource model", "of the generated accelerator", 342.5),
        box(COLUMNS[4], middle, "hinge", "design point", "JSON + integer weights"),
        box(COLUMNS[3], upper, "sources", "HLS C++", "for Vitis HLS"),
        box(COLUMNS[3], lower, "sources", "SystemVerilog", "its twin"),
        box(COLUMNS[2], upper, "proof", "csim", "g++, bit for bit"),
        box(COLUMNS[2], lower, "proof", "cocotb", "Verilator, to the cycle"),
        box(COLUMNS[1], centre, "proof", "certificate", "bound, cycles, margin"),
        box(COLUMNS[0], centre, "hinge", "package", "manifest, archive"),
    ]
    half = top + TALL / 2
    parts += [arrow((left + BOX, half), (right - 3, half)) for left, right in pairwise(COLUMNS)]
    parts += [
        arrow((x, middle), (x, top + TALL + 3), dashed=True) for x in (COLUMNS[2] + 75, COLUMNS[3] + 75)
    ]
    parts += [
        arrow((COLUMNS[3] + BOX, middle + 20), (770, middle + 20), (770, top + TALL + 14),
              (COLUMNS[4] + 40, top + TALL + 14), (COLUMNS[4] + 40, top + TALL + 3), dashed=True),
        arrow((COLUMNS[4] + 75, top + TALL), (COLUMNS[4] + 75, middle - 3)),
        arrow((COLUMNS[4] + 75, middle + TALL), (COLUMNS[4] + 75, upper + TALL / 2),
              (COLUMNS[3] + BOX + 3, upper + TALL / 2)),
        arrow((COLUMNS[4] + 75, upper + TALL / 2), (COLUMNS[4] + 75, lower + TALL / 2),
              (COLUMNS[3] + BOX + 3, lower + TALL / 2)),
    ]  # fmt: skip
    for y in (upper, lower):
        parts.append(arrow((COLUMNS[3], y + TALL / 2), (COLUMNS[2] + BOX + 3, y + TALL / 2)))
        entry = centre + TALL / 2 + (-12 if y == upper else 12)
        bend = COLUMNS[2] - 20
        parts.append(
            arrow(
                (COLUMNS[2], y + TALL / 2), (bend, y + TALL / 2), (bend, entry), (COLUMNS[1] + BOX + 3, entry)
            )
        )
    parts += [
        arrow((COLUMNS[2], middle + TALL / 2), (COLUMNS[1] + 75, middle + TALL / 2),
              (COLUMNS[1] + 75, centre - 3), dashed=True),
        label(COLUMNS[1] + 66, 240, "predicted cycles", "end"),
        arrow((COLUMNS[1], centre + TALL / 2), (COLUMNS[0] + BOX + 3, centre + TALL / 2)),
        label(COLUMNS[0], 22, "hotnas search", "start"),
        label(COLUMNS[4] + BOX, 250, "hotnas hls", "end"),
        label(COLUMNS[2], upper - 9, "hotnas sim", "start"),
    ]  # fmt: skip
    head = (
        f'<marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="6" markerHeight="6" '
        f'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="system-ui, sans-serif" text-anchor="middle" role="img">',
            "<title>From a model to a certificate</title>",
            f"<defs>{head}</defs>",
            *parts,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_name("flow.svg").write_text(svg())
