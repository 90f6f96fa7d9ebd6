"""MLPerf Tiny: the networks are the reference's, and what is documented of them was simulated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from small_designs import small_design
from test_docs import DOCS, script

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.bench import boards, mlperf_tiny
from hotnas_hls.bench.kept_results import read_results
from hotnas_hls.bench.whole_networks import ACCELERATOR, BOARD, on_accelerator
from hotnas_hls.boards.board import load_board
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.architectures.mlperf_tiny import SameConv
from hotnas_hls.simulate.certify import Rtl, certify, twin
from hotnas_hls.simulate.verilated import build_once


@pytest.mark.parametrize(
    "rows, columns, kernel, stride, before, after",
    [  # zeros above and on the left, below and on the right, as TensorFlow documents "same"
        (49, 10, (10, 4), 2, (4, 1), (5, 1)),  # DS-CNN's stem: 25 x 5
        (32, 32, (3, 3), 2, (0, 0), (1, 1)),
        (3, 3, (3, 3), 2, (1, 1), (1, 1)),  # odd sizes are padded alike
        (7, 9, (3, 3), 1, (1, 1), (1, 1)),
    ],
)
def test_convolutions_are_padded_as_in_tensorflow(rows, columns, kernel, stride, before, after) -> None:
    layer = SameConv(1, 1, kernel, stride, act=False).eval()
    with torch.no_grad():
        layer.conv.weight.copy_(torch.arange(1.0, 1 + kernel[0] * kernel[1]).reshape(layer.conv.weight.shape))
        layer.conv.bias.zero_()
        image = torch.arange(1.0, 1 + rows * columns).reshape(1, 1, rows, columns)
        found = layer(image)[0, 0] * (1 + layer.bn.eps) ** 0.5
    assert found.shape == (-(-rows // stride), -(-columns // stride))
    padded = torch.zeros(rows + before[0] + after[0], columns + before[1] + after[1])
    padded[before[0] : before[0] + rows, before[1] : before[1] + columns] = image[0, 0]
    windows = padded.unfold(0, kernel[0], stride).unfold(1, kernel[1], stride)
    torch.testing.assert_close(found, (windows * layer.conv.weight[0, 0].detach()).sum((2, 3)))


def test_four_networks_are_measured_on_one_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(boards, "fastest_on", lambda *of: asked.append(of) or small_design())
    path = tmp_path / "mlperf_tiny.json"
    found = mlperf_tiny.measure(path, simulate=False)
    assert asked == [(network, "PYNQ-Z2") for network in mlperf_tiny.TASKS]
    assert list(found) == [f"{network} PYNQ-Z2" for network in mlperf_tiny.TASKS]
    assert read_results(path).keys() == found.keys()


def test_what_is_documented_was_simulated_whole() -> None:
    found = read_results(DOCS / "results" / script("tables").TINY_RESULTS)
    assert list(found) == [f"{network} PYNQ-Z2" for network in mlperf_tiny.TASKS]
    for name, figures in found.items():
        assert figures["simulated_cycles"] == figures["predicted_cycles"], name
        assert figures["every_layer_exact"] and figures["every_output_equal"], name
        assert figures["certificate_holds"] and figures["board"] == "PYNQ-Z2", name


def test_a_submission_takes_what_a_second_holds_of_it() -> None:
    times = {made.source.rpartition("/")[2]: made.ms for made in mlperf_tiny.SUBMISSIONS}
    assert times["RN07"] == pytest.approx(27.3254, abs=1e-4)  # 500 inferences in 13.663 s
    assert {made.network for made in mlperf_tiny.SUBMISSIONS} == set(mlperf_tiny.TASKS)


# ---------------------------------------------------------------- on the RTL
@pytest.fixture(scope="module")
def on_one_accelerator(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, DesignPoint], Rtl, Path]:
    """The four networks on one small accelerator of 16 bits, its RTL, and where it is built."""
    board, accel = load_board(BOARD), dataclasses.replace(ACCELERATOR, tm=16, tn=16, tr=8, tc=8)
    points = {
        name: on_accelerator(load_model(name, proven=False).graph, board, accel) for name in mlperf_tiny.TASKS
    }
    rtl = twin(points["mobilenet_v1_tiny"], max(len(point.layers) for point in points.values()))
    folder = tmp_path_factory.mktemp("mlperf_tiny")
    build_once(rtl.files, folder / "rtl")
    return points, rtl, folder


@pytest.mark.whole
@pytest.mark.parametrize("name", mlperf_tiny.TASKS)
def test_every_layer_is_exact(
    name: str, on_one_accelerator: tuple[dict[str, DesignPoint], Rtl, Path]
) -> None:
    points, rtl, folder = on_one_accelerator
    certificate = certify(points[name], folder, images=1, stalls=(), rtl=rtl)
    assert certificate.holds and certificate.exact and certificate.outputs_match, certificate.reasons
