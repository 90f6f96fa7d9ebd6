"""Arguments of ONNX operators: constants, values, numbers in inputs or attributes, zeros around a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value


class Reader(Protocol):
    """What a handler asks of the reader."""

    draft: Draft
    opset: int


def constant_of(item: Value | np.ndarray | None, role: str) -> np.ndarray:
    if not isinstance(item, np.ndarray):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return item


def numbers_of(item: Value | np.ndarray | None, attribute: Any, role: str) -> list[int] | None:
    """Whole numbers given as an input since some opset, as an attribute before; None where left out."""
    if item is None:
        return None if attribute is None else [int(number) for number in attribute]
    return [int(number) for number in constant_of(item, role).reshape(-1)]


def sides(source: Value, given: Any, default: int) -> list[int]:
    """One number for every side of a map."""
    return [default] * (source.rank - 2) if given is None else [int(size) for size in given]


def zeros_around(
    source: Value, kernel: Sequence[int], stride: Sequence[int], pads: Any, auto_pad: bytes, dilation: Any
) -> list[int]:
    """Zeros before, then after every side, from ``pads`` or ``auto_pad``."""
    sides = source.dims[1:]
    if auto_pad in (b"NOTSET", b"VALID"):
        return (
            [int(pad) for pad in pads] if pads is not None and auto_pad == b"NOTSET" else [0] * 2 * len(sides)
        )
    before, after = [], []
    for side, window, step, gap in zip(sides, kernel, stride, dilation, strict=True):
        total = max(0, (-(-side // step) - 1) * step + (window - 1) * gap + 1 - side)
        small, large = total // 2, total - total // 2
        before.append(large if auto_pad == b"SAME_LOWER" else small)
        after.append(small if auto_pad == b"SAME_LOWER" else large)
    return before + after
