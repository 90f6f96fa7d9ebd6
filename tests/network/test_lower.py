"""Lowering: fusion, layers of their own, placement, stems, and what is refused."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.layer import LayerKind
from hotnas_hls.accel.layer_checks import network_violations, numbers_violations
from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.zoo import ZOO, build
from hotnas_hls.network import activation as activations
from hotnas_hls.network.execute import run
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph, Node, OpKind
from hotnas_hls.network.lower import channel_blocks, concat_alignment, lower
from hotnas_hls.network.lowered import LoweredNetwork, Weights
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image

RNG = np.random.default_rng(0)


class Network:
    """A graph by hand: each method adds a node behind the named ones."""

    def __init__(self, channels: int = 4, side: int = 8) -> None:
        self.nodes = [Node("image", OpKind.INPUT, (), (channels, side, side))]

    def add(self, name: str, kind: OpKind, *inputs: str, shape: tuple[int, int, int] | None = None, **more):
        shape = shape or next(node.shape for node in self.nodes if node.name == inputs[0])
        self.nodes.append(Node(name, kind, inputs, shape, **more))
        return self

    def conv(self, name: str, source: str, channels: int = 4, kernel: int = 3, **more):
        fan_in, *size = next(node.shape for node in self.nodes if node.name == source)
        stride = more.get("stride", (1, 1))[0]
        more.setdefault("padding", (kernel // 2,) * 4)
        side = (size[0] + more["padding"][0] + more["padding"][2] - kernel) // stride + 1
        fan_in //= more.get("groups", 1)
        scale = 1 / np.sqrt(fan_in * kernel * kernel)
        parameters = {
            "weight": (RNG.normal(size=(channels, fan_in, kernel, kernel)) * scale).astype(np.float32),
            "bias": RNG.normal(size=channels).astype(np.float32),
        }
        shape = (channels, side, side)
        return self.add(
            name, OpKind.CONV, source, shape=shape, kernel=(kernel, kernel), parameters=parameters, **more
        )

    def norm(self, name: str, source: str):
        channels = next(node.shape[0] for node in self.nodes if node.name == source)
        parameters = {
            "weight": RNG.uniform(0.5, 2, channels).astype(np.float32),
            "bias": RNG.normal(size=channels).astype(np.float32),
            "mean": RNG.normal(size=channels).astype(np.float32),
            "var": RNG.uniform(0.5, 2, channels).astype(np.float32),
        }
        return self.add(name, OpKind.BATCHNORM, source, parameters=parameters)

    def conv_of_rows(self, name: str, source: str = "rows"):
        """Of 1 x 1, on a map that is no square."""
        fan_in, *size = next(node.shape for node in self.nodes if node.name == source)
        weight = RNG.normal(size=(4, fan_in, 1, 1)).astype(np.float32) / np.sqrt(fan_in, dtype=np.float32)
        parameters = {"weight": weight, "bias": RNG.normal(size=4).astype(np.float32)}
        return self.add(name, OpKind.CONV, source, shape=(4, *size), kernel=(1, 1), parameters=parameters)

    def concat(self, name: str, *inputs: str):
        shapes = [node.shape for source in inputs for node in self.nodes if node.name == source]
        channels = sum(shape[0] for shape in shapes)
        return self.add(name, OpKind.CONCAT, *inputs, shape=(channels, *shapes[0][1:]))

    def graph(self) -> Graph:
        return Graph("net", self.nodes)


def checked(graph: Graph, stem: str = "plain") -> LoweredNetwork:
    """Lowered, sound by the rules of the design point, and equal to the float network up to rounding."""
    lowered = lower(graph, stem)
    maps = list(lowered.feature_maps.values())
    assert network_violations(maps, lowered.shapes, lowered.image, lowered.host) == []
    images = RNG.normal(size=(4, *graph.input.shape)).astype(np.float32)
    net = quantise(graph, lowered, images)
    assert [v for x in net.layers for v in numbers_violations(x, net.numbers[x.name], 16)] == []
    floats = run(graph, images[:1])
    integers = run_network(net, quantise_image(net, images[0]))
    for name, values in integers.items():
        if name in floats and not (name == lowered.image and stem != "plain"):
            expected = floats[name][0]
            found = dequantise(net, name, values).reshape(expected.shape)
            np.testing.assert_allclose(found, expected, atol=3e-3 * max(1, np.abs(expected).max()))
    return lowered


def summary(lowered: LoweredNetwork) -> list[tuple[str, str, str, str | None]]:
    return [(x.name, x.source, x.target, x.residual) for x in lowered.shapes]


# --- fusion -----------------------------------------------------------------------------------------------


def test_a_residual_block_is_two_layers() -> None:
    net = Network().conv("a", "image").add("relu", OpKind.RELU, "a").conv("b", "relu")
    net.add("add", OpKind.ADD, "b", "image").add("out", OpKind.CLIP, "add", bounds=(0.0, 6.0))
    lowered = checked(net.graph())
    assert summary(lowered) == [("a", "image", "relu", None), ("b", "relu", "out", "image")]
    assert [layer.clamp for layer in lowered.layers] == [(0.0, np.inf), (0.0, 6.0)]


def test_clips_behind_each_other_are_one() -> None:
    net = Network().conv("a", "image").add("relu", OpKind.RELU, "a")
    net.add("low", OpKind.CLIP, "relu", bounds=(-1.0, 0.5))
    net.add("one", OpKind.CLIP, "low", bounds=(-np.inf, 0.3))
    net.add("none", OpKind.CLIP, "one", bounds=(-2.0, -1.0))
    lowered = checked(net.graph())
    assert [layer.clamp for layer in lowered.layers] == [(-1.0, -1.0)]


def test_the_larger_operand_takes_the_addition_even_if_it_is_defined_first() -> None:
    net = Network().conv("large", "image").conv("small", "image", kernel=1)
    net.add("add", OpKind.ADD, "large", "small")
    assert summary(checked(net.graph())) == [
        ("small", "image", "small", None),
        ("large", "image", "add", "small"),
    ]


def test_an_activated_or_shared_convolution_takes_no_addition() -> None:
    net = Network().conv("a", "image").add("relu", OpKind.RELU, "a")
    net.add("add", OpKind.ADD, "relu", "image").conv("b", "add")
    net.add("again", OpKind.ADD, "b", "add").add("last", OpKind.ADD, "again", "b")
    lowered = checked(net.graph())
    assert summary(lowered) == [
        ("a", "image", "relu", None),
        ("add", "relu", "add", "image"),
        ("b", "add", "b", None),
        ("again", "b", "again", "add"),
        ("last", "again", "last", "b"),
    ]
    assert lowered.layers[1].weights is Weights.COPY


def test_twice_the_same_map() -> None:
    net = Network().conv("a", "image").add("add", OpKind.ADD, "a", "a")
    assert summary(checked(net.graph())) == [("a", "image", "a", None), ("add", "a", "add", "a")]


def test_a_product_rides_on_a_layer_that_nothing_else_reads() -> None:
    net = Network().conv("a", "image").add("relu", OpKind.RELU, "a")
    net.add("times", OpKind.MULTIPLY, "relu", "image")
    net.add("out", OpKind.RELU, "times").add("sum", OpKind.ADD, "out", "image")
    lowered = checked(net.graph())
    assert summary(lowered) == [
        ("a", "image", "times", "image"),
        ("out", "times", "out", None),
        ("sum", "out", "sum", "image"),
    ]
    assert [(x.multiplied, x.layer.residual_multiplies, x.layer.residual_vector) for x in lowered.layers] == [
        ("relu", True, False),
        ("", False, False),
        ("", False, False),
    ]
    assert lowered.layers[0].clamp == (0.0, np.inf)


def test_squeeze_and_excite_multiplies_a_copy_of_the_map_by_a_vector() -> None:
    net = Network().conv("a", "image").add("mean", OpKind.AVGPOOL, "a", kernel=(8, 8), shape=(4, 1, 1))
    net.add("gate", OpKind.ACTIVATION, "mean", activation=activations.SIGMOID)
    net.add("scale", OpKind.MULTIPLY, "a", "gate").add("bias", OpKind.ADD, "scale", "mean").conv("b", "bias")
    lowered = checked(net.graph())
    assert summary(lowered) == [
        ("a", "image", "a", None),
        ("mean", "a", "mean", None),
        ("gate", "mean", "gate", None),
        ("scale", "a", "scale", "gate"),
        ("bias", "scale", "bias", "mean"),
        ("b", "bias", "b", None),
    ]
    flags = {
        x.layer.name: (x.layer.residual_multiplies, x.layer.residual_vector)
        for x in lowered.layers
        if x.layer.residual
    }
    assert flags == {"scale": (True, True), "bias": (False, True)}
    assert lowered.layers[3].weights is Weights.COPY and lowered.layers[3].multiplied == "a"


def test_batch_norm_and_activation_that_cannot_be_fused() -> None:
    net = Network().norm("bn", "image").add("relu", OpKind.RELU, "bn").conv("a", "relu")
    net.add("relu2", OpKind.RELU, "a").add("sum", OpKind.ADD, "relu2", "a").add("relu3", OpKind.RELU, "image")
    net.add("all", OpKind.ADD, "sum", "relu3")
    lowered = checked(net.graph())
    by_name = {layer.layer.name: layer for layer in lowered.layers}
    assert by_name["bn"].weights is Weights.BATCHNORM and by_name["bn"].layer.target == "relu"
    assert by_name["relu2"].weights is Weights.COPY and by_name["relu2"].clamp == (0.0, np.inf)
    assert by_name["relu3"].layer.source == "image"


def test_pooling() -> None:
    window = {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1, 1, 1), "shape": (4, 4, 4)}
    net = Network().add("max", OpKind.MAXPOOL, "image", **window).add("relu", OpKind.RELU, "max")
    net.add("mean", OpKind.AVGPOOL, "image", **window).add("sum", OpKind.ADD, "mean", "relu")
    net.add("global", OpKind.AVGPOOL, "sum", shape=(4, 1, 1), kernel=(4, 4), stride=(4, 4))
    net.add("flat", OpKind.FLATTEN, "global")
    lowered = checked(net.graph())
    assert [(x.name, x.kind, x.stride, x.kernel_rows) for x in lowered.shapes] == [
        ("max", LayerKind.MAXPOOL, 2, 3),
        ("mean", LayerKind.DEPTHWISE, 2, 3),
        ("global", LayerKind.DEPTHWISE, 1, 4),
    ]
    assert lowered.host.logits == "global"


def test_a_linear_layer_on_a_map_is_a_convolution_of_its_size() -> None:
    weight = RNG.normal(size=(5, 4 * 8 * 8)).astype(np.float32) / 16
    net = Network().conv("a", "image").add("flat", OpKind.FLATTEN, "a", shape=(256, 1, 1))
    net.add("relu", OpKind.RELU, "flat")
    net.add("fc", OpKind.LINEAR, "relu", shape=(5, 1, 1), parameters={"weight": weight})
    lowered = checked(net.graph())
    assert summary(lowered) == [("a", "image", "relu", None), ("fc", "relu", "fc", None)]
    fc = lowered.shapes[1]
    assert (fc.kind, fc.n, fc.kernel_rows, fc.kernel_columns, fc.out_rows) == (LayerKind.CONV, 4, 8, 8, 1)


def test_shortcuts_without_parameters() -> None:
    strided = {"stride": (2, 2), "shape": (9, 4, 4), "channel_pad": (2, 3)}
    net = Network().conv("a", "image", 9, stride=(2, 2)).add("short", OpKind.SUBSAMPLE, "image", **strided)
    net.add("add", OpKind.ADD, "a", "short")
    net.add("thin", OpKind.SUBSAMPLE, "add", stride=(2, 2), shape=(9, 2, 2))
    lowered = checked(net.graph())
    assert summary(lowered) == [
        ("short", "image", "short", None),
        ("a", "image", "add", "short"),
        ("thin", "add", "thin", None),
    ]
    assert [x.kind for x in lowered.shapes] == [LayerKind.CONV, LayerKind.CONV, LayerKind.DEPTHWISE]


def test_depthwise_convolution() -> None:
    lowered = checked(Network().conv("a", "image", groups=4).conv("b", "a", 8, 1).graph())
    assert [x.kind for x in lowered.shapes] == [LayerKind.DEPTHWISE, LayerKind.CONV]


# --- concatenation ----------------------------------------------------------------------------------------


def places(lowered: LoweredNetwork) -> dict[str, tuple[str, int]]:
    maps = lowered.feature_maps.values()
    return {fm.name: (fm.concat_of, fm.concat_offset) for fm in maps if fm.concat_of}


def test_a_dense_block_lies_in_one_tensor() -> None:
    net = Network().conv("a", "image").conv("b", "a", 2)
    net.concat("one", "a", "b").norm("bn", "one").conv("c", "bn", 2)
    net.concat("two", "one", "c").conv("d", "two", 8, 1)
    lowered = checked(net.graph())
    assert places(lowered) == {"a": ("two", 0), "b": ("two", 4), "one": ("two", 0), "c": ("two", 6)}
    assert lowered.copies == {}
    assert concat_alignment(lowered) == 2
    assert channel_blocks(16, 2) == (2,) and channel_blocks(8, 2) == ()


def test_what_would_have_to_lie_twice_is_copied() -> None:
    net = Network().conv("a", "image").conv("b", "image", 2)
    net.concat("one", "a", "b").concat("two", "b", "a", "image").concat("twice", "two", "b")
    net.conv("c", "one", 4, 1).conv("d", "twice", 4, 1).add("sum", OpKind.ADD, "c", "d")
    lowered = checked(net.graph())
    assert lowered.copies == {
        "one.copy0": "a",
        "one.copy1": "b",
        "twice.copy2": "image",
        "twice.copy3": "b",
    }
    assert places(lowered) == {
        "b": ("twice", 0),
        "a": ("twice", 2),
        "two": ("twice", 0),
        "twice.copy2": ("twice", 6),
        "twice.copy3": ("twice", 10),
        "one.copy0": ("one", 0),
        "one.copy1": ("one", 4),
    }


def test_a_copy_waits_for_all_rows_of_its_map() -> None:
    """Fuzzing's cases 634 and 654 of seed 0: the copy ran before the third row was there."""
    net = Network().conv("a", "image").conv("b", "image").conv("c", "image")
    net.add("rows", OpKind.ROWS, "a", "b", "c", shape=(4, 24, 8)).conv_of_rows("d").conv_of_rows("e")
    net.concat("one", "rows", "d").concat("two", "rows", "e")
    net.conv_of_rows("f", "one").conv_of_rows("g", "two").add("sum", OpKind.ADD, "f", "g")
    order = [layer.name for layer in checked(net.graph()).shapes]
    (copy,) = [name for name in order if ".copy" in name]
    assert order.index(copy) > max(order.index(name) for name in "abc")


def test_a_concatenation_of_one_map_and_one_as_the_output() -> None:
    net = Network().conv("a", "image").concat("only", "a").conv("b", "only").concat("out", "b", "only")
    lowered = checked(net.graph())
    assert summary(lowered) == [("a", "image", "a", None), ("b", "a", "b", None)]
    assert (lowered.host.logits, places(lowered)) == ("out", {"a": ("out", 4), "b": ("out", 0)})


# --- refusals ---------------------------------------------------------------------------------------------


def test_everything_unsupported_is_listed() -> None:
    net = Network().add("grouped", OpKind.CONV, "image", shape=(2, 8, 8), groups=2)
    net.add("strides", OpKind.MAXPOOL, "image", shape=(4, 4, 8), kernel=(2, 2), stride=(2, 1))
    net.add("mean", OpKind.AVGPOOL, "image", kernel=(3, 3), padding=(1, 1, 1, 1))
    net.add("wide", OpKind.AVGPOOL, "image", kernel=(17, 16), padding=(4, 4, 4, 4), shape=(4, 1, 1))
    net.add("flat", OpKind.FLATTEN, "mean", shape=(256, 1, 1)).norm("bn", "flat")
    net.add("sum", OpKind.ADD, "mean", "strides", shape=(4, 8, 8)).concat("cat", "flat", "sum")
    with pytest.raises(UnsupportedNetwork) as error:
        lower(net.graph())
    assert str(error.value) == (
        "net: the accelerator cannot run this network\n"
        "  - grouped (conv): convolves 4 to 2 channels in 2 groups; "
        "use fewer groups, or as many as input and output channels\n"
        "  - wide (avgpool): has a kernel of 17 x 16; use at most 16 x 16, or pool in two steps\n"
        "  - bn (batchnorm): normalises a flattened map; normalise before flattening\n"
        "  - sum (add): adds maps of 4 x 8 x 8 and 4 x 4 x 8; "
        "take equal shapes, or one pixel of as many channels as the second\n"
        "  - cat (concat): joins maps of different size, or flattened ones; join channels of equal maps"
    )


def test_a_network_without_layers_is_refused() -> None:
    with pytest.raises(UnsupportedNetwork) as error:
        lower(Network().graph())
    assert str(error.value) == (
        "net: the accelerator cannot run this network\n"
        "  - net: the network computes nothing; give it a layer"
    )


def test_a_stem_that_is_no_convolution_is_refused() -> None:
    net = Network().conv("a", "image").add("add", OpKind.ADD, "a", "image")
    with pytest.raises(UnsupportedNetwork) as error:
        lower(net.graph(), Stem.UNFOLDED)
    assert str(error.value) == (
        "net: the accelerator cannot run this network\n"
        "  - stem = unfolded: the image must be read by one convolution of one group and nothing else; "
        "use stem = plain"
    )


# --- stems ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", [Stem.SPACE_TO_DEPTH, Stem.UNFOLDED, Stem.PATCHES])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "rows", "columns"),
    [
        (7, 2, 3, 16, 16),
        (3, 2, 1, 9, 8),
        (3, 1, 1, 8, 8),
        (11, 4, 2, 19, 23),
        (1, 2, 0, 7, 7),
        (2, 4, 0, 9, 9),
    ],
)
def test_a_relaid_stem_computes_the_same_sums(
    stem: Stem, kernel: int, stride: int, pad: int, rows: int, columns: int
) -> None:
    def outputs(side: int) -> int:
        return (side + 2 * pad - kernel) // stride + 1

    layout = ImageLayout(
        stem, (3, rows, columns), (kernel, kernel), stride, pad, pad, outputs(rows), outputs(columns)
    )
    image = RNG.integers(-99, 99, size=(3, rows, columns))
    weights = RNG.integers(-99, 99, size=(5, 3, kernel, kernel))
    around = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    plain = correlate(around, weights, stride)
    laid, laid_weights = layout.lay(image), layout.lay_weights(weights)
    assert laid.shape == layout.target and laid_weights.shape[2:] == layout.target_kernel
    np.testing.assert_array_equal(correlate(laid, laid_weights, 1), plain)
    assert np.abs(laid_weights).sum() == np.abs(weights).sum()  # every weight once
    assert layout.filter_weights == weights[0].size
    flat = np.append(image, 0)  # index -1 is the zero
    np.testing.assert_array_equal(flat[layout.index_map()], laid)


def correlate(image: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, weights.shape[2:], axis=(1, 2))
    return np.einsum("nrcij,mnij->mrc", windows[:, ::stride, ::stride], weights)


@pytest.mark.parametrize(
    ("stem", "shape", "kernel"),
    [
        ("space_to_depth", (12, 115, 115), (4, 4)),
        ("unfolded", (42, 115, 112), (4, 1)),
        ("patches", (147, 112, 112), (1, 1)),
    ],
)
def test_the_stem_of_resnet18(stem: str, shape: tuple[int, int, int], kernel: tuple[int, int]) -> None:
    lowered = lower(folded("resnet18"), stem)
    image, conv = lowered.feature_maps["input"], lowered.shapes[0]
    assert (image.channels, image.rows, image.columns) == shape == lowered.image_layout.target
    assert (conv.kernel_rows, conv.kernel_columns, conv.stride, conv.n) == (*kernel, 1, shape[0])
    assert (conv.out_rows, conv.out_columns, conv.pad_top) == (112, 112, 0)


@pytest.mark.parametrize("stem", ["space_to_depth", "unfolded", "patches"])
def test_a_relaid_stem_changes_no_integer_of_the_network(stem: str) -> None:
    net = Network(channels=3, side=11).conv("a", "image", 8, 5, stride=(2, 2), padding=(2, 2, 2, 2))
    graph = net.add("relu", OpKind.RELU, "a").conv("b", "relu", 4).graph()
    images = RNG.normal(size=(2, 3, 11, 11)).astype(np.float32)
    outputs = []
    for way in ("plain", stem):
        lowered = lower(graph, way)
        integers = quantise(graph, lowered, images)
        maps = run_network(integers, quantise_image(integers, images[0]))
        outputs.append({name: maps[name] for name in ("relu", "b")})
    for name in outputs[0]:
        np.testing.assert_array_equal(outputs[0][name], outputs[1][name])
    checked(graph, stem)


# --- the zoo ----------------------------------------------------------------------------------------------


@cache
def folded(name: str) -> Graph:
    return fold_batchnorm(trace(build(name), ZOO[name].input_shape, name))


# Layers by origin of their weights, and millions of multiplications (published: 1,814 and 300 for the
# convolutions and classifiers of ResNet-18 and MobileNet-V2).
ZOO_LAYERS = {
    "digits_resnet": ({"node": 10, "mean": 1}, 0.76),
    "resnet18": ({"node": 21, "none": 1, "mean": 1}, 1815.9),
    "mobilenet_v2": ({"node": 53, "mean": 1}, 300.8),
    "squeezenet1_1": ({"node": 26, "none": 3, "mean": 1}, 352.3),
    "mnasnet1_0": ({"node": 53, "mean": 1}, 314.5),
    "densenet121_cifar": ({"node": 121, "batchnorm": 62, "mean": 4, "none": 1}, 224.5),
    "resnet20": ({"node": 20, "subsample": 2, "mean": 1}, 40.8),
    "alexnet": ({"node": 8, "none": 3}, 715.0),
    "resnet8_tiny": ({"node": 10, "mean": 1}, 12.5),
    "dscnn_tiny": ({"node": 10, "mean": 2}, 2.7),
    "mobilenet_v1_tiny": ({"node": 28, "mean": 1}, 7.5),
    "autoencoder_tiny": ({"node": 10}, 0.26),
}


@pytest.mark.parametrize("name", ZOO_LAYERS)
def test_zoo_networks_are_sound(name: str) -> None:
    lowered = lower(folded(name))
    maps = list(lowered.feature_maps.values())
    assert network_violations(maps, lowered.shapes, lowered.image, lowered.host) == []
    origins, millions = ZOO_LAYERS[name]
    assert dict(Counter(str(layer.weights) for layer in lowered.layers)) == origins
    assert round(sum(layer.macs for layer in lowered.shapes) / 1e6, 2 if millions < 1 else 1) == millions
    assert 32 in channel_blocks(16, concat_alignment(lowered)) and lowered.copies == {}


def test_layer_names_are_those_of_the_convolutions() -> None:
    graph = folded("resnet18")
    convolutions = {node.name for node in graph if node.kind in (OpKind.CONV, OpKind.LINEAR)}
    assert convolutions < {layer.name for layer in lower(graph).shapes}
    adds = [layer for layer in lower(graph).shapes if layer.residual]
    assert {layer.name for layer in adds} == {f"layer{s}.{b}.conv2" for s in range(1, 5) for b in range(2)}


# --- groups -----------------------------------------------------------------------------------------------


def grouped(channels: int, groups: int) -> Graph:
    """A residual block around a grouped convolution, its result joined with what it was made of."""
    net = Network(4, 6).conv("a", "image", channels, kernel=1).add("relu", OpKind.RELU, "a")
    net.conv("g", "relu", channels, groups=groups).add("sum", OpKind.ADD, "g", "relu")
    net.add("out", OpKind.CLIP, "sum", bounds=(0.0, 6.0)).concat("all", "a", "out")
    net.conv("last", "all", 5, kernel=1)
    return net.graph()


def test_a_grouped_convolution_is_one_for_each_slice() -> None:
    lowered = checked(grouped(64, 2))
    assert summary(lowered) == [
        ("a", "image", "a", None),
        ("relu", "a", "relu", None),
        ("g.part0", "relu.0to31", "out.0to31", "relu.0to31"),
        ("g.part1", "relu.32to63", "out.32to63", "relu.32to63"),
        ("last", "all", "last", None),
    ]
    maps = lowered.feature_maps
    assert [(maps[name].concat_of, maps[name].concat_offset) for name in ("relu.32to63", "out.32to63")] == [
        ("relu", 32),
        ("all", 96),
    ]
    assert (concat_alignment(lowered), [layer.needed_macs for layer in lowered.shapes]) == (32, [None] * 5)


@pytest.mark.parametrize(
    ("channels", "groups", "parts", "share"), [(64, 16, 4, 4), (60, 4, 1, 4), (48, 6, 3, 2), (32, 2, 2, 1)]
)
def test_groups_of_few_channels_are_taken_together(
    channels: int, groups: int, parts: int, share: int
) -> None:
    layers = [layer for layer in checked(grouped(channels, groups)).shapes if layer.name.startswith("g")]
    assert (len(layers), sum(layer.macs for layer in layers)) == (parts, 36 * 9 * channels**2 // parts)
    needed = [layer.needed_macs or layer.macs for layer in layers]
    assert needed == [layer.macs // share for layer in layers]


# --- dilation ---------------------------------------------------------------------------------------------


def dilated(groups: int = 1) -> Graph:
    """A 3 x 3 kernel of dilation 2 x 3 behind the image, then one row of weights."""
    parameters = {"weight": (RNG.normal(size=(6, 4 // groups, 3, 3)) / 4).astype(np.float32)}
    net = Network(4, 12).add(
        "wide", OpKind.CONV, "image", shape=(6, 6, 6), kernel=(3, 3), stride=(2, 2), padding=(2, 2, 1, 3),
        dilation=(2, 3), parameters=parameters, groups=groups,
    )  # fmt: skip
    return net.conv("last", "wide", 5).graph()


def test_a_dilated_kernel_is_a_pattern() -> None:
    lowered = checked(dilated())
    wide = lowered.layers[0]
    assert (wide.layer.kernel_rows, wide.layer.kernel_columns, wide.layer.pattern_ones) == (5, 7, 9)
    assert wide.layer.macs == 6 * 4 * 6 * 6 * 9
    assert wide.mask is not None and wide.mask.tolist() == [
        [1, 0, 0, 1, 0, 0, 1],
        [0] * 7,
        [1, 0, 0, 1, 0, 0, 1],
        [0] * 7,
        [1, 0, 0, 1, 0, 0, 1],
    ]


@pytest.mark.parametrize("stem", [Stem.SPACE_TO_DEPTH, Stem.UNFOLDED])
def test_a_dilated_kernel_on_a_relaid_image_is_dense(stem: Stem) -> None:
    assert checked(dilated(), stem).layers[0].layer.pattern_ones is None


def test_a_dilated_convolution_of_groups() -> None:
    assert checked(dilated(groups=2)).layers[0].layer.pattern_ones == 9
