"""Who hears how a search goes."""

from __future__ import annotations

from typing import Protocol

from hotnas_hls.search.evaluating.outcome import Outcome
from hotnas_hls.search.running.study import SearchStudy


class Reporter(Protocol):
    """Hears how a search goes."""

    def stage(self, text: str) -> None: ...

    def outcome(self, outcome: Outcome, study: SearchStudy) -> None: ...

    def step(self, done: int, total: int, what: str = "batches") -> None: ...


class Silent:
    """A reporter that says nothing."""

    def stage(self, text: str) -> None:
        pass

    def outcome(self, outcome: Outcome, study: SearchStudy) -> None:
        pass

    def step(self, done: int, total: int, what: str = "batches") -> None:
        pass
