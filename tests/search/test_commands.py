"""hotnas search and hotnas detect, as a user meets them."""

import json
import re

import pytest
import torch
import yaml

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.cli import main
from hotnas_hls.search import search as search_module
from hotnas_hls.search.config import CONFIG_FOLDER
from hotnas_hls.search.problem import load_problem


@pytest.fixture
def config(tmp_path):
    """The shipped configuration, made small."""
    record = yaml.safe_load((CONFIG_FOLDER / "digits.yaml").read_text())
    record["bound"]["latency_ms"] = 0.015
    record["accelerator"] |= {"tm": [8, 16, 32], "tn": [8, 16, 32], "tr": [4, 8], "tc": [4, 8]}
    record["accelerator"] |= {"port_bits": [64, 128], "stem": "plain", "packed_resolutions": 0}
    record["search"] |= {"trials": 3, "batches": 1, "batch_size": 16, "final_epochs": 0}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(record))
    return path


@pytest.mark.whole
def test_an_interrupted_search_goes_on_to_its_design_point(config, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(search_module, "_finished", interrupted)
    assert main(["search", str(config), "--output", str(folder)]) == 130
    assert not (folder / "design_point.json").exists()
    monkeypatch.undo()

    def other_weights(settings):
        found = load_problem(settings)
        with torch.no_grad():
            next(found.model.parameters())[0] *= -1
        return found

    capsys.readouterr()
    monkeypatch.setattr("hotnas_hls.search.problem.load_problem", other_weights)
    assert main(["search", str(config), "--output", str(folder)]) == 1
    said = capsys.readouterr().err.splitlines()
    (refused,) = (at for at, line in enumerate(said) if line.endswith("or name another folder:"))
    assert "start anew with --fresh" in said[refused]
    digests = r'  - network.weights: "sha256 \w{64}" there, "sha256 \w{64}" here'
    assert re.fullmatch(digests, said[refused + 1])
    monkeypatch.undo()
    assert main(["search", str(config), "--output", str(folder), "--json"]) == 0
    printed = capsys.readouterr()
    assert "going on with the interrupted study" in printed.err
    summary, point = json.loads(printed.out), DesignPoint.load(folder)
    assert summary["cycles"]["after"] == point.predicted_cycles
    assert point.config["search"]["trials"] == 3
    assert json.loads((folder / "search.json").read_text()) == summary
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["search", str(config), "--output", str(folder)]) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    printed = capsys.readouterr()
    assert "latency" in printed.out and "finished; nothing to do (--fresh starts anew)" in printed.err


@pytest.mark.whole
def test_two_workers_a_journal_and_every_chart(config, tmp_path, capsys):
    folder = tmp_path / "run"
    command = ["search", str(config), "--output", str(folder), "--trials", "4", "--workers", "2"]
    command += ["--storage", "journal", "--strategy", "nsga2"]
    assert main(command) == 0
    assert "charts" in capsys.readouterr().err
    assert (folder / "study.journal").exists() and not (folder / "study.db").exists()
    summary = json.loads((folder / "search.json").read_text())
    assert [trial["trial"] for trial in summary["history"]] == list(range(summary["trials"]))
    assert summary["trained"] + summary["stopped"] == 4
    assert summary["refused"] + summary["repeated"] == summary["trials"] - 4
    assert sum(summary["refusals"].values()) == summary["refused"]
    assert summary["latency_ms"]["bound"] == 0.015 >= summary["latency_ms"]["after"]
    edited = {d["layer"] for d in summary["decisions"] if d["after"] != d["before"]}
    assert set(summary["edits"]["channels"]) | set(summary["edits"]["weight_bits"]) <= edited
    charts = {path.name for path in (folder / "charts").iterdir()}
    assert charts >= {"front.svg", "history.svg", "importance.svg", "layers.svg", "front.png"}
    point = DesignPoint.load(folder)
    assert (point.config["search"]["workers"], point.config["search"]["strategy"]) == (2, "nsga2")


@pytest.mark.whole
def test_from_cold(config, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["search", str(config), "--output", str(folder), "--cold", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    accuracy = summary["test_accuracy"]
    assert accuracy["before"] > 0.95  # the pre-trained network's
    assert accuracy["after"] < 0.5  # a batch teaches random weights next to nothing


def test_resume_needs_a_study(config, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["search", str(config), "--output", str(folder), "--resume"]) == 1
    message = f"hotnas: {folder}/study.db: there is no study to go on with; leave --resume out\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    "options, words",
    [
        (["--bound-ms", "0.0001"], "no design of digits_resnet meets 0.0001 ms"),
        (["--bound-ms", "-1"], "bound.latency_ms: must be more than 0, not -1"),
        (["--board", "ZX81"], "unknown board 'ZX81'"),
        (["--trials", "0"], "search.trials: must be more than 0, not 0"),
        (["--workers", "0"], "search.workers: must be more than 0, not 0"),
        (
            ["--storage", "oracle"],
            "search.storage: must be sqlite, journal, journal:///PATH, or",
        ),
        (["--ray", "127.0.0.1:1"], "search.ray: no cluster answers at 127.0.0.1:1"),
    ],
)
def test_bad_requests_leave_earlier_results(config, tmp_path, capsys, options, words):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "design_point.json").write_text("earlier")
    assert main(["search", str(config), "--output", str(folder), "--fresh", *options]) == 1
    assert words in capsys.readouterr().err
    assert (folder / "design_point.json").read_text() == "earlier"


def test_detect_as_json_and_pictures(config, tmp_path, capsys):
    bars, roof = tmp_path / "bars.svg", tmp_path / "roof.png"
    arguments = ["detect", "--config", str(config), "--bars", str(bars), "--roofline", str(roof), "--json"]
    assert main(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["total_cycles"] == sum(layer["cycles"] for layer in record["layers"])
    assert record["total_ms"] == pytest.approx(record["total_cycles"] / 200_000)
    assert {layer["bottleneck"] for layer in record["layers"]} <= set("IWCO")
    for layer in record["layers"]:
        assert set(layer["terms"]) == {"load_ifm", "load_wgt", "compute", "store_ofm"}
    assert "<svg" in bars.read_text()[:400] and roof.read_bytes()[:4] == b"\x89PNG"


def test_detect_prints_a_table(config, capsys):
    assert main(["detect", "resnet20", "--config", str(config), "--board", "PYNQ-Z2"]) == 0
    printed = capsys.readouterr().out
    assert "resnet20 on PYNQ-Z2 at 100 MHz" in printed and "layer3.2.conv2" in printed
    legend = next(line for line in printed.splitlines() if line.startswith("bound: "))
    assert "W load weights" in legend and "slack: what the bound can be shortened by" in legend
    assert re.search(r"^the scarcest resource is .+: [\d,]+ of [\d,]+$", printed, re.MULTILINE)


def test_detect_refuses_unknown_pictures(config, tmp_path, capsys):
    assert main(["detect", "--config", str(config), "--bars", str(tmp_path / "bars.txt")]) == 1
    assert "cannot draw into .txt; use one of .svg, .png, .pdf" in capsys.readouterr().err


@pytest.mark.whole
def test_detect_prices_the_strongest_edits(config, capsys):
    assert main(["detect", "--config", str(config), "--reductions", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    found = record["strongest"]
    steps = {step["name"]: step for step in found["reductions"]}
    assert list(steps) == ["pattern", "channel", "quantisation", "hardware"]
    assert found["baseline_ms"] == record["total_ms"]  # 16 bits: the design that is detected on
    cumulative = [found["baseline_ms"], *(step["latency_ms"] for step in steps.values())]
    assert cumulative == sorted(cumulative, reverse=True) and cumulative[-1] == found["ms"]
    assert found["ms"] < found["published_ms"] < 0.9 * found["baseline_ms"]
    assert found["uncompressed_ms"]["int16"] == found["baseline_ms"]
    assert sum(found["shares"].values()) == pytest.approx(1) and 0 < found["slowest"]["share"] < 1
    assert main(["detect", "--config", str(config), "--reductions"]) == 0
    table = capsys.readouterr().out
    assert "the strongest edits of the search space" in table
    assert f"{found['baseline_ms']:.4g} -> {found['ms']:.4g}" in table
