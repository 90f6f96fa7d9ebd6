"""What a study knows of a candidate: the hardware test, the evaluation, the finished trial."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hotnas_hls.platforms.space import Candidate


@dataclass(frozen=True)
class HardwareTest:
    """What the true model says of a candidate before anything is trained."""

    metrics: Mapping[str, float]  # the platform's, by name; none where it cannot be built
    objective: str  # the one that is lessened
    refusals: tuple[str, ...]  # why it is not trained; empty: it meets the bound and every resource
    excess: dict[str, float]  # constraints by name, in shares of their limit; above 0 is broken

    @property
    def value(self) -> float | None:
        """The objective's."""
        return self.metrics.get(self.objective)


@dataclass(frozen=True)
class Evaluation:
    """What training a candidate showed."""

    accuracy: float | None  # of the integer network on validation; None: stopped early
    checks: tuple[float, ...] = ()  # accuracy at each look on the way (stopping.CHECKS)
    stopped: str | None = None  # why it was not trained to the end
    seconds: float = 0.0  # what it cost
    divergence: float | None = None  # of its answers from the pre-trained network's, nats an image


@dataclass(frozen=True)
class Outcome:
    """A finished trial."""

    number: int  # in the order of finishing
    candidate: Candidate
    accuracy: float | None  # of the integer network on validation; None: refused or stopped
    metrics: Mapping[str, float]  # the platform's, by name; none where it cannot be built
    objective: str  # the one that is lessened
    refusals: tuple[str, ...]
    seconds: float  # what the evaluation cost, hardware test included
    repeats: int | None  # trial whose network was the same, so nothing was trained again
    reward: float
    checks: tuple[float, ...] = ()
    stopped: str | None = None
    divergence: float | None = None

    @property
    def value(self) -> float | None:
        """The objective's."""
        return self.metrics.get(self.objective)

    @property
    def latency_ms(self) -> float | None:
        """Of platforms that have this metric."""
        return self.metrics.get("latency_ms")

    @property
    def trained(self) -> bool:
        """Whether training was begun for it: it was neither refused nor a network seen before."""
        return self.repeats is None and (self.accuracy is not None or self.stopped is not None)

    @property
    def feasible(self) -> bool:
        """Meets the bound and every resource."""
        return not self.refusals

    def record(self) -> dict[str, Any]:
        """JSON-ready, without the candidate and the number, which the trial itself holds."""
        return {
            "accuracy": self.accuracy,
            "divergence": self.divergence,
            **self.metrics,
            "refusals": list(self.refusals),
            "seconds": self.seconds,
            "repeats": self.repeats,
            "reward": self.reward,
            "checks": list(self.checks),
            "stopped": self.stopped,
        }

    @classmethod
    def from_record(
        cls, number: int, candidate: Candidate, record: Mapping[str, Any], objective: str
    ) -> Outcome:
        """Inverse of :meth:`record`: what is no field is a metric."""
        fields = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in record.items() if name in fields}
        values["metrics"] = {
            name: value for name, value in record.items() if name not in fields and value is not None
        }
        for name in ("refusals", "checks"):
            values[name] = tuple(values.get(name, ()))
        return cls(number=number, candidate=candidate, objective=objective, **values)


def pareto_front(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The trained outcomes no other beats in both accuracy and objective, the best in that first."""
    front: list[Outcome] = []
    best = -1.0
    for accuracy, _, outcome in sorted(
        _trained(outcomes), key=lambda entry: (entry[1], -entry[0], entry[2].number)
    ):
        if accuracy > best:
            front.append(outcome)
            best = accuracy
    return front


def best_outcome(
    outcomes: Iterable[Outcome], least_accuracy: float, bounded: bool, images: int | None = None
) -> Outcome | None:
    """The trained outcome to build, ``None`` when none was feasible.

    Of those with at least ``least_accuracy``: under a bound on the objective the most accurate, the lesser
    on ties; without one the one of least objective. When none is accurate enough, the most accurate.
    ``images``, where given, is how many the accuracy was measured on: less than its standard error below the
    most accurate, differences say little, and the outcome whose answers diverge least from the pre-trained
    network's is taken.
    """
    trained = _trained(outcomes)
    enough = [entry for entry in trained if entry[0] >= least_accuracy]
    if enough and not bounded:
        return min(enough, key=lambda entry: (entry[1], -entry[0], entry[2].number))[2]
    most = min(trained, key=lambda entry: (-entry[0], entry[1], entry[2].number), default=None)
    if most is None or images is None or most[2].divergence is None:
        return most[2] if most else None
    error = math.sqrt(most[0] * (1 - most[0]) / images)
    level = [entry[2] for entry in trained if entry[0] >= most[0] - error]
    return min(level, key=lambda o: (math.inf if o.divergence is None else o.divergence, o.number))


def hypervolume(outcomes: Iterable[Outcome], least_accuracy: float, unit: float) -> float:
    """Share (0 to 1) of the box between ``least_accuracy`` and 1, 0 and ``unit``, the front dominates."""
    area, floor = 0.0, least_accuracy
    for outcome in pareto_front(outcomes):
        assert outcome.accuracy is not None and outcome.value is not None
        if outcome.accuracy > floor and outcome.value < unit:
            area += (outcome.accuracy - floor) * (unit - outcome.value)
            floor = outcome.accuracy
    return area / ((1 - least_accuracy) * unit)


def _trained(outcomes: Iterable[Outcome]) -> list[tuple[float, float, Outcome]]:
    """(accuracy, objective, outcome) of the feasible trained ones."""
    return [
        (outcome.accuracy, outcome.value, outcome)
        for outcome in outcomes
        if outcome.feasible and outcome.accuracy is not None and outcome.value is not None
    ]
