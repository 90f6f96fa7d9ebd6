"""Where the templates and the simulation bench lie: at the top of a checkout, inside an installation."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: str) -> Path:
    """The folder ``templates`` or ``sim``: the wheel's (see setup.py), else the checkout's."""
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{name}: not in {_PACKAGE} nor in {_PACKAGE.parent}; install hotnas-hls again")
