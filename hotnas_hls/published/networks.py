"""Layer lists of the networks in the zoo, for the published rule."""

from __future__ import annotations

from functools import cache

from hotnas_hls.published.layers import PublishedLayer, real_layers, walk


@cache
def zoo_layers(name: str, *, real_sizes: bool = False) -> tuple[PublishedLayer, ...]:
    """Convolutions of the zoo's network ``name`` at its own input size, as walked (section 1.5).

    ``real_sizes`` takes the sizes of a real forward pass instead. The network is built without storage.
    Raises ConfigError for an unknown name and UnsupportedNetwork like :func:`layers.walk`.
    """
    import torch

    from hotnas_hls.models.zoo import build, zoo_entry

    with torch.device("meta"):
        module = build(name)
    _, rows, _ = zoo_entry(name).input_shape
    return tuple((real_layers if real_sizes else walk)(module, rows))
