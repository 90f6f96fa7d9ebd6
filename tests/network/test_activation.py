"""Activations: their floats against torch's, their lines, and networks with them in integers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hotnas_hls.accel.integers.activation import (
    LINE_BITS,
    SEGMENTS,
    activated,
    identity_lines,
    lines_through,
    words_of,
)
from hotnas_hls.network import activation as activations
from hotnas_hls.network.activation import Activation, activation, affine
from hotnas_hls.network.drawing import kernel_text, kind_text
from hotnas_hls.network.graph import Node, OpKind
from network.test_lower import Network, checked, summary

FUNCTIONS: list[tuple[str, Activation, Callable[[torch.Tensor], torch.Tensor]]] = [
    ("leaky", activation("leaky_relu", 0.1), lambda x: F.leaky_relu(x, 0.1)),
    ("hard swish", activations.HARD_SWISH, F.hardswish),
    ("hard sigmoid", activations.hard_sigmoid(), F.hardsigmoid),
    ("sigmoid", activations.SIGMOID, torch.sigmoid),
    ("tanh", activations.TANH, torch.tanh),
    ("SiLU", activations.SILU, F.silu),
    ("ELU", activation("elu", 0.7), lambda x: F.elu(x, 0.7)),
    ("CELU", activations.celu(0.7), lambda x: F.celu(x, 0.7)),
    ("SELU", activations.selu(), F.selu),
    ("GELU", activations.GELU, F.gelu),
    ("GELU by tanh", activations.GELU_BY_TANH, lambda x: F.gelu(x, approximate="tanh")),
    ("softplus", activations.softplus(2.0), lambda x: F.softplus(x, 2.0)),
    ("softsign", activation("softsign"), F.softsign),
    ("Mish", activations.MISH, F.mish),
]
ALL = pytest.mark.parametrize(
    ("function", "theirs"),
    [(ours, theirs) for _, ours, theirs in FUNCTIONS],
    ids=[name for name, *_ in FUNCTIONS],
)


def on_lines(
    function: Activation, act_bits: int, frac_bits: int, out_frac: int
) -> tuple[np.ndarray, np.ndarray]:
    """What lines make of every activation, and the function itself, both in activations."""
    top = 1 << act_bits - 1
    ends = np.linspace(-1, 1, SEGMENTS + 1) * 2.0 ** (act_bits - 1 - frac_bits)
    lines = lines_through(function(ends) * 2.0**out_frac, act_bits)
    values = np.arange(-top, top)
    return activated(values, lines, act_bits), function(values * 2.0**-frac_bits) * 2.0**out_frac


@ALL
def test_floats_are_torchs(function: Activation, theirs: Callable[[torch.Tensor], torch.Tensor]) -> None:
    values = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    np.testing.assert_allclose(function(values.numpy()), theirs(values).numpy(), rtol=1e-6, atol=1e-7)


@ALL
@pytest.mark.parametrize(("act_bits", "most"), [(8, 0.76), (16, 65.0)])
def test_lines_are_close(
    function: Activation, theirs: Callable[[torch.Tensor], torch.Tensor], act_bits: int, most: float
) -> None:
    """Between -8 and 8, in steps of what is written: half a step is rounding, the rest is the lines'.

    A line is off by an eighth of the curvature, at most 2 here (softsign), times the square of a segment's
    width, here 1 / 4: by 1 / 64, which is 0.25 steps of 1 / 16, or 64 of 1 / 4,096.
    """
    found, wanted = on_lines(function, act_bits, act_bits - 4, act_bits - 4)
    assert np.abs(found - np.clip(wanted, *(-(1 << act_bits - 1), (1 << act_bits - 1) - 1))).max() <= most


@pytest.mark.parametrize("act_bits", [8, 16])
def test_functions_of_lines_are_exact_up_to_rounding(act_bits: int) -> None:
    for function in (activation("leaky_relu", 0.25), activations.hard_sigmoid(0.25), affine(-0.5, 1.0)):
        found, wanted = on_lines(function, act_bits, act_bits - 4, act_bits - 5)
        np.testing.assert_array_equal(found, np.floor(wanted + 0.5))


@pytest.mark.parametrize("act_bits", [8, 16])
def test_identity_hands_on(act_bits: int) -> None:
    values = np.arange(-(1 << act_bits - 1), 1 << act_bits - 1)
    np.testing.assert_array_equal(activated(values, identity_lines(), act_bits), values)


@pytest.mark.parametrize("act_bits", [8, 16])
def test_lines_saturate(act_bits: int) -> None:
    top = (1 << act_bits - 1) - 1
    for ends in (np.linspace(-9, 9, SEGMENTS + 1) * top, np.resize([-9e9, 9e9], SEGMENTS + 1)):
        out = activated(np.arange(-top - 1, top + 1), lines_through(ends, act_bits), act_bits)
        assert -top - 1 <= out.min() < 0 < out.max() <= top


def test_a_line_by_hand() -> None:
    lines = np.zeros((SEGMENTS, 2), np.int32)
    lines[1], lines[-1] = (1000, -300), (-32768, -32768)
    found = activated(np.array([4, 5, 6, 7, -1, -4]), lines, 8)
    assert found.tolist() == [4, 4, 3, 3, -128, -128]  # 1000, 925, 850, 775 in 1 / 256
    found = activated(np.array([1024, 1536, 2047, -1, -1024]), lines, 16)
    assert found.tolist() == [1000, 850, 700, -32768, -32768]


def test_words_hold_base_and_rise() -> None:
    lines = lines_through(np.linspace(100, -100, SEGMENTS + 1), 16)
    words = words_of(lines).astype(np.int64)
    signed = np.stack([words & 0xFFFF, words >> LINE_BITS], axis=1).astype(np.uint16).astype(np.int16)
    np.testing.assert_array_equal(signed, lines)
    assert lines[0, 0] == 0  # the first segment is that of the values from 0 up


def test_an_activation_is_told() -> None:
    node = Node("act", OpKind.ACTIVATION, ("x",), (1, 1, 1), activation=activations.SILU)
    assert (kind_text(node), kernel_text(node)) == ("activation", "times its sigmoid")
    leaky = activation("leaky_relu", 0.1).then(affine(2))
    assert str(leaky) == "leaky_relu(0.1), then affine(2, 0)"


# --- networks -----------------------------------------------------------------------------------------------


def test_an_activation_belongs_to_the_layer_before_it() -> None:
    net = Network().conv("a", "image").add("clip", OpKind.CLIP, "a", bounds=(-2.0, 2.0))
    net.add("silu", OpKind.ACTIVATION, "clip", activation=activations.SILU).conv("b", "silu")
    net.add("add", OpKind.ADD, "b", "silu").add("out", OpKind.ACTIVATION, "add", activation=activations.GELU)
    lowered = checked(net.graph())
    assert summary(lowered) == [("a", "image", "silu", None), ("b", "silu", "out", "silu")]
    assert [(item.clamp, item.argument) for item in lowered.layers] == [
        ((-2.0, 2.0), "clip"),
        ((-math.inf, math.inf), "add"),
    ]
    assert all(item.layer.activation_lines for item in lowered.layers)


def test_what_follows_an_activation_is_a_layer_of_its_own() -> None:
    net = Network().conv("a", "image").add("tanh", OpKind.ACTIVATION, "a", activation=activations.TANH)
    net.add("relu", OpKind.RELU, "tanh").add("add", OpKind.ADD, "relu", "tanh")
    net.add("sigmoid", OpKind.ACTIVATION, "add", activation=activations.SIGMOID)
    lowered = checked(net.graph())
    assert [layer.activation_lines for layer in lowered.shapes] == [True, False, True]


def test_a_maximum_takes_an_activation() -> None:
    net = Network().conv("a", "image").add("pool", OpKind.MAXPOOL, "a", shape=(4, 4, 4), kernel=(3, 3))
    net.add("out", OpKind.ACTIVATION, "pool", activation=activations.hard_sigmoid())
    lowered = checked(net.graph())
    assert [layer.kind for layer in lowered.shapes] == ["conv", "maxpool"]
