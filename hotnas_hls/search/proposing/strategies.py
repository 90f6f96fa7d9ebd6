"""How a candidate is chosen: the protocol of a strategy, and random search."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hotnas_hls.platforms.space import Candidate, SearchSpace


class Strategy(Protocol):
    """Proposes candidates and learns from their rewards.

    ``ask`` depends on nothing but the space, the seed, the trial's number and the ``tell`` calls so far: a
    strategy that is told again what a killed one was told proposes what that one would have proposed. Where
    several trials are in flight, ``ask`` is called again before the last proposal is told.
    """

    def ask(self, number: int) -> Candidate: ...

    def tell(self, candidate: Candidate, reward: float) -> None: ...


class RandomSearch:
    """Draws every candidate evenly."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.seed = space, seed

    def ask(self, number: int) -> Candidate:
        return self.space.sample(np.random.default_rng((self.seed, number)))

    def tell(self, candidate: Candidate, reward: float) -> None:
        pass
