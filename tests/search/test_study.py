"""A study's records: refused, repeated, interrupted, killed, resumed, foreign."""

import dataclasses
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import torch

from hotnas_hls.errors import ConfigError
from hotnas_hls.platforms.space import Candidate, SearchSpace
from hotnas_hls.search.evaluating.outcome import Outcome, best_outcome, pareto_front
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.proposing.samplers import SAMPLER_NAMES
from hotnas_hls.search.running.storage import STUDY_NAME, StudyPlace
from hotnas_hls.search.running.study import SearchStudy, StudySettings

from .toy_study import SPACE, ToyObjective, study

torch.set_num_threads(1)


def all_of(value: int) -> Candidate:
    return Candidate({axis.name: value for axis in SPACE.axes})


def test_refused_candidates_are_never_trained():
    searched = study(25)
    refused = [outcome for outcome in searched.run() if outcome.refusals]
    assert refused and not set(searched.objective.trained) & {outcome.candidate for outcome in refused}
    assert all(outcome.accuracy is None and outcome.reward < -0.6 for outcome in refused)
    assert re.fullmatch(r"latency .* ms exceeds the bound 1 ms", refused[0].refusals[0])


def test_seeds_come_first_and_repeats_are_not_trained_again():
    searched = study(4)
    first = searched.run([all_of(4), all_of(16), all_of(4)])[:3]
    assert [outcome.candidate for outcome in first] == [all_of(4), all_of(16), all_of(4)]
    assert first[2].repeats == 0 and first[2].accuracy == first[0].accuracy
    assert searched.objective.trained.count(all_of(4)) == 1
    assert searched.add(all_of(4)) is first[0]


def test_only_what_is_trained_counts_as_a_trial():
    """Refusals and repeats cost nothing; where everything else is refused, the search ends all the same."""
    settings = dataclasses.replace(study(3).settings, proposals=None)
    searched = SearchStudy(SPACE, ToyObjective(), settings)
    outcomes = searched.run([all_of(16), all_of(4), all_of(4), all_of(16)])
    assert [outcome.trained for outcome in outcomes[:4]] == [False, True, False, False]
    assert searched.trained == len(searched.objective.trained) == 3 < len(outcomes)
    nothing = dataclasses.replace(settings, proposals=5)
    assert len(SearchStudy(SPACE, ToyObjective(), nothing).run([all_of(16)] * 9)) == 5


def test_costs_are_recorded():
    outcomes = study(5).run()
    assert all(outcome.seconds > 0 for outcome in outcomes)


def test_front_and_best():
    outcomes = study(30).run([all_of(8), all_of(4)])
    front = pareto_front(outcomes)
    assert [o.latency_ms for o in front] == sorted(o.latency_ms for o in front)
    assert [o.accuracy for o in front] == sorted(o.accuracy for o in front)
    trained = [o for o in outcomes if o.accuracy is not None]
    assert best_outcome(outcomes, 0.0, bounded=True).accuracy == max(o.accuracy for o in trained)
    fastest = best_outcome(outcomes, 0.75, bounded=False)
    assert fastest.latency_ms == min(o.latency_ms for o in trained if o.accuracy >= 0.75)
    assert best_outcome([o for o in outcomes if o.refusals], 0.0, bounded=True) is None


def test_optuna_sees_objectives_constraints_and_reasons(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    outcomes = study(12, url).run([all_of(16), all_of(4)])
    stored = optuna.load_study(study_name=STUDY_NAME, storage=url)
    assert [trial.number for trial in stored.trials] == list(range(12))
    refused, trained = stored.trials[:2]
    assert refused.state is optuna.trial.TrialState.PRUNED and refused.constraints == {"latency": 1.0}
    assert refused.user_attrs["outcome"]["refusals"] == ["latency 2 ms exceeds the bound 1 ms"]
    assert trained.values == [outcomes[1].accuracy, outcomes[1].latency_ms]


@pytest.mark.whole
def test_a_killed_study_loses_only_the_trial_in_flight(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.search.toy_study", url, "100", "0.3"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
    )
    said = [int(process.stdout.readline()) for _ in range(6)]
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().split()]
    process.wait()
    assert StudyPlace(url).is_interrupted()
    resumed = study(14, url, resume=True)
    assert len(resumed.outcomes) in (len(said), len(said) + 1)  # one may be stored and not said yet
    kept = len(resumed.outcomes)
    whole = study(14).run()
    assert [o.candidate for o in resumed.run()] == [o.candidate for o in whole]
    assert len(resumed.objective.trained) <= 14 - kept
    StudyPlace(url).complete()
    assert not StudyPlace(url).is_interrupted()


def test_an_interrupt_inside_a_trial(tmp_path):
    class Interrupted(ToyObjective):
        def evaluate(self, candidate, limits):
            if len(self.trained) == 3:
                raise KeyboardInterrupt
            return super().evaluate(candidate, limits)

    url = f"sqlite:///{tmp_path}/study.db"
    settings = study(14).settings
    with pytest.raises(KeyboardInterrupt):
        SearchStudy(SPACE, Interrupted(), settings, url).run()
    resumed = study(14, url, resume=True).run()
    assert [o.candidate for o in resumed] == [o.candidate for o in study(14).run()]


def test_an_existing_study_is_not_overwritten(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study(2, url).run()
    message = f"{url}: holds a study already; go on with --resume, or name another folder"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        study(2, url)


@pytest.mark.parametrize("name", sorted(set(SAMPLER_NAMES) - {"reinforce"}))
def test_another_study_is_not_resumed_and_the_settings_are_named(tmp_path, name):
    url = f"sqlite:///{tmp_path}/study.db"
    study(2, url).run()
    settings = StudySettings(
        RewardTargets(0.5, 1, 0.5, 1), 1.0, name, 2, seed=1, subject={"bound.latency_ms": 0.5}
    )
    space = SearchSpace((*SPACE.axes[:-1], dataclasses.replace(SPACE.axes[-1], options=(16, 8))))
    with pytest.raises(ConfigError) as caught:
        SearchStudy(space, ToyObjective(), settings, url, resume=True)
    assert str(caught.value).splitlines() == [
        f"{url}: a study of another kind; go on with what it was started with, start anew with --fresh, "
        "or name another folder:",
        f'  - strategy: "reinforce" there, "{name}" here',
        "  - axis bits:5.options: [16, 8, 4, 2] there, [16, 8] here",
        "  - bound.latency_ms: null there, 0.5 here",
    ]


def test_a_study_without_trials_takes_any_settings(tmp_path):
    """A process that was killed while it made the study has lost nothing."""
    place = StudyPlace(f"sqlite:///{tmp_path}/study.db")
    optuna.create_study(study_name=place.name, storage=place.open(), directions=["maximize", "minimize"])
    assert place.settings() == {}
    assert len(study(3, place, resume=True).run()) == 3
    assert place.settings()["strategy"] == "reinforce"


def test_a_study_of_an_older_version_says_what_to_do(tmp_path):
    place = StudyPlace(f"sqlite:///{tmp_path}/study.db")
    study(2, place).run()
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("DELETE FROM study_user_attributes WHERE key = 'settings'")
    message = (
        f"{place}: a study of an older version, which kept no settings; go on with what it was started with, "
        "start anew with --fresh, or name another folder"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        study(3, place, resume=True)


def test_a_larger_budget_goes_on(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study(3, url).run()
    assert len(study(5, url, resume=True).run()) == 5


def test_accuracies_that_say_little_give_way_to_the_divergence():
    """0.880 on 2,500 images has a standard error of 0.0065: 0.876 is level with it, 0.873 is not."""

    def outcome(number, accuracy, divergence, refusals=()):
        return Outcome(
            *(number, Candidate({"a": number}), accuracy, {"latency_ms": 1.0}, "latency_ms", refusals),
            *(0.0, None, 0.0),
            divergence=divergence,
        )

    outcomes = [
        *(outcome(0, 0.880, 0.05), outcome(1, 0.876, 0.02), outcome(2, 0.875, 0.03), outcome(3, 0.873, 0.01)),
        outcome(4, 0.879, 0.001, ("latency",)),
    ]
    assert best_outcome(outcomes, 0.8, True).number == 0
    assert best_outcome(outcomes, 0.8, True, 2500).number == 1
    assert best_outcome(outcomes, 0.8, True, 250_000).number == 0
    assert best_outcome(outcomes[:1] + [outcome(5, 0.878, None)], 0.8, True, 2500).number == 0
    cold = [outcome(0, 0.880, None), outcome(1, 0.876, None)]
    assert best_outcome(cold, 0.8, True, 2500).number == 0 and best_outcome([], 0.8, True, 2500) is None
