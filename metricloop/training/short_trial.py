"""A short trial: an arm's detector trained with a part of the iterations and evaluated, for screening."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metricloop.data.dataset import Dataset
from metricloop.params import Params
from metricloop.training.detect import load_model
from metricloop.training.evaluate_models import evaluate_models
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import Trained, train_trial

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = ("mAP", "mAR")


def shortened(params: Params) -> Params:
    """The same parameters with `screen.share` of the iterations, so that its recipe is not that of a full trial."""
    iterations = max(1, round(params.screen.share * params.train.iterations))
    return params.model_copy(update={"train": params.train.model_copy(update={"iterations": iterations})})


def short_trial(
    label: str, pool: Dataset, search: Dataset, draw: pa.Table, params: Params, seed: int
) -> tuple[dict[str, Any], Trained]:
    """Train on one draw (SUBSET rows) with a part of the iterations. Returns the numbers on the search split, and the
    trial without its model.

    params: of the study, whose full trials they describe. label: begins the lines of progress.
    """
    short = shortened(params)
    trained = train_trial(label, pool, draw, short, train_recipe(short, search), seed)
    model = load_model(trained.model, len(search.class_names), short)
    numbers, _, _ = evaluate_models({seed: model}, search, short)[seed]
    return {name: numbers[name] for name in NUMBERS}, replace(trained, model={})
