"""Maps and weights on chip in simulation: loaded once, kept, loaded anew when they must be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from small_designs import on_chip_design, small_design

from hotnas_hls.accel.encoding.images import map_memory, weight_image
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.memory.pricing import worst_phase
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base import tools
from hotnas_hls.simulate.certify import certify, twin
from hotnas_hls.simulate.rtl_simulation import Run, build, run_network, weight_page

pytestmark = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")

WEIGHTS_PORT, WEIGHTS_ERROR = 2, 1 << 1  # of Run.error_port, of the status word


def test_weights_are_loaded_once_and_anew_after_a_reset_an_error_or_for_others(tmp_path: Path) -> None:
    point = on_chip_design()
    net, accel, tiles = point.integer_network(), point.accelerator, point.tiles
    other = dataclasses.replace(
        small_design(seed=2), accelerator=accel, layers=point.layers
    ).integer_network()
    memory = map_memory(net, accel, tiles)
    streams = [layer.name for layer in net.layers if not layer.weights_on_chip]
    assert streams == ["residual"]  # whose weights come no later for it
    predicted, loading = (
        network_latency(net.layers, accel, tiles, point.memory, loaded=loaded).cycles
        for loaded in (True, False)
    )
    assert predicted < loading
    image, batch = point.golden_images(1)[0], point.golden_images(2)
    page = {"error_port": WEIGHTS_PORT, "error_page": weight_page(memory.weights["pool"])}
    runs = {
        "first": Run(image, memory=point.memory),
        "kept": Run(image, memory=point.memory, **page),  # nothing of that page is read
        "batch": Run(batch, memory=point.memory),
        "others": Run(image, memory=point.memory, weights=weight_image(other, accel, tiles, memory)),
        "others kept": Run(image, memory=point.memory, weights=weight_image(other, accel, tiles, memory)),
        "error": Run(image, memory=point.memory, **page),
        "after it": Run(image, memory=point.memory),
        "reset": Run(image, memory=point.memory, reset=True),
    }
    model = build(twin(point).files, tmp_path / "rtl", optimise=False)
    results = dict(
        zip(runs, run_network(model, net, accel, tiles, list(runs.values()), tmp_path / "job"), strict=True)
    )
    cycles = {name: result.cycles for name, result in results.items()}
    assert results["error"].status == WEIGHTS_ERROR | 2 << 16  # in the third layer
    assert {name for name, result in results.items() if result.status} == {"error"}
    del cycles["error"]
    assert cycles == {
        "first": loading, "kept": predicted, "batch": 2 * predicted, "others": loading,
        "others kept": predicted, "after it": loading, "reset": loading,
    }  # fmt: skip
    expected = {name: reference(other if "others" in name else net, image) for name in cycles}
    for name, maps in expected.items():
        for layer in net.layers:
            found = results[name].feature_maps[layer.target]
            assert np.array_equal(found[0] if name == "batch" else found, maps[layer.target]), (
                name,
                layer.name,
            )


def test_the_certificate_counts_the_run_that_loads_apart(tmp_path: Path) -> None:
    point = on_chip_design()
    point = dataclasses.replace(point, accelerator=dataclasses.replace(point.accelerator, ultra_ram=True))
    certificate = certify(point, tmp_path, 2, (60,))
    layers = [entry.layer for entry in point.layers]
    loading = network_latency(layers, point.accelerator, point.tiles, point.memory, loaded=False)
    assert (certificate.holds, certificate.exact, certificate.reasons) == (True, True, ())
    assert certificate.first_cycles == loading.cycles > certificate.simulated_cycles
    assert f"which loads weights to stay, {loading.cycles}." in certificate.line()
    net, behind = point.integer_network(), certificate.behind
    assert behind is not None and point.dram is not None
    later = worst_phase(net, point.accelerator, point.tiles, point.dram, point.clock_mhz).cycles
    assert behind.predicted_cycles == behind.simulated_cycles == later  # what stays is there
