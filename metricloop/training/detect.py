"""What a trained detector finds in images, as detections and as the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.params import Params

if TYPE_CHECKING:
    import torch


def load_model(state: dict[str, Any], classes: int, params: Params) -> torch.nn.Module:
    """The study's detector with trained weights. state: its state dict; classes: their number."""
    from metricloop.detector.detectors import build_detector

    model = build_detector(params.train.detector, classes, params.train.image_size, "none", seed=0)
    model.load_state_dict(state)
    return model


def detect(
    model: torch.nn.Module, dataset: Dataset, params: Params, rows: Sequence[int] | None = None
) -> list[Detections]:
    """The detections of a trained model on images of `dataset`, in pixels of the original images.

    rows: which images, by default all.
    """
    from metricloop.detector.engine import choose_device, predict, settle
    from metricloop.detector.pixel_cache import Pixels, scales

    settle(params.train.threads)
    size = params.train.image_size
    return predict(
        model,
        range(len(dataset)) if rows is None else rows,
        Pixels(dataset, size, Path(layout.CACHE)),
        scales(dataset, size),
        device=choose_device(params.train.device),
        score_threshold=params.evaluate.score_threshold,
        max_detections=params.evaluate.max_detections,
    )


def prediction_columns(dataset: Dataset, detections: Iterable[Detections]) -> dict[str, np.ndarray]:
    """Detections, one entry per image of `dataset`, as the columns of the PREDICTIONS table."""
    detections = list(detections)
    counts = [len(found.scores) for found in detections]
    boxes = np.concatenate([found.boxes for found in detections] or [np.zeros((0, 4), np.float32)])
    return {
        "image_id": np.repeat(dataset.image_id, counts),
        **{name: boxes[:, k] for k, name in enumerate(("x1", "y1", "x2", "y2"))},
        "score": np.concatenate([found.scores for found in detections] or [np.zeros(0, np.float32)]),
        "label": np.concatenate([found.labels for found in detections] or [np.zeros(0, np.int64)]),
    }
