"""A study that can be killed: ``python toy_study.py URL TRIALS SECONDS_A_TRIAL`` prints a line per trial."""

from __future__ import annotations

import sys
import time

from hotnas_hls.search.reward import RewardTargets
from hotnas_hls.search.space import Axis, AxisKind, Candidate, SearchSpace
from hotnas_hls.search.study import HardwareTest, Outcome, SearchStudy, StudySettings

SPACE = SearchSpace(tuple(Axis(f"bits:{n}", AxisKind.BITS, (16, 8, 4, 2), str(n)) for n in range(6)))


class ToyObjective:
    """Latency falls with the bits, and so does accuracy."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.trained: list[Candidate] = []
        self.seconds = seconds

    def hardware_test(self, candidate: Candidate) -> HardwareTest:
        latency = sum(candidate.values()) / 48
        refusals = (f"latency {latency:.3g} ms exceeds the bound 1 ms",) if latency > 1 else ()
        return HardwareTest(latency, 100 * latency, refusals, {"latency": latency - 1})

    def network_key(self, candidate: Candidate) -> str:
        return candidate.to_json()

    def accuracy(self, candidate: Candidate) -> float:
        time.sleep(self.seconds)
        self.trained.append(candidate)
        return 1 - sum(1 / value for value in candidate.values()) / 6


def study(trials: int, url: str | None = None, resume: bool = False, seconds: float = 0.0) -> SearchStudy:
    """The study, by the controller."""
    settings = StudySettings(RewardTargets(0.5, 1, 0.5, 1), 1.0, "reinforce", trials, seed=1)
    return SearchStudy(SPACE, ToyObjective(seconds), settings, url, resume)


def say(outcome: Outcome) -> None:
    print(outcome.number, flush=True)


if __name__ == "__main__":
    study(int(sys.argv[2]), sys.argv[1], seconds=float(sys.argv[3])).run(report=say)
