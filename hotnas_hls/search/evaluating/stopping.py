"""When training a candidate further is hopeless: a median rule among the trials at least as fast.

Optuna's pruners do not take studies of two objectives: by accuracy alone they would stop what is fast. Here
a candidate is compared with the trials that are no slower, so that the fastest is never stopped, and what is
stopped was slower *and* less accurate than most of them at the same look.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from hotnas_hls.search.evaluating.outcome import Outcome

CHECKS = (0.0, 0.5)  # shares of the fine-tuning after which a candidate is looked at
LEAST_RIVALS = 5  # trained to the end, before anybody is stopped
CHECK_IMAGES = 500  # of validation, at most

Limits = tuple[float | None, ...]  # least accuracy at each look; None: never stopped there
UNLIMITED: Limits = (None,) * len(CHECKS)


def limits(value: float, outcomes: Iterable[Outcome]) -> Limits:
    """What a candidate whose objective is ``value`` must reach at each look, by the trials so far."""
    rivals = [
        outcome.checks
        for outcome in outcomes
        if outcome.accuracy is not None
        and outcome.repeats is None
        and outcome.value is not None
        and outcome.value <= value
        and len(outcome.checks) == len(CHECKS)
    ]
    if len(rivals) < LEAST_RIVALS:
        return UNLIMITED
    return tuple(statistics.median(looks) for looks in zip(*rivals, strict=True))


def verdict(look: int, accuracy: float, limit: Limits) -> str | None:
    """Why to stop at this look, ``None`` to go on."""
    least = limit[look]
    if least is None or accuracy >= least:
        return None
    return (
        f"accuracy {accuracy:.2%} after {CHECKS[look]:.0%} of the fine-tuning is below {least:.2%}, "
        "the median of the trials at least as fast"
    )
