"""A trial that is evaluated where it was trained; the model itself does not come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metricloop.evaluation.coco import Matches
from metricloop.training.detect import load_model
from metricloop.training.evaluate_models import evaluate_models
from metricloop.training.trial import Trained
from metricloop.training.trials import Trial, TrialInputs, train


def train_and_evaluate(trial: Trial, inputs: TrialInputs) -> tuple[Mapping[str, Any], Matches, Trained]:
    """Train a detector and evaluate it on the held-out images: numbers, matches, and the trial without its model."""
    trained = train(trial, inputs)
    model = load_model(trained.model, len(inputs.held_out.class_names), inputs.params)
    numbers, matches, _ = evaluate_models({trial.seed: model}, inputs.held_out, inputs.params)[trial.seed]
    return numbers, matches, replace(trained, model={})
