"""A stem from the choice to the board: the same logits from plain images, whatever way the image is laid."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint, Golden
from hotnas_hls.accel.efficiency import needed_macs
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.latency import best_tile
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.accel.reference import run_network
from hotnas_hls.board import load_board
from hotnas_hls.certificate import certify
from hotnas_hls.cli import main
from hotnas_hls.csim import run_csim
from hotnas_hls.errors import ConfigError, InfeasibleDesign
from hotnas_hls.flow import generate
from hotnas_hls.graph import Graph, Node, OpKind
from hotnas_hls.lower import lower
from hotnas_hls.quantise import quantise, quantise_image
from hotnas_hls.stems import allowed_stems, attempts, fastest
from hotnas_hls.tools import find

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
    tiles = {layer.name: best_tile(layer, accel, MemoryTiming()) for layer in net.layers}
    return DesignPoint(
        network="stems",
        board=load_board("ZCU102"),
        clock_mhz=200.0,
        seed=1,
        accelerator=accel,
        image=net.image,
        logits=net.logits,
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
    assert record["format_version"] == 3


def test_a_design_point_of_version_1_has_a_plain_stem(tmp_path: Path) -> None:
    path = design(Stem.PLAIN).save(tmp_path)
    record = json.loads(path.read_text())
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
        "  - image_layout.pad_top = 5: must be 0 or more and less than the kernel",
    ]
    plain = dataclasses.replace(point.image_layout, stem=Stem.PLAIN)
    with pytest.raises(ConfigError, match="a plain image has none; write null"):
        dataclasses.replace(point, image_layout=plain).save(tmp_path)


def test_seeded_images_are_plain_images_laid() -> None:
    point = dataclasses.replace(design(Stem.UNFOLDED), golden=None)
    plain = dataclasses.replace(design(Stem.PLAIN), golden=None).golden_images(2)
    np.testing.assert_array_equal(point.golden_images(2), point.image_layout.lay(plain))


# --- the choice -----------------------------------------------------------------------------------------


def test_best_is_the_fastest_stem_the_network_allows() -> None:
    assert allowed_stems(graph()) == STEMS and allowed_stems(graph(), "unfolded") == (Stem.UNFOLDED,)
    twice = Node("twice", OpKind.ADD, ("image", "image"), (3, 11, 9))
    assert allowed_stems(Graph("twice", [graph()["image"], twice])) == (Stem.PLAIN,)
    cycles = {Stem.PLAIN: 7.0, Stem.SPACE_TO_DEPTH: 5.0, Stem.UNFOLDED: 5.0}
    assert fastest(cycles, float) is Stem.SPACE_TO_DEPTH


def test_stems_that_fit_no_design_are_left_out() -> None:
    def attempt(stem: Stem) -> int:
        if stem is not Stem.UNFOLDED:
            raise InfeasibleDesign(f"{stem} does not fit")
        return 3

    assert attempts(STEMS, attempt) == {Stem.UNFOLDED: 3}
    with pytest.raises(InfeasibleDesign, match="plain does not fit"):
        attempts(STEMS[:2], attempt)


@pytest.mark.parametrize("stem", STEMS)
def test_zeros_of_a_relaid_stem_are_no_macs_that_remain(stem: Stem) -> None:
    point = design(stem)
    assert point.needed_macs() == {"first": 8 * 3 * 25 * 6 * 5, "last": 10 * 8 * 6 * 5}
    raw = needed_macs([entry.layer for entry in point.layers])
    assert (raw["first"] > point.needed_macs()["first"]) == (stem is not Stem.PLAIN)


# --- end to end -----------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("stem", STEMS)
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


@needs_verilator
def test_rtl_of_a_relaid_stem_is_certified(tmp_path: Path) -> None:
    certificate = certify(design(Stem.UNFOLDED), tmp_path, images=IMAGES)
    assert certificate.holds and certificate.exact and certificate.outputs_match


# --- commands -------------------------------------------------------------------------------------------


def printed(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_dse_saves_the_fastest_stem(tmp_path: Path, capsys) -> None:
    pytest.importorskip("torch")
    model = ("dse", "--model", "digits_resnet", "--board", "PYNQ-Z2")
    best = printed(capsys, *model, "--save", str(tmp_path))
    assert best["cycles_by_stem"][best["stem"]] == min(best["cycles_by_stem"].values())
    point = DesignPoint.load(tmp_path)
    assert (point.stem, point.predicted_cycles) == (best["stem"], best["best"][0]["cycles"])
    plain = printed(capsys, *model, "--stem", "plain")
    assert plain["cycles_by_stem"] == {"plain": best["cycles_by_stem"]["plain"]}
    assert 0 < plain["best_latency"]["dsp_efficiency"] < best["best_latency"]["dsp_efficiency"] < 1


def test_latency_follows_the_stem(tmp_path: Path, capsys) -> None:
    pytest.importorskip("torch")
    model = ("latency", "--model", "digits_resnet", "--accel", "tm=16,tn=16,tr=8,tc=8")
    by_stem = {stem: printed(capsys, *model, "--stem", stem)["total_cycles"] for stem in STEMS}
    best = printed(capsys, *model)
    assert best["total_cycles"] == min(by_stem.values()) < by_stem["plain"] and best["stem"] == "unfolded"
    design(Stem.UNFOLDED).save(tmp_path)
    record = printed(capsys, "latency", "--design-file", str(tmp_path))
    assert record["stem"] == "unfolded" and record["layers"][0]["macs"] == 18_000
    layer = record["layers"][0]
    assert layer["dsp_efficiency"] == pytest.approx(18_000 / (layer["cycles"] * (8 * 8 + 8)))
    assert main(["latency", "--design-file", str(tmp_path), "--stem", "plain"]) == 1
    assert "a design file has a stem of its own" in capsys.readouterr().err
