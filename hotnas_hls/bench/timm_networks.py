"""Convolutional classifiers of timm, as they are: which are imported and proven, what keeps out the rest.

timm comes from PyPI without torchvision, whose operators none of these networks needs: what timm's modules
import of it is stood in for while they are loaded. Weights are random, images small; of a family with many
networks some are drawn.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from unittest.mock import MagicMock

from hotnas_hls.bench.kept_results import Figures
from hotnas_hls.errors import HotnasError, ToolNotFound
from hotnas_hls.frontends.source import load_module

FAMILIES = (
    *("byobnet", "convmixer", "convnext", "cspnet", "densenet", "dla", "dpn", "efficientnet", "fasternet"),
    *("ghostnet", "hardcorenas", "hgnet", "hrnet", "inception_v3", "lcnetv2", "mobilenetv3", "nfnet"),
    *("regnet", "repghost", "repvit", "res2net", "resnest", "resnet", "resnetv2", "rexnet", "senet"),
    *("sknet", "starnet", "vovnet", "xception", "xception_aligned"),
)  # modules of timm whose networks are mostly convolutions, with some that are small
MOST_PARAMETERS = 30_000_000
MOST_OF_A_FAMILY = 4
INPUT = (3, 128, 128)
STANDS_IN_FOR = (
    *("torchvision", "torchvision.datasets", "torchvision.models", "torchvision.models.feature_extraction"),
    *(
        "torchvision.ops",
        "torchvision.ops.misc",
        "torchvision.transforms",
        "torchvision.transforms.functional",
    ),
)


def measure() -> Figures:
    """By family what :func:`tried` finds of its networks that were drawn."""
    timm = _loaded()
    return {family: {name: tried(timm, name) for name in drawn(timm, family)} for family in FAMILIES}


def drawn(timm: Any, family: str) -> list[str]:
    """Names of up to MOST_OF_A_FAMILY networks below MOST_PARAMETERS, by chance, always the same."""
    names = sorted(timm.list_models(module=family))
    random.Random(0).shuffle(names)
    small = (name for name in names if _parameters(timm, name) < MOST_PARAMETERS)
    return sorted(islice(small, MOST_OF_A_FAMILY))


def tried(timm: Any, name: str) -> Figures:
    """One network: ``refused``, every operator that keeps it out; or how closely graph and module agree."""
    try:
        loaded = load_module(timm.create_model(name), INPUT, name=name)
    except HotnasError as error:
        headline, *lines = str(error).split("\n")
        return {"refused": [line.removeprefix("  - ") for line in lines] or [headline]}
    assert loaded.proof is not None
    return {"operators": len(loaded.graph), "difference": loaded.proof.difference}


def _parameters(timm: Any, name: str) -> int:
    """Parameters of a network, without their memory."""
    import torch

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in timm.create_model(name).parameters())


def _loaded() -> Any:
    """The package timm."""
    try:
        with _without_torchvision():
            import timm
    except ImportError as error:
        raise ToolNotFound("coverage: it needs timm; run: pip install --no-deps timm") from error
    return timm


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """Modules of torchvision that are not installed can be imported, and do nothing."""
    missing = [name for name in STANDS_IN_FOR if name not in sys.modules]
    sys.modules.update({name: MagicMock(name=name) for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
