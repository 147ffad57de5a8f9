"""Four kinds of wrong labels, scored by degrees: wrong class, wrong place, an extra label, a missing label."""

from __future__ import annotations

import numpy as np

from metricloop.data.boxes import areas
from metricloop.data.frame import Frame, once
from metricloop.evaluation.greedy_match import greedy_match
from metricloop.metrics.catalogue._overlap import by_falling_score, overlap, predictions
from metricloop.metrics.contract import metric

HIT = 0.5  # IoU from which a prediction speaks about a label


@metric(level="object", needs=("predictions",), higher_is="worse")
def mistakenness(frame: Frame, hit: float = HIT) -> np.ndarray:
    """How likely the class of a label is wrong, by the prediction matched to it; (n,), 0 to 1.

    (m c + 1) / 2 with c the prediction's score and m = 1 where its class is another one, -1 where it is the same. By
    falling score each prediction, whatever its class, takes the free label that it overlaps most, from an IoU of `hit`
    on. 0.5 for a label without a match: no evidence.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: mistakenness of FiftyOne Brain;
    class_doubt says the same by degrees.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.5, 0.5]), np.array([1, 0]))
    >>> boxes = np.float32([[0, 0, 10, 9], [50, 50, 60, 60], [80, 80, 90, 90]])
    >>> mistakenness(Frame(1, 100, 100, boxes, np.array([0, 0, 0]), ("cat", "dog"), predictions=found)).tolist()
    [0.75, 0.25, 0.5]
    """
    taken, score, _ = _matched(frame, hit)
    other = predictions(frame).labels[taken] != frame.labels if len(score) else np.zeros(len(taken), bool)
    return (np.where(other, 1, -1) * _of(score, taken) + 1) / 2


@metric(level="object", needs=("predictions",), higher_is="worse")
def mistaken_location(frame: Frame, hit: float = HIT) -> np.ndarray:
    """How likely a label is badly placed, by the prediction matched to it; (n,), 0 to 1.

    (c (2 i - 1) + 1) / 2 with c the prediction's score and i = (1 - IoU) / (1 - `hit`), which is 0 for the same box
    and 1 at the loosest match. Matched as in `mistakenness`; 0.5 for a label without a prediction.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: location mistakenness of FiftyOne Brain,
    whose i = 2 (1 - IoU) this is at a `hit` of 0.5; location_doubt says the same by degrees.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.5, 0.5]), np.array([0, 0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 55], [80, 80, 90, 90]])
    >>> mistaken_location(Frame(1, 100, 100, boxes, np.array([0, 0, 0]), predictions=found)).tolist()
    [0.25, 0.75, 0.5]
    """
    taken, score, shared = _matched(frame, hit)
    loose = (1 - shared) / (1 - hit) if hit < 1 else 1 - shared
    return (_of(score, taken) * (2 * loose - 1) + 1) / 2


@metric(level="object", needs=("predictions",), higher_is="worse")
def possible_spurious(frame: Frame) -> np.ndarray:
    """How likely a label has no object of its own; (n,), 0 to 1.

    1 less the support of its matched prediction, over the best score of the image. Of all pairs of a label and
    a prediction, whatever their classes, the one with the greatest `score * IoU` is taken, then the greatest of those
    left, and so on: one prediction supports one label only, so it does not support a box beside the object. 1 where
    nothing is left for a label, or nothing was predicted.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: possible_spurious of FiftyOne Brain, by
    degrees in place of thresholds, and against what the model is sure of in this image.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.5, 0.25]), np.array([1, 0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    >>> possible_spurious(Frame(1, 100, 100, boxes, np.array([0, 0, 0]), ("cat", "dog"), predictions=found)).tolist()
    [0.0, 1.0, 0.5]
    """
    over = overlap(frame)
    return 1 - _own_support(over.support) / _surest(over.scores)


@metric(level="object", needs=("predictions",), higher_is="worse")
def class_doubt(frame: Frame) -> np.ndarray:
    """How much more the model supports another class than the label's; (n,), 0 to 1, 0.5 without predictions.

    (1 - margin / top) / 2 with the class margin, best `score * IoU` of the same class less that of another, and the
    best score of the image: how sure the model gets differs from image to image.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: mistakenness of FiftyOne Brain, by
    degrees: all predictions, of any overlap, in place of one.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [0, 0, 10, 5]]), np.float32([0.5, 0.5]), np.array([1, 0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [80, 80, 90, 90]])
    >>> class_doubt(Frame(1, 100, 100, boxes, np.array([0, 0]), ("cat", "dog"), predictions=found)).tolist()
    [0.75, 0.5]
    """
    over = overlap(frame)
    return (1 - (over.best_same - over.best_other) / _surest(over.scores)) / 2


@metric(level="object", needs=("predictions",), higher_is="worse")
def location_doubt(frame: Frame, near: float = 0.2) -> np.ndarray:
    """How badly a box fits the predicted object at its place; (n,), 0 to 1.

    1 - max(score * IoU^2) / max(score), over the predictions of the same class, the latter over those with an IoU of at
    least `near`: 0 where the surest prediction about is the box itself. 1 where none is that near.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: location mistakenness of FiftyOne Brain
    and badly located boxes of ObjectLab (arXiv 2309.00832), by degrees in place of thresholds: a low score, which a
    hard object gets however well its box is drawn, cancels out.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 5], [0, 0, 10, 10]]), np.float32([0.75, 0.375]), np.array([0, 0]))
    >>> boxes = np.float32([[0, 0, 10, 5], [0, 0, 10, 10], [80, 80, 90, 90]])
    >>> location_doubt(Frame(1, 100, 100, boxes, np.array([0, 0, 0]), predictions=found)).tolist()
    [0.0, 0.5, 1.0]
    """
    over = overlap(frame)
    fit = np.where(over.same, over.support * over.iou, 0.0).max(axis=1, initial=0.0)
    best = np.where(over.same & (over.iou >= near), over.scores, 0.0).max(axis=1, initial=0.0)
    return 1 - np.divide(fit, best, out=np.zeros_like(fit), where=best > 0).clip(0, 1)


@metric(level="image", needs=("predictions",), higher_is="worse")
def possible_missing(frame: Frame, usual: float = 0.3) -> float:
    """How likely the image shows an unlabelled object; 0 to 1.

    u / (u + m + `usual`): u is the greatest `score * (1 - covered)` of a prediction, whatever its class, where
    `covered` is the mean of its IoU with a label and of the share of the smaller of the two that the other covers, for
    the label where that is greatest; m is the median over the labels of their best `score * IoU`, what the model
    usually says of what is labelled here. So a score is judged relative to the scores of labelled objects.
    0 without predictions.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: possible_missing of FiftyOne Brain, by
    degrees in place of thresholds.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.2, 0.5]), np.array([0, 0]))
    >>> round(possible_missing(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found)), 3)
    0.5
    """
    over = overlap(frame)
    unlabelled = float((over.scores * (1 - _covered(frame))).max(initial=0.0))
    typical = float(np.median(over.support.max(axis=1, initial=0.0))) if len(frame.boxes) else 0.0
    return unlabelled / (unlabelled + typical + usual) if unlabelled else 0.0


def _own_support(support: np.ndarray) -> np.ndarray:
    """What every label gets, (n,), when the greatest of the (n, k) is taken, its row and column go, and so on."""
    left, own = support.copy(), np.zeros(len(support))
    for _ in range(min(support.shape)):
        label, prediction = divmod(int(left.argmax()), left.shape[1])
        if left[label, prediction] <= 0:
            break
        own[label] = left[label, prediction]
        left[label], left[:, prediction] = -1.0, -1.0
    return own


def _surest(scores: np.ndarray) -> float:
    """The best score of the image; 1 where there is none, or it is 0."""
    return float(scores.max(initial=0.0)) or 1.0


@once
def _covered(frame: Frame) -> np.ndarray:
    """How far each prediction lies on what is labelled, (k,), 0 to 1; see possible_missing."""
    shared = overlap(frame).iou
    labelled, found = (areas(boxes) for boxes in (frame.boxes, predictions(frame).boxes))
    common = shared / (1 + shared) * (labelled[:, None] + found[None])
    smaller = np.minimum(labelled[:, None], found[None])
    share = np.divide(common, smaller, out=np.zeros_like(common), where=smaller > 0)
    return ((shared + share) / 2).max(axis=0, initial=0.0).clip(0, 1)


def _matched(frame: Frame, hit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each label the prediction it is matched to, whatever its class, -1 for none; the scores of all predictions;
    and the IoU of each label with its own."""
    over = overlap(frame)
    taken = greedy_match(over.iou, by_falling_score(predictions(frame)), hit)
    shared = np.zeros(len(taken))
    own = np.flatnonzero(taken >= 0)
    shared[own] = over.iou[own, taken[own]]
    return taken, over.scores, shared


def _of(scores: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """The score of the prediction that each label got, 0 for none, (n,)."""
    return np.where(taken >= 0, scores[taken], 0.0) if len(scores) else np.zeros(len(taken))
