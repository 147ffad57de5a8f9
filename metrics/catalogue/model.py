"""Metrics that compare the labels with out-of-fold predictions: what a model says that never saw the image."""

from __future__ import annotations

import numpy as np

from detection.errors import iou
from detection.frame import Frame
from metrics.contract import metric


@metric(level="object", needs=("predictions",))
def object_confidence(frame: Frame) -> np.ndarray:
    """How far a model that never saw the image agrees that this object is there; (n,), 0 to 1.

    For each label the best `score * IoU` over the predictions of the same class; 0 where none overlaps.
    Direction: higher is better: a low value is a label that is wrong, badly placed, of another class, or hard.
    Unchanged when the image is rescaled. Source: "object confidence" of Encord's article (2023), read as in
    cleanlab's ObjectLab (arXiv 2309.00832): confidence and overlap with the best prediction of the same class.

    >>> from detection.frame import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 5]]), np.float32([0.5]), np.array([0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    >>> object_confidence(Frame(1, 100, 100, boxes, np.array([0, 0]), predictions=found)).tolist()
    [0.25, 0.0]
    """
    overlap, scores = _same_class_overlap(frame)
    return (overlap * scores).max(axis=1, initial=0.0)


@metric(level="image", needs=("predictions",))
def label_agreement(frame: Frame, confident: float = 0.3) -> float:
    """How much of what labels and model claim together they claim both; 0 to 1.

    agreed / (labels + surprises): `agreed` sums object_confidence over the labels, `surprises` sums
    `score * (1 - best IoU with a label of the same class)` over predictions with a score of at least `confident`.
    So it falls with labels the model does not find *and* with objects nobody labelled. An image with labels and no
    predictions scores 0. nan where neither claims anything.
    Direction: higher is better. Unchanged when the image is rescaled. Source: a soft Jaccard index of the two sets.

    >>> from detection.frame import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.75, 0.5]), np.array([0, 0]))
    >>> label_agreement(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found))
    0.5
    """
    overlap, scores = _same_class_overlap(frame)
    agreed = (overlap * scores).max(axis=1, initial=0.0).sum()
    surprise = scores * (1 - overlap.max(axis=0, initial=0.0))
    claims = len(frame.boxes) + surprise[scores >= confident].sum()
    return float(agreed / claims) if claims > 0 else float("nan")


def _same_class_overlap(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """IoU of every label with every prediction, 0 across classes, (n, k); and the predictions' scores, (k,)."""
    found = frame.predictions
    assert found is not None  # the contract checks it
    return iou(frame.boxes, found.boxes) * (frame.labels[:, None] == found.labels[None]), found.scores.astype(float)
