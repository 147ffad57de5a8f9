"""Evaluate trained models on a held-out split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import PREDICTIONS
from metricloop.evaluation.coco import Matches, coco_evaluate
from metricloop.params import Params
from metricloop.training.detect import detect, load_model, prediction_columns

SEED_PREDICTIONS = pa.schema([pa.field("seed", pa.int32()), *PREDICTIONS])


def evaluate_models(models: dict, held_out: Dataset, params: Params):
    """Evaluate the model of each seed on `held_out`. Returns seed -> (numbers, matches, prediction columns)."""
    results = {}
    for seed, model in models.items():
        detections = detect(model, held_out, params)
        evaluation = coco_evaluate(held_out, detections, params.evaluate.max_detections)
        results[seed] = evaluation.numbers, evaluation.matches, prediction_columns(held_out, detections)
    return results


@dataclass(frozen=True)
class EvaluationInputs:
    """What all evaluations of a block read."""

    params: Params
    held_out: Dataset


@dataclass(frozen=True)
class Model:
    """One model to evaluate. state: its state dict. label: names it in messages."""

    label: str
    seed: int
    state: dict[str, Any]


def evaluate_model(model: Model, inputs: EvaluationInputs) -> tuple[dict[str, Any], Matches, dict[str, np.ndarray]]:
    """Evaluate one model: numbers, matches, prediction columns."""
    loaded = load_model(model.state, len(inputs.held_out.class_names), inputs.params)
    return evaluate_models({model.seed: loaded}, inputs.held_out, inputs.params)[model.seed]
