"""Whole networks: they lower and fit a full-size design, reduced ones run on the RTL, results survive."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from simulate.test_certificate import faked  # noqa: F401 (a fixture)
from small_designs import small_design
from test_docs import DOCS, script

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.plan import for_layers
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.base.tools import find
from hotnas_hls.bench import kept_results
from hotnas_hls.bench import whole_networks as module
from hotnas_hls.bench.kept_results import read_results
from hotnas_hls.boards.board import load_board
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError, DataMissing, InfeasibleDesign
from hotnas_hls.explore.arrangement import Arrangement
from hotnas_hls.explore.fastest_design import design_point
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.frontends.source import load_model
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.densenet import DenseNet
from hotnas_hls.simulate.certify import twin
from hotnas_hls.simulate.rtl_simulation import Run, run_network
from hotnas_hls.simulate.verilated import build_once

BOARD, MEMORY = load_board("ZCU102"), MemoryTiming()
NAMES = [network.model for network in module.NETWORKS]
SMALL = Accelerator(
    16, 16, 8, 8, 128, 128, 128, 2048, wgt_entries=9, max_entries=64, weight_bits=4, patterns=False
)
REDUCED = {  # side of an image small enough for a test
    "resnet20": 32,
    "resnet18": 32,
    "squeezenet1_1": 33,
    "densenet": 32,
    "mobilenet_v2": 32,
    "mnasnet1_0": 32,
}


@cache
def whole(name: str) -> DesignPoint:
    return module.on_accelerator(load_model(name).graph, BOARD)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "resnet20" else pytest.mark.whole) for name in NAMES]
)
def test_every_network_fits_the_one_accelerator(name: str) -> None:
    point = whole(name)
    assert point.violations() == []
    assert point.stem is not Stem.PLAIN  # three channels leave most of 32 lanes idle in a plain stem


@pytest.mark.whole
def test_the_one_accelerator_is_of_full_size_and_as_large_as_the_networks_ask() -> None:
    accel, layers = module.ACCELERATOR, [layer.layer for name in NAMES for layer in whole(name).layers]
    used = accelerator_resources(accel, module.MOST_LAYERS)
    assert violations(used, BOARD) == [] and 0.85 * BOARD.dsp < used.dsp
    assert accel == for_layers(accel, layers)
    assert module.MOST_LAYERS == max(len(whole(name).layers) for name in NAMES)


def reduced(name: str) -> DesignPoint:
    """A network at a small image size on the small design, its numbers seeded."""
    shape = (3, REDUCED[name], REDUCED[name])
    if name == "densenet":
        graph = trace(DenseNet((2, 2, 2, 2), 10, cifar_stem=True).eval(), shape, name)
    else:
        graph = load_model(name, None, shape).graph
    model = layers_of(graph, SMALL.weight_bits, SMALL.act_bits, Arrangement(Stem.UNFOLDED))
    tiles = best_tiles(model.layers, SMALL, MEMORY)
    point = DesignPoint(
        network=name,
        board=BOARD,
        clock_mhz=200.0,
        seed=0,
        accelerator=SMALL,
        image=model.image,
        host=model.host,
        feature_maps=model.feature_maps,
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in model.layers),
        image_layout=model.image_layout,
    )
    assert point.violations() == []
    return point


@pytest.fixture(scope="module")
def rtl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one build of the design lies, which serves all networks."""
    return tmp_path_factory.mktemp("reduced") / "rtl"


@pytest.mark.skipif(find("verilator") is None or find("g++") is None, reason="needs Verilator and g++")
@pytest.mark.long("two minutes")
@pytest.mark.parametrize("name", REDUCED)
def test_reduced_networks_are_exact_on_the_rtl(name: str, rtl_folder: Path, tmp_path: Path) -> None:
    """Image to logits in one start, all on one design."""
    point = reduced(name)
    net = point.integer_network()
    model = build_once(twin(point, module.MOST_LAYERS).files, rtl_folder)
    image = point.golden_images(1)[0]
    (result,) = run_network(model, net, SMALL, point.tiles, [Run(image, memory=MEMORY)], tmp_path)
    predicted = network_latency(net.layers, SMALL, point.tiles, MEMORY)
    assert result.status == 0
    assert result.layers == [predicted.layers[layer.name].terms() for layer in net.layers]
    assert result.cycles == predicted.cycles
    expected = reference(net, image)
    for layer in net.layers:
        np.testing.assert_array_equal(
            result.feature_maps[layer.target], expected[layer.target], err_msg=layer.name
        )
    assert expected[net.logits].any()


@pytest.mark.parametrize("name", read_results(DOCS / script("tables").NETWORK_RESULTS))
def test_documented_cycles_are_those_the_model_predicts(name: str) -> None:
    found, point = read_results(DOCS / script("tables").NETWORK_RESULTS)[name], whole(name)
    assert found["simulated_cycles"] == found["predicted_cycles"] == point.predicted_cycles
    assert found["certificate_holds"] and found["every_layer_exact"] and found["every_output_equal"]
    assert found["layers"] == len(point.layers)


def test_what_an_accelerator_lacks_is_listed_in_one_error() -> None:
    model = layers_of(load_model("squeezenet1_1").graph)
    small = dataclasses.replace(module.ACCELERATOR, ifm_depth=1024)
    with pytest.raises(InfeasibleDesign) as error:
        design_point(small, model, BOARD, 200.0)
    assert str(error.value) == (
        "squeezenet1_1: cannot run on this accelerator:\n"
        "  - classifier.3: no tile fits the buffers; make them deeper"
    )


# --- the file of results ----------------------------------------------------------------------------------


@pytest.fixture
def designs(monkeypatch: pytest.MonkeyPatch) -> dict[str, DesignPoint]:
    """Networks "one" and "two" in place of the list; what stands here is their design."""
    found = {"one": small_design(), "two": small_design(seed=2)}

    def design_of(network, board):
        if network.model not in found:
            raise DataMissing(f"{network.model} is not here")
        return found[network.model], {"weights": "random"}

    names = ("one", "two", "missing")
    monkeypatch.setattr(module, "NETWORKS", tuple(module.WholeNetwork(name) for name in names))
    monkeypatch.setattr(module, "design_of", design_of)
    return found


def test_results_are_kept_network_by_network(faked, designs, tmp_path: Path, monkeypatch):  # noqa: F811
    path = tmp_path / "runs" / "networks.json"

    def interrupted(name, figures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.measure((), path, interrupted)
    first = json.loads(path.read_text())["networks"]
    assert list(first) == ["one"] and first["one"]["simulated_cycles"] == designs["one"].predicted_cycles
    assert first["one"]["certificate_holds"] and first["one"]["every_layer_exact"]
    assert 0 < first["one"]["dsp_efficiency"] < 1

    simulated = []
    certify = kept_results.certify
    monkeypatch.setattr(
        kept_results,
        "certify",
        lambda point, *rest, **more: simulated.append(point) or certify(point, *rest, **more),
    )
    again = module.measure((), path)
    assert simulated == [designs["two"]] and again["one"] == first["one"]
    assert again["missing"] == {"left_out": "missing is not here"}
    assert list(read_results(path)) == ["one", "two"]
    designs["one"] = small_design(seed=3)
    assert list(module.measure(["one"], path)) == ["one"] and simulated[1:] == [designs["one"]]
    assert read_results(path)["two"] == again["two"]


def test_bench_takes_networks_by_name(faked, designs, tmp_path: Path, capsys):  # noqa: F811
    results, output = tmp_path / "networks.json", tmp_path / "bench.json"
    files = ["--results", str(results), "--output", str(output)]
    assert main(["bench", "--network", "two", *files]) == 0
    assert "every_output_equal" in capsys.readouterr().out
    assert list(json.loads(output.read_text())["cases"]["networks"]) == ["two"]
    assert main(["bench", "--network", "three", *files]) == 1
    assert "three: not among the whole networks: one, two, missing" in capsys.readouterr().err
    assert main(["bench", "flow", "--network", "two", *files]) == 1
    results.write_text("{}")
    with pytest.raises(ConfigError, match="holds no results of simulated networks"):
        module.measure(["two"], results)
