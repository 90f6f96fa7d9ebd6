"""Arguments of torch's functions: constants, values, numbers for every side of a map, axes, names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from hotnas_hls.frontends.refusal import Refused
from hotnas_hls.frontends.tensor import Value


def sizes_of(size: Any, value: Value) -> list[int]:
    """One number for every side of a map, from one for all of them."""
    given = [size] if isinstance(size, int) else list(size)
    return [int(each) for each in (given * (value.rank - 2) if len(given) == 1 else given)]


def zeros_around(padding: Any, value: Value) -> list[int]:
    """The same on both ends of every side."""
    return sizes_of(padding, value) * 2


def constant_of(item: Any, role: str) -> np.ndarray:
    """A constant as float32."""
    if isinstance(item, int | float):
        return np.float32(item)  # type: ignore[return-value]
    if not isinstance(item, Tensor):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return item.detach().cpu().float().numpy()


def optional_of(tensor: Any, role: str) -> np.ndarray | None:
    """A constant that may be left out."""
    return None if tensor is None else constant_of(tensor, role)


def axes_of(dim: Any) -> list[int]:
    return [] if dim is None else [dim] if isinstance(dim, int) else list(dim)


def named(*names: Sequence[str], handler: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """A handler under several names."""
    return {str(name): handler for name in names}
