"""How uncertain a model is about an image: from its out-of-fold scores, and from its loss on the labels."""

from __future__ import annotations

import numpy as np

from metricloop.data.frame import Frame, once
from metricloop.evaluation.greedy_match import greedy_match
from metricloop.metrics.catalogue._overlap import among_predictions, by_falling_score, overlap, predictions
from metricloop.metrics.contract import metric

COUNTED = 0.05  # detections below say little: a detector that lists a hundred an image has dozens of them
SAME_PLACE = 0.5  # IoU


@metric(level="image", needs=("predictions",))
def mean_confidence(frame: Frame, counted: float = COUNTED) -> float:
    """Mean score of the detections with a score of at least `counted`; 0 to 1. nan where there are none.

    Direction: higher is better: what the model knows it scores high. Unchanged when the image is rescaled.
    Source: encord-active's confidence, with the empty image told apart.

    >>> from metricloop import Detections
    >>> found = Detections(np.zeros((3, 4), np.float32), np.float32([0.75, 0.25, 0.01]), np.array([0, 0, 0]))
    >>> mean_confidence(Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found))
    0.5
    """
    scores = _scores(frame, counted)
    return float(scores.mean()) if len(scores) else float("nan")


@metric(level="image", needs=("predictions",))
def min_confidence(frame: Frame, counted: float = COUNTED) -> float:
    """Lowest score of the detections with a score of at least `counted`; `counted` to 1. nan where there are none.

    Direction: higher is better: nothing in the image is in doubt. Unchanged when the image is rescaled.
    Source: encord-active's confidence, with the empty image told apart.

    >>> from metricloop import Detections
    >>> found = Detections(np.zeros((3, 4), np.float32), np.float32([0.75, 0.25, 0.01]), np.array([0, 0, 0]))
    >>> min_confidence(Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found))
    0.25
    """
    scores = _scores(frame, counted)
    return float(scores.min()) if len(scores) else float("nan")


@metric(level="image", needs=("predictions",))
def max_confidence(frame: Frame) -> float:
    """Highest score of any detection; 0 to 1. 0 where there are none: the model sees nothing.

    Direction: higher is better. Unchanged when the image is rescaled. Source: encord-active's confidence.

    >>> from metricloop import Detections
    >>> found = Detections(np.zeros((2, 4), np.float32), np.float32([0.75, 0.25]), np.array([0, 0]))
    >>> max_confidence(Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found))
    0.75
    """
    return float(_scores(frame, 0.0).max(initial=0.0))


@metric(level="image", needs=("predictions",), higher_is="worse")
def prediction_entropy(frame: Frame) -> float:
    """How undecided the model is: entropy of its scores in bits, weighted by the scores; 0 to 1.

    sum(s H(s)) / sum(s) with H(s) = -s log2 s - (1 - s) log2(1 - s), the entropy of "there is an object here". nan
    without detections.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: entropy sampling (Settles 2009), for
    detectors as in Roy et al. (2018), the weight keeping a long tail of low scores from drowning the rest.

    >>> from metricloop import Detections
    >>> found = Detections(np.zeros((2, 4), np.float32), np.float32([1, 0.5]), np.array([0, 0]))
    >>> frame = Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found)
    >>> round(prediction_entropy(frame), 4)  # (1 * 0 + 0.5 * 1) / 1.5
    0.3333
    """
    scores = _scores(frame, 0.0)
    return _weighted(_entropy(scores), scores)


@metric(level="image", needs=("predictions",), higher_is="worse")
def least_confidence(frame: Frame) -> float:
    """Mean uncertainty (1 - score) over the places where the model detects something; 0 to 1.

    A place is a detection that none of a higher score overlaps with an IoU of 0.5 or more. The mean of 1 - score over
    the places, weighted by the score. nan without detections.
    Direction: higher is worse. Unchanged when the image is rescaled. Source: least confidence (Settles 2009), for
    detectors as in Brust et al. (2019).

    >>> from metricloop import Detections
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    >>> found = Detections(boxes, np.float32([0.75, 0.5, 0.25]), np.array([0, 1, 0]))
    >>> frame = Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found)
    >>> least_confidence(frame)  # (0.75 * 0.25 + 0.25 * 0.75) / 1
    0.375
    """
    top, _ = _places(frame)
    return _weighted(1 - top, top)


@metric(level="image", needs=("predictions",))
def prediction_margin(frame: Frame) -> float:
    """Mean lead of the best class over the second best at the places with detections; 0 to 1.

    Over the places of `least_confidence`: the score, less the best score of another class that overlaps it with an
    IoU of 0.5 or more; the mean, weighted by the score. nan without detections.
    Direction: higher is better. Unchanged when the image is rescaled. Source: margin sampling (Scheffer et al. 2001),
    for detectors as in Brust et al. (2019).

    >>> from metricloop import Detections
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    >>> found = Detections(boxes, np.float32([0.75, 0.5, 0.25]), np.array([0, 1, 0]))
    >>> frame = Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found)
    >>> prediction_margin(frame)  # (0.75 * 0.25 + 0.25 * 0.25) / 1
    0.25
    """
    top, second = _places(frame)
    return _weighted(top - second, top)


@metric(level="image", needs=("predictions",))
def score_variance(frame: Frame) -> float:
    """Variance of the scores of all detections; 0 to 0.25. nan without detections.

    Direction: higher is better: scores at both ends are decided ones. Unchanged when the image is rescaled.
    Source: variance scores of active learning toolkits.

    >>> from metricloop import Detections
    >>> found = Detections(np.zeros((2, 4), np.float32), np.float32([0.75, 0.25]), np.array([0, 0]))
    >>> score_variance(Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found))
    0.0625
    """
    scores = _scores(frame, 0.0)
    return float(scores.var()) if len(scores) else float("nan")


@metric(level="image", needs=("predictions",), higher_is="worse")
def log_loss(frame: Frame, clip: float = 0.01, hit: float = SAME_PLACE) -> float:
    """Negative log-likelihood of the labels under the predictions, in nats per label; 0 and above.

    Every detection predicts that a label of its class is there. With p its score, held between `clip` and 1 - `clip`:
    -log p where one is (COCO's greedy match from an IoU of `hit` on), -log(1 - p) where none is, and -log `clip` for a
    label without a detection. The sum is divided by the number of labels, or by 1 where there are none; 0 where
    there are no labels and no detections.
    Direction: higher is worse: labels that were not expected, objects without a label, or a hard image. Unchanged when
    the image is rescaled. Source: the logarithmic score (Good 1952), proper for each bet.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.5, 0.5]), np.array([0, 0]))
    >>> boxes = np.float32([[0, 0, 10, 10]])
    >>> round(log_loss(Frame(1, 100, 100, boxes, np.array([0]), predictions=found)), 4)  # 2 log 2
    1.3863
    """
    over, order = overlap(frame), by_falling_score(predictions(frame))
    scores = over.scores.clip(clip, 1 - clip)
    taken = greedy_match(over.iou * over.same, order, hit)
    found = taken[taken >= 0]
    lost = np.ones(len(scores), bool)
    lost[found] = False
    unseen = len(taken) - len(found)
    cost = -_total(np.log(scores[found])) - _total(np.log(1 - scores[lost])) - unseen * np.log(clip)
    return float(cost / max(1, len(frame.boxes)))


def _scores(frame: Frame, at_least: float) -> np.ndarray:
    """Scores in rising order, so that no sum over them depends on how they were given."""
    scores = np.sort(overlap(frame).scores)
    return scores[scores >= at_least]


@once
def _places(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """For every place where something is seen, the best score, and the best of another class there; rising."""
    found, shared = predictions(frame), among_predictions(frame) >= SAME_PLACE
    order = by_falling_score(found)
    shared, scores, labels = shared[np.ix_(order, order)], found.scores[order].astype(np.float64), found.labels[order]
    above = np.tril(shared, -1).any(axis=1)  # one of a higher score is there
    others = np.where(shared & (labels[:, None] != labels[None]), scores[None], 0.0).max(axis=1, initial=0.0)
    return scores[~above][::-1], others[~above][::-1]


def _entropy(p: np.ndarray) -> np.ndarray:
    """Bits of a yes that comes with probability p."""
    parts = np.stack([p, 1 - p])
    return -(parts * np.log2(parts, out=np.zeros_like(parts), where=parts > 0)).sum(axis=0)


def _weighted(values: np.ndarray, weights: np.ndarray) -> float:
    total = weights.sum()
    return float(values @ weights / total) if total > 0 else float("nan")


def _total(values: np.ndarray) -> float:
    """A sum that does not depend on the order."""
    return float(np.sort(values).sum())
