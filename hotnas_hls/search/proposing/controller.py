"""HotNAS's REINFORCE controller (section 4.1) as a strategy.

Kept: a recurrent policy of 35 hidden units, one embedding table (uniform -1..1) and one softmax head per
decision, one child per update, the loss the mean cross-entropy of the decisions scaled by the advantage,
Adam at 0.01.

Deviations, all named here:

* LSTM cell instead of TensorFlow's NASCell;
* autoregressive: a step reads the decision just made, both when sampling and when learning (published: the
  previous child when sampling, the sampled child when learning: not the gradient of the policy that acted);
* the baseline is a proper moving average of *earlier* rewards (published: a convolution that weighs the
  oldest reward most and includes the current one); the first advantage is 0;
* a small entropy bonus, without which a one-child-a-step policy freezes on its first lucky candidate;
* everything is seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hotnas_hls.platforms.space import Candidate, SearchSpace


@dataclass(frozen=True)
class ControllerSettings:
    """Constants of the controller; the defaults are HotNAS's where it has them."""

    hidden: int = 35
    learning_rate: float = 0.01
    baseline_decay: float = 0.9  # weight the moving average keeps at each reward
    entropy_weight: float = 0.01


class Policy(nn.Module):
    """One recurrent step per decision: embedding of the decision before -> LSTM -> softmax head."""

    def __init__(self, options: list[int], hidden: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, hidden))
        self.cell = nn.LSTMCell(hidden, hidden)
        tables = [nn.Embedding(count, hidden) for count in options]
        heads = [nn.Linear(hidden, count) for count in options]
        for table, head in zip(tables, heads, strict=True):
            nn.init.uniform_(table.weight, -1.0, 1.0)
            nn.init.zeros_(head.bias)
        self.embeddings, self.heads = nn.ModuleList(tables), nn.ModuleList(heads)

    def forward(
        self, decisions: list[int] | None, generator: torch.Generator | None = None
    ) -> tuple[list[int], list[Tensor]]:
        """The decisions (given, or sampled) and each step's log probabilities (options,)."""
        state: tuple[Tensor, Tensor] | None = None
        step_input: Tensor = self.start
        made, log_probabilities = [], []
        for step, (table, head) in enumerate(zip(self.embeddings, self.heads, strict=True)):
            state = self.cell(step_input, state)
            logp = torch.log_softmax(head(state[0])[0], dim=0)
            if decisions is None:
                choice = int(torch.multinomial(logp.exp(), 1, generator=generator))
            else:
                choice = decisions[step]
            made.append(choice)
            log_probabilities.append(logp)
            step_input = table(torch.tensor([choice]))
        return made, log_probabilities


class Controller:
    """The controller: ask samples the policy, tell moves it along the policy gradient."""

    def __init__(self, space: SearchSpace, seed: int, settings: ControllerSettings | None = None) -> None:
        self.space, self.seed = space, seed
        self.settings = settings or ControllerSettings()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.policy = Policy([len(axis.options) for axis in space.axes], self.settings.hidden)
        self.optimiser = torch.optim.Adam(self.policy.parameters(), lr=self.settings.learning_rate)
        self.baseline: float | None = None

    @torch.no_grad()
    def ask(self, number: int) -> Candidate:
        """A candidate sampled from the policy, for trial ``number``."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        made, _ = self.policy(None, generator)
        return self.space.candidate(made)

    def tell(self, candidate: Candidate, reward: float) -> None:
        """One REINFORCE step on ``candidate``."""
        advantage = 0.0 if self.baseline is None else reward - self.baseline
        decay = self.settings.baseline_decay
        self.baseline = reward if self.baseline is None else decay * self.baseline + (1 - decay) * reward
        decisions = [axis.options.index(candidate[axis.name]) for axis in self.space.axes]
        _, log_probabilities = self.policy(decisions)
        chosen = [logp[index] for logp, index in zip(log_probabilities, decisions, strict=True)]
        entropy = torch.stack([-(logp.exp() * logp).sum() for logp in log_probabilities]).mean()
        loss = -advantage * torch.stack(chosen).mean() - self.settings.entropy_weight * entropy
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
