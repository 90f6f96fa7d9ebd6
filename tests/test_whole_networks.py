"""Whole networks: they lower and fit a full-size design, reduced ones run on the RTL, results survive."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from small_designs import small_design
from test_certificate import faked  # noqa: F401 (a fixture)

from hotnas_hls import whole_networks as module
from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.latency import best_tile, network_latency
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.accel.reference import run_network as reference
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.arrangement import Arrangement
from hotnas_hls.board import load_board
from hotnas_hls.certificate import twin
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError, DataMissing
from hotnas_hls.explore import Space
from hotnas_hls.fastest_design import design_point, explore_arrangements
from hotnas_hls.model_layers import layers_of
from hotnas_hls.models.densenet import DenseNet
from hotnas_hls.models.source import load_model
from hotnas_hls.models.trace import trace
from hotnas_hls.simulate import Run, run_network
from hotnas_hls.tools import find
from hotnas_hls.verilated import build_once

BOARD, MEMORY = load_board("ZCU102"), MemoryTiming()
FULL = Space((64,), (32,), (128,), ((14, 14),), (4096, 8192), bus_bits=(512,))
SMALL = Accelerator(
    16, 16, 8, 8, 128, 128, 128, 2048, wgt_entries=9, max_entries=64, weight_bits=4, patterns=False
)
REDUCED = {  # side of an image small enough for a test; by number of layers: two builds of the RTL serve all
    "resnet20": 32,
    "resnet18": 32,
    "squeezenet1_1": 33,
    "densenet": 32,
    "mobilenet_v2": 32,
    "mnasnet1_0": 32,
}


@pytest.mark.parametrize("name", [network.model for network in module.NETWORKS])
def test_every_network_fits_a_full_size_design(name: str) -> None:
    explored = explore_arrangements(load_model(name).graph, BOARD, MEMORY, FULL)
    best = explored.found.best[0]
    point = design_point(best, explored.model, BOARD, 200.0, MEMORY)
    assert point.violations() == [] and point.accelerator.tm * point.accelerator.tn == 2048
    assert violations(accelerator_resources(point.accelerator, len(point.layers)), BOARD) == []
    assert point.predicted_cycles == min(explored.cycles.values())
    stem = explored.arrangement.stem
    assert stem is Stem.UNFOLDED  # three channels leave most of 32 lanes idle in a plain stem


def reduced(name: str) -> DesignPoint:
    """A network at a small image size on the small design, its numbers seeded."""
    shape = (3, REDUCED[name], REDUCED[name])
    if name == "densenet":
        graph = trace(DenseNet((2, 2, 2, 2), 10, cifar_stem=True).eval(), shape, name)
    else:
        graph = load_model(name, None, shape).graph
    model = layers_of(graph, SMALL.weight_bits, SMALL.act_bits, Arrangement(Stem.UNFOLDED))
    tiles = {layer.name: best_tile(layer, SMALL, MEMORY) for layer in model.layers}
    point = DesignPoint(
        network=name,
        board=BOARD,
        clock_mhz=200.0,
        seed=0,
        accelerator=SMALL,
        image=model.image,
        logits=model.logits,
        feature_maps=model.feature_maps,
        layers=tuple(DesignLayer(layer, tiles[layer.name]) for layer in model.layers),
        image_layout=model.image_layout,
    )
    assert point.violations() == []
    return point


@pytest.mark.skipif(find("verilator") is None or find("g++") is None, reason="needs Verilator and g++")
def test_reduced_networks_are_exact_on_the_rtl(tmp_path: Path) -> None:
    """Image to logits in one start, all on one design."""
    for name in REDUCED:
        point = reduced(name)
        net = point.integer_network()
        model = build_once(twin(point).files, tmp_path / "rtl")
        image = point.golden_images(1)[0]
        job = tmp_path / name
        (result,) = run_network(model, net, SMALL, point.tiles, [Run(image, memory=MEMORY)], job)
        predicted = network_latency(net.layers, SMALL, point.tiles, MEMORY)
        assert result.status == 0, name
        assert result.layers == [predicted.layers[layer.name].terms() for layer in net.layers], name
        assert result.cycles == predicted.cycles, name
        expected = reference(net, image)
        for layer in net.layers:
            np.testing.assert_array_equal(
                result.feature_maps[layer.target], expected[layer.target], err_msg=f"{name}: {layer.name}"
            )
        assert expected[net.logits].any(), name


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
    certify = module.certify
    monkeypatch.setattr(
        module,
        "certify",
        lambda point, *rest, **more: simulated.append(point) or certify(point, *rest, **more),
    )
    again = module.measure((), path)
    assert simulated == [designs["two"]] and again["one"] == first["one"]
    assert again["missing"] == {"left_out": "missing is not here"}
    assert list(module.read_results(path)) == ["one", "two"]
    designs["one"] = small_design(seed=3)
    assert list(module.measure(["one"], path)) == ["one"] and simulated[1:] == [designs["one"]]
    assert module.read_results(path)["two"] == again["two"]


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
    with pytest.raises(ConfigError, match="holds no results of whole networks"):
        module.measure(["two"], results)
