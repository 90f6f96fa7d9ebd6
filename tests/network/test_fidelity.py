"""How far integers are from floats: scales between layers do not matter, what is lost is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from hotnas_hls.frontends.trace import trace
from hotnas_hls.network.fidelity import Fidelity, fidelity
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import quantise

IMAGES = np.random.default_rng(0).standard_normal((12, 3, 8, 8)).astype(np.float32)


def measured(scale: float, channel: float = 1.0) -> Fidelity:
    """Two convolutions: the first scaled by ``scale``, one channel by ``channel`` too, the second back."""
    torch.manual_seed(1)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(288, 4)),
    )
    factors = torch.full((8,), scale)
    factors[0] *= channel
    with torch.no_grad():
        model[0].weight.mul_(factors[:, None, None, None])
        model[0].bias.mul_(factors)
        model[2].weight.div_(factors[:, None, None])
    graph = fold_batchnorm(trace(model, (3, 8, 8), "net"))
    return fidelity(graph, quantise(graph, lower(graph), IMAGES), IMAGES)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_integers_do_not_depend_on_the_scale_between_layers(scale: float) -> None:
    balanced, scaled = measured(1.0), measured(scale)
    for layer, decibels in balanced.signal_to_noise.items():
        assert scaled.signal_to_noise[layer] > decibels - 6, layer  # a bit: the scale is no power of two
    assert scaled.losing == () and scaled.agreeing == balanced.agreeing == 12


def test_what_is_told() -> None:
    found = measured(1.0)
    levels = found.signal_to_noise
    worst = min(levels, key=lambda name: levels[name])
    assert str(found) == (
        f"integers against floats on 12 images: the largest output is the same on 12; signal-to-noise "
        f"{levels['5']:.0f} dB at the output, least {levels[worst]:.0f} dB at {worst}"
    )
    assert list(levels) == ["0", "2", "5"] and min(levels.values()) > 50


def test_the_layer_that_loses_the_signal_is_named() -> None:
    found = measured(1.0, channel=1e-6)
    assert found.losing == ("2",)
    assert str(found).endswith(
        f"; the signal is lost in 2 ({found.signal_to_noise['2']:.0f} dB): its channels differ too much in "
        "scale for one format, balance their weights or give it more bits"
    )


def test_a_copy_is_without_noise() -> None:
    graph = trace(nn.ReLU(), (3, 8, 8), "net")
    images = np.round(IMAGES * 8) / 8
    found = fidelity(graph, quantise(graph, lower(graph), images), images)
    assert set(found.signal_to_noise.values()) == {math.inf}
    assert "signal-to-noise without noise at the output" in str(found)
