"""Fixed point, formats, and whole networks in integers against their floats."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from default_network import digits_integer_network
from randomised import randomised
from torch import nn

from hotnas_hls.accel.integers.bounds import accumulator_ranges, accumulator_violations, fits
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.integers.reference_batch import logits
from hotnas_hls.accel.layer_checks import numbers_violations
from hotnas_hls.base.blas import one_blas_thread
from hotnas_hls.errors import ConfigError, DataMissing
from hotnas_hls.frontends.checkpoint import load_weights
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.cifar10 import cifar10
from hotnas_hls.models.compression import PatternChoice
from hotnas_hls.models.data import NEIGHBOUR_DATA
from hotnas_hls.models.zoo import ZOO, build
from hotnas_hls.network.calibrate import observe
from hotnas_hls.network.execute import run
from hotnas_hls.network.fixed_point import best_frac_bits, holding_frac_bits, quantised, weight_frac_bits
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph, Node, OpKind
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image

RNG = np.random.default_rng(0)

# --- fixed point ------------------------------------------------------------------------------------------


def test_rounding_and_saturation() -> None:
    values = np.array([[0.124, 0.125, -0.125, -0.126, 9.0, -9.0]])
    np.testing.assert_array_equal(quantised(values, 2, 4), [[0, 1, 0, -1, 7, -8]])
    assert quantised(values, 2, 4).dtype == np.int32
    np.testing.assert_array_equal(quantised(np.array([100.0]), -3, 8), [13])


@pytest.mark.parametrize(
    ("low", "high", "bits", "expected"),
    [
        (0, 1.0, 8, 6),
        (-1.0, 0.9, 8, 7),
        (0, 127.4, 8, 0),
        (0, 127.5, 8, -1),
        (0, 0, 8, 7),
        (-3, 3, 16, 13),
        (0, 1e-30, 8, 60),
    ],
)
def test_the_finest_grid_that_holds_a_range(low: float, high: float, bits: int, expected: int) -> None:
    assert holding_frac_bits(low, high, bits) == expected


def test_a_rare_outlier_is_clipped_where_that_costs_less() -> None:
    values = np.append(RNG.uniform(-0.1, 0.1, 100_000), 0.3)
    assert holding_frac_bits(values.min(), values.max(), 4) == 4
    assert best_frac_bits(values, values.min(), values.max(), 4) == 6
    assert weight_frac_bits(values, 16) == holding_frac_bits(values.min(), values.max(), 16)


def test_weights_on_a_grid_keep_their_values() -> None:
    weights = RNG.integers(-8, 8, size=(3, 3)) / 32
    frac_bits = weight_frac_bits(weights, 4)
    np.testing.assert_array_equal(quantised(weights, frac_bits, 4) * 2.0**-frac_bits, weights)
    assert weight_frac_bits(np.zeros(5), 8) == 7
    assert weight_frac_bits(np.zeros(0), 8) == 7


def test_a_weight_that_multiplies_nothing_may_saturate() -> None:
    few, power = RNG.uniform(-0.9, 0.9, 100), np.append(RNG.uniform(0.5, 2, 100), 1e-12)
    weights = np.append(few, 300)
    assert weight_frac_bits(weights, 8, power=power) == weight_frac_bits(few, 8) == 7
    assert weight_frac_bits(weights, 8) < 3
    held = holding_frac_bits(-0.9, 300, 8)
    assert weight_frac_bits(weights, 8, clip=False, power=power) == held
    assert weight_frac_bits(weights, 8, power=0 * power) == held


# --- calibration ------------------------------------------------------------------------------------------


def relu_graph() -> Graph:
    source = Node("image", OpKind.INPUT, (), (1, 2, 2))
    return Graph("net", [source, Node("relu", OpKind.RELU, ("image",), (1, 2, 2))])


def test_observed_ranges_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotnas_hls.network.calibrate.BATCH_VALUES", 24)  # three images at a time
    monkeypatch.setattr("hotnas_hls.network.calibrate.SAMPLE", 20)
    images = RNG.normal(size=(10, 1, 2, 2)).astype(np.float32)
    seen = observe(relu_graph(), images, ["image", "relu"])
    assert (seen["image"].low, seen["image"].high) == (float(images.min()), float(images.max()))
    assert (seen["relu"].low, seen["relu"].high) == (0.0, float(images.max()))
    assert 10 <= len(seen["image"].sample) <= 20 and np.isin(seen["image"].sample, images).all()
    with pytest.raises(ValueError, match="^calibration needs at least one image$"):
        observe(relu_graph(), images[:0], ["relu"])


# --- formats ----------------------------------------------------------------------------------------------


def conv_graph(weight: float, bias: float, *, addend: bool = False) -> Graph:
    parameters = {
        "weight": np.full((1, 1, 1, 1), weight, np.float32),
        "bias": np.array([bias], np.float32),
    }
    nodes = [
        Node("image", OpKind.INPUT, (), (1, 2, 2)),
        Node("conv", OpKind.CONV, ("image",), (1, 2, 2), parameters=parameters),
    ]
    if addend:
        nodes.append(Node("add", OpKind.ADD, ("conv", "image"), (1, 2, 2)))
    return Graph("net", nodes)


IMAGES = RNG.uniform(-1, 1, size=(8, 1, 2, 2)).astype(np.float32)


@pytest.mark.parametrize("act_bits", [8, 16])
@pytest.mark.parametrize("addend", [False, True])
@pytest.mark.parametrize(
    ("weight", "bias"), [(0.7, 0.1), (1e-4, 0), (300.0, 0), (0.7, 3000.0), (1e-6, 1e6), (0.0, 0.5)]
)
def test_formats_obey_the_hardware(act_bits: int, addend: bool, weight: float, bias: float) -> None:
    graph = conv_graph(weight, bias, addend=addend)
    net = quantise(graph, lower(graph), IMAGES, act_bits)
    (layer,) = net.layers
    numbers = net.numbers["conv"]
    assert numbers_violations(layer, numbers, act_bits) == []
    assert accumulator_violations(net) == []
    assert numbers.output_shift >= 0 and numbers.residual_shift >= 0
    expected = run(graph, IMAGES)[layer.target]
    found = np.stack([run_network(net, image)[layer.target] for image in quantise_image(net, IMAGES)])
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(
        dequantise(net, layer.target, found), expected, atol=scale * 2.0 ** (4 - act_bits)
    )


@pytest.mark.parametrize("quiet", [0.0, 0.75])
def test_a_channel_that_never_changes_sets_no_format_of_a_batch_norm(quiet: float) -> None:
    images = RNG.uniform(-1, 1, size=(16, 3, 4, 4)).astype(np.float32)
    images[:, 1] = quiet
    parameters = {
        "weight": np.array([0.8, 1.1, 1.3], np.float32),
        "bias": np.array([-0.4, 0.5, 0.2], np.float32),
        "mean": images.mean((0, 2, 3)),
        "var": images.var((0, 2, 3)),
    }
    nodes = [
        Node("image", OpKind.INPUT, (), (3, 4, 4)),
        Node("norm", OpKind.BATCHNORM, ("image",), (3, 4, 4), parameters=parameters),
    ]
    graph = Graph("net", nodes)
    net = quantise(graph, lower(graph), images, 8, {"norm": 8})
    assert net.numbers["norm"].weights.ravel()[1] == 127  # 1.1 over the root of epsilon, which is 348
    factors = net.numbers["norm"].weights.ravel() * 2.0 ** -net.numbers["norm"].weight_frac_bits
    wanted = parameters["weight"] / np.sqrt(parameters["var"] + 1e-5)
    np.testing.assert_allclose(factors[[0, 2]], wanted[[0, 2]], atol=2.0**-6)  # as of two such channels
    found = np.stack([run_network(net, image)["norm"] for image in quantise_image(net, images)])
    steps = np.abs(dequantise(net, "norm", found) - run(graph, images)["norm"]) * 2.0**5
    assert net.feature_maps["norm"].frac_bits == 5 and steps.max() < 2 and steps[:, 1].max() <= 0.5


def test_concatenated_and_pooled_maps_share_a_format() -> None:
    graph = fold_batchnorm(trace(randomised(build("squeezenet1_1")), (3, 33, 33), "net"))
    net = quantise(graph, lower(graph), RNG.normal(size=(2, 3, 33, 33)).astype(np.float32))
    maps = net.feature_maps
    members = [fm for fm in maps.values() if fm.concat_of]
    assert len(members) == 16
    assert all(fm.frac_bits == maps[fm.concat_of].frac_bits for fm in members)
    pools = [layer for layer in net.layers if layer.kind == "maxpool"]
    assert len(pools) == 3
    assert all(maps[pool.source].frac_bits == maps[pool.target].frac_bits for pool in pools)
    assert all(net.numbers[pool.name].output_shift == 0 for pool in pools)


@pytest.mark.parametrize("bounds", [(0.0, 6.0), (-1.0, 1.0), (-math.inf, 0.5), (2.0, 4.0)])
def test_a_clip_saturates_at_its_bounds(bounds: tuple[float, float]) -> None:
    parameters = {"weight": np.full((1, 1, 1, 1), 20, np.float32)}
    nodes = [
        Node("image", OpKind.INPUT, (), (1, 2, 2)),
        Node("conv", OpKind.CONV, ("image",), (1, 2, 2), parameters=parameters),
        Node("clip", OpKind.CLIP, ("conv",), (1, 2, 2), bounds=bounds),
    ]
    graph = Graph("net", nodes)
    net = quantise(graph, lower(graph), IMAGES)
    numbers, frac_bits = net.numbers["conv"], net.feature_maps["clip"].frac_bits
    low, high = (bound * 2.0**frac_bits for bound in bounds)
    assert (numbers.clamp_low, numbers.clamp_high) == (max(low, -(1 << 15)), high)


def chain() -> Graph:
    """Two convolutions with a ReLU and a pool between them."""
    parameters = {"weight": np.full((1, 1, 1, 1), 0.7, np.float32)}
    return Graph(
        "net",
        [
            Node("image", OpKind.INPUT, (), (1, 2, 2)),
            Node("first", OpKind.CONV, ("image",), (1, 2, 2), parameters=parameters),
            Node("relu", OpKind.RELU, ("first",), (1, 2, 2)),
            Node("pool", OpKind.MAXPOOL, ("relu",), (1, 1, 1), kernel=(2, 2), stride=(2, 2)),
            Node("second", OpKind.CONV, ("pool",), (1, 1, 1), parameters=parameters),
        ],
    )


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_what_is_written_for_a_layer_that_reads_few_bits_fits_them(bits: int) -> None:
    graph = chain()
    net = quantise(graph, lower(graph), IMAGES, 8, read_bits={"second": bits})
    read = {fm.name for fm in net.feature_maps.values()} - {net.image, net.logits}
    outputs = [run_network(net, image) for image in quantise_image(net, IMAGES)]
    most = max(int(found[name].max()) for found in outputs for name in read)
    assert most <= (1 << bits - 1) - 1
    assert most > ((1 << bits - 1) - 1) // 2  # and they are used
    assert max(int(abs(found[net.logits]).max()) for found in outputs) > 63  # the others have all 8
    exact = run(graph, IMAGES)
    for name in read:
        values = dequantise(net, name, np.stack([found[name] for found in outputs]))
        step = 2.0 ** -net.feature_maps[name].frac_bits
        assert np.abs(values - exact[name]).max() <= 2 * step


def test_widths_that_cannot_be_read_are_refused_together() -> None:
    graph = chain()
    with pytest.raises(ConfigError) as error:
        quantise(graph, lower(graph), IMAGES, 8, read_bits={"first": 6, "second": 9, "third": 4})
    assert str(error.value).splitlines() == [
        "net: cannot be quantised like that",
        "  - read_bits: no layer with weights is called 'third'; see 'hotnas graph'",
        "  - first: what it reads is the image, or what an activation or a product makes; it has 8 bits",
        "  - second: read_bits = 9: activations are 2 to 8 bits",
    ]


def test_weights_give_way_where_the_accumulator_would_overflow() -> None:
    parameters = {"weight": np.full((1, 4096, 1, 1), 0.9, np.float32)}
    nodes = [
        Node("image", OpKind.INPUT, (), (4096, 1, 1)),
        Node("conv", OpKind.CONV, ("image",), (1, 1, 1), parameters=parameters),
    ]
    graph = Graph("net", nodes)
    images = RNG.uniform(-1, 1, size=(4, 4096, 1, 1)).astype(np.float32)
    net = quantise(graph, lower(graph), images, act_bits=8)
    assert net.layers[0].weight_bits == 16
    ((low, high),) = accumulator_ranges(net).values()
    assert fits((low, high), 32) and not fits((2 * low, 2 * high), 32)


def test_weights_that_no_format_holds() -> None:
    graph = conv_graph(1e30, 0)
    with pytest.raises(ConfigError) as error:
        quantise(graph, lower(graph), IMAGES)
    assert str(error.value) == (
        "conv: 16-bit weights cannot hold its weights, up to 1e+30; give it more weight_bits"
    )


# --- requests ---------------------------------------------------------------------------------------------


def four_masks() -> np.ndarray:
    return PatternChoice(3, 3).masks()[[0, 8, 14, 23]]


def test_requested_widths_and_patterns() -> None:
    index = RNG.integers(0, 4, size=(16, 16))
    net = digits_integer_network(
        weight_bits={"conv1": 5, "layer3.0.conv2": 3}, patterns={"layer1.0.conv1": (index, four_masks())}
    )
    layers = {layer.name: layer for layer in net.layers}
    assert [v for x in net.layers for v in numbers_violations(x, net.numbers[x.name], 16)] == []
    assert (layers["conv1"].weight_bits, layers["layer3.0.conv2"].weight_bits) == (5, 3)
    assert {layer.weight_bits for layer in net.layers} == {3, 5, 16}
    assert layers["layer1.0.conv1"].pattern_ones == 6
    numbers = net.numbers["layer1.0.conv1"]
    np.testing.assert_array_equal(numbers.pattern_index, index)
    assert not numbers.weights[four_masks()[index] == 0].any()
    assert np.abs(net.numbers["layer3.0.conv2"].weights).max() <= 4


def test_every_wrong_request_is_listed() -> None:
    index, masks = np.zeros((16, 16)), four_masks()
    uneven = masks.copy()
    uneven[0] = 1
    with pytest.raises(ConfigError) as error:
        digits_integer_network(
            weight_bits={"conv9": 8, "fc": 17},
            patterns={
                "layer1.0.conv1": (index[:3], masks),
                "layer1.0.conv2": (index, uneven),
                "layer2.0.conv2": (np.full((32, 32), 4), masks),
                "pool": (index, masks),
            },
        )
    assert str(error.value) == (
        "digits_resnet: cannot be quantised like that\n"
        "  - weight_bits: no layer with weights is called 'conv9'; see 'hotnas graph'\n"
        "  - patterns: no layer with weights is called 'pool'; see 'hotnas graph'\n"
        "  - fc: weight_bits = 17: weights are 2 to 16 bits\n"
        "  - layer1.0.conv1: pattern index (3, 16) and masks (4, 3, 3), "
        "the layer needs (16, 16) and (4, 3, 3)\n"
        "  - layer1.0.conv2: its patterns must be 0/1 masks with the same number of ones\n"
        "  - layer2.0.conv2: the pattern index must be 0 to 3"
    )


def test_a_relaid_stem_is_not_pruned() -> None:
    with pytest.raises(ConfigError) as error:
        digits_integer_network(stem="unfolded", patterns={"conv1": (np.zeros((16, 1)), four_masks())})
    assert str(error.value) == (
        "digits_resnet: cannot be quantised like that\n"
        "  - conv1: a re-laid stem cannot be pruned; use stem = plain or leave it dense"
    )


def test_other_activation_widths_are_refused() -> None:
    graph = conv_graph(1, 0)
    with pytest.raises(ConfigError) as error:
        quantise(graph, lower(graph), IMAGES, act_bits=12)
    assert str(error.value) == (
        "net: cannot be quantised like that\n  - act_bits = 12: activations are 8 or 16 bits"
    )


# --- whole networks ---------------------------------------------------------------------------------------

# Networks and the side of an image small enough for a test.
SMALL = {
    "resnet18": 64,
    "mobilenet_v2": 64,
    "squeezenet1_1": 64,
    "mnasnet1_0": 64,
    "densenet121_cifar": 32,
    "resnet20": 32,
}


@pytest.mark.parametrize("name", SMALL)
def test_zoo_networks_in_16_bits_are_their_floats(name: str) -> None:
    side = SMALL[name]
    model: nn.Module = randomised(build(name))
    graph = fold_batchnorm(trace(model, (3, side, side), name))
    lowered = lower(graph)
    images = RNG.normal(size=(4, 3, side, side)).astype(np.float32)
    net = quantise(graph, lowered, images)
    assert [v for x in net.layers for v in numbers_violations(x, net.numbers[x.name], 16)] == []
    assert accumulator_violations(net) == []
    with one_blas_thread():
        expected = run(graph, images)[graph.host.logits].reshape(4, -1)
    found = dequantise(net, net.logits, logits(net, quantise_image(net, images)))
    assert np.abs(found - expected).max() <= 2e-3 * np.ptp(expected)
    maps = run_network(net, quantise_image(net, images)[0])
    np.testing.assert_array_equal(maps[net.logits].ravel(), logits(net, quantise_image(net, images[:1]))[0])


@pytest.mark.parametrize("stem", ["plain", pytest.param("unfolded", marks=pytest.mark.whole)])
def test_resnet20_on_cifar10_loses_nothing_in_16_bits(stem: str) -> None:
    weights = NEIGHBOUR_DATA / "weights" / "resnet20-12fca82f.th"
    try:
        dataset = cifar10(["test"])
    except DataMissing as error:
        pytest.skip(str(error))
    if not weights.is_file():
        pytest.skip(f"{weights} is not there: the public ResNet-20 checkpoint for CIFAR-10")
    model = build("resnet20").eval()
    load_weights(model, weights)
    graph = fold_batchnorm(trace(model, ZOO["resnet20"].input_shape, "resnet20"))
    net = quantise(graph, lower(graph, stem), dataset.test.images[-64:])
    test = dataset.test.first(200)
    found = logits(net, quantise_image(net, test.images)).argmax(axis=1)
    with one_blas_thread():
        expected = run(graph, test.images, keep=["linear"])["linear"].reshape(200, -1).argmax(axis=1)
    right, float_right = (int((classes == test.labels).sum()) for classes in (found, expected))
    assert abs(right - float_right) <= 1
    assert float_right >= 180  # 91.73 % over all 10,000


def test_an_image_of_another_shape_is_refused() -> None:
    graph = conv_graph(1, 0)
    net = quantise(graph, lower(graph, "unfolded"), IMAGES)
    with pytest.raises(ValueError, match=r"^the image is \(1, 3, 3\), the network reads \(1, 2, 2\)$"):
        quantise_image(net, np.zeros((1, 3, 3)))


def test_numbers_do_not_depend_on_the_run() -> None:
    one, two = digits_integer_network(8), digits_integer_network(8)
    assert one.feature_maps == two.feature_maps and one.layers == two.layers
    for name, numbers in one.numbers.items():
        other = two.numbers[name]
        np.testing.assert_array_equal(numbers.weights, other.weights)
        np.testing.assert_array_equal(numbers.bias, other.bias)
        scalars = {"weights": None, "bias": None}
        assert str(replace(numbers, **scalars)) == str(replace(other, **scalars))
