"""One BLAS thread: on matrices as small as a layer's, more threads mostly wait for each other.

On two busy cores OpenBLAS with two threads was 15 times slower than with one.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    """What sets the number of threads, or None where threadpoolctl (part of scikit-learn) is missing."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


def one_blas_thread() -> contextlib.AbstractContextManager[object]:
    """Inside it BLAS uses one thread; without threadpoolctl it changes nothing but the speed."""
    controller = _controller()
    return contextlib.nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
