"""What a study asks about candidates, and one evaluation with its time."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search.evaluating.outcome import Evaluation, HardwareTest
from hotnas_hls.search.evaluating.stopping import Limits


class Objective(Protocol):
    """Prices and trains candidates; ``evaluate`` may be asked in another process."""

    def hardware_test(self, candidate: Candidate) -> HardwareTest: ...

    def network_key(self, candidate: Candidate) -> str:
        """Equal for candidates that are the same network: their accuracy is the same."""
        ...

    def evaluate(self, candidate: Candidate, limits: Limits) -> Evaluation:
        """Train; stop where a look shows less than its limit."""
        ...


def timed(objective: Objective, candidate: Candidate, limits: Limits) -> Evaluation:
    """One evaluation with its seconds."""
    begun = time.perf_counter()
    evaluation = objective.evaluate(candidate, limits)
    return replace(evaluation, seconds=time.perf_counter() - begun)
