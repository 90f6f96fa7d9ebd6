"""The published reward, value by value (section 4.2)."""

import pytest

from hotnas_hls.search.evaluating.reward import RewardTargets, accuracy_reward, latency_reward, reward

TARGETS = RewardTargets(70, 90, 4.5, 5.5)


@pytest.mark.parametrize(
    "accuracy, expected", [(90.1, 1), (90, 1), (80, 0), (75, -0.5), (70, -1), (69.9, -1), (0, -1)]
)
def test_accuracy(accuracy, expected):
    assert accuracy_reward(accuracy, TARGETS) == expected


@pytest.mark.parametrize(
    "latency, expected",
    [(None, -1), (4.4, 1), (4.5, 1), (5.0, 0), (5.5, -1), (5.6, -0.1), (7.5, -2)],
)
def test_latency_jumps_at_the_bound_as_published(latency, expected):
    assert latency_reward(latency, TARGETS) == pytest.approx(expected)


@pytest.mark.parametrize(
    "accuracy, latency, expected",
    [
        (80, 5.0, 0.0),
        (91, 4.0, 1.0),
        (90, 5.0, 0.7),
        (None, None, -1.0),  # a resource is exceeded
        (None, 6.5, -0.7 - 0.3),  # refused by the hardware test
        (None, 5.6, -0.7 - 0.03),
    ],
)
def test_reward(accuracy, latency, expected):
    assert reward(accuracy, latency, TARGETS) == pytest.approx(expected)


def test_alpha_weighs():
    assert reward(80, 4.0, RewardTargets(70, 90, 4.5, 5.5, alpha=0.25)) == pytest.approx(0.75)


@pytest.mark.parametrize("targets", [(90, 70, 4, 5), (70, 90, 5, 4), (70, 70, 4, 5)])
def test_targets_must_rise(targets):
    with pytest.raises(ValueError, match="^reward targets must rise"):
        RewardTargets(*targets)


def test_alpha_is_a_share():
    with pytest.raises(ValueError, match=r"^alpha must be in \[0, 1\], not 1.5$"):
        RewardTargets(70, 90, 4, 5, alpha=1.5)
