"""Skip connections between scales: found in the graph, left out of network and layers alike, searched."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from randomised import randomised
from torch import Tensor, nn

from hotnas_hls.accel.integers.reference_batch import outputs
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.integer_layers import IntegerFormat, lowered_layers, workload_of
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.dense import UNet
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.cut_paths import CutPath
from hotnas_hls.models.data import Dataset
from hotnas_hls.models.edits import copied, editable
from hotnas_hls.models.graph_module import GraphModule
from hotnas_hls.models.shapes import shapes
from hotnas_hls.models.skips import Skip, skips, without_skips
from hotnas_hls.models.task import Classes
from hotnas_hls.models.train import answers, pretrained, score
from hotnas_hls.network.execute import OPERATORS, run
from hotnas_hls.network.quantise import dequantise, quantise_image
from hotnas_hls.platforms.noc.platform import MeshPlatform
from hotnas_hls.platforms.platform import Remedy
from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.config import NetworkSettings
from hotnas_hls.search.detecting.detect import detect
from hotnas_hls.search.detecting.start import fastest_start
from hotnas_hls.search.fitting.finetune import Tuning, finetune, recalibrate_batchnorm
from hotnas_hls.search.fitting.integer import answers as integer_answers
from hotnas_hls.search.fitting.integer import integer_network
from hotnas_hls.search.problem import Problem, load_problem
from hotnas_hls.search.proposing.generate import SpaceOptions, compression_of, generate_space
from hotnas_hls.search.proposing.sensitivity import Sensitivity
from hotnas_hls.search.search import SearchOptions, search
from hotnas_hls.search.telling.summary import summary_of

torch.set_num_threads(1)
FORM = IntegerFormat(8, 8, calibration_images=16, refit_images=32)
ENGINE = EngineOptions(tm=(8,), tn=(16,), tr=(8,), tc=(8,), port_bits=(64,), on_chip=False)
IMAGES = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32)
TUNING = Tuning(60, 32)
COARSE, FINE = "decoder2.conv1", "decoder1.conv1"  # the convolutions that read the two skips of shapes_unet
ALONE = SpaceOptions(
    weight_bits=8, patterns=False, channel_cut=False, kernel_expand=False, quantisation=False, hardware=False
)


class Added(nn.Module):
    """An encoder and a decoder of two scales that are added, with a batch norm and ReLU behind the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.Conv2d(8, 4, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.down(x))
        coarse = F.relu(self.deep(F.max_pool2d(fine, 2)))
        return self.up(F.relu(self.norm(fine + F.interpolate(coarse, scale_factor=2))))


class Joined(Added):
    """The same, concatenated; the norm and a depthwise convolution lie between."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(16)
        self.each = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.up = nn.Conv2d(16, 4, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.down(x))
        coarse = F.relu(self.deep(F.max_pool2d(fine, 2)))
        both = torch.cat([F.interpolate(coarse, scale_factor=2), fine], 1)
        return self.up(self.each(F.relu(self.norm(both))))


class Twice(Added):
    """Two convolutions read the sum: it stays."""

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.down(x))
        coarse = F.relu(self.deep(F.max_pool2d(fine, 2)))
        both = fine + F.interpolate(coarse, scale_factor=2)
        return self.up(both) + self.up(F.relu(both))


class Excited(Added):
    """A squeeze and excitation: what is added descends from the map by its own scale too."""

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.down(x))
        return self.up(fine + self.deep(fine) * F.relu(self.deep(fine.mean((2, 3), keepdim=True))))


@pytest.fixture(scope="module")
def problem() -> Problem:
    """The shipped U-Net on a part of its data."""
    model, whole = pretrained("shapes_unet"), shapes()
    parts = whole.train.first(64), whole.validation.first(16), whole.test.first(16)
    data = Dataset(whole.name, whole.classes, *parts)
    return Problem("shapes_unet", model, trace(model, (1, 32, 32), "shapes_unet"), data)


def engine() -> TiledEnginePlatform:
    return TiledEnginePlatform(
        load_board("PYNQ-Z2"), 100.0, act_bits=8, concat_alignment=8, options=ENGINE
    )


def test_they_are_found_in_the_graph(problem):
    found = skips(problem.graph)
    assert {reader: skip.maps for reader, skip in found.items()} == {
        COARSE: ("encoder2.relu_1",),
        FINE: ("encoder1.relu_1",),
    }
    assert len(skips(trace(UNet(8, 3), (3, 16, 16)))) == 2
    path = CutPath(("norm", "relu_2"), "up")
    assert skips(trace(Added(), (3, 8, 8))) == {"up": Skip("add", ("relu",), path)}
    assert skips(trace(Joined(), (3, 8, 8)))["up"].path.along == ("norm", "relu_2", "each")
    for module, side in ((CifarResNet(3), 32), (Twice(), 8), (Excited(), 8)):
        assert skips(trace(module, (3, side, side))) == {}
    assert editable(None, problem.graph).skips == {}


def test_without_an_addition_the_other_map_is_read():
    graph = trace(randomised(Added()).eval(), (3, 8, 8))
    (skip,) = skips(graph).values()
    without = without_skips(graph, ["up"])
    assert skip.join not in without
    values = run(graph, IMAGES)
    (other,) = (values[name] for name in graph[skip.join].inputs if name not in skip.maps)
    for name in ("norm", "relu_2", "up"):
        other = OPERATORS[graph[name].kind](graph[name], other)
    np.testing.assert_array_equal(run(without, IMAGES)["up"], other)
    assert np.abs(values["up"] - other).max() > 0.01
    with pytest.raises(ValueError, match="^down: it reads no skip connection that may be left out$"):
        without_skips(graph, ["down"])


def test_without_a_concatenation_the_other_channels_are_read():
    """As though the weights for those that are left out were zero."""
    model = randomised(Joined()).eval()
    graph = trace(model, (3, 8, 8))
    without = without_skips(graph, ["up"])
    assert [without[name].shape[0] for name in ("norm", "relu_2", "each", "up")] == [8, 8, 8, 4]
    assert without["each"].groups == 8
    with torch.no_grad():
        model.up.weight[:, 8:] = 0.0
    expected = run(trace(model, (3, 8, 8)), IMAGES)["up"]
    np.testing.assert_allclose(run(without, IMAGES)["up"], expected, atol=1e-5)
    assert np.abs(run(graph, IMAGES)["up"] - expected).max() > 0.01


EDITS = {
    "coarse": Compression(skips_cut=(COARSE,)),
    "fine": Compression(skips_cut=(FINE,)),
    "all": Compression(
        {"encoder2.conv1": 24, COARSE: 24},
        {COARSE: PatternChoice(3, 3), "encoder3.conv1": PatternChoice(3, 5)},
        (FINE,),
        {COARSE: 6, "head": 5},
        skips_cut=(COARSE, FINE),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_priced_built_and_computed_alike(problem, name):
    """Layers as priced; torch and the integer reference agree bit for bit."""
    edits = EDITS[name]
    model = problem.compressed(edits)
    network = integer_network(problem, model, edits, FORM)
    workload = workload_of(problem.graph, problem.model, FORM)
    assert workload.takes(edits)
    assert network.layers == lowered_layers(problem.graph, FORM, edits) == workload.compressed(edits)
    layers = {layer.name: layer for layer in network.layers}
    cut = {COARSE: 32, FINE: 16}
    assert all(layers[reader].n == cut[reader] for reader in edits.skips_cut)
    again = workload.edited(dataclasses.replace(edits, skips_cut=edits.skips_cut[:1]))
    rest = edits.skips_cut[1:]
    assert again.compressed(Compression(skips_cut=rest)) == network.layers
    assert not again.takes(Compression(skips_cut=edits.skips_cut[:1]))
    images = problem.dataset.test.images
    (output,) = network.host.maps
    found = outputs(network, quantise_image(network, images))[output]
    (computed,) = integer_answers(network, images)
    assert np.array_equal(computed.numpy(), dequantise(network, output, found))
    (floats,) = answers(model, images)
    assert Classes(pixels=True).score((computed,), floats.argmax(1)) > (0.5 if name == "all" else 0.8)


def test_what_read_it_is_fitted_to_what_it_computed(problem):
    """Closer to the sums that it had than its own weights for the rest are."""
    graph = without_skips(problem.graph, [COARSE])
    images = problem.dataset.test.images
    wanted, own = (run(one, images, {COARSE})[COARSE] for one in (problem.graph, graph))
    traced = trace(problem.compressed(EDITS["coarse"]), (1, 32, 32))
    fitted = run(traced, images, {COARSE})[COARSE]
    assert ((fitted - wanted) ** 2).mean() < 0.5 * ((own - wanted) ** 2).mean()
    assert problem.compressed(Compression()).decoder2.conv1.in_channels == 48


def test_labels_remedies_and_axes(problem):
    platform = engine()
    start = fastest_start(problem.graph, problem.model, platform, FORM, "plain", 0)
    found = {one.layer: one for one in detect(start.workload, platform, start.choices).findings}
    (effect,) = (e for e in found[FINE].effects if e.remedy is Remedy.SKIP_CUT)
    assert effect.description == "cat_1 without encoder1.relu_1" and effect.saved > 0
    assert not any(e.remedy is Remedy.SKIP_CUT for e in found["encoder1.conv1"].effects)
    space = generate_space(start.workload, platform, start.choices, ALONE)
    axes = {axis.name: axis for axis in space.of_kind(AxisKind.SKIP)}
    assert {name: (axis.layer, axis.options) for name, axis in axes.items()} == {
        f"skip:{COARSE}": (COARSE, (1, 0)),
        f"skip:{FINE}": (FINE, (1, 0)),
    }
    harms = Sensitivity(problem, FORM, problem.dataset.train.images).harms(space)
    base = answers(problem.model, problem.dataset.train.images)
    for reader in (COARSE, FINE):
        edited = answers(problem.compressed(Compression(skips_cut=(reader,))), problem.dataset.train.images)
        assert harms[f"skip:{reader}", 0] == float(problem.task.divergence(edited, base)) > 0.001
    off = generate_space(start.workload, platform, start.choices, dataclasses.replace(ALONE, skip_cut=False))
    assert off.of_kind(AxisKind.SKIP) == ()


def test_a_model_prices_it_too(problem):
    platform = MeshPlatform()
    workload = platform.workload(problem.graph, problem.model, FORM)
    edits = Compression(skips_cut=(FINE,))
    assert workload.compressed(edits) == platform.layers(problem.graph, FORM, edits)
    assert {layer.name: layer.n for layer in workload.compressed(edits)}[FINE] == 16


@pytest.mark.parametrize("platform", [MeshPlatform, pytest.param(engine, marks=pytest.mark.whole)])
def test_a_network_without_one_wins(problem, platform):
    """Where nothing else may be edited, a bound below the whole network is met by leaving one out."""
    options = SearchOptions(
        bound=None,
        reduction=0.05,
        trials=3,
        tuning=Tuning(batches=0),
        final_epochs=0,
        accuracy=(0.0, 1.0),
        format=FORM,
        space=ALONE,
        stem="plain",
        packed=0,
        golden_images=1,
    )
    result = search(problem, platform(), options)
    cut = result.compression.skips_cut
    assert cut and compression_of(result.chosen.candidate, result.space) == result.compression
    assert result.cost.value <= result.bound < result.uncompressed["int8"]
    axes = [f"skip:{reader}" for reader in (COARSE, FINE)]
    assert any(one.refusals and all(one.candidate[axis] for axis in axes) for one in result.outcomes)
    wide = {COARSE: 48, FINE: 24}
    layers = {layer.name: layer for layer in result.network.layers}
    assert all(layers[reader].n < wide[reader] for reader in cut)
    assert result.design is None or result.design.violations() == []
    record = json.loads(json.dumps(summary_of(result)))
    assert record["edits"]["skips_cut"] == list(cut)
    assert {one["layer"] for one in record["decisions"] if not one["after"]} == {*cut}
    first, alone = record["reductions"][0], f"alone_{result.cost.objective.unit}"
    assert first["name"] == "skip" and first[alone] < result.uncompressed["int16"]


@pytest.mark.long("six trainings, two minutes")
def test_networks_that_were_fitted_train_better() -> None:
    """The figures of the documentation: mean IoU of 128 validation images, before and after 60 batches."""
    whole = load_problem(NetworkSettings("shapes_unet", "shapes"))
    macs = sum(layer.macs for layer in workload_of(whole.graph, whole.model, FORM).layers)
    for cut in ((COARSE,), (FINE,), (COARSE, FINE)):
        edits, reached = Compression(skips_cut=cut), []
        saved = 1 - sum(layer.macs for layer in lowered_layers(whole.graph, FORM, edits)) / macs
        print(*cut, f"{saved:.1%} of the products saved")
        for model in (copied(whole.compressed(edits)), GraphModule(without_skips(whole.graph, cut))):
            recalibrate_batchnorm(model, whole.dataset.train, TUNING, np.random.default_rng(0))
            before = score(model.eval(), whole.dataset.validation, whole.task)
            finetune(model, whole.teacher, whole.dataset, TUNING, 0)
            reached.append(score(model, whole.dataset.validation, whole.task))
            print(f"  {before:.2%}, trained {reached[-1]:.2%}")
        assert reached[0] > reached[1]
