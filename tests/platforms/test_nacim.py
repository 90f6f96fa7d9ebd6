"""Compute in memory: a layer by hand, the constants against each other, peaks beside published ones.

Converter, buffer and router are ISAAC's in public code; the crossbar is remembered from its table. NACIM's
own figures (73.9 % on CIFAR-10, 1.55 mJ ms) name no network, and cannot be reproduced.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.nacim.constants import load_constants
from hotnas_hls.platforms.nacim.model import (
    CrossbarLayer,
    crossbar_layer,
    crossbar_violations,
    peak_tops_per_watt,
)
from hotnas_hls.platforms.nacim.platform import ComputeInMemoryPlatform

ISAAC = load_constants()
CONV = Operation(
    "conv", OpKind.CONV, ("image",), 64, 48, 16, 16, 16, 16, 3, 3, act_bits=8, weight_bits=8,
)  # fmt: skip


def test_a_layer_by_hand() -> None:
    # 576 products in 5 crossbars of 128 rows, 48 channels of 4 cells in 2 of 128 columns; 256 pixels, 8 steps
    layer = crossbar_layer(CONV, ISAAC)
    assert layer == CrossbarLayer(
        crossbars=10, reads=2048, conversions=2048 * 5 * 192, busiest=128, moved_bits=28_672 * 8
    )
    read, convert = layer.seconds(ISAAC)
    assert (read, convert) == (pytest.approx(204.8e-6), pytest.approx(218.4e-6, rel=1e-3))
    cells, converters, buffers = layer.microjoules(ISAAC)
    assert cells == pytest.approx(10 * 2048 * 80e-6)
    assert converters == pytest.approx(1_966_080 * 1.688e-6)
    assert buffers == pytest.approx(229_376 * 0.1609e-6)
    assert layer.square_millimetres(ISAAC) == pytest.approx((250e-6, 0.012))


def test_narrower_weights_take_fewer_columns_and_depthwise_channels_their_own_crossbars() -> None:
    assert crossbar_layer(replace(CONV, weight_bits=4), ISAAC).crossbars == 5  # 96 columns
    assert crossbar_layer(replace(CONV, weight_bits=4), ISAAC).busiest == 96
    assert crossbar_layer(replace(CONV, n=48, groups=48), ISAAC).crossbars == 48


def test_a_converter_takes_two_milliwatts() -> None:
    assert ISAAC.convert_pj / ISAAC.convert_ns == pytest.approx(2.0, rel=0.001)  # ISAAC: 16 mW for 8


def test_peaks_lie_where_published_ones_do() -> None:
    # NACIM: up to 16.3 TOPs/W (remembered), widths not said. Ours is of one crossbar alone, without buffers.
    peaks = [round(peak_tops_per_watt(ISAAC, bits, bits), 2) for bits in (16, 8, 4)]
    assert peaks == [0.86, 3.46, 13.83]


@pytest.mark.parametrize(("objective", "label"), [("latency_ms", "A"), ("energy_uj", "A"), ("area_mm2", "A")])
def test_costs_add_up_to_the_objective(objective: str, label: str) -> None:
    platform = ComputeInMemoryPlatform(objective=objective)
    second = replace(CONV, name="second", n=48)
    cost = platform.cost((CONV, second), {})
    assert cost.value == cost.total == pytest.approx(sum(one.total for one in cost.layers))
    assert {one.label for one in cost.layers} == {label}
    assert cost.metrics["images_per_s"] == pytest.approx(1000 / 0.2184, rel=1e-3)


def test_few_columns_are_bound_by_the_crossbar() -> None:
    narrow = ComputeInMemoryPlatform().cost((replace(CONV, m=16),), {})
    assert [one.label for one in narrow.layers] == ["X"]


def test_what_the_model_is_not_made_for_is_said() -> None:
    assert crossbar_violations(replace(CONV, weight_bits=18, act_bits=20), ISAAC) == [
        "conv: weights of 18 bits, the model is made for 16; use fewer",
        "conv: activations of 20 bits, the model is made for 16; use fewer",
    ]
