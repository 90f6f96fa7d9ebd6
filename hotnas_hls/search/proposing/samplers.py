"""How Optuna draws the next trial: a strategy of ours as a sampler of Optuna's own kind, or one of Optuna's.

No sampler keeps a state that the finished trials do not give: a study that was interrupted proposes, when
resumed, what it would have proposed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from hotnas_hls.errors import ConfigError
from hotnas_hls.platforms.space import Candidate, SearchSpace
from hotnas_hls.search.proposing.controller import Controller
from hotnas_hls.search.proposing.strategies import RandomSearch, Strategy

STRATEGIES: dict[str, Callable[[SearchSpace, int], Strategy]] = {
    "reinforce": Controller,
    "random": RandomSearch,
}
OPTUNA_SAMPLERS = ("tpe", "nsga2")
SAMPLER_NAMES = (*STRATEGIES, *OPTUNA_SAMPLERS)
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
REWARD = "reward"  # user attribute of a finished trial
POPULATION = 12  # of NSGA-II: searches here are short
STARTUP = 10  # random trials of TPE


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """The axes as Optuna's distributions."""
    return {axis.name: CategoricalDistribution(axis.options) for axis in space.axes}


class StrategySampler(BaseSampler):
    """A :class:`Strategy` as an Optuna sampler; its state is rebuilt from the finished trials, in order."""

    def __init__(self, strategy: Strategy, space: SearchSpace) -> None:
        self.strategy, self.space = strategy, space
        self._told: set[int] = set()

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return distributions(self.space)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        finished = [
            old
            for old in study.get_trials(deepcopy=False, states=FINISHED)
            if old.number not in self._told and REWARD in old.user_attrs
        ]
        for old in sorted(finished, key=lambda old: (old.datetime_complete or datetime.min, old.number)):
            self._told.add(old.number)
            self.strategy.tell(Candidate(old.params), old.user_attrs[REWARD])
        return dict(self.strategy.ask(trial.number))

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        raise ValueError(f"{param_name} is no axis of the search space")


class SamplerFactory:
    """Gives the sampler for the next trial of a seeded study."""

    def __init__(self, name: str, space: SearchSpace, seed: int) -> None:
        if name not in SAMPLER_NAMES:
            raise ConfigError(f"unknown search strategy {name!r}; known: {', '.join(SAMPLER_NAMES)}")
        self.name, self.seed = name, seed
        self._ours = StrategySampler(STRATEGIES[name](space, seed), space) if name in STRATEGIES else None

    def next(self, number: int) -> BaseSampler:
        """The sampler that draws trial ``number``; Optuna's own are seeded afresh for each."""
        if self._ours is not None:
            return self._ours
        seed = (self.seed * 1_000_003 + number) % (1 << 32)
        if self.name == "tpe":
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION)
