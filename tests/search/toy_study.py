"""A study that can be killed, as a process of its own.

``python -m tests.search.toy_study URL TRIALS SECONDS_A_TRIAL [WORKERS]`` prints the workers' process ids, if
there are several, and a line per trial.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing

from hotnas_hls.platforms.space import Axis, AxisKind, Candidate, SearchSpace
from hotnas_hls.search.evaluating.outcome import Evaluation, HardwareTest, Outcome
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.evaluating.stopping import Limits
from hotnas_hls.search.running.crew import Crew
from hotnas_hls.search.running.storage import StudyPlace
from hotnas_hls.search.running.study import SearchStudy, StudySettings
from hotnas_hls.search.running.workers import WorkerCrew

SPACE = SearchSpace(tuple(Axis(f"bits:{n}", AxisKind.BITS, (16, 8, 4, 2), str(n)) for n in range(6)))


class ToyObjective:
    """Latency falls with the bits, and so does accuracy."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.trained: list[Candidate] = []
        self.seconds = seconds

    def hardware_test(self, candidate: Candidate) -> HardwareTest:
        latency = sum(candidate.values()) / 48
        refusals = (f"latency {latency:.3g} ms exceeds the bound 1 ms",) if latency > 1 else ()
        return HardwareTest({"latency_ms": latency}, "latency_ms", refusals, {"latency": latency - 1})

    def network_key(self, candidate: Candidate) -> str:
        return candidate.to_json()

    def evaluate(self, candidate: Candidate, limits: Limits) -> Evaluation:
        time.sleep(self.seconds)
        self.trained.append(candidate)
        return Evaluation(1 - sum(1 / value for value in candidate.values()) / 6)


def study(
    trials: int,
    storage: str | StudyPlace | None = None,
    resume: bool = False,
    seconds: float = 0.0,
    crew: Crew | None = None,
) -> SearchStudy:
    """The study, by the controller."""
    targets = RewardTargets(0.5, 1, 0.5, 1)
    settings = StudySettings(targets, 1.0, "reinforce", trials, seed=1, proposals=trials)
    return SearchStudy(SPACE, ToyObjective(seconds), settings, storage, resume, crew)


def say(outcome: Outcome) -> None:
    print(outcome.number, flush=True)


def main(url: str, trials: str, seconds: str, workers: str = "1") -> None:
    if workers == "1":
        study(int(trials), url, seconds=float(seconds)).run(report=say)
        return
    with closing(WorkerCrew(ToyObjective(float(seconds)), int(workers), 1)) as crew:
        print(*crew.pids, flush=True)
        study(int(trials), url, crew=crew).run(report=say)


if __name__ == "__main__":
    from tests.search import toy_study  # so that the objective's class has a name the workers know

    toy_study.main(*sys.argv[1:])
