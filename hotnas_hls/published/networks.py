"""Layer lists of networks for the published rule: of the zoo, and of any torch module."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hotnas_hls.errors import ConfigError
from hotnas_hls.published.layers import PublishedLayer, real_layers, walk

if TYPE_CHECKING:
    from torch import nn


@cache
def zoo_layers(name: str, *, real_sizes: bool = False) -> tuple[PublishedLayer, ...]:
    """Convolutions of the zoo's network ``name`` at its own input size, as walked (section 1.5).

    ``real_sizes`` takes the sizes of a real forward pass instead. The network is built without storage.
    Raises ConfigError for an unknown name and images that are not square, and UnsupportedNetwork like
    :func:`layers.walk`.
    """
    import torch

    from hotnas_hls.models.zoo import build, zoo_entry

    side = _side(name, zoo_entry(name).input_shape)
    with torch.device("meta"):
        module = build(name)
    return tuple((real_layers if real_sizes else walk)(module, side))


def module_layers(name: str, shape: tuple[int, ...], module: nn.Module | None) -> tuple[PublishedLayer, ...]:
    """Convolutions of a network as walked, on images of ``shape`` (channels, rows, columns).

    Raises ConfigError for images that are not square and for a network that is no torch module.
    """
    from hotnas_hls.models.zoo import ZOO

    if name in ZOO and shape == ZOO[name].input_shape:
        return zoo_layers(name)
    side = _side(name, shape)
    if module is None:
        raise ConfigError(f"{name}: the published rule walks torch modules; take the true one (--rule true)")
    return tuple(walk(module, side))


def _side(name: str, shape: tuple[int, ...]) -> int:
    """Rows and columns of square images of ``shape``."""
    if len(shape) != 3 or shape[1] != shape[2]:
        told = "x".join(map(str, shape))
        raise ConfigError(f"{name}: the published rule knows square images only, not {told}")
    return shape[1]
