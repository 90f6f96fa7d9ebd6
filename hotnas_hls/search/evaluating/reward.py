"""HotNAS's reward (section 4.2): accuracy and latency against their targets, weighted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RewardTargets:
    """Where accuracy and latency earn their full reward, and where none.

    Accuracy and its targets share a unit, as do latency and its targets; the published unit of latency
    (milliseconds) only scales the punishment of a latency above ``latency_high``.
    """

    accuracy_low: float
    accuracy_high: float
    latency_low: float
    latency_high: float  # the bound
    alpha: float = 0.7  # weight of accuracy

    def __post_init__(self) -> None:
        if not (self.accuracy_low < self.accuracy_high and 0 <= self.latency_low < self.latency_high):
            raise ValueError(f"reward targets must rise: {self}")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], not {self.alpha}")


def accuracy_reward(accuracy: float, targets: RewardTargets) -> float:
    """rA: -1 below the low target, 1 above the high one, a line between."""
    if accuracy > targets.accuracy_high:
        return 1.0
    if accuracy < targets.accuracy_low:
        return -1.0
    return 2 * (accuracy - targets.accuracy_low) / (targets.accuracy_high - targets.accuracy_low) - 1


def latency_reward(latency: float | None, targets: RewardTargets) -> float:
    """rT: ``None`` (a resource is exceeded) -1; above the bound the negative excess; 1 below the low target.

    As published, the value jumps at the bound: just below it -1, just above it about 0.
    """
    if latency is None:
        return -1.0
    if latency > targets.latency_high:
        return targets.latency_high - latency
    if latency < targets.latency_low:
        return 1.0
    return 2 * (targets.latency_high - latency) / (targets.latency_high - targets.latency_low) - 1


def reward(accuracy: float | None, latency: float | None, targets: RewardTargets) -> float:
    """alpha rA + (1 - alpha) rT; ``accuracy`` ``None``: refused by the hardware test, counted as rA = -1."""
    earned = -1.0 if accuracy is None else accuracy_reward(accuracy, targets)
    return targets.alpha * earned + (1 - targets.alpha) * latency_reward(latency, targets)
