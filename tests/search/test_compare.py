"""Samplers against each other, small and real: the digits network."""

import json

import pytest
import yaml

from hotnas_hls.cli import main
from hotnas_hls.search.comparing.compare_charts import curves_chart, no_difference
from hotnas_hls.search.config import CONFIG_FOLDER
from hotnas_hls.search.evaluating import evaluate


@pytest.fixture
def config(tmp_path):
    record = yaml.safe_load((CONFIG_FOLDER / "digits.yaml").read_text())
    record["bound"]["latency_ms"] = 0.023
    record["accelerator"] |= {"tm": [8, 16], "tn": [8, 16], "tr": [4, 8], "tc": [8], "port_bits": [64]}
    record["accelerator"] |= {"stem": "plain", "packed_resolutions": 0}
    record["search"] |= {"batches": 1, "batch_size": 16, "final_epochs": 0}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(record))
    return path


@pytest.mark.whole
def test_equal_budgets_curves_and_resuming(config, tmp_path, capsys, monkeypatch):
    trained = []
    true = evaluate.Evaluator.evaluate

    def counted(self, candidate, *rest):
        trained.append((self.seed, self.problem.cold is not None, self.network_key(candidate)))
        return true(self, candidate, *rest)

    monkeypatch.setattr(evaluate.Evaluator, "evaluate", counted)
    folder = tmp_path / "compare"
    command = ["compare", str(config), "--output", str(folder), "--seeds", "1", "--trials", "2"]
    command += ["--strategies", "tpe", "random", "--cold", "--json"]
    assert main(command) == 0
    record = json.loads(capsys.readouterr().out)
    assert json.loads((folder / "compare.json").read_text()) == record
    assert [(run["variant"], run["seed"]) for run in record["runs"]] == [
        (name, 0) for name in ("tpe", "random", "tpe, cold")
    ]
    for run in record["runs"]:
        assert len(run["hypervolume"]) == len(run["accuracy"]) == 2
        assert run["hypervolume"] == sorted(run["hypervolume"])
        assert run["seconds"] > 0 and run["trained"] == 2 <= run["looked"]
    rows = record["ranking"]
    assert rows == sorted(rows, key=lambda row: -row["hypervolume"])
    assert rows[-1]["variant"] == "tpe, cold"  # one batch from random weights teaches nothing
    assert len(set(trained)) == len(trained)  # no network twice, whoever asks for it
    assert "<svg" in (folder / "curves.svg").read_text()[:400]
    assert (folder / "curves.png").read_bytes()[:4] == b"\x89PNG"
    count = len(trained)
    assert main(command[:-1]) == 0  # finished studies are read, not run again
    assert len(trained) == count
    printed = capsys.readouterr().out
    assert "digits_resnet, 2 trials, one seed" in printed
    table = [line for line in printed.splitlines() if line.startswith("│")]
    assert [line.split("│")[1].strip() for line in table] == [row["variant"] for row in rows]
    assert json.loads((folder / "compare.json").read_text()) == record


def run(variant: str, seed: int, volumes: list[float], refused: int) -> dict:
    best = [0.9] * len(volumes)
    return {"variant": variant, "seed": seed, "hypervolume": volumes, "accuracy": best, "latency_ms": best,
            "refused": refused, "looked": 2}  # fmt: skip


def test_equal_curves_are_one_and_said_to_be():
    record = {
        "bound_ms": 1.0,
        "runs": [
            *(run("tpe", 0, [0.1, 0.2], 2), run("random", 0, [0.1, 0.2], 1), run("nsga2", 0, [0.1, 0.3], 0)),
            *(run("tpe", 1, [0.1, 0.1], 1), run("random", 1, [0.1, 0.1], 2), run("nsga2", 1, [0.1, 0.1], 0)),
        ],
    }
    assert no_difference(record) == [
        "no difference between tpe and random: 75% of their candidates were refused by the hardware test, "
        "and what was best is a first candidate that all of them are given; give them more trials, or a "
        "looser bound"
    ]
    legend = curves_chart(record).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["tpe = random", "nsga2"]
    other = record | {"runs": [one for one in record["runs"] if one["variant"] != "random"]}
    assert no_difference(other) == []


def test_impossible_budgets_are_listed(config, tmp_path, capsys):
    folder = tmp_path / "compare"
    command = ["compare", str(config), "--output", str(folder), "--seeds", "0", "--trials", "-1"]
    assert main(command) == 1
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  - seeds: must be more than 0, not 0",
        "  - trials: must be more than 0, not -1",
    ]
    assert not folder.exists()


def test_samplers_are_not_compared_on_a_model(tmp_path, capsys):
    assert main(["compare", "resnet20-nass", "--output", str(tmp_path / "compare")]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "hotnas: these options cannot be compared with:",
        "  - platform: samplers are compared on the tiled-engine, not on nass",
    ]
