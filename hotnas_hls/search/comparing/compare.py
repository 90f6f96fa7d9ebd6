"""Samplers against each other: the same start, space, seeds and budget; hypervolume and best-feasible curves.

A network that one sampler had trained is not trained again for the next, with the same seed: the figures are
the same, and so is the cost that is counted for it.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hotnas_hls.models.train import score
from hotnas_hls.platforms.platform import Platform
from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search.evaluating.objective import Objective
from hotnas_hls.search.evaluating.outcome import Evaluation, Outcome, best_outcome, hypervolume
from hotnas_hls.search.evaluating.stopping import Limits
from hotnas_hls.search.options import SearchOptions
from hotnas_hls.search.prepare import Prepared, prepare
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.running.crew import Crew
from hotnas_hls.search.running.hire import hire
from hotnas_hls.search.running.storage import StudyPlace
from hotnas_hls.search.running.study import SearchStudy
from hotnas_hls.search.telling.reporter import Reporter, Silent


@dataclass(frozen=True)
class Variant:
    """One way to search."""

    name: str
    changes: dict[str, Any]  # of the options

    def options(self, options: SearchOptions, seed: int) -> SearchOptions:
        return replace(options, seed=seed, **self.changes)


@dataclass(frozen=True)
class Run:
    """A variant's study with one seed."""

    variant: str
    seed: int
    hypervolume: tuple[float, ...]  # after each trial; share of the box, 0 to 1
    accuracy: tuple[float | None, ...]  # of the best design so far; None: nothing feasible yet
    latency_ms: tuple[float | None, ...]
    trained: int
    stopped: int
    refused: int
    looked: int  # candidates proposed, all told
    seconds: float  # what the evaluations cost

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "variant": self.variant,
            "seed": self.seed,
            "trained": self.trained,
            "stopped": self.stopped,
            "refused": self.refused,
            "looked": self.looked,
            "seconds": round(self.seconds, 3),
            "hypervolume": [round(value, 6) for value in self.hypervolume],
            "accuracy": list(self.accuracy),
            "latency_ms": list(self.latency_ms),
        }


def variants(strategies: Sequence[str], cold: bool, early_stopping: bool) -> list[Variant]:
    """The samplers, trained to the end; on request the first of them from cold, and with early stopping."""
    found = [Variant(name, {"strategy": name, "early_stopping": False}) for name in strategies]
    first = found[0]
    if cold:
        found.append(Variant(f"{first.name}, cold", {**first.changes, "cold": True}))
    if early_stopping:
        found.append(Variant(f"{first.name}, early stopping", {**first.changes, "early_stopping": True}))
    return found


def compare(
    problem: Problem,
    platform: Platform,
    options: SearchOptions,
    contestants: Sequence[Variant],
    seeds: Sequence[int],
    storage: Callable[[str], StudyPlace],
    reporter: Reporter,
) -> list[Run]:
    """Every variant with every seed; ``storage`` gives the place of a study by its name.

    Studies that the storage holds go on where they stopped.
    """
    runs = []
    ready: dict[int | None, Prepared] = {}  # by the seed of the weights; None: those that were given
    for seed in seeds:
        memory: dict[tuple[bool, str], Evaluation] = {}
        for variant in contestants:
            reporter.stage(f"{variant.name}, seed {seed}")
            wanted = variant.options(options, seed)
            weights = seed if wanted.cold else None
            if weights not in ready:
                ready[weights] = prepare(problem, platform, wanted, Silent())
            prepared = ready[weights].searched_by(wanted)
            place = storage(f"{variant.name}:{seed}")
            with closing(hire(prepared.evaluator, options.crew, prepared.small)) as crew:
                remembering = _Remembering(crew, prepared.evaluator, memory, variant.changes)
                study = SearchStudy(
                    prepared.space,
                    prepared.evaluator,
                    prepared.settings,
                    place,
                    resume=place.exists(),
                    crew=remembering,
                )
                remembering.learn(study.outcomes)
                study.run(prepared.seeds, partial(_report, reporter, study))
            runs.append(_run(variant.name, seed, _within(study.outcomes, options.trials), prepared, problem))
    return runs


def ranking(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for every variant, the best first: its final figures over the seeds."""
    rows = []
    for name in dict.fromkeys(run.variant for run in runs):
        own = [run for run in runs if run.variant == name]
        volumes = [run.hypervolume[-1] for run in own]
        accuracies = [run.accuracy[-1] for run in own if run.accuracy[-1] is not None]
        latencies = [run.latency_ms[-1] for run in own if run.latency_ms[-1] is not None]
        rows.append(
            {
                "variant": name,
                "hypervolume": statistics.mean(volumes),
                "hypervolume_range": [min(volumes), max(volumes)],
                "mean_hypervolume_on_the_way": statistics.mean(
                    statistics.mean(run.hypervolume) for run in own
                ),
                "accuracy": statistics.mean(accuracies) if accuracies else None,
                "latency_ms": statistics.mean(latencies) if latencies else None,
                "trained": statistics.mean(run.trained for run in own),
                "stopped": statistics.mean(run.stopped for run in own),
                "refused": statistics.mean(run.refused for run in own),
                "seconds": statistics.mean(run.seconds for run in own),
            }
        )
    return sorted(rows, key=lambda row: -row["hypervolume"])


def _report(reporter: Reporter, study: SearchStudy, outcome: Outcome) -> None:
    reporter.outcome(outcome, study)


def _within(outcomes: Sequence[Outcome], trials: int) -> Sequence[Outcome]:
    """The outcomes up to the last trial of the budget, where a study holds more."""
    trained = [at for at, outcome in enumerate(outcomes) if outcome.trained]
    return outcomes if len(trained) <= trials else outcomes[: trained[trials]]


def _run(name: str, seed: int, outcomes: Sequence[Outcome], prepared: Prepared, problem: Problem) -> Run:
    validation = prepared.evaluator.validation
    least = score(problem.model, validation, problem.task)
    least -= prepared.options.accuracy_drop
    bounded = prepared.options.bound is not None
    floor, unit = prepared.options.accuracy[0], prepared.settings.objective_unit
    ends = [at for at, outcome in enumerate(outcomes) if outcome.trained][1:] + [len(outcomes)]
    so_far = [outcomes[:end] for end in ends]  # with what cost nothing before the next trial
    best = [best_outcome(some, least, bounded) for some in so_far]
    return Run(
        variant=name,
        seed=seed,
        hypervolume=tuple(hypervolume(some, floor, unit) for some in so_far),
        accuracy=tuple(outcome.accuracy if outcome else None for outcome in best),
        latency_ms=tuple(outcome.value if outcome else None for outcome in best),
        trained=sum(o.accuracy is not None and o.repeats is None for o in outcomes),
        stopped=sum(o.stopped is not None and o.repeats is None for o in outcomes),
        refused=sum(bool(o.refusals) for o in outcomes),
        looked=len(outcomes),
        seconds=sum(o.seconds for o in outcomes),
    )


class _Remembering:
    """A crew that does not train a network again that another variant had trained from the same weights."""

    def __init__(
        self,
        crew: Crew,
        objective: Objective,
        memory: dict[tuple[bool, str], Evaluation],
        changes: dict[str, Any],
    ) -> None:
        self._crew, self._objective, self._memory = crew, objective, memory
        self._cold = bool(changes.get("cold"))
        self._shared = not changes.get("early_stopping")  # else it depends on the trials before
        self._known: deque[tuple[int, Evaluation]] = deque()
        self._flights: dict[int, Candidate] = {}

    @property
    def size(self) -> int:
        return self._crew.size

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Remember a study's earlier trials."""
        for outcome in outcomes:
            if self._shared and outcome.accuracy is not None and outcome.repeats is None:
                seen = Evaluation(outcome.accuracy, outcome.checks, None, outcome.seconds, outcome.divergence)
                self._memory.setdefault(self._key(outcome.candidate), seen)

    def submit(self, number: int, candidate: Candidate, limits: Limits) -> None:
        known = self._memory.get(self._key(candidate)) if self._shared else None
        if known is not None:
            self._known.append((number, known))
        else:
            self._flights[number] = candidate
            self._crew.submit(number, candidate, limits)

    def wait(self) -> tuple[int, Evaluation]:
        if self._known:
            return self._known.popleft()
        number, evaluation = self._crew.wait()
        candidate = self._flights.pop(number)
        if self._shared:
            self._memory[self._key(candidate)] = evaluation
        return number, evaluation

    def close(self) -> None:
        self._crew.close()

    def _key(self, candidate: Candidate) -> tuple[bool, str]:
        return self._cold, self._objective.network_key(candidate)
