"""Maps and weights on chip in simulation: loaded once, kept, loaded anew when they must be."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_designs import on_chip_design, small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.encoding.images import map_memory, weight_image
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.memory.pricing import worst_phase
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base import tools
from hotnas_hls.simulate.certify import certify, twin
from hotnas_hls.simulate.rtl_simulation import (
    Run,
    SimulationModel,
    build,
    run_network,
    weight_page,
)

pytestmark = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")

WEIGHTS_PORT, WEIGHTS_ERROR = 2, 1 << 1  # of Run.error_port, of the status word
BAD_DESCRIPTOR, ABORTED = 1 << 4, 1 << 7  # of the status word
STALL = 70  # chance in 256 that a memory channel pauses


def one_streams() -> DesignPoint:
    """The small design on chip, but for the weights of one layer."""
    point = on_chip_design()
    layers = tuple(
        dataclasses.replace(entry, layer=dataclasses.replace(entry.layer, weights_on_chip=False))
        if entry.layer.name == "residual"
        else entry
        for entry in point.layers
    )
    return dataclasses.replace(point, layers=layers)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SimulationModel:
    """The design of ``one_streams``."""
    return build(twin(one_streams()).files, tmp_path_factory.mktemp("on_chip"), optimise=False)


def test_weights_are_loaded_once_and_anew_after_a_reset_an_error_or_for_others(
    model: SimulationModel, tmp_path: Path
) -> None:
    point = one_streams()
    net, accel, tiles = point.integer_network(), point.accelerator, point.tiles
    other = dataclasses.replace(
        small_design(seed=2), accelerator=accel, layers=point.layers
    ).integer_network()
    memory = map_memory(net, accel, tiles)
    streams = [layer.name for layer in net.layers if not layer.weights_on_chip]
    assert streams == ["residual"]
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


def test_what_came_ahead_is_forgotten_with_a_run_that_ends_early(
    model: SimulationModel, tmp_path: Path
) -> None:
    """By an abort or a reset at any moment, a bad descriptor, unreadable weights; the next run is right."""
    point = one_streams()
    net, accel, tiles = point.integer_network(), point.accelerator, point.tiles
    layers, memory = net.layers, map_memory(net, accel, tiles)
    assert [layer.ifm_on_chip for layer in layers] == [False, True, True, True, True]
    total = network_latency(layers, accel, tiles, point.memory).cycles
    image, whole = point.golden_images(1)[0], weight_image(net, accel, tiles, memory)
    rng = np.random.default_rng(0)
    changes: list[dict[str, Any]] = []
    for moment in sorted(rng.integers(0, total, size=24).tolist()):
        changes.append({"abort_after" if moment % 3 else "reset_after": moment})
    statuses: list[int | None] = [ABORTED if "abort_after" in change else None for change in changes]
    for number in range(1, len(layers)):
        damaged = bytearray(whole)
        damaged[number * accel.descriptor_bytes + 20] ^= 1
        changes.append({"weights": bytes(damaged)})
        statuses.append(number << 16 | BAD_DESCRIPTOR)
    changes.append({"error_port": WEIGHTS_PORT, "error_page": weight_page(memory.weights["residual"])})
    statuses.append(1 << 16 | WEIGHTS_ERROR)
    runs = [Run(image, memory=point.memory)]
    for index, change in enumerate(changes):
        stall = STALL if index % 2 else 0
        runs += [Run(image, memory=point.memory, stall=stall, **change), Run(image, memory=point.memory)]
    first, *results = run_network(model, net, accel, tiles, runs, tmp_path / "job")
    assert [result.status for result in results[::2]] == statuses
    expected = reference(net, image)
    for result in (first, *results[1::2]):
        assert result.status == 0
        for layer in layers:
            assert np.array_equal(result.feature_maps[layer.target], expected[layer.target]), layer.name
    for status, result in zip(statuses, results[::2], strict=True):
        for layer in layers[: (status or 0) >> 16]:
            assert np.array_equal(result.feature_maps[layer.target], expected[layer.target]), layer.name


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
