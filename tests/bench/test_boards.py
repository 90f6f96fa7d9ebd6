"""Networks on boards: what is predicted is kept, and made anew for another design."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_designs import on_chip_design, small_design

from hotnas_hls.accel.memory.pricing import worst_phase
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.bench import boards
from hotnas_hls.bench.kept_results import read_results


def test_figures_are_predicted_and_kept_until_the_design_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point, path, asked = on_chip_design(), tmp_path / "boards.json", []
    forecast = boards.forecast
    monkeypatch.setattr(boards, "fastest_on", lambda network, board: point)
    monkeypatch.setattr(boards, "forecast", lambda *at: asked.append(at) or forecast(*at))
    arguments = (path, ("small",), ("ZCU102",))
    found = boards.measure(*arguments, simulate=False)["small ZCU102"]
    net, accel = point.integer_network(), point.accelerator
    behind = worst_phase(net, accel, point.tiles, point.dram, point.clock_mhz)
    assert found["certified_cycles"] == behind.cycles and found["simulated_cycles"] is None
    assert found["predicted_cycles"] == network_latency(net.layers, accel, point.tiles, point.memory).cycles
    assert found["ms"] == pytest.approx(behind.cycles / 200_000)
    low, high = found["range_ms"]
    assert low < found["ms"] < high and 0 < found["dsp_efficiency"] < 1
    spent = dict(found["terms"])
    layer, idle, label = spent.pop("longest")
    assert sum(spent.values()) - spent["needed"] == behind.cycles and spent["needed"] <= spent["array"]
    ideal = network_latency(net.layers, accel, point.tiles, point.memory).layers
    assert idle == behind.layers[layer] - ideal[layer].compute and label in "IWCO"
    assert spent["image"] == behind.layers[net.layers[0].name] - ideal[net.layers[0].name].compute > 0
    assert read_results(path) == {"small ZCU102": json.loads(json.dumps(found))}
    assert boards.measure(*arguments, simulate=False)["small ZCU102"] == found and len(asked) == 1
    point = small_design()
    streamed = boards.measure(*arguments, simulate=False)["small ZCU102"]
    assert len(asked) == 2 and streamed["certified_cycles"] > found["certified_cycles"]
