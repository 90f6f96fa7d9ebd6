"""An arrangement from the choice to the board: the same logits from plain images, however they are laid."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.plan import for_layers
from hotnas_hls.accel.timing.efficiency import needed_macs
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.accel.weights_file import Golden
from hotnas_hls.base.tools import find
from hotnas_hls.boards.board import load_board
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError, InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.explore.arrangement import PLAIN, Arrangement, allowed_arrangements, attempts, fastest
from hotnas_hls.network.graph import Graph, Node, OpKind
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import quantise, quantise_image
from hotnas_hls.simulate.certify import certify
from hotnas_hls.simulate.csim import run_csim
from hotnas_hls.simulate.flow import generate

STEMS = tuple(Stem)
ACCEL = Accelerator(8, 8, 6, 6, 64, 64, 64, ifm_depth=256, wgt_entries=9, max_entries=25, patterns=False)
IMAGES = 2
needs_compiler = pytest.mark.skipif(
    find("g++") is None or find("ap_types") is None, reason="needs g++, ap_int"
)
needs_verilator = pytest.mark.skipif(
    find("verilator") is None or find("g++") is None, reason="needs Verilator and g++"
)


@cache
def graph() -> Graph:
    """5 x 5 of stride 2 on 3 channels of 11 x 9, then one more convolution."""
    rng = np.random.default_rng(5)

    def weights(*shape: int) -> dict[str, np.ndarray]:
        weight = (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        return {"weight": weight, "bias": rng.normal(size=shape[0]).astype(np.float32)}

    stem = {"kernel": (5, 5), "stride": (2, 2), "padding": (2, 2, 2, 2), "parameters": weights(8, 3, 5, 5)}
    return Graph(
        "stems",
        [
            Node("image", OpKind.INPUT, (), (3, 11, 9)),
            Node("first", OpKind.CONV, ("image",), (8, 6, 5), **stem),
            Node("relu", OpKind.RELU, ("first",), (8, 6, 5)),
            Node("last", OpKind.LINEAR, ("relu",), (10, 1, 1), parameters=weights(10, 8 * 6 * 5)),
        ],
    )


def images() -> np.ndarray:
    return np.random.default_rng(6).normal(size=(IMAGES, 3, 11, 9)).astype(np.float32)


@cache
def design(stem: Stem) -> DesignPoint:
    """The network with its numbers and golden images on a small accelerator."""
    net = quantise(graph(), lower(graph(), stem), images())
    accel = dataclasses.replace(ACCEL, max_entries=max(layer.positions for layer in net.layers))
    tiles = best_tiles(net.layers, accel, MemoryTiming())
    return DesignPoint(
        network="stems",
        board=load_board("ZCU102"),
        clock_mhz=200.0,
        seed=1,
        accelerator=accel,
        image=net.image,
        host=net.host,
        feature_maps=tuple(net.feature_maps.values()),
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in net.layers),
        image_layout=net.image_layout,
        numbers=net.numbers,
        golden=Golden(quantise_image(net, images())),
    )


@cache
def plain_logits() -> np.ndarray:
    """What the plain network computes, integers (B, 10): the truth for every stem."""
    net = design(Stem.PLAIN).integer_network()
    return np.array([run_network(net, image)[net.logits].ravel() for image in quantise_image(net, images())])


# --- the design point -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", STEMS)
def test_a_design_point_keeps_its_stem(stem: Stem, tmp_path: Path) -> None:
    point = design(stem)
    again = DesignPoint.load(point.save(tmp_path))
    assert again == point and again.stem is stem and again.digest() == point.digest()
    assert (again.image_layout is None) == (stem is Stem.PLAIN)
    assert again.integer_network().image_shape == (3, 11, 9)
    record = json.loads((tmp_path / "design_point.json").read_text())
    assert (record["format_version"], record["packed_resolutions"]) == (7, 0)


def test_design_points_of_older_versions_are_plain(tmp_path: Path) -> None:
    path = design(Stem.PLAIN).save(tmp_path)
    record = json.loads(path.read_text())
    assert record.pop("packed_resolutions") == 0
    path.write_text(json.dumps(record | {"format_version": 2}))
    assert DesignPoint.load(path) == design(Stem.PLAIN)
    assert record.pop("image_layout") is None
    path.write_text(json.dumps(record | {"format_version": 1}))
    assert DesignPoint.load(path) == design(Stem.PLAIN)


def test_a_layout_that_is_not_the_designs_is_refused(tmp_path: Path) -> None:
    point = design(Stem.UNFOLDED)
    other = design(Stem.SPACE_TO_DEPTH).image_layout
    with pytest.raises(ConfigError) as error:
        dataclasses.replace(point, image_layout=other).save(tmp_path)
    cure = "lower the network again, or write null for a plain stem"
    assert str(error.value).splitlines()[1:] == [
        f"  - image_layout: lays 3 x 11 x 9 as 12 x 8 x 7, but the image 'image' is 30 x 8 x 5; {cure}",
        "  - image_layout: 'image' must be read by one convolution of kernel 3 x 3, stride 1, no padding, "
        f"6 x 5 outputs, and nothing else, but it is read by first; {cure}",
    ]
    wrong = dataclasses.replace(point.image_layout, stride=0, pad_top=5)
    with pytest.raises(ConfigError) as error:
        dataclasses.replace(point, image_layout=wrong).save(tmp_path)
    assert str(error.value).splitlines()[1:] == [
        "  - image_layout.stride = 0: must be at least 1",
        "  - image_layout.pad_top = 5: must be less than the kernel",
    ]
    plain = dataclasses.replace(point.image_layout, stem=Stem.PLAIN)
    with pytest.raises(ConfigError, match="a plain image has none; write null"):
        dataclasses.replace(point, image_layout=plain).save(tmp_path)


def test_seeded_images_are_plain_images_laid() -> None:
    point = dataclasses.replace(design(Stem.UNFOLDED), golden=None)
    plain = dataclasses.replace(design(Stem.PLAIN), golden=None).golden_images(2)
    np.testing.assert_array_equal(point.golden_images(2), point.image_layout.lay(plain))


# --- the choice -----------------------------------------------------------------------------------------


def test_best_is_the_fastest_arrangement_the_network_allows() -> None:
    every = tuple(Arrangement(stem) for stem in STEMS)
    assert allowed_arrangements(graph()) == every  # its maps are odd: nothing can be packed
    assert allowed_arrangements(graph(), "unfolded") == (Arrangement(Stem.UNFOLDED),)
    twice = Node("twice", OpKind.ADD, ("image", "image"), (3, 11, 9))
    assert allowed_arrangements(Graph("twice", [graph()["image"], twice])) == (PLAIN,)
    cycles = dict(zip(every, (7.0, 5.0, 5.0, 6.0), strict=True))
    assert fastest(cycles, float) == Arrangement(Stem.SPACE_TO_DEPTH)


def test_pixels_are_packed_as_far_as_asked_for_and_allowed() -> None:
    pytest.importorskip("torch")
    from hotnas_hls.frontends.source import load_model

    resnet = load_model("resnet20").graph
    shapes = ((1, False), (1, True), (2, False), (2, True))
    every = {Arrangement(stem, *shape) for stem in (Stem.UNFOLDED, Stem.PATCHES) for shape in shapes}
    every |= {Arrangement(stem) for stem in STEMS}
    found = allowed_arrangements(resnet)
    assert set(found) == every and found[0] == PLAIN
    packed_twice = (Arrangement(Stem.UNFOLDED, 2), Arrangement(Stem.UNFOLDED, 2, True))
    assert allowed_arrangements(resnet, "unfolded", 2) == packed_twice
    assert str(found[-1]) == "patches stem, two resolutions packed along rows"
    with pytest.raises(UnsupportedNetwork) as error:
        allowed_arrangements(graph(), "plain", 1)
    assert str(error.value) == (
        "packed_resolutions = 1: no layer writes maps of the smallest of these sizes, or one that reads or "
        "writes them has no packed form (a maximum, a depthwise or dilated kernel, an odd side), "
        "or is the output; use fewer"
    )


def test_dilated_kernels_are_not_packed() -> None:
    """Of the size of those that are, and with patterns, which packed kernels may not hold."""
    nn = pytest.importorskip("torch").nn
    from hotnas_hls.frontends.trace import trace

    def model(dilation: int) -> object:
        inner = nn.Conv2d(8, 8, 3 if dilation == 1 else 2, padding=1, dilation=dilation)
        last = nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(4)
        layers = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), inner, nn.ReLU(), *last)
        return trace(nn.Sequential(*layers).eval(), (3, 8, 8), "small")

    assert max(found.packed_resolutions for found in allowed_arrangements(model(1))) == 1
    assert {found.packed_resolutions for found in allowed_arrangements(model(2))} == {0}
    with pytest.raises(UnsupportedNetwork) as error:
        allowed_arrangements(model(2), "unfolded", 1)
    assert str(error.value) == (
        "small: cannot be built with a unfolded stem, one resolution packed:\n"
        "  - 2: a dilated kernel has no packed form; use packed_resolutions = 0"
    )


def test_arrangements_that_fit_no_design_are_left_out() -> None:
    every = tuple(Arrangement(stem) for stem in STEMS)

    def attempt(arrangement: Arrangement) -> int:
        if arrangement.stem is not Stem.UNFOLDED:
            raise InfeasibleDesign(f"{arrangement} does not fit")
        return 3

    assert attempts(every, attempt) == {Arrangement(Stem.UNFOLDED): 3}
    with pytest.raises(InfeasibleDesign, match="plain stem does not fit"):
        attempts(every[:2], attempt)


@pytest.mark.parametrize("stem", STEMS)
def test_zeros_of_a_relaid_stem_are_no_macs_that_remain(stem: Stem) -> None:
    point = design(stem)
    assert point.needed_macs() == {"first": 8 * 3 * 25 * 6 * 5, "last": 10 * 8 * 6 * 5}
    raw = needed_macs([entry.layer for entry in point.layers])
    zeros = stem in (Stem.SPACE_TO_DEPTH, Stem.UNFOLDED)  # of 5 x 5 with stride 2; patches have none
    assert (raw["first"] > point.needed_macs()["first"]) == zeros


# --- end to end -----------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.whole
@pytest.mark.parametrize("stem", [Stem.PLAIN, Stem.SPACE_TO_DEPTH, Stem.PATCHES])
def test_hls_of_every_stem_gives_the_plain_logits(stem: Stem, tmp_path: Path) -> None:
    point = design(stem)
    net = point.integer_network()
    found = [run_network(net, image)[net.logits].ravel() for image in point.golden_images(IMAGES)]
    np.testing.assert_array_equal(found, plain_logits())
    generate(point, tmp_path / "stems", images=IMAGES)
    assert run_csim(tmp_path / "stems", build=tmp_path / "csim").images == IMAGES
    readme = (tmp_path / "stems" / "README.md").read_text()
    assert "floats (B, 3, 11, 9)" in readme and f"| Stem | {str(stem).replace('_', ' ')}" in readme
    assumptions = (tmp_path / "stems" / "ASSUMPTIONS.md").read_text()
    assert ("laying its 297 values" in assumptions) == (stem is not Stem.PLAIN)


def test_the_driver_lays_the_plain_image(tmp_path: Path) -> None:
    point = design(Stem.UNFOLDED)
    generate(point, tmp_path / "stems", images=1)
    record = json.loads((tmp_path / "stems" / "driver" / "hotnas_design.json").read_text())
    assert [record["source"][side] for side in ("channels", "rows", "columns")] == [3, 11, 9]
    assert [record["image"][side] for side in ("channels", "rows", "columns")] == [30, 8, 5]


@pytest.mark.whole
@needs_verilator
def test_rtl_of_a_relaid_stem_is_certified(tmp_path: Path) -> None:
    certificate = certify(design(Stem.UNFOLDED), tmp_path, images=IMAGES)
    assert certificate.holds and certificate.exact and certificate.outputs_match


@cache
def packed_design(packed: int) -> DesignPoint:
    """A plain and a residual convolution at 8 x 8, two of stride 2, and a linear layer, 8 bits."""
    rng = np.random.default_rng(8)

    def conv(name: str, source: str, shape: tuple[int, int, int], fan_in: int, stride: int) -> Node:
        weight = (rng.normal(size=(shape[0], fan_in, 3, 3)) / (3 * np.sqrt(fan_in))).astype(np.float32)
        parameters = {"weight": weight, "bias": rng.normal(size=shape[0]).astype(np.float32)}
        options = {"kernel": (3, 3), "stride": (stride, stride), "padding": (1, 1, 1, 1)}
        return Node(name, OpKind.CONV, (source,), shape, parameters=parameters, **options)

    weight = (rng.normal(size=(10, 8 * 2 * 2)) / 6).astype(np.float32)
    linear = {"weight": weight, "bias": rng.normal(size=10).astype(np.float32)}
    graph = Graph(
        "packed",
        [
            Node("image", OpKind.INPUT, (), (3, 8, 8)),
            conv("first", "image", (4, 8, 8), 3, 1),
            Node("relu", OpKind.RELU, ("first",), (4, 8, 8)),
            conv("inner", "relu", (4, 8, 8), 4, 1),
            Node("sum", OpKind.ADD, ("inner", "relu"), (4, 8, 8)),
            conv("half", "sum", (8, 4, 4), 4, 2),
            conv("quarter", "half", (8, 2, 2), 8, 2),
            Node("last", OpKind.LINEAR, ("quarter",), (10, 1, 1), parameters=linear),
        ],
    )
    images = rng.normal(size=(IMAGES, 3, 8, 8)).astype(np.float32)
    arrangement = Arrangement(Stem.UNFOLDED if packed else Stem.PLAIN, packed, packed > 0)
    net = arrangement.network(quantise(graph, arrangement.lower(graph, 8), images, 8))
    narrow = dataclasses.replace(ACCEL, act_bits=8, ifm_bits=32, wgt_bits=32, ofm_bits=32, tr=8, tc=8)
    accel = for_layers(narrow, net.layers)
    tiles = best_tiles(net.layers, accel, MemoryTiming())
    return dataclasses.replace(
        design(Stem.PLAIN),
        network="packed",
        accelerator=accel,
        image=net.image,
        host=net.host,
        feature_maps=tuple(net.feature_maps.values()),
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in net.layers),
        image_layout=net.image_layout,
        packed_resolutions=packed,
        packed_across=packed > 0,
        numbers=net.numbers,
        golden=Golden(quantise_image(net, images)),
    )


@pytest.mark.whole
def test_packed_pixels_go_through_c_simulation_and_rtl(tmp_path: Path) -> None:
    point, plain = packed_design(2), packed_design(0)
    assert DesignPoint.load(point.save(tmp_path / "run")) == point
    logits = [
        [run_network(net, image)[net.logits].ravel() for image in images]
        for net, images in ((p.integer_network(), p.golden_images(IMAGES)) for p in (plain, point))
    ]
    np.testing.assert_array_equal(*logits)
    assert len(np.unique(logits[0])) > 10
    generate(point, tmp_path / "packed", images=IMAGES)
    readme = (tmp_path / "packed" / "README.md").read_text()
    assert "| Packed pixels | 2 resolutions: 2 pixels of a row of these maps, twice as many at each" in readme
    assert "floats (B, 3, 8, 8)" in readme
    if find("g++") and find("ap_types"):
        assert run_csim(tmp_path / "packed", build=tmp_path / "csim").images == IMAGES
    if find("g++") and find("verilator"):
        certificate = certify(point, tmp_path / "rtl", images=IMAGES)
        assert certificate.holds and certificate.exact and certificate.outputs_match


# --- commands -------------------------------------------------------------------------------------------


def printed(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.whole
def test_dse_saves_the_fastest_arrangement(tmp_path: Path, capsys) -> None:
    pytest.importorskip("torch")
    model = ("dse", "--model", "digits_resnet", "--board", "PYNQ-Z2")
    best = printed(capsys, *model, "--save", str(tmp_path))
    tried = best["cycles_by_arrangement"]
    chosen = Arrangement(
        best["stem"], best["packed_resolutions"], best["packed_across"]
    )
    least = tried[str(chosen)]  # a bound: behind the DRAM another arrangement's may be passed by more
    assert min(tried.values()) <= least == best["best_latency"]["total_cycles"]
    point = DesignPoint.load(tmp_path)
    assert (point.stem, point.packed_resolutions) == (chosen.stem, chosen.packed_resolutions)
    assert point.predicted_cycles == best["on_chip"]["cycles"] >= least
    plain = printed(capsys, *model, "--stem", "plain", "--packed-resolutions", "0")
    assert plain["cycles_by_arrangement"] == {"plain stem": tried["plain stem"]}
    assert plain["on_chip"]["cycles"] > point.predicted_cycles
    assert 0 < plain["best_latency"]["dsp_efficiency"] < best["best_latency"]["dsp_efficiency"] < 1


def test_latency_follows_the_stem(tmp_path: Path, capsys) -> None:
    pytest.importorskip("torch")
    model = ("latency", "--model", "digits_resnet", "--accel", "tm=16,tn=16,tr=8,tc=8")
    unpacked = ("--packed-resolutions", "0")
    by_stem = {stem: printed(capsys, *model, "--stem", stem, *unpacked)["total_cycles"] for stem in STEMS}
    best = printed(capsys, *model, *unpacked)
    assert best["total_cycles"] == min(by_stem.values()) == by_stem[best["stem"]] < by_stem["plain"]
    design(Stem.UNFOLDED).save(tmp_path)
    record = printed(capsys, "latency", "--design-file", str(tmp_path))
    assert record["stem"] == "unfolded" and record["layers"][0]["macs"] == 18_000
    layer = record["layers"][0]
    assert layer["dsp_efficiency"] == pytest.approx(18_000 / (layer["cycles"] * (8 * 8 + 8)))
    assert main(["latency", "--design-file", str(tmp_path), "--stem", "plain"]) == 1
    assert "a design file has a stem of its own" in capsys.readouterr().err


def test_latency_packs_pixels(capsys) -> None:
    pytest.importorskip("torch")
    model = ("latency", "--model", "resnet20", "--accel", "tm=64,tn=32,tr=7,tc=14", "--stem", "unfolded")
    cycles = [printed(capsys, *model, "--packed-resolutions", n)["total_cycles"] for n in "012"]
    best = printed(capsys, *model)
    assert best["total_cycles"] == min(cycles) < cycles[0]
    assert best["packed_resolutions"] == cycles.index(min(cycles)) > 0
    assert main([*model, "--packed-resolutions", "2", "--rule", "published"]) == 1
    assert "--packed-resolutions goes with --model and the true rule" in capsys.readouterr().err
