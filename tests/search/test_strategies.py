"""The contract of every strategy, ours and Optuna's."""

import pytest
import torch

from hotnas_hls.errors import ConfigError
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.proposing.controller import Controller
from hotnas_hls.search.proposing.samplers import SAMPLER_NAMES, STRATEGIES
from hotnas_hls.search.running.study import SearchStudy, StudySettings

from .toy_study import SPACE, ToyObjective

torch.set_num_threads(1)


def toy_reward(candidate) -> float:
    return sum(value == 4 for value in candidate.values()) / len(candidate)


@pytest.mark.parametrize("name", STRATEGIES)
class TestStrategy:
    def test_proposals_are_in_the_space(self, name):
        strategy = STRATEGIES[name](SPACE, 0)
        for number in range(10):
            candidate = strategy.ask(number)
            assert candidate in SPACE
            strategy.tell(candidate, toy_reward(candidate))

    def test_same_seed_same_proposals(self, name):
        assert self._proposals(name, 3) == self._proposals(name, 3)
        assert self._proposals(name, 3) != self._proposals(name, 4)

    def test_state_is_what_it_was_told(self, name):
        whole = STRATEGIES[name](SPACE, 0)
        told = []
        for number in range(8):
            candidate = whole.ask(number)
            told.append(candidate)
            whole.tell(candidate, toy_reward(candidate))
        rebuilt = STRATEGIES[name](SPACE, 0)
        for candidate in told:
            rebuilt.tell(candidate, toy_reward(candidate))
        assert rebuilt.ask(8) == whole.ask(8)

    def test_global_random_state_is_left_alone(self, name):
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        self._proposals(name, 0)
        assert torch.equal(torch.rand(1), expected)

    @staticmethod
    def _proposals(name, seed):
        strategy = STRATEGIES[name](SPACE, seed)
        found = []
        for number in range(6):
            found.append(strategy.ask(number))
            strategy.tell(found[-1], toy_reward(found[-1]))
        return found


def test_the_controller_learns():
    controller = Controller(SPACE, 0)
    rewards = []
    for number in range(150):
        candidate = controller.ask(number)
        rewards.append(toy_reward(candidate))
        controller.tell(candidate, rewards[-1])
    assert sum(rewards[-30:]) / 30 > sum(rewards[:30]) / 30 + 0.25


@pytest.mark.parametrize("name", SAMPLER_NAMES)
class TestInAStudy:
    def settings(self, name, trials):
        return StudySettings(RewardTargets(0.5, 1, 0.5, 1), 1.0, name, trials, seed=1, proposals=trials)

    def test_finds_something_feasible_and_repeats_itself(self, name):
        runs = []
        for _ in range(2):
            objective = ToyObjective()
            study = SearchStudy(SPACE, objective, self.settings(name, 30))
            outcomes = study.run()
            assert len(outcomes) == 30
            assert all(outcome.candidate in SPACE for outcome in outcomes)
            assert any(outcome.feasible for outcome in outcomes)
            assert all((outcome.accuracy is None) == bool(outcome.refusals) for outcome in outcomes)
            assert len(set(objective.trained)) == len(objective.trained)
            runs.append([outcome.candidate for outcome in outcomes])
        assert runs[0] == runs[1]

    def test_resumes_where_it_stopped(self, name, tmp_path):
        whole = SearchStudy(SPACE, ToyObjective(), self.settings(name, 16)).run()
        url = f"sqlite:///{tmp_path}/study.db"
        SearchStudy(SPACE, ToyObjective(), self.settings(name, 9), url).run()
        resumed = SearchStudy(SPACE, ToyObjective(), self.settings(name, 16), url, resume=True)
        assert len(resumed.outcomes) == 9
        assert [o.candidate for o in resumed.run()] == [o.candidate for o in whole]


def test_unknown_strategy():
    message = "^unknown search strategy 'annealing'; known: reinforce, random, tpe, nsga2$"
    with pytest.raises(ConfigError, match=message):
        SearchStudy(SPACE, ToyObjective(), StudySettings(RewardTargets(0, 1, 0, 1), 1.0, "annealing"))
