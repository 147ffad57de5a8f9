"""How much the predictions of a model change: for the mirrored picture, for its middle, with another seed."""

from __future__ import annotations

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import CROP, Detections, Frame
from metricloop.metrics.catalogue._overlap import overlap, overlap_with, predictions
from metricloop.metrics.contract import MetricError, metric

EDGE = 0.01  # share of a side within which a box of the cropped picture counts as cut off by its border


@metric(level="image", needs=("predictions", "views"))
def flip_consistency(frame: Frame) -> float:
    """How well the detections in a picture and in its mirror image agree; 0 to 1.

    The soft overlap of two lists of detections: each detection's share is its best IoU with one of its class in the
    other list, times the smaller of the two scores over its own; the mean over both lists, weighted by the squared
    score, so that a long tail of low scores hardly counts. nan when both lists are empty, 0 when one is.
    Direction: higher is better: clear objects are found in both. Unchanged when the
    image is rescaled. Source: CALD (Yu et al., arXiv 2103.10374) and CSD (Jeong et al. 2019), as one soft Dice index.

    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.5]), np.array([0]))
    >>> half = Detections(np.float32([[0, 0, 10, 5]]), np.float32([0.5]), np.array([0]))
    >>> none = np.zeros((0, 4), np.float32), np.zeros(0, int)
    >>> flip_consistency(Frame(1, 100, 100, *none, predictions=found, views={"flip": half}))
    0.5
    """
    return _agreement(predictions(frame), _view(frame, "flip"))


@metric(level="image", needs=("predictions", "views"))
def crop_consistency(frame: Frame) -> float:
    """How well the detections in the whole picture and in its enlarged middle agree; 0 to 1.

    As flip_consistency, of the picture's central part (80 % of each side) shown at full size. Only detections that the
    crop leaves whole must have a counterpart: those inside it, and those it does not cut. nan without any.
    Direction: higher is better: clear objects are found at any scale and with any surroundings. Unchanged when the
    image is rescaled. Source: as flip_consistency.

    >>> inside, outside = [20, 20, 60, 60], [0, 0, 15, 15]
    >>> found = Detections(np.float32([inside, outside]), np.float32([0.5, 0.5]), np.array([0, 0]))
    >>> cut = Detections(np.float32([inside, [10, 10, 15, 15]]), np.float32([0.5, 0.5]), np.array([0, 0]))
    >>> none = np.zeros((0, 4), np.float32), np.zeros(0, int)
    >>> crop_consistency(Frame(1, 100, 100, *none, predictions=found, views={"crop": cut}))
    1.0
    """
    found, seen = predictions(frame), _view(frame, "crop")
    whole, kept = _inside(frame, found, 0.0), _inside(frame, seen, EDGE)
    return _agreement(found, seen, whole, kept)


@metric(level="image", needs=("predictions", "views"), higher_is="worse")
def seed_disagreement(frame: Frame) -> float:
    """How much the detections of two models disagree that differ only in their training seed; 0 to 1.

    1 less the soft overlap of their detections, as in flip_consistency. nan without detections.
    Direction: higher is worse: the training data are not enough to decide what is here. Unchanged when the image is
    rescaled. Source: query by committee (Seung et al. 1992), for detectors as in Roy et al. (2018).

    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.5]), np.array([0]))
    >>> half = Detections(np.float32([[0, 0, 10, 5]]), np.float32([0.5]), np.array([0]))
    >>> none = np.zeros((0, 4), np.float32), np.zeros(0, int)
    >>> seed_disagreement(Frame(1, 100, 100, *none, predictions=found, views={"seed": half}))
    0.5
    """
    return 1 - _agreement(predictions(frame), _view(frame, "seed"))


@metric(level="object", needs=("predictions", "views"), higher_is="worse")
def seed_gap(frame: Frame) -> np.ndarray:
    """Difference between the scores that two models give this label, which differ only in their seed; (n,), 0 to 1.

    The distance between its object_confidence by the one and by the other: the best `score * IoU` of a prediction of
    the same class.
    Direction: higher is worse: the training data are not enough to decide whether this label is right. Unchanged
    when the image is rescaled. Source: query by committee (Seung et al. 1992).

    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.75]), np.array([0]))
    >>> other = Detections(np.float32([[0, 0, 10, 5]]), np.float32([0.5]), np.array([0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    >>> seed_gap(Frame(1, 100, 100, boxes, np.array([0, 0]), predictions=found, views={"seed": other})).tolist()
    [0.5, 0.0]
    """
    return np.abs(overlap(frame).best_same - overlap_with(frame, _view(frame, "seed")).best_same)


@metric(level="object", needs=("predictions", "views"))
def committee_confidence(frame: Frame) -> np.ndarray:
    """Mean object_confidence over the predictions and all their views; (n,), 0 to 1.

    For each label the best `score * IoU` of a prediction of the same class, for the out-of-fold model and for every
    view except the crop, which cuts objects; their mean.
    Direction: higher is better: as object_confidence, with less random variation. Unchanged when the
    image is rescaled. Source: deep ensembles (Lakshminarayanan et al. 2017) and test-time augmentation.

    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.75]), np.array([0]))
    >>> other = Detections(np.float32([[0, 0, 10, 5]]), np.float32([0.5]), np.array([0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    >>> committee_confidence(Frame(1, 100, 100, boxes, np.array([0, 0]), predictions=found, views={"flip": other}))
    array([0.5, 0. ])
    """
    looks = [overlap_with(frame, found).best_same for name, found in (frame.views or {}).items() if name != "crop"]
    return np.mean([overlap(frame).best_same, *looks], axis=0)


def _agreement(
    a: Detections, b: Detections, asked_a: np.ndarray | None = None, asked_b: np.ndarray | None = None
) -> float:
    """The soft overlap of two lists of detections; `asked`: (k,) bool, those that are asked for their counterpart."""
    shared = iou(a.boxes, b.boxes) * (a.labels[:, None] == b.labels[None])
    scores_a, scores_b = a.scores.astype(np.float64), b.scores.astype(np.float64)
    both = shared * np.minimum(scores_a[:, None], scores_b[None])
    agreed = claimed = 0.0
    for scores, best, asked in (
        (scores_a, both.max(axis=1, initial=0.0), asked_a),
        (scores_b, both.max(axis=0, initial=0.0), asked_b),
    ):
        own = slice(None) if asked is None else asked
        agreed += float(scores[own] @ best[own])
        claimed += float(scores[own] @ scores[own])
    return agreed / claimed if claimed > 0 else float("nan")


def _inside(frame: Frame, found: Detections, margin: float) -> np.ndarray:
    """The detections that lie inside the cropped part, by at least `margin` of the sides, (k,) bool."""
    sides = np.array([frame.width, frame.height], np.float64)
    low, high = sides * ((1 - CROP) / 2 + margin), sides * ((1 + CROP) / 2 - margin)
    boxes = found.boxes
    return np.all(np.concatenate([boxes[:, :2] >= low, boxes[:, 2:] <= high], axis=1), axis=1)


def _view(frame: Frame, name: str) -> Detections:
    views = frame.views or {}
    if name not in views:
        raise MetricError(f"there is no view {name!r}; ask for it in params.yaml: predict.views")
    return views[name]
