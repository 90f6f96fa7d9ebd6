"""Early stopping: only what is slower and less accurate than most, and with its reason."""

import pytest

from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search.evaluating.evaluate import Evaluator
from hotnas_hls.search.evaluating.outcome import Evaluation, Outcome
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.evaluating.stopping import CHECKS, LEAST_RIVALS, UNLIMITED, limits, verdict
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.prepare import prepare
from hotnas_hls.search.proposing.generate import SpaceOptions
from hotnas_hls.search.running.storage import StudyPlace
from hotnas_hls.search.running.study import SearchStudy, StudySettings
from hotnas_hls.search.telling.reporter import Silent

from .pipeline_platform import PipelinePlatform
from .toy_study import SPACE, ToyObjective


def outcome(number: int, latency: float, look: float, **changes) -> Outcome:
    values = {"accuracy": 0.9, "repeats": None} | changes
    return Outcome(
        number=number,
        candidate=Candidate({"n": number}),
        metrics={"latency_ms": latency},
        objective="latency_ms",
        refusals=(),
        seconds=1.0,
        reward=0.0,
        checks=(look,) * len(CHECKS),
        **values,
    )


RIVALS = [outcome(number, 1.0, 0.1 * number) for number in range(1, LEAST_RIVALS + 1)]


def test_the_median_of_those_at_least_as_fast():
    assert limits(1.0, RIVALS) == pytest.approx((0.3,) * len(CHECKS))
    assert limits(0.9, RIVALS) == UNLIMITED  # faster than all: never stopped
    assert limits(1.0, RIVALS[1:]) == UNLIMITED  # too few
    others = [outcome(8, 1.0, 0.0, accuracy=None), outcome(9, 1.0, 0.0, repeats=3), outcome(10, 2.0, 0.0)]
    assert limits(1.0, [*RIVALS, *others]) == limits(1.0, RIVALS)


def test_the_verdict_says_why():
    assert verdict(0, 0.5, (0.5, 0.7)) is None and verdict(1, 0.0, (0.5, None)) is None
    assert verdict(1, 0.6549, (0.5, 0.7)) == (
        "accuracy 65.49% after 50% of the fine-tuning is below 70.00%, "
        "the median of the trials at least as fast"
    )


class Looking(ToyObjective):
    """Narrow weights look bad early, and end no better."""

    def evaluate(self, candidate, limits):
        evaluation = super().evaluate(candidate, limits)
        checks = [evaluation.accuracy - 0.1] * len(CHECKS)
        reason = verdict(0, checks[0], limits)
        if reason:
            return Evaluation(None, tuple(checks[:1]), reason)
        return Evaluation(evaluation.accuracy, tuple(checks))


def test_a_study_stops_records_and_does_not_ask_again(tmp_path):
    place = StudyPlace(f"sqlite:///{tmp_path}/study.db")
    settings = StudySettings(
        RewardTargets(0.5, 1, 0.5, 1), 1.0, "random", 80, 1, early_stopping=True, proposals=80
    )
    searched = SearchStudy(SPACE, Looking(), settings, place)
    outcomes = searched.run()
    stopped = [o for o in outcomes if o.stopped]
    assert stopped and all(o.accuracy is None and o.checks and not o.refusals for o in stopped)
    for poor in stopped:  # somebody trained to the end is at least as fast and better
        assert any(
            o.accuracy is not None and o.latency_ms <= poor.latency_ms and o.checks[0] > poor.checks[0]
            for o in outcomes[: poor.number]
        )
    slowest = max(stopped, key=lambda o: o.latency_ms)
    settings = StudySettings(
        RewardTargets(0.5, 1, 0.5, 1), 1.0, "random", 81, 1, early_stopping=True, proposals=81
    )
    resumed = SearchStudy(SPACE, Looking(), settings, place, resume=True)
    assert resumed.outcomes == outcomes
    twin = resumed.run([slowest.candidate]) and resumed.outcomes[-1]
    assert resumed.add(slowest.candidate) == slowest and twin.candidate not in resumed.objective.trained[1:]


@pytest.fixture(scope="module")
def evaluator(problem) -> Evaluator:
    options = SearchOptions(
        bound=None,
        tuning=Tuning(batches=8, batch_size=16, calibration_batches=2),
        space=SpaceOptions(hardware=False),
        early_stopping=True,
    )
    prepared = prepare(problem, PipelinePlatform(), options, Silent())
    return prepared.evaluator, prepared.seeds


def test_looks_change_nothing(evaluator):
    looking, seeds = evaluator
    blind = Evaluator(**{**vars(looking), "looks": False})
    seen, unseen = looking.evaluate(seeds[2]), blind.evaluate(seeds[2])
    assert len(seen.checks) == len(CHECKS) and unseen.checks == ()
    assert seen.accuracy == unseen.accuracy


def test_training_ends_at_the_first_look_below_its_limit(evaluator, monkeypatch):
    looking, seeds = evaluator
    batches = []
    watched = type(looking).tuned

    def counted(self, compression, tuning, watch):
        return watched(
            self, compression, tuning, lambda m, done, n: (batches.append(done), watch(m, done, n))
        )

    monkeypatch.setattr(Evaluator, "tuned", counted)
    evaluation = looking.evaluate(seeds[2], (None, 1.01))
    assert evaluation.accuracy is None and len(evaluation.checks) == 2
    assert evaluation.stopped.startswith("accuracy ") and "after 50% of the fine-tuning" in evaluation.stopped
    assert batches == [0, 1, 2, 3, 4]  # of 8
