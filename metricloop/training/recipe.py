"""The recipe of a trained model: every setting that trials must share to be comparable, and its hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from metricloop.data.dataset import Dataset
from metricloop.params import Params, weights_digest


def train_recipe(params: Params, search: Dataset) -> dict[str, Any]:
    """What makes a trained model, except its subset and its seed. Trials with equal recipes can be compared."""
    from metricloop.detector.augment import choose_backend
    from metricloop.detector.detectors import frozen_parts
    from metricloop.detector.engine import choose_device

    train = params.train
    device = choose_device(train.device).type
    return {
        "detector": train.detector,
        "weights": weights_digest(train.weights),
        "frozen": list(frozen_parts(train.detector, train.weights)),
        "image_size": train.image_size,
        "iterations": train.iterations,
        "batch_size": train.batch_size,
        "learning_rate": train.learning_rate,
        "augment": choose_backend(train.augment),
        "device": device,
        "amp": train.amp and device == "cuda",
        "search_images": content_digest(search.sha256.tolist()),
    }


def full_recipe(trained: dict[str, Any], params: Params, search: Dataset) -> dict[str, Any]:
    """{"hash", "fields"}: the recipe of a trained model, and the settings and labels of its evaluation."""
    fields = trained | {
        "score_threshold": params.evaluate.score_threshold,
        "max_detections": params.evaluate.max_detections,
        "search_labels": content_digest(search.boxes.tolist(), search.labels.tolist()),
    }
    return {"hash": content_digest(fields), "fields": fields}


def content_digest(*values: Any) -> str:
    """A hash of JSON-able values, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
