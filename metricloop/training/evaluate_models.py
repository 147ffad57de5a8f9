"""Evaluate trained models on a held-out split."""

from __future__ import annotations

import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import PREDICTIONS
from metricloop.evaluation.coco import coco_evaluate
from metricloop.params import Params
from metricloop.training.detect import detect, prediction_columns

SEED_PREDICTIONS = pa.schema([pa.field("seed", pa.int32()), *PREDICTIONS])


def evaluate_models(models: dict, held_out: Dataset, params: Params):
    """Evaluate the model of each seed on `held_out`. Returns seed -> (numbers, matches, prediction columns)."""
    results = {}
    for seed, model in models.items():
        detections = detect(model, held_out, params)
        evaluation = coco_evaluate(held_out, detections, params.evaluate.max_detections)
        results[seed] = evaluation.numbers, evaluation.matches, prediction_columns(held_out, detections)
    return results
