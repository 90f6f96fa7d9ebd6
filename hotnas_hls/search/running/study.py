"""iSearch: a study of candidates, hardware test first, kept by Optuna so that nothing finished is lost.

Two objectives: accuracy up, the platform's own (latency, say) down; its bound and the resources are
constraints. One process draws the candidates and tests their hardware; a crew trains them, in this process,
in others or on a cluster. A trial is written to the storage, in one transaction, when it is finished: an
interrupt, a kill or a power cut loses the trials in flight and nothing else.
"""

from __future__ import annotations

import copy
import json
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from hotnas_hls.base.records import differences
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.space import Candidate, SearchSpace
from hotnas_hls.search.evaluating.objective import Objective
from hotnas_hls.search.evaluating.outcome import Evaluation, HardwareTest, Outcome
from hotnas_hls.search.evaluating.reward import RewardTargets, reward
from hotnas_hls.search.evaluating.stopping import UNLIMITED, limits
from hotnas_hls.search.proposing.samplers import FINISHED, REWARD, SamplerFactory, distributions
from hotnas_hls.search.running.crew import Crew, InPlace
from hotnas_hls.search.running.storage import COMPLETED, SETTINGS, StudyPlace

BUDGET = ("trials", "proposals", "time_limit_s")  # may be raised without making a study another one
PROPOSALS = 10  # for each trial: where all the others are refused, a search ends
OUTCOME = "outcome"  # user attribute of a trial
LEAST_ACCURACY = 0.0  # what the samplers are told of a candidate that was refused, beside how far it is off


@dataclass(frozen=True)
class StudySettings:
    """How much is searched, and how."""

    targets: RewardTargets  # the objective as shares of ``objective_unit``
    objective_unit: (
        float  # deviation from section 4.2: the bound itself, so that a reward does not depend on ms
    )
    strategy: str = "reinforce"
    trials: int = 100  # candidates that are trained
    seed: int = 0
    time_limit_s: float | None = None
    early_stopping: bool = False
    subject: Mapping[str, Any] = field(default_factory=dict)  # what else an accuracy depends on, by name
    proposals: int | None = None  # looked at, refused ones and repeats too; None: PROPOSALS a trial
    objective: Metric = LATENCY  # the platform's that is lessened


@dataclass(frozen=True)
class _Flight:
    """A trial that is being trained, or waits for the same network of another."""

    trial: optuna.Trial
    candidate: Candidate
    test: HardwareTest
    key: str
    begun: float
    leader: int | None = None  # the flight it waits for


class SearchStudy:
    """A study in a storage (``None`` keeps it in memory), trained by a crew (``None``: this process)."""

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        settings: StudySettings,
        storage: str | StudyPlace | None = None,
        resume: bool = False,
        crew: Crew | None = None,
    ) -> None:
        self.space, self.objective, self.settings = space, objective, settings
        self.crew = crew or InPlace(objective)
        self.outcomes: list[Outcome] = []
        self._samplers = SamplerFactory(settings.strategy, space, settings.seed)
        self._place = StudyPlace(storage) if isinstance(storage, str) else storage
        self._archive = self._opened(self._place, resume) if self._place else None
        self._memory = optuna.create_study(directions=["maximize", "minimize"])
        self._networks: dict[str, list[Outcome]] = {}
        self._flights: dict[int, _Flight] = {}
        for trial in self._archive.get_trials(states=FINISHED) if self._archive else ():
            self._memory.add_trial(_for_samplers(trial, settings.objective.name))
            self._remember(_outcome_of(trial, settings.objective.name))

    @property
    def in_flight(self) -> int:
        """Trials begun and not finished."""
        return len(self._flights)

    @property
    def trained(self) -> int:
        """Finished trials of the budget: what was refused, or seen before, costs nothing."""
        return sum(outcome.trained for outcome in self.outcomes)

    def run(
        self,
        seeds: Iterable[Candidate] = (),
        report: Callable[[Outcome], None] = lambda outcome: None,
    ) -> list[Outcome]:
        """Evaluate ``seeds``, then what the strategy proposes, until the budget is used; all outcomes."""
        started = time.monotonic()
        done = {outcome.candidate for outcome in self.outcomes}
        waiting = [candidate for candidate in seeds if candidate not in done]
        limit, settings = self.settings.time_limit_s, self.settings
        proposals = settings.proposals or PROPOSALS * settings.trials + len(waiting)

        def may_begin() -> bool:
            in_training = sum(1 for flight in self._flights.values() if flight.leader is None)
            return (
                self.trained + in_training < settings.trials
                and len(self.outcomes) + self.in_flight < proposals
                and in_training < self.crew.size
                and (limit is None or time.monotonic() - started <= limit)
            )

        while True:
            while may_begin():
                for outcome in self._begin(waiting.pop(0) if waiting else None):
                    report(outcome)
            if not self._flights:
                return self.outcomes
            for outcome in self._land(*self.crew.wait()):
                report(outcome)

    def add(self, candidate: Candidate) -> Outcome:
        """Evaluate one candidate beyond the budget, unless it was evaluated before."""
        known = next((outcome for outcome in self.outcomes if outcome.candidate == candidate), None)
        if known is not None:
            return known
        return (self._begin(candidate) or self._land(*self.crew.wait()))[0]

    def _begin(self, given: Candidate | None) -> list[Outcome]:
        """Draw a trial and test its hardware; its outcome, unless it must be trained or wait for its twin."""
        begun = time.monotonic()
        self._memory.sampler = self._samplers.next(len(self._memory.get_trials(deepcopy=False)))
        if given is not None:
            self._memory.enqueue_trial(dict(given))
        trial = self._memory.ask(distributions(self.space))
        candidate = Candidate({axis.name: trial.params[axis.name] for axis in self.space.axes})
        test = self.objective.hardware_test(candidate)
        key = "" if test.refusals else self.objective.network_key(candidate)
        flight = _Flight(trial, candidate, test, key, begun)
        if test.refusals or test.value is None:
            return [self._finish(flight, Evaluation(None))]
        twin = self._twin(key, test.value)
        if twin is not None:
            return [self._repeat(flight, twin)]
        leader = next((n for n, f in self._flights.items() if f.key == key and f.leader is None), None)
        self._flights[trial.number] = _Flight(trial, candidate, test, key, begun, leader)
        if leader is None:
            stop = limits(test.value, self.outcomes) if self.settings.early_stopping else UNLIMITED
            self.crew.submit(trial.number, candidate, stop)
        return []

    def _land(self, number: int, evaluation: Evaluation) -> list[Outcome]:
        """The outcome of a trained trial, and of those that waited for it."""
        leader = self._flights.pop(number)
        outcomes = [self._finish(leader, evaluation)]
        for follower, flight in [(n, f) for n, f in self._flights.items() if f.leader == number]:
            del self._flights[follower]
            outcomes.append(self._repeat(flight, outcomes[0]))
        return outcomes

    def _twin(self, key: str, value: float) -> Outcome | None:
        """A finished trial of the same network; one that was stopped counts if its objective was no more."""
        known = self._networks.get(key, ())
        trained = (o for o in known if o.accuracy is not None)
        stopped = (o for o in known if o.value is not None and o.value <= value)
        return next(trained, None) or next(stopped, None)

    def _repeat(self, flight: _Flight, twin: Outcome) -> Outcome:
        seen = Evaluation(twin.accuracy, twin.checks, twin.stopped, divergence=twin.divergence)
        return self._finish(flight, seen, twin.number if twin.repeats is None else twin.repeats)

    def _finish(self, flight: _Flight, evaluation: Evaluation, repeats: int | None = None) -> Outcome:
        """Record a trial: for the samplers, and in the storage."""
        test, trial = flight.test, flight.trial
        trained = repeats is None and not test.refusals
        seen = evaluation.accuracy
        if evaluation.stopped and evaluation.checks:
            seen = evaluation.checks[-1]
        outcome = Outcome(
            number=len(self.outcomes),
            candidate=flight.candidate,
            accuracy=evaluation.accuracy,
            metrics=test.metrics,
            objective=test.objective,
            refusals=test.refusals,
            seconds=evaluation.seconds if trained else time.monotonic() - flight.begun,
            repeats=repeats,
            reward=self._reward(seen, test.value),
            checks=evaluation.checks,
            stopped=evaluation.stopped,
            divergence=evaluation.divergence,
        )
        trial.set_user_attr(OUTCOME, outcome.record())
        trial.set_user_attr(REWARD, outcome.reward)
        for name, excess in test.excess.items():
            trial.set_constraint(name, excess)
        values = _values_for_samplers(outcome)
        self._memory.tell(trial, values, state=None if values else TrialState.PRUNED)
        if self._archive is not None and self._place is not None:
            with self._place.writing():
                self._archive.add_trial(_for_archive(self._memory.get_trials(deepcopy=False)[trial.number]))
        self._remember(outcome)
        return outcome

    def _reward(self, accuracy: float | None, value: float | None) -> float:
        relative = None if value is None else value / self.settings.objective_unit
        return reward(accuracy, relative, self.settings.targets)

    def _remember(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if outcome.accuracy is not None or outcome.stopped is not None:
            self._networks.setdefault(self.objective.network_key(outcome.candidate), []).append(outcome)

    def _opened(self, place: StudyPlace, resume: bool) -> optuna.Study:
        return _open(place, self._record(), self.settings.objective, resume)

    def _record(self) -> dict[str, Any]:
        """What makes a study another one, as plain values; the budget may be raised."""
        settings = {k: v for k, v in asdict(self.settings).items() if k not in BUDGET}
        metric = self.settings.objective
        del settings["objective"]
        settings[f"{metric.word}_unit_{metric.unit}"] = settings.pop("objective_unit")
        axes = {f"axis {axis.pop('name')}": axis for axis in self.space.to_record()}
        return json.loads(json.dumps(settings.pop("subject") | settings | axes))


def _open(place: StudyPlace, settings: dict[str, Any], objective: Metric, resume: bool) -> optuna.Study:
    """The study in a storage: made when new, refused when it is another's or resuming was not asked for.

    One without trials takes any settings: there is nothing to lose.
    """
    exists = place.exists()
    if exists and not resume:
        raise ConfigError(f"{place}: holds a study already; go on with --resume, or name another folder")
    with place.writing():
        study = optuna.create_study(
            study_name=place.name,
            storage=place.open(),
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
        if study.get_trials(deepcopy=False):
            _require_same(place, study, settings)
            study.set_user_attr(COMPLETED, False)
        else:
            with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
                study.set_metric_names(["accuracy", objective.name])
            study.set_user_attr(SETTINGS, json.dumps(settings))
    return study


def _require_same(place: StudyPlace, study: optuna.Study, settings: dict[str, Any]) -> None:
    """ConfigError, setting by setting, where the trials of a study were trained for something else."""
    cure = "go on with what it was started with, start anew with --fresh, or name another folder"
    if SETTINGS not in study.user_attrs:
        raise ConfigError(f"{place}: a study of an older version, which kept no settings; {cure}")
    found = differences(json.loads(study.user_attrs[SETTINGS]), settings)
    raise_all(ConfigError, f"{place}: a study of another kind; {cure}:", found)


def _values_for_samplers(outcome: Outcome) -> list[float] | None:
    """Accuracy and objective as the samplers see them.

    A refused candidate counts with the least accuracy and how far it misses the bound, so that NSGA-II,
    which looks at completed trials only, learns the bound; None: neither refused nor trained.
    """
    if outcome.value is None or outcome.stopped is not None:
        return None
    return [LEAST_ACCURACY if outcome.accuracy is None else outcome.accuracy, outcome.value]


def _for_archive(trial: FrozenTrial) -> FrozenTrial:
    """A trial of the samplers as it is stored: without values where there was no training."""
    stored = copy.copy(trial)
    if trial.user_attrs[OUTCOME]["accuracy"] is None:
        stored.state, stored.values = TrialState.PRUNED, None
    return stored


def _for_samplers(trial: FrozenTrial, objective: str) -> FrozenTrial:
    """Inverse of :func:`_for_archive`."""
    seen = copy.copy(trial)
    values = _values_for_samplers(_outcome_of(trial, objective))
    if values is not None:
        seen.state, seen.values = TrialState.COMPLETE, values
    return seen


def _outcome_of(trial: FrozenTrial, objective: str) -> Outcome:
    return Outcome.from_record(trial.number, Candidate(trial.params), trial.user_attrs[OUTCOME], objective)
