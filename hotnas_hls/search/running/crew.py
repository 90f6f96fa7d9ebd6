"""Who trains the candidates of a study: the protocol, and this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search.evaluating.objective import Objective, timed
from hotnas_hls.search.evaluating.outcome import Evaluation
from hotnas_hls.search.evaluating.stopping import Limits


class Crew(Protocol):
    """Trains what it is given; a trial whose place dies is trained again, so that every one comes back."""

    @property
    def size(self) -> int:
        """Trials it can train at once."""
        ...

    def submit(self, number: int, candidate: Candidate, limits: Limits) -> None:
        """Begin a trial."""
        ...

    def wait(self) -> tuple[int, Evaluation]:
        """Number and figures of the next trial to finish."""
        ...

    def close(self) -> None:
        """Give everything back; trials in flight are dropped."""
        ...


@dataclass(frozen=True)
class CrewOptions:
    """Who is asked to train."""

    workers: int = 1  # processes; on Ray the most trials in flight, 1: as many as the cluster has room for
    ray: str | None = None  # address of a Ray cluster (HOST:PORT, or auto)
    trial_cpus: float = 1.0  # of a Ray node, for each trial
    trial_gpus: float = 0.0


class InPlace:
    """This process, one trial at a time."""

    size = 1

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._waiting: list[tuple[int, Candidate, Limits]] = []

    def submit(self, number: int, candidate: Candidate, limits: Limits) -> None:
        self._waiting.append((number, candidate, limits))

    def wait(self) -> tuple[int, Evaluation]:
        number, candidate, limits = self._waiting.pop(0)
        return number, timed(self._objective, candidate, limits)

    def close(self) -> None:
        self._waiting.clear()
