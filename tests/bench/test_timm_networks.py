"""Networks of timm are drawn and tried; timm itself is stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from hotnas_hls.bench import timm_networks
from hotnas_hls.bench.timm_networks import MOST_OF_A_FAMILY, drawn, measure, tried
from hotnas_hls.errors import ToolNotFound


class Squeezed(nn.Module):
    """A convolution whose rows are weighed by their means."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(x.mean(3, keepdim=True))


NETWORKS = {f"plain{number}": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()) for number in range(9)}
NETWORKS |= {"large": lambda: nn.Linear(6000, 6000), "squeezed": Squeezed}
TIMM = SimpleNamespace(
    list_models=lambda module: list(NETWORKS) if module == "vgg" else [],
    create_model=lambda name: NETWORKS[name](),
)


def test_what_is_drawn_is_small_and_always_the_same() -> None:
    names = drawn(TIMM, "vgg")
    assert names == drawn(TIMM, "vgg") and len(set(names)) == MOST_OF_A_FAMILY
    assert "large" not in names


def test_a_network_is_proven_or_refused_with_every_reason() -> None:
    assert tried(TIMM, "plain0")["difference"] < 1e-5
    assert tried(TIMM, "squeezed") == {
        "refused": [
            "mul: its inputs are 4x126x126 and 4x126x1; take maps of the same shape, or one value for every "
            "channel"
        ]
    }


def test_without_timm_the_cure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ToolNotFound) as caught:
        measure()
    assert str(caught.value) == "coverage: it needs timm; run: pip install --no-deps timm"
    assert not [name for name in timm_networks.STANDS_IN_FOR if name in sys.modules]
