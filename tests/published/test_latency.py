"""The formula: hand-worked layers, section 6.2, and the fast version against the readable one."""

import random
from dataclasses import replace

import numpy as np
import pytest

from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.published.design import PublishedDesign, PublishedHardware
from hotnas_hls.published.latency import (
    Bottleneck,
    DesignArrays,
    Formula,
    latency_matrix,
    layer_latency,
    network_cycles,
    network_cycles_of,
    network_latency,
    published_ms,
    weight_lanes,
)
from hotnas_hls.published.layers import ConvKind, PublishedLayer

from .resnet18_layers import resnet18_layers

RESNET18_HARDWARE = PublishedHardware.parse("70,36,64,64,7,18,6,6")

SECTION_6_2 = {
    "conv1": (200_704, "C"),
    "layer1.0.conv1": (60_552, "C"),
    "layer1.0.conv2": (60_552, "C"),
    "layer1.1.conv1": (60_552, "C"),
    "layer1.1.conv2": (60_552, "C"),
    "layer2.0.conv1": (18_816, "I"),
    "layer2.0.conv2": (64_800, "C"),
    "layer2.0.downsample.0": (4_704, "I"),
    "layer2.1.conv1": (18_432, "C"),
    "layer2.1.conv2": (18_432, "C"),
    "layer3.0.conv1": (20_160, "W"),
    "layer3.0.conv2": (40_320, "W"),
    "layer3.0.downsample.0": (2_240, "W"),
    "layer3.1.conv1": (40_320, "W"),
    "layer3.1.conv2": (40_320, "W"),
    "layer4.0.conv1": (80_640, "W"),
    "layer4.0.conv2": (151_200, "W"),
    "layer4.0.downsample.0": (8_960, "W"),
    "layer4.1.conv1": (151_200, "W"),
    "layer4.1.conv2": (151_200, "W"),
}


def test_resnet18_layer_by_layer():
    reports = network_latency(resnet18_layers(), RESNET18_HARDWARE)
    found = {report.layer.name: (report.latency.cycles, report.latency.bottleneck) for report in reports}
    assert found == SECTION_6_2


def test_resnet18_total():
    assert network_cycles(resnet18_layers(), RESNET18_HARDWARE) == 1_254_656
    assert published_ms(network_cycles(resnet18_layers(), RESNET18_HARDWARE)) == 6.27328
    assert published_ms(network_cycles(resnet18_layers(), RESNET18_HARDWARE, Formula.A)) == 6.2872


def test_terms_of_the_stem():
    conv1 = resnet18_layers()[0]
    latency = layer_latency(conv1, RESNET18_HARDWARE.cconv)
    assert latency.load_ifm == 3 * 64 * 64 / 6
    assert latency.load_wgt == 70 * 36 * 49 / 18  # not clipped to N or M
    assert latency.store_ofm == 64 * 32 * 32 / 6
    assert latency.compute == 49 * 32 * 32
    assert (latency.input_passes, latency.tiles) == (1, 4)
    assert latency.totals == {
        Bottleneck.LOAD_IFM: 4 * 2048,
        Bottleneck.STORE: 4 * latency.store_ofm,
        Bottleneck.LOAD_WGT: 4 * 6860,
        Bottleneck.COMPUTE: 200_704,
    }


def test_depthwise_is_charged_its_tiles_twice():
    layer = PublishedLayer("dw", 128, 128, 8, 8, 3, 1, 1, ConvKind.DCONV)
    design = PublishedDesign.parse("64,1,32,32,3,10,10,10")
    latency = layer_latency(layer, design)
    assert latency.load_wgt == 64 * 9 / 10
    assert latency.load_ifm == 64 * 64 / 10
    assert (latency.input_passes, latency.tiles) == (2, 2)  # quirk Q3
    assert latency.cycles == 4 * 9 * 100


@pytest.mark.parametrize(
    ("wp", "bits", "lanes"),
    [(18, None, 18), (18, 16, 18), (18, 12, 24), (18, 8, 36), (20, 12, 26), (20, 8, 40)],
)
def test_weight_lanes(wp, bits, lanes):
    assert weight_lanes(wp, bits) == lanes


def test_pattern_changes_compute_and_bits_change_weights_only():
    layer = resnet18_layers()[1]
    plain = layer_latency(layer, RESNET18_HARDWARE.cconv)
    pruned = layer_latency(replace(layer, ones=6), RESNET18_HARDWARE.cconv)
    assert pruned == replace(plain, compute=plain.compute * 6 / 9)
    quantised = layer_latency(replace(layer, bits=8), RESNET18_HARDWARE.cconv)
    assert quantised == replace(plain, load_wgt=plain.load_wgt / 2)
    assert layer_latency(replace(layer, ones=6, bits=8), RESNET18_HARDWARE.cconv, Formula.A) == layer_latency(
        layer, RESNET18_HARDWARE.cconv, Formula.A
    )


def test_a_tie_is_labelled_by_order():
    """Everything equal: O before I before W before C (section 2.1)."""
    layer = PublishedLayer("tie", 4, 4, 2, 2, 2, 1, 0)
    design = PublishedDesign(tm=4, tn=4, tr=2, tc=2, tk=2, wp=4, ip=1, op=1)
    latency = layer_latency(layer, design)
    assert latency.load_ifm == latency.load_wgt == latency.compute == latency.store_ofm == 16
    assert latency.bottleneck is Bottleneck.STORE
    assert replace(latency, store_ofm=15.0).bottleneck is Bottleneck.LOAD_IFM
    assert replace(latency, store_ofm=15.0, load_ifm=15.0).bottleneck is Bottleneck.LOAD_WGT
    assert replace(latency, store_ofm=15.0, load_ifm=15.0, load_wgt=15.0).bottleneck is Bottleneck.COMPUTE


def test_a_kernel_larger_than_tk_is_refused():
    message = "kernels larger than the engine's Tk = 3:\n  - conv1: K = 7"
    with pytest.raises(UnsupportedNetwork) as error:
        layer_latency(resnet18_layers()[0], PublishedDesign.parse("70,36,64,64,3,18,6,6"))
    assert str(error.value) == message
    with pytest.raises(UnsupportedNetwork) as error:
        designs = DesignArrays.of([RESNET18_HARDWARE.cconv, PublishedDesign.parse("70,36,64,64,3,18,6,6")])
        latency_matrix(resnet18_layers(), designs)
    assert str(error.value) == message


def test_a_port_narrower_than_a_weight_is_refused():
    layer = replace(resnet18_layers()[0], bits=17)
    design = RESNET18_HARDWARE.cconv.with_ports(1, 6, 6)
    message = "^a weight of 17 bits does not fit one transfer of Wp = 1 lanes of 16 bits$"
    with pytest.raises(InfeasibleDesign, match=message):
        layer_latency(layer, design)
    with pytest.raises(InfeasibleDesign, match=message):
        latency_matrix([layer], DesignArrays.of([design]))


def test_depthwise_without_an_engine_is_refused():
    layer = PublishedLayer("features.1", 8, 8, 4, 4, 3, 1, 1, ConvKind.DCONV)
    message = "^features.1 is depthwise, and the hardware has no dconv engine$"
    with pytest.raises(UnsupportedNetwork, match=message):
        network_cycles([layer], RESNET18_HARDWARE)
    with pytest.raises(UnsupportedNetwork, match=message):
        network_cycles_of([layer], DesignArrays.of([RESNET18_HARDWARE.cconv]))


def random_layer(rng: random.Random, kind: ConvKind) -> PublishedLayer:
    channels = rng.randint(1, 600)
    kernel = rng.choice([1, 3, 5, 7])
    return PublishedLayer(
        name="layer",
        M=channels if kind is ConvKind.DCONV else rng.randint(1, 600),
        N=channels,
        R=rng.randint(1, 120),
        C=rng.randint(1, 120),
        K=kernel,
        S=rng.choice([1, 2, 4]),
        P=rng.choice([0, kernel // 2]),
        kind=kind,
        ones=rng.choice([None, rng.randint(1, kernel * kernel)]),
        bits=rng.choice([None, rng.randint(2, 17)]),
    )


def random_design(rng: random.Random) -> PublishedDesign:
    return PublishedDesign(
        tm=rng.randint(1, 300),
        tn=rng.randint(1, 60),
        tr=rng.randint(1, 80),
        tc=rng.randint(1, 80),
        tk=7,
        wp=rng.randint(2, 20),
        ip=rng.randint(1, 20),
        op=rng.randint(1, 20),
    )


@pytest.mark.parametrize("formula", Formula)
@pytest.mark.parametrize("kind", ConvKind)
def test_the_fast_version_equals_the_readable_one(formula, kind):
    rng = random.Random(f"{formula}-{kind}")
    layers = [random_layer(rng, kind) for _ in range(40)]
    designs = [random_design(rng) for _ in range(50)]
    matrix = latency_matrix(layers, DesignArrays.of(designs), formula)
    for term in ("load_ifm", "load_wgt", "compute", "store_ofm", "cycles"):
        expected = [
            [getattr(layer_latency(layer, design, formula), term) for layer in layers] for design in designs
        ]
        assert np.array_equal(getattr(matrix, term), np.array(expected)), term


@pytest.mark.parametrize("formula", Formula)
def test_fast_totals_equal_the_readable_ones(formula):
    rng = random.Random(0)
    layers = [random_layer(rng, rng.choice(list(ConvKind))) for _ in range(120)]
    pairs = []
    for _ in range(30):
        cconv, dconv = random_design(rng), random_design(rng)
        pairs.append(PublishedHardware(cconv, dconv.with_ports(cconv.wp, cconv.ip, cconv.op)))
    fast = network_cycles_of(
        layers,
        DesignArrays.of([pair.cconv for pair in pairs]),
        DesignArrays.of([pair.dconv for pair in pairs]),
        formula,
    )
    assert fast.tolist() == [network_cycles(layers, pair, formula) for pair in pairs]


def test_one_matrix_is_of_one_engine():
    mixed = [resnet18_layers()[0], PublishedLayer("dw", 8, 8, 4, 4, 3, 1, 1, ConvKind.DCONV)]
    with pytest.raises(ValueError, match="one matrix is of one engine"):
        latency_matrix(mixed, DesignArrays.of([RESNET18_HARDWARE.cconv]))


def test_arrays_give_designs_back():
    designs = [random_design(random.Random(seed)) for seed in range(3)]
    arrays = DesignArrays.of(designs)
    assert [arrays[index] for index in range(len(arrays))] == designs
