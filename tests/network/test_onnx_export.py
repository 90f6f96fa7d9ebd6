"""A design as an ONNX file: onnxruntime computes our integers, every map of them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from default_network import digits_integer_network
from small_designs import small_design

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import Answer, HostWork, Output, Preparation, View
from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.pieces import pieces_of
from hotnas_hls.api.design import Design
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError, SimulationFailed
from hotnas_hls.fuzzing.random_networks import random_network
from hotnas_hls.network import onnx_export
from hotnas_hls.network.onnx_export import export_onnx, raw_images
from hotnas_hls.network.quantise import dequantise, quantise_image


def compared(net: IntegerNetwork, integers: np.ndarray) -> dict[str, np.ndarray]:
    """Runs the file of ``net`` on images that give ``integers``: logits, which must be ours, and more."""
    images = raw_images(net, integers)
    integers = quantise_image(net, net.host.prepared(images))
    wanted = run_batch(net, integers, net.host.maps)
    options: Any = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    model = export_onnx(net)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    session: Any = onnxruntime.InferenceSession(model, options)
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"image": images}), strict=True))
    for output in net.host.outputs:
        real = dequantise(net, output.map, wanted[output.map])
        np.testing.assert_array_equal(found[output.name].reshape(real.shape), real)
    return found


@pytest.mark.parametrize("act_bits", [8, 16])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.whole) for seed in range(1, 20))]
)
def test_random_networks_give_our_integers(seed: int, act_bits: int) -> None:
    accel = Accelerator(
        8,
        8,
        8,
        8,
        64,
        64,
        64,
        ifm_depth=4096,
        wgt_entries=64,
        max_entries=225,
        act_bits=act_bits,
        activation_lines=True,
        products=seed % 2 == 0,
    )
    net = random_network(np.random.default_rng(seed), accel, "net").net
    image = net.feature_maps[net.image]
    top = 1 << act_bits - 1
    shape = (64, image.channels, image.rows, image.columns)
    compared(net, np.random.default_rng(seed).integers(-top, top, shape).astype(np.int32))


@pytest.mark.parametrize("stem", ["plain", "space_to_depth"])
@pytest.mark.parametrize("act_bits", [8, 16])
def test_digits(act_bits: int, stem: str) -> None:
    net = digits_integer_network(act_bits, stem=stem)
    image = net.feature_maps[net.image]
    compared(net, np.random.default_rng(0).integers(0, 90, (200, image.channels, image.rows, image.columns)))


@pytest.mark.parametrize("answer", Answer)
def test_the_host_is_in_the_file(answer: Answer) -> None:
    before = Preparation((8, 1, 8), (1, 2, 0), (1 / 7,), (0.3,))
    net = digits_integer_network(8)
    output = Output(net.logits, answer=answer)
    net = dataclasses.replace(net, host=HostWork(before, (output,)))
    integers = np.random.default_rng(0).integers(0, 90, (50, 1, 8, 8))
    assert raw_images(net, integers).shape == (50, 8, 1, 8)
    found = compared(net, integers)
    wanted = output.answered(found["logits"][:, :, None, None])
    np.testing.assert_allclose(found["answer"], wanted[:, :, 0, 0], rtol=1e-5)


@pytest.mark.parametrize("answer", [None, *Answer])
def test_views_are_in_the_file(answer: Answer | None) -> None:
    net = digits_integer_network(8)
    middle = net.layers[-2].source
    shapes = {name: net.feature_maps[name] for name in (middle, net.logits)}
    channels, classes = shapes[middle].channels, shapes[net.logits].values
    pixels = np.arange(shapes[middle].values).reshape(channels, -1).T
    values = {"features": pixels.size, "scores": classes}
    views = []
    for name, elements in (("pixels", pixels), ("both", np.arange(pixels.size + classes))):
        pieces = pieces_of(elements.ravel(), values)
        assert pieces is not None
        views.append(View(name, elements.shape, pieces, answer, elements.ndim - 1))
    host = HostWork(outputs=(Output(middle, "features"), Output(net.logits, "scores")), views=tuple(views))
    net = dataclasses.replace(net, host=host)
    found = compared(net, np.random.default_rng(0).integers(0, 90, (20, 1, 8, 8)))
    last = found["features"].reshape(20, channels, -1).swapaxes(1, 2)
    joined = np.concatenate([found[name].reshape(20, -1) for name in ("features", "scores")], axis=1)
    for name, plain in (("pixels", last), ("both", joined)):
        wanted = plain if answer is None else answer.of(plain, axis=-1)
        np.testing.assert_allclose(found[f"{name}.answer"], wanted, rtol=1e-5, atol=1e-7)


def test_the_command_says_what_was_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_design().save(tmp_path / "run")
    path = tmp_path / "small.onnx"
    assert main(["export", str(tmp_path / "run"), "--output", str(path), "--images", "3"]) == 0
    assert capsys.readouterr().out == (
        f"{path}\nonnxruntime gives the integers of the accelerator on all of 3 images\n"
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)


def test_a_file_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = Design(small_design())
    with pytest.raises(ConfigError, match="^0 images: the proof needs at least one$"):
        design.export_onnx(tmp_path / "net.onnx", images=0)
    halves = onnx_export._Writer._halves
    monkeypatch.setattr(
        onnx_export._Writer, "_halves", lambda *of: (halves(*of)[0][1:], 1 << 7)
    )  # the upper half is lost
    with pytest.raises(SimulationFailed) as caught:
        design.export_onnx(tmp_path / "net.onnx", images=4)
    assert re.fullmatch(
        rf"small: onnxruntime {re.escape(onnxruntime.__version__)} gives other logits for 4 of 4 images, "
        r"the first is 0, by up to [\d.e+-]+; report this with the design: the two should agree",
        str(caught.value),
    )
    assert not list(tmp_path.iterdir())
