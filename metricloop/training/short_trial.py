"""A short trial: an arm's detector trained with a part of the iterations and evaluated, for screening."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from metricloop.params import Params
from metricloop.training.judged_trial import train_and_evaluate
from metricloop.training.trial import Trained
from metricloop.training.trials import Trial, TrialInputs

NUMBERS = ("mAP", "mAR")


def shortened(params: Params) -> Params:
    """The same parameters with `screen.share` of the iterations, so that its recipe is not that of a full trial."""
    iterations = max(1, round(params.screen.share * params.train.iterations))
    return params.model_copy(update={"train": params.train.model_copy(update={"iterations": iterations})})


def short_trial(trial: Trial, inputs: TrialInputs) -> tuple[dict[str, Any], Trained]:
    """Train on one draw with a part of the iterations. Returns the numbers on the search split, and the trial without
    its model.

    inputs: with the params of the study, whose full trials they describe.
    """
    numbers, _, trained = train_and_evaluate(trial, replace(inputs, params=shortened(inputs.params)))
    return {name: numbers[name] for name in NUMBERS}, trained
