"""Tables of the platforms: what there is, and what their models make of published figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from table import markdown

from hotnas_hls.platforms.nass.constants import load_constants
from hotnas_hls.platforms.nass.published import PRINTED, SHARE_BITS, figures, gazelle, nass
from hotnas_hls.platforms.registry import BUILT_IN, platform_class


def platforms() -> str:
    """The platforms of this project."""
    rows = []
    for name in BUILT_IN:
        kind = platform_class(name)
        metrics = ", ".join(f"`{metric.name}`" for metric in kind.metrics)
        gives = "designs, certified" if hasattr(kind, "emit") else "a model only"
        rows.append((f"`{name}`", kind.about, gives, metrics))
    return markdown(("Platform", "What it is", "Gives", "Metrics, the objective first"), rows)


def private() -> str:
    """NASS's table beside the model, without and with factors from the column of Gazelle."""
    words = {
        "bytes": ("MB", 1e6),
        "homomorphic_s": ("ciphertexts, s", 1),
        "garbled_s": ("circuits, s", 1),
        "seconds": ("both, s", 1),
    }
    rows = []
    for constants in (load_constants("gazelle"), load_constants("nass-table")):
        left = figures(gazelle(), dataclasses.replace(constants, share_bits=SHARE_BITS))
        right = figures(nass(), dataclasses.replace(constants, windows=2))
        for name, (word, unit) in words.items():
            cells: list[str] = []
            for found, printed in zip((left, right), PRINTED[name], strict=True):
                off = found[name] / printed - 1
                cells += [f"{printed / unit:g}", f"{found[name] / unit:.4g}", f"{off:+.1%}"]
            rows.append((f"`{constants.name}`", word, *cells))
    heads = ("Constants", "", "Gazelle's network, printed", "Model", "Off", "NASS's, printed", "Model", "Off")
    return markdown(heads, rows)


TABLES: dict[str, Callable[[], str]] = {table.__name__: table for table in (platforms, private)}
