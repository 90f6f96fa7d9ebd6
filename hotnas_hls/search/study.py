"""iSearch: a study of candidates, hardware test first, kept by Optuna so that nothing finished is lost.

Two objectives: accuracy up, latency down; the latency bound and the resources are constraints. Trials are
drawn and told in memory and written to the storage, one transaction each, when they are finished, so that an
interrupt, a kill or a power cut loses the trial in flight and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from hotnas_hls.errors import ConfigError
from hotnas_hls.search.reward import RewardTargets, reward
from hotnas_hls.search.samplers import FINISHED, REWARD, SamplerFactory, distributions
from hotnas_hls.search.space import Candidate, SearchSpace

STUDY_NAME = "hotnas"
OUTCOME, FINGERPRINT, COMPLETED = "outcome", "fingerprint", "completed"  # user attributes


@dataclass(frozen=True)
class HardwareTest:
    """What the true model says of a candidate before anything is trained."""

    latency_ms: float | None  # None: cannot be built
    cycles: float | None
    refusals: tuple[str, ...]  # why it is not trained; empty: it meets the bound and every resource
    excess: dict[str, float]  # constraints by name, in shares of their limit; above 0 is broken


@dataclass(frozen=True)
class Outcome:
    """A finished trial."""

    number: int
    candidate: Candidate
    accuracy: float | None  # of the integer network on validation; None: refused, not trained
    latency_ms: float | None
    cycles: float | None
    refusals: tuple[str, ...]
    seconds: float  # what the evaluation cost
    repeats: int | None  # trial whose network was the same, so nothing was trained again
    reward: float

    @property
    def feasible(self) -> bool:
        """Meets the bound and every resource."""
        return not self.refusals


class Objective(Protocol):
    """What a study asks about candidates."""

    def hardware_test(self, candidate: Candidate) -> HardwareTest: ...

    def network_key(self, candidate: Candidate) -> str:
        """Equal for candidates that are the same network: their accuracy is the same."""
        ...

    def accuracy(self, candidate: Candidate) -> float: ...


@dataclass(frozen=True)
class StudySettings:
    """How much is searched, and how."""

    targets: RewardTargets  # latencies as shares of ``latency_unit_ms``
    latency_unit_ms: (
        float  # deviation from section 4.2: the bound itself, so that a reward does not depend on ms
    )
    strategy: str = "reinforce"
    trials: int = 100  # finished ones, refused ones included
    seed: int = 0
    time_limit_s: float | None = None


class SearchStudy:
    """A study in a storage (an Optuna URL, e.g. ``sqlite:///study.db``; ``None`` keeps it in memory)."""

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        settings: StudySettings,
        storage: str | None = None,
        resume: bool = False,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.objective, self.settings = space, objective, settings
        self._samplers = SamplerFactory(settings.strategy, space, settings.seed)
        self._archive = _open(storage, self._fingerprint(), resume) if storage else None
        self._memory = optuna.create_study(directions=["maximize", "minimize"])
        if self._archive is not None:
            self._memory.add_trials(self._archive.get_trials(states=FINISHED))
        self._networks: dict[str, Outcome] = {}
        self.outcomes: list[Outcome] = []
        for trial in self._memory.get_trials(deepcopy=False):
            self._remember(_outcome_of(trial))

    def run(
        self,
        seeds: Iterable[Candidate] = (),
        report: Callable[[Outcome], None] = lambda outcome: None,
    ) -> list[Outcome]:
        """Evaluate ``seeds``, then what the strategy proposes, until the budget is used; all outcomes."""
        started = time.monotonic()
        done = {outcome.candidate for outcome in self.outcomes}
        waiting = [candidate for candidate in seeds if candidate not in done]
        while len(self.outcomes) < self.settings.trials:
            limit = self.settings.time_limit_s
            if limit is not None and time.monotonic() - started > limit:
                break
            report(self._step(waiting.pop(0) if waiting else None))
        return self.outcomes

    def add(self, candidate: Candidate) -> Outcome:
        """Evaluate one candidate beyond the budget, unless it was evaluated before."""
        known = (outcome for outcome in self.outcomes if outcome.candidate == candidate)
        return next(known, None) or self._step(candidate)

    def complete(self) -> None:
        """Mark the study as used up: what it found has been built."""
        if self._archive is not None:
            self._archive.set_user_attr(COMPLETED, True)

    def _step(self, given: Candidate | None) -> Outcome:
        """One trial: draw, test the hardware, train if it passes, record."""
        begun = time.monotonic()
        self._memory.sampler = self._samplers.next(len(self.outcomes))
        if given is not None:
            self._memory.enqueue_trial(dict(given))
        trial = self._memory.ask(distributions(self.space))
        candidate = Candidate({axis.name: trial.params[axis.name] for axis in self.space.axes})
        test = self.objective.hardware_test(candidate)
        accuracy, repeats = None, None
        if not test.refusals:
            twin = self._networks.get(self.objective.network_key(candidate))
            repeats = twin.number if twin else None
            accuracy = twin.accuracy if twin else self.objective.accuracy(candidate)
        outcome = Outcome(
            number=trial.number,
            candidate=candidate,
            accuracy=accuracy,
            latency_ms=test.latency_ms,
            cycles=test.cycles,
            refusals=test.refusals,
            seconds=time.monotonic() - begun,
            repeats=repeats,
            reward=self._reward(accuracy, test.latency_ms),
        )
        trial.set_user_attr(OUTCOME, _record(outcome))
        trial.set_user_attr(REWARD, outcome.reward)
        for name, excess in test.excess.items():
            trial.set_constraint(name, excess)
        if accuracy is None or test.latency_ms is None:
            self._memory.tell(trial, state=TrialState.PRUNED)
        else:
            self._memory.tell(trial, [accuracy, test.latency_ms])
        if self._archive is not None:
            self._archive.add_trial(self._memory.get_trials(deepcopy=False)[trial.number])
        self._remember(outcome)
        return outcome

    def _reward(self, accuracy: float | None, latency_ms: float | None) -> float:
        relative = None if latency_ms is None else latency_ms / self.settings.latency_unit_ms
        return reward(accuracy, relative, self.settings.targets)

    def _remember(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if outcome.accuracy is not None:
            self._networks.setdefault(self.objective.network_key(outcome.candidate), outcome)

    def _fingerprint(self) -> str:
        """Changes when a resumed study would no longer be the same study; the budget may be raised."""
        settings = {k: v for k, v in asdict(self.settings).items() if k not in ("trials", "time_limit_s")}
        text = json.dumps([self.space.to_record(), settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def is_interrupted(url: str) -> bool:
    """True when the storage holds a study that was begun and whose result was never built."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if STUDY_NAME not in optuna.get_all_study_names(url):
        return False
    return not optuna.load_study(study_name=STUDY_NAME, storage=url).user_attrs.get(COMPLETED, False)


def pareto_front(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The trained outcomes no other beats in both accuracy and latency, the fastest first."""
    front: list[Outcome] = []
    best = -1.0
    for accuracy, _, outcome in sorted(
        _trained(outcomes), key=lambda entry: (entry[1], -entry[0], entry[2].number)
    ):
        if accuracy > best:
            front.append(outcome)
            best = accuracy
    return front


def best_outcome(outcomes: Iterable[Outcome], least_accuracy: float, bounded: bool) -> Outcome | None:
    """The trained outcome to build, ``None`` when none was feasible.

    Of those with at least ``least_accuracy``: under a latency bound the most accurate, the faster on ties;
    without one the fastest. When none is accurate enough, the most accurate.
    """
    trained = _trained(outcomes)
    enough = [entry for entry in trained if entry[0] >= least_accuracy]
    if enough and not bounded:
        return min(enough, key=lambda entry: (entry[1], -entry[0], entry[2].number))[2]
    most = min(trained, key=lambda entry: (-entry[0], entry[1], entry[2].number), default=None)
    return most[2] if most else None


def _trained(outcomes: Iterable[Outcome]) -> list[tuple[float, float, Outcome]]:
    """(accuracy, latency, outcome) of the feasible trained ones."""
    return [
        (outcome.accuracy, outcome.latency_ms, outcome)
        for outcome in outcomes
        if outcome.feasible and outcome.accuracy is not None and outcome.latency_ms is not None
    ]


def _open(url: str, fingerprint: str, resume: bool) -> optuna.Study:
    """The study in a storage: made when new, refused when it is another's or resuming was not asked for."""
    storage: str | BaseStorage = url
    if url.startswith("sqlite"):
        storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
    exists = STUDY_NAME in optuna.get_all_study_names(storage)
    if exists and not resume:
        raise ConfigError(f"{url}: holds a study already; go on with --resume, or name another folder")
    study = optuna.create_study(
        study_name=STUDY_NAME,
        storage=storage,
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )
    if not exists:
        with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            study.set_metric_names(["accuracy", "latency_ms"])
        study.set_user_attr(FINGERPRINT, fingerprint)
    elif study.user_attrs.get(FINGERPRINT) != fingerprint:
        raise ConfigError(
            f"{url}: a study of another network, board, search space or setting; resume it with the "
            "configuration it was started with, or name another folder"
        )
    return study


def _record(outcome: Outcome) -> dict[str, Any]:
    return {
        "accuracy": outcome.accuracy,
        "latency_ms": outcome.latency_ms,
        "cycles": outcome.cycles,
        "refusals": list(outcome.refusals),
        "seconds": outcome.seconds,
        "repeats": outcome.repeats,
        "reward": outcome.reward,
    }


def _outcome_of(trial: FrozenTrial) -> Outcome:
    record = dict(trial.user_attrs[OUTCOME])
    record["refusals"] = tuple(record["refusals"])
    return Outcome(number=trial.number, candidate=Candidate(trial.params), **record)
