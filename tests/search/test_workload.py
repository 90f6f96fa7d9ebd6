"""Priced without touching a weight, and built: the same layers."""

import dataclasses

import numpy as np
import pytest

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.layer import LayerKind
from hotnas_hls.accel.layer_checks import numbers_violations
from hotnas_hls.explore.arrangement import PLAIN, Arrangement
from hotnas_hls.explore.integer_layers import IntegerFormat, lowered_layers, workload_of
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.mobile import MobileNetV2
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.train import score
from hotnas_hls.search.fitting.integer import golden, integer_accuracy, integer_network
from hotnas_hls.search.problem import Problem

FORMAT = IntegerFormat(calibration_images=16)
EDITS = {
    "none": Compression(),
    "cut": Compression(channels={"layer1.0.conv1": 8, "layer3.0.conv1": 48}),
    "pruned": Compression(patterns={"layer2.0.conv2": PatternChoice(3, 3)}),
    "one pattern": Compression(patterns={"layer2.0.conv2": PatternChoice(3, 8)}),
    "pairs": Compression(patterns={"layer2.0.conv2": PatternChoice(3, 3, rows=2)}),
    "expanded": Compression(expanded=("layer2.0.conv1", "layer2.0.downsample.0")),
    "narrow": Compression(weight_bits={"layer3.0.conv2": 4, "fc": 6, "layer1.0.conv1": 2}),
    "all": Compression(
        {"layer3.0.conv1": 40},
        {"layer3.0.conv1": PatternChoice(3, 3)},
        ("layer2.0.downsample.0",),
        {"layer3.0.conv1": 5},
    ),
    # the cut makes the main branch as small as the shortcut: another convolution takes the addition
    "moved addition": Compression({"layer2.0.conv1": 2}, {}, ("layer2.0.downsample.0",), {}),
}


@pytest.mark.parametrize("name", EDITS)
def test_priced_layers_are_the_built_ones(problem, name):
    compression = EDITS[name]
    model = problem.compressed(compression)
    network = integer_network(problem, model, compression, FORMAT)
    assert network.layers == lowered_layers(problem.graph, FORMAT, compression)
    if name != "moved addition":
        workload = workload_of(problem.graph, problem.model, FORMAT)
        assert network.layers == workload.compressed(compression)


@pytest.mark.parametrize("name", ["none", "cut", "all", "narrow"])
def test_a_relaid_stem_is_priced_as_built(problem, name):
    form = dataclasses.replace(FORMAT, arrangement=Arrangement(Stem.UNFOLDED))
    network = integer_network(problem, problem.compressed(EDITS[name]), EDITS[name], form)
    workload = workload_of(problem.graph, problem.model, form)
    assert network.image_layout.stem is Stem.UNFOLDED and network.layers[0].n == 3
    assert network.layers == lowered_layers(problem.graph, form, EDITS[name])
    assert network.layers == workload.compressed(EDITS[name])
    plain = workload_of(problem.graph, problem.model, FORMAT)
    assert plain.editable - workload.editable == {"conv1"} and workload.paths == plain.paths


@pytest.mark.parametrize(("stem", "across"), [*((stem, False) for stem in Stem), (Stem.PATCHES, True)])
def test_packed_pixels_are_priced_as_built(problem, stem, across):
    """Packed layers are pruned, cut and narrowed as others are; they do not grow."""
    form = dataclasses.replace(FORMAT, arrangement=Arrangement(stem, 1, across))
    workload = workload_of(problem.graph, problem.model, form)
    plain = workload_of(problem.graph, problem.model, FORMAT)
    packed = {"layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1"}
    assert packed <= workload.spreads.keys() & workload.editable
    assert workload.paths == plain.paths and workload.weighted == plain.weighted
    spreads = workload.spreads
    edits = Compression(
        {"layer1.0.conv1": 8, "layer3.0.conv1": 40},
        {
            "layer1.0.conv1": PatternChoice(3, 2, 2, spreads["layer1.0.conv1"]),
            "layer1.0.conv2": PatternChoice(3, 3, 2, spreads["layer1.0.conv2"]),
            "layer2.0.conv1": PatternChoice(3, 1, 1, spreads["layer2.0.conv1"]),
            "layer3.0.conv1": PatternChoice(3, 3),
        },
        (),
        {"layer1.0.conv1": 5, "layer3.0.conv1": 6},
    )
    network = integer_network(problem, problem.compressed(edits), edits, form)
    assert network.layers == lowered_layers(problem.graph, form, edits) == workload.compressed(edits)
    built = {layer.name: layer for layer in network.layers}
    positions = {name: built[name].positions for name in edits.patterns}
    assert list(positions.values()) == ([4, 3, 5, 6] if across else [3, 2, 3, 6])
    assert built["layer1.0.conv1"].weight_bits == 5 and built["layer1.0.conv2"].pattern_rows == 2
    for name, layer in built.items():
        assert numbers_violations(layer, network.numbers[name], network.act_bits) == []
    before = integer_network(problem, problem.compressed(edits), edits, FORMAT)
    some = problem.dataset.test.first(50)
    assert integer_accuracy(network, some) == integer_accuracy(before, some)
    assert not plain.takes(Compression(expanded=("no layer",))) and workload.takes(edits)
    assert workload.takes(EDITS["cut"]) and not workload.takes(Compression(expanded=("layer1.0.conv1",)))


PACKED = (Arrangement(Stem.UNFOLDED, 1), Arrangement(Stem.PATCHES, 1, True))


@pytest.mark.parametrize("arrangement", [*map(Arrangement, Stem), *PACKED])
def test_no_arrangement_changes_what_is_classified(problem, arrangement):
    split = problem.dataset.validation.first(50)
    plain, arranged = (
        integer_network(problem, problem.model, Compression(), dataclasses.replace(FORMAT, arrangement=a))
        for a in (PLAIN, arrangement)
    )
    assert integer_accuracy(arranged, split) == integer_accuracy(plain, split) > 0.9


@pytest.mark.parametrize("model, shape", [(CifarResNet(3), (3, 32, 32)), (MobileNetV2(), (3, 64, 64))])
def test_quick_pricing_of_other_networks(model, shape):
    model = model.eval()
    graph = trace(model, shape)
    workload = workload_of(graph, model, FORMAT)
    owner = sorted(workload.paths)[len(workload.paths) // 2]
    compression = Compression(channels={owner: workload.layer(owner).m // 2})
    exact = lowered_layers(graph, FORMAT, compression)
    assert workload.compressed(compression) == exact
    assert {layer.name: layer.m for layer in exact}[owner] == compression.channels[owner]


def test_16_bit_integers_are_as_accurate_as_floats(problem):
    network = integer_network(problem, problem.model, Compression(), FORMAT)
    assert integer_accuracy(network, problem.dataset.test) == score(problem.model, problem.dataset.test)
    some = golden(network, problem.dataset.test, 4)
    assert some.images.dtype == np.int32 and some.images.shape == (4, 1, 8, 8)
    assert some.labels.tolist() == problem.dataset.test.labels[:4].tolist()


def test_narrow_layers_hold_the_weights_they_were_trained_with(problem):
    """Before they are fitted."""
    compression = Compression(weight_bits={"layer3.0.conv2": 4})
    model = problem.compressed(compression)
    form = dataclasses.replace(FORMAT, refit_images=0)
    network = integer_network(problem, model, compression, form)
    numbers = network.numbers["layer3.0.conv2"]
    assert np.abs(numbers.weights).max() <= 8
    norm = model.get_submodule("layer3.0.bn2")
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()[:, None, None, None]
    trained = model.get_submodule("layer3.0.conv2").weight.detach().numpy() * scale
    np.testing.assert_allclose(numbers.weights * 2.0**-numbers.weight_frac_bits, trained, atol=1e-5)


def test_what_may_be_edited(problem):
    workload = workload_of(problem.graph, problem.model, FORMAT)
    assert "fc" in workload.weighted and "avgpool" not in workload.weighted
    assert "fc" not in workload.editable and set(workload.paths) <= workload.editable
    assert {layer.kind for layer in workload.layers} == {LayerKind.CONV, LayerKind.DEPTHWISE}
    assert workload.layer("avgpool").weight_bits == 2  # a mean of four pixels is a shift
    assert not workload_of(problem.graph, None, FORMAT).editable


def test_patterns_come_with_the_layer(problem):
    compression = EDITS["one pattern"]
    model = problem.compressed(compression)
    numbers = integer_network(problem, model, compression, FORMAT).numbers["layer2.0.conv2"]
    assert numbers.patterns.shape == (4, 3, 3) and numbers.pattern_index.max() <= 1
    assert not numbers.weights[numbers.patterns[numbers.pattern_index] == 0].any()


def test_a_problem_is_immutable(problem):
    assert isinstance(problem, Problem)
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.name = "another"
