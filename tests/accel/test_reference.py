"""The integer reference against loops over single numbers, and the batched one against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.bounds import accumulator_range, accumulator_violations, activation_ranges
from hotnas_hls.accel.integers.random_numbers import random_images, random_numbers
from hotnas_hls.accel.integers.reference import exact_matmul, requantise, run_layer, run_network
from hotnas_hls.accel.integers.reference_batch import accuracy, logits, run_batch
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers

KINDS = list(LayerKind)


def one_by_one(
    layer: Layer, numbers: LayerNumbers, ifm: np.ndarray, residual: np.ndarray | None
) -> np.ndarray:
    """The definition, one Python integer at a time."""
    out = np.zeros((layer.m, layer.out_rows, layer.out_columns), dtype=np.int64)
    for m, r, c in np.ndindex(*out.shape):
        products = []
        for n in range(layer.n) if layer.kind is LayerKind.CONV else [m]:
            for i, j in np.ndindex(layer.kernel_rows, layer.kernel_columns):
                row = r * layer.stride + i - layer.pad_top
                column = c * layer.stride + j - layer.pad_left
                if not (0 <= row < layer.in_rows and 0 <= column < layer.in_columns):
                    continue
                value = int(ifm[n, row, column])
                if layer.kind is not LayerKind.MAXPOOL:
                    value *= int(numbers.weights[m, n if layer.kind is LayerKind.CONV else 0, i, j])
                products.append(value)
        acc = max(products) if layer.kind is LayerKind.MAXPOOL else int(numbers.bias[m]) + sum(products)
        if residual is not None:
            acc += int(residual[m, r, c]) << numbers.residual_shift
        if numbers.output_shift:
            acc = (acc + (1 << (numbers.output_shift - 1))) >> numbers.output_shift
        out[m, r, c] = min(max(acc, numbers.clamp_low), numbers.clamp_high)
    return out


def some_layer(seed: int, kind: LayerKind) -> Layer:
    """A small layer of any shape the hardware allows, ragged on every side."""
    rng = np.random.default_rng(seed)
    rows, columns = (int(rng.integers(1, 5)) for _ in range(2))
    stride = int(rng.choice([1, 2, 4]))
    in_rows, in_columns = (int(rng.integers(max(2, rows), 10)) for _ in range(2))
    pad_top, pad_left = int(rng.integers(0, rows)), int(rng.integers(0, columns))

    def outputs(side: int, kernel: int, pad: int) -> int:
        after = int(rng.integers(0, kernel))
        found = (side + pad + after - kernel) // stride + 1
        while (found - 1) * stride - pad >= side:  # no window wholly outside
            found -= 1
        return max(1, found)

    n = int(rng.integers(1, 6))
    return Layer(
        name=f"layer{seed}",
        kind=kind,
        source="ifm",
        target="ofm",
        n=n,
        m=int(rng.integers(1, 6)) if kind is LayerKind.CONV else n,
        in_rows=in_rows,
        in_columns=in_columns,
        out_rows=outputs(in_rows, rows, pad_top),
        out_columns=outputs(in_columns, columns, pad_left),
        kernel_rows=rows,
        kernel_columns=columns,
        stride=stride,
        pad_top=pad_top,
        pad_left=pad_left,
        residual="addend" if kind is not LayerKind.MAXPOOL and seed % 2 else None,
        weight_bits=int(rng.integers(2, 17)),
        pattern_ones=int(rng.integers(1, rows * columns + 1))
        if kind is LayerKind.CONV and seed % 3
        else None,
    )


def network_of(layer: Layer, act_bits: int, seed: int) -> tuple[IntegerNetwork, np.ndarray]:
    """``layer`` behind an image that is also its addend, where it has one: the addend is made by a copy."""
    image = FeatureMap("ifm", layer.n, layer.in_rows, layer.in_columns)
    ofm = FeatureMap("ofm", layer.m, layer.out_rows, layer.out_columns)
    maps = {fm.name: fm for fm in (image, ofm)}
    layers = [layer]
    if layer.residual:
        maps["addend"] = replace(ofm, name="addend")
        layers.insert(0, replace(layer, name="before", target="addend", residual=None))
    numbers = {item.name: random_numbers(item, seed, act_bits) for item in layers}
    net = IntegerNetwork("net", maps, tuple(layers), numbers, "ifm", HostWork.reading("ofm"), act_bits)
    return net, random_images(image, 3, seed, act_bits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_layers_equal_the_definition_and_the_batch_equals_them(seed: int, kind: LayerKind) -> None:
    act_bits = 8 if seed % 4 == 0 else 16
    net, images = network_of(some_layer(seed, kind), act_bits, seed)
    batch = run_batch(net, images, list(net.feature_maps))
    for position, image in enumerate(images):
        maps = run_network(net, image)
        layer = net.layers[-1]
        expected = one_by_one(
            layer, net.numbers[layer.name], image, maps["addend"] if layer.residual else None
        )
        np.testing.assert_array_equal(maps["ofm"], expected)
        assert maps["ofm"].dtype == np.int32
        for name, values in maps.items():
            np.testing.assert_array_equal(batch[name][position], values)


def pointwise(**changes: object) -> Layer:
    layer = Layer("layer", LayerKind.CONV, "ifm", "ofm", 1, 1, 1, 1, 1, 1, 1, 1)
    return replace(layer, **changes)


def scalar(**changes: int) -> LayerNumbers:
    numbers = LayerNumbers(np.ones((1, 1, 1, 1), np.int32), np.zeros(1, np.int64), 0, -128, 127)
    return replace(numbers, **changes)


@pytest.mark.parametrize(
    ("acc", "shift", "expected"),
    [(3, 1, 2), (-3, 1, -1), (-5, 1, -2), (6, 2, 2), (5, 2, 1), (-6, 2, -1), (7, 0, 7), (1000, 0, 127)],
)
def test_rounding_is_half_up_then_saturates(acc: int, shift: int, expected: int) -> None:
    assert requantise(np.array([acc]), scalar(output_shift=shift))[0] == expected


def test_clamps_hold_relu_and_relu6() -> None:
    numbers = scalar(clamp_low=0, clamp_high=96)
    np.testing.assert_array_equal(requantise(np.array([-5, 5, 97]), numbers), [0, 5, 96])


def test_an_addend_comes_before_rounding() -> None:
    numbers = scalar(output_shift=2, residual_shift=1)
    out = run_layer(pointwise(residual="addend"), numbers, 16, np.full((1, 1, 1), 3), np.full((1, 1, 1), -1))
    assert out.item() == 0  # (3 - 2 + 2) >> 2


def test_concatenated_maps_are_ranges_of_one_tensor() -> None:
    whole = FeatureMap("whole", 3, 1, 1)
    maps = {
        "ifm": FeatureMap("ifm", 1, 1, 1),
        "one": FeatureMap("one", 1, 1, 1, concat_of="whole", concat_offset=2),
        "two": FeatureMap("two", 2, 1, 1, concat_of="whole", concat_offset=0),
        "whole": whole,
        "sum": FeatureMap("sum", 1, 1, 1),
    }
    layers = (
        pointwise(name="one", target="one"),
        pointwise(name="two", target="two", m=2),
        pointwise(name="sum", source="whole", target="sum", n=3),
    )
    weights = {"one": [[5]], "two": [[2], [3]], "sum": [[1, 10, 100]]}
    numbers = {
        name: scalar(
            weights=np.array(values, np.int32)[:, :, None, None],
            bias=np.zeros(len(values), np.int64),
            clamp_high=32767,
        )
        for name, values in weights.items()
    }
    net = IntegerNetwork("net", maps, layers, numbers, "ifm", HostWork.reading("sum"), 16)
    found = run_network(net, np.full((1, 1, 1), 2))
    np.testing.assert_array_equal(found["whole"].ravel(), [4, 6, 10])
    assert found["sum"].item() == 4 + 60 + 1000
    assert run_batch(net, np.full((1, 1, 1, 1), 2), ["sum"])["sum"].item() == 1064
    assert activation_ranges(net)["whole"] == (-128, 32767)


def test_products_beyond_float64_stay_exact() -> None:
    weights, columns = np.array([[2**31 - 1, 1]]), np.array([[2**31 - 1], [1]])
    assert exact_matmul(weights, columns).item() == (2**31 - 1) ** 2 + 1


def test_the_batch_falls_back_to_integers_where_float64_is_not_exact() -> None:
    net, images = network_of(pointwise(residual="addend"), 16, 1)
    numbers = replace(net.numbers["layer"], residual_shift=45, output_shift=40)
    net.numbers["layer"] = numbers
    expected = [run_network(net, image)["ofm"] for image in images]
    np.testing.assert_array_equal(run_batch(net, images, ["ofm"])["ofm"], expected)


def test_logits_and_accuracy_over_batches() -> None:
    net, _ = network_of(pointwise(m=4), 16, 0)
    images = np.arange(-5, 6).reshape(-1, 1, 1, 1)
    found = logits(net, images, batch=4)
    np.testing.assert_array_equal(found, [run_network(net, image)["ofm"].ravel() for image in images])
    labels = found.argmax(axis=1)
    assert accuracy(net, images, labels) == 1.0
    assert accuracy(net, images, (labels + 1) % 4) == 0.0


def test_worst_case_sums() -> None:
    numbers = scalar(
        weights=np.array([[[[3]], [[-2]]]], np.int32), bias=np.array([7]), output_shift=3, residual_shift=1
    )
    layer = pointwise(n=2, residual="addend")
    assert accumulator_range(layer, numbers, (0, 10), (-4, 5)) == (-20 - 8, 30 + 7 + 10 + 4)
    net, _ = network_of(pointwise(), 8, 0)
    net.numbers["layer"] = scalar(weights=np.full((1, 1, 1, 1), 1 << 25, np.int32))
    assert accumulator_violations(net) == [
        "layer: sums from -4294967296 to 4261412864 need 33 bits, the accumulator has 32; "
        "use 1 weight bits fewer there"
    ]


def test_wrong_images_and_layers_are_named() -> None:
    net, _ = network_of(pointwise(n=2), 8, 0)
    with pytest.raises(ValueError, match=r"^the image is \(1, 1, 1\), net reads \(2, 1, 1\)$"):
        run_network(net, np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match=r"^the image holds 0 to 128, outside 8 bits \(-128 to 127\)$"):
        run_network(net, np.array([[[0]], [[128]]]))
    with pytest.raises(ValueError, match=r"^layer: residual addend, but got none$"):
        run_layer(pointwise(residual="addend"), scalar(), 16, np.zeros((1, 1, 1), np.int64))
    with pytest.raises(ValueError, match=r"^layer: reads \(1, 1, 1\), got \(2, 1, 1\)$"):
        run_layer(pointwise(), scalar(), 16, np.zeros((2, 1, 1), np.int64))
    pool = pointwise(kind=LayerKind.MAXPOOL)
    with pytest.raises(ValueError, match=r"^layer: a maximum has no bias$"):
        run_layer(pool, scalar(bias=np.ones(1, np.int64)), 16, np.zeros((1, 1, 1), np.int64))
