"""What a network leaves to the host stays with it through a search, to the package."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from onnx_files import Whole, exported, raw

from hotnas_hls.accel.host_work import Answer, HostWork, Output, Preparation
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.boards.board import load_board
from hotnas_hls.codegen.hls import golden_answers
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.compression import Compression
from hotnas_hls.network.quantise import quantise_image
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.fitting.balance import balanced
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer import integer_network
from hotnas_hls.search.problem import Problem, problem_of
from hotnas_hls.search.search import SearchOptions, search
from hotnas_hls.simulate.flow import generate

from .test_balance import FORM, unbalanced

OUTPUT = Output("net.fc.Gemm", answer=Answer.SOFTMAX)
HOST = HostWork(Preparation((1, 8, 8), (0, 1, 2), (0.125,), (-0.375,)), (OUTPUT,))
OPTIONS = SearchOptions(
    bound=0.015,
    trials=1,
    rungs=2,
    tuning=Tuning(batches=2, batch_size=32, calibration_batches=2),
    final_epochs=0,
    format=IntegerFormat(calibration_images=16, refit_images=0),
    golden_images=1,
    stem=Stem.PLAIN,
    packed=0,
)
ENGINE = EngineOptions(tm=(32,), tn=(32,), tr=(8,), tc=(8,), port_bits=(128,))


@pytest.fixture(scope="module")
def whole(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> Problem:
    """The digits network as a file that prepares its image and ends in a softmax."""
    path = exported(Whole(problem.model).eval(), tmp_path_factory.mktemp("onnx") / "whole.onnx")
    return problem_of(load_model(str(path)), "whole", problem.dataset.prepared(raw), "digits")


def test_the_integers_of_a_candidate_keep_the_work_of_the_host(whole: Problem) -> None:
    found = integer_network(whole, whole.model, Compression(), FORM)
    assert found.host == HOST


@pytest.mark.whole
def test_a_searched_package_does_the_work_of_the_host(whole: Problem, tmp_path: Path) -> None:
    platform = TiledEnginePlatform(load_board("ZCU102"), 200.0, options=ENGINE)
    design = search(whole, platform, OPTIONS).design
    assert design.host == HOST
    generate(design, tmp_path / "whole", 1)
    described = json.loads((tmp_path / "whole" / "driver" / "hotnas_design.json").read_text())
    assert described["host"]["preparation"] == {
        "source": [1, 8, 8], "axes": [0, 1, 2], "scale": [0.125], "offset": [-0.375],
    }  # fmt: skip
    (output,) = described["host"]["outputs"]
    assert (output["name"], output["map"], output["answer"]) == ("logits", OUTPUT.map, "softmax")
    net = design.integer_network()
    (image,) = design.golden.images
    given = raw(whole.dataset.test.images[0])
    assert (image == quantise_image(net, net.host.prepared(given))).all()
    (kept,) = (tmp_path / "whole").rglob("answer_0.bin")
    assert kept.read_bytes() == golden_answers(net, run_network(net, image))
    assert np.frombuffer(kept.read_bytes(), "<f4").sum() == pytest.approx(1)


def test_equalised_channels_leave_the_host_its_work(problem: Problem) -> None:
    lost = unbalanced(problem)
    (logits,) = lost.graph.host.outputs
    logits = dataclasses.replace(logits, answer=Answer.SOFTMAX)
    host = lost.graph.host = dataclasses.replace(HOST, outputs=(logits,))
    found, told = balanced(lost, FORM)
    assert found is not lost and len(told) == 2
    assert found.graph.host == host
