"""Which decisions moved accuracy and latency most, by fANOVA over a study's trials (Optuna's)."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial

from hotnas_hls.platforms.space import SearchSpace
from hotnas_hls.search.evaluating.outcome import Outcome
from hotnas_hls.search.proposing.samplers import distributions

LEAST_TRIALS = 8  # fewer say nothing


def importance(
    space: SearchSpace, outcomes: Sequence[Outcome], word: str = "latency"
) -> dict[str, dict[str, float]]:
    """Shares by ``accuracy`` and by ``word``, the objective: each adds up to 1 over the axes, largest first.

    Refused candidates count for the objective: it is known of them. Empty where there are too few trials, or
    where they all came out the same.
    """
    figures = {
        "accuracy": [(o, o.accuracy) for o in outcomes if o.accuracy is not None],
        word: [(o, o.value) for o in outcomes if o.value is not None],
    }
    return {name: _shares(space, seen) for name, seen in figures.items()}


def _shares(space: SearchSpace, seen: Sequence[tuple[Outcome, float]]) -> dict[str, float]:
    if len(seen) < LEAST_TRIALS or len({value for _, value in seen}) == 1:
        return {}
    study = optuna.create_study()
    axes = distributions(space)
    study.add_trials(
        [
            create_trial(
                state=TrialState.COMPLETE, params=dict(outcome.candidate), distributions=axes, value=value
            )
            for outcome, value in seen
        ]
    )
    decided = [axis.name for axis in space.axes if len({o.candidate[axis.name] for o, _ in seen}) > 1]
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), params=decided)
    return {name: round(share, 4) for name, share in shares.items()}
