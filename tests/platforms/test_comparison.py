"""hotnas compare-platforms: one network on several platforms, models told apart from what is simulated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from report.files import honest_certificate
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.api.network import Network, load_network
from hotnas_hls.api.platform_comparison import CERTIFIED, MODEL, PREDICTED, compare_platforms
from hotnas_hls.api.run import Run
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError
from hotnas_hls.report.run_record import SUMMARY_FILE
from hotnas_hls.simulate.flow import add_reports, generate


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


def test_a_part_with_no_room_for_its_letter_has_none() -> None:
    found = compare_platforms(load_network("resnet20"), platforms=("nass", "noc"))
    (axes,) = found.figure().axes
    assert [label for row in found.rows for label in row.shares] == ["G", "H", "C", "N"]
    assert len(axes.patches) == 4 and [text.get_text() for text in axes.texts] == ["G", "C"]


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
    monkeypatch.setattr("hotnas_hls.search.fitting.integer.DRAWS", 2)
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


@pytest.fixture(scope="module")
def design() -> DesignPoint:
    return small_design(network="digits_resnet")


@pytest.fixture(scope="module")
def package(design: DesignPoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages") / "small"
    generate(design, folder, images=2)
    return folder


def certify(folder: Path, design: DesignPoint, **changes: object) -> None:
    found = replace(honest_certificate(design, folder), **changes)
    add_reports(folder, {"certificate.json": found.to_json().encode()})


def test_a_simulated_package_is_certified_and_nothing_else(
    network: Network, run: Run, package: Path, design: DesignPoint, tmp_path: Path
) -> None:
    package = shutil.copytree(package, tmp_path / "certified")
    certify(package, design)
    found = compare_platforms(network, platforms=("noc",), runs=(run.folder,), packages=(package,))
    assert [row.kind for row in found.rows] == [MODEL, MODEL, CERTIFIED]
    row, certificate = found.rows[-1], honest_certificate(design, package)
    assert row.metrics == {
        "latency_ms": certificate.ms(certificate.certified_cycles),
        "cycles": certificate.certified_cycles,
    }
    assert (row.bound, row.what) == (certificate.ms(certificate.bound_cycles), str(package))
    assert sum(row.shares.values()) == pytest.approx(1)
    bars = found.figure().axes[0].patches
    hatched = [bool(bar.get_hatch()) for bar in bars]
    assert hatched == [True] * len(found.rows[0].shares) + [False] * len(row.shares)


def test_packages_that_no_certificate_vouches_for_are_refused_together(
    network: Network, package: Path, design: DesignPoint, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("plain", "ideal", "left_out", "changed")]
    for folder in folders:
        shutil.copytree(package, folder)
    plain, ideal, left_out, changed = folders
    certify(ideal, design, behind=None)
    certify(left_out, design, unchecked=("the HLS C++",))
    certify(changed, design)
    (changed / "README.md").write_text("mine")
    with pytest.raises(ConfigError) as refused:
        compare_platforms(network, packages=folders)
    assert str(refused.value).splitlines() == [
        "these are not to be compared with digits_resnet:",
        f"  - {plain}: it was not simulated ('hotnas sim' does)",
        f"  - {ideal}: it was simulated with an ideal memory alone ('hotnas sim' has a DRAM)",
        f"  - {left_out}: its certificate: NOT CHECKED: the HLS C++; the RTL is as predicted",
        f"  - {changed}: not as it was generated ('hotnas hls' makes it again): README.md: changed",
    ]


def test_what_is_of_another_network_is_refused(run: Run, package: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        compare_platforms(load_network("resnet20"), runs=(run.folder,), packages=(package,))
    assert str(refused.value) == (
        "these are not to be compared with resnet20:\n"
        f"  - {run.folder}: a search of digits_resnet, not of resnet20; leave it out\n"
        f"  - {package}: a package of digits_resnet, not of resnet20; leave it out"
    )
