"""The ablation: every step added to those before it, figures kept one by one, measured once."""

import json

import pytest

from hotnas_hls.errors import ConfigError
from hotnas_hls.search.comparing import ablation
from hotnas_hls.search.comparing.ablation import accuracy_after, edits_of, measure, stages


def test_each_stage_adds_one_step():
    settings = [vars(steps) for steps in stages(50, 0.25, 2).values()]
    for before, after in zip(settings[:5], settings[1:6], strict=True):
        assert sum(before[name] != after[name] for name in before) == 1
    fitted, *others = settings[2], *settings[6:]
    assert [[name for name in fitted if fitted[name] != other[name]] for other in others] == [
        ["recalibrate"],
        ["recalibrate", "batches"],
    ]


def test_edits_prune_the_widest_layers_and_spare_the_first(problem):
    edits = edits_of(problem)
    assert set(edits.patterns) == {"layer3.0.conv2"}
    assert {choice.ones for choice in edits.patterns.values()} == {6}
    assert "conv1" not in edits.weight_bits and set(edits.weight_bits.values()) == {6}


@pytest.mark.parametrize("stage", ["+ whole epochs of it", "float fine-tuning, then fitted"])
def test_steps_are_taken_together(problem, stage):
    found = accuracy_after(problem, stages(2, 0.1, 0.2)[stage], 0)
    assert found["validation_accuracy"] > 0.9 and found["cpu_seconds"] > 0


def test_what_is_kept_is_not_measured_again(problem, tmp_path, monkeypatch):
    measured = []

    def counted(problem, steps, seed):
        measured.append(steps)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return {"validation_accuracy": 0.5, "cpu_seconds": float(len(measured))}

    monkeypatch.setattr(ablation, "accuracy_after", counted)
    path = tmp_path / "ablation.json"
    with pytest.raises(KeyboardInterrupt):
        measure(problem, path, batches=2)
    figures = measure(problem, path, batches=2)
    assert [found["cpu_seconds"] for found in figures.values()] == [1, 2, 4, 5, 6, 7, 8, 9]
    assert measure(problem, path, batches=2) == figures and len(measured) == 9
    assert list(json.loads(path.read_text())["stages"]) == list(stages(2, 1, 2))
    measure(problem, path, batches=4)
    assert len(measured) == 10  # only float fine-tuning depends on these batches
    measure(problem, path, batches=4, epochs=3)
    assert len(measured) == 11  # only the last stage of the integers depends on the epochs


def test_a_file_of_something_else_is_refused(problem, tmp_path):
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(ConfigError) as caught:
        measure(problem, path)
    assert str(caught.value) == (
        f"{path}: holds no results of an ablation; give another file, or move it away"
    )
