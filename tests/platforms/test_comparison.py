"""hotnas compare-platforms: one network on several platforms, models told apart from what is simulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotnas_hls.api.network import Network, load_network
from hotnas_hls.api.platform_comparison import MODEL, PREDICTED, compare_platforms
from hotnas_hls.api.run import Run
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError
from hotnas_hls.report.run_record import SUMMARY_FILE


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("digits_resnet")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """What a search on a model leaves."""
    summary = {
        "network": "digits_resnet",
        "objective": {"name": "bytes", "unit": "B", "meaning": "sent", "more_is_better": False},
        "bytes": {"before": 4e7, "after": 3e7, "bound": 3.5e7},
        "seconds": {"before": 2.0, "after": 1.5},
        "test_accuracy": {"before": 0.99, "after": 0.98},
        "model": "private inference",
        "config": {"platform": "nass"},
        "accuracy_under_variation": {"exact": 0.98, "accuracies": [0.97, 0.95], "images": 100},
    }
    (tmp_path / SUMMARY_FILE).write_text(json.dumps(summary))
    from hotnas_hls.api.run import load_run

    return load_run(tmp_path)


def test_models_are_told_apart_and_runs_join_them(network: Network, run: Run) -> None:
    found = compare_platforms(network, platforms=("nass", "nacim"), runs=(run.folder,))
    assert [(row.platform, row.kind) for row in found.rows] == [(n, MODEL) for n in ("nass", "nacim", "nass")]
    assert [row.objective.name for row in found.rows] == ["seconds", "latency_ms", "bytes"]
    for row in found.rows[:2]:
        assert sum(row.shares.values()) == pytest.approx(1)
    last = found.rows[-1]
    assert (last.value, last.bound, last.accuracy, last.others) == ("3e+07 B", 3.5e7, 0.98, "seconds 1.5")
    assert last.right == "98.00%; under variation 96.00%, standard deviation 1.41% (2 chips, 100 images)"
    assert found.rows[0].right == ""  # no data, no accuracy
    assert len(found.figure().axes[0].patches) == sum(len(row.shares) for row in found.rows[:2])


def test_the_command_prints_a_table_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "platforms.svg"
    command = ["compare-platforms", "digits_resnet", "--platforms", "nacim", "--draw", str(picture)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "nacim" in printed and "uncompressed, 8 bits" in printed and "nothing was run" in printed
    assert picture.stat().st_size > 0


@pytest.mark.whole
def test_with_data_the_accuracy_is_told_and_where_devices_vary_that_under_variation(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotnas_hls.platforms.nacim.platform.DRAWS", 2)
    monkeypatch.setattr("hotnas_hls.api.platform_comparison.IMAGES", 128)
    private, memory = compare_platforms(network, platforms=("nass", "nacim"), data="digits").rows
    assert private.accuracy == memory.accuracy == memory.varied.exact
    assert private.varied is None
    assert (len(memory.varied.accuracies), memory.varied.images) == (2, 128)
    assert memory.record()["varied"]["mean"] == memory.varied.mean


@pytest.mark.whole
def test_the_tiled_engine_is_predicted_not_modelled(network: Network) -> None:
    (row,) = compare_platforms(network, platforms=("tiled-engine",)).rows
    assert row.kind == PREDICTED
    assert row.metrics["cycles"] == pytest.approx(row.metrics["latency_ms"] * 200_000)


def test_a_network_outside_a_model_is_refused_in_its_row() -> None:
    wide = load_network("resnet20", input=(3, 64, 64))
    (row,) = compare_platforms(wide, platforms=("nass",)).rows
    assert row.kind is None and row.metrics == {}
    assert row.refused.startswith("private inference with gazelle's constants: outside what the model")
    assert "conv1: a channel of 64x64 pixels does not fit the 2048 slots of a ciphertext" in row.refused


def test_a_run_of_another_network_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError) as refused:
        compare_platforms(load_network("resnet20"), platforms=("nacim",), runs=(run.folder,))
    assert str(refused.value) == f"{run.folder}: a search of digits_resnet, not of resnet20; leave it out"
