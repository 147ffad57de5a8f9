"""ObjectLab's three kinds of wrong labels: an overlooked object, a badly located box, a swapped class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import Frame, once
from metricloop.metrics.catalogue._overlap import Overlap, overlap, predictions
from metricloop.metrics.contract import metric

# ObjectLab's constants (arXiv 2309.00832), in the names of the paper where it has one.
ALPHA = 0.9  # what IoU counts for in the similarity of two boxes, against the distance of their centres
TEMPERATURE = 0.1  # of the soft minimum over the boxes of an image
CONFLICT = 0.95  # IoU from which two labels of different classes are one object labelled twice
# ObjectLab takes exp(-0.1 d) with d in pixels, so that a larger picture of the same scene scores otherwise. Here d is
# a share of the image's diagonal; at 800 pixels, that of 640 x 480, the two are the same.
FALL_OFF = 80.0
# ObjectLab asks for 0.5 and 0.95, of a softmax. Scores of a focal loss seldom get there.
CONFIDENT, SURE = 0.3, 0.5
UNFOUND = 0.5  # of a label that no confident prediction touches: neither well placed nor badly


class BoxScores(NamedTuple):
    """overlooked: (k,) per prediction, nan for those unsure or on a label; located, swapped: (n,) per label."""

    overlooked: np.ndarray
    located: np.ndarray
    swapped: np.ndarray


@metric(level="image", needs=("predictions",))
def overlooked(frame: Frame, sure: float = SURE) -> float:
    """How unlikely it is that the image shows an unlabelled object; 0 to 1 (high = fine).

    The soft minimum, over the predictions with a score of at least `sure` that touch no label, of the similarity to
    the nearest label of their class; nearly 0 without such a label. 1 where there is no such prediction.
    Similarity is 0.9 IoU + 0.1 exp(-80 d), d the distance of the centres over the image's diagonal.
    Direction: higher is better. Unchanged when the image is rescaled. Source: ObjectLab (arXiv 2309.00832), with the
    diagonal for pixels and a lower `sure`; possible_missing says the same by degrees.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[50, 50, 60, 60]]), np.float32([0.75]), np.array([0]))
    >>> labelled = Frame(1, 100, 100, np.float32([[48, 48, 62, 62]]), np.array([0]), predictions=found)
    >>> empty = Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found)
    >>> overlooked(labelled), overlooked(empty) < 0.01
    (1.0, True)
    """
    return soft_min(_scores(frame, sure=sure).overlooked, TEMPERATURE)


@metric(level="object", needs=("predictions",))
def badly_located(frame: Frame, confident: float = CONFIDENT, unfound: float = UNFOUND) -> np.ndarray:
    """How well a box fits the predictions of its class; (n,), 0 to 1 (high = fine).

    The best similarity to a prediction of the same class that overlaps it, with a score above `confident`; `unfound`
    when there is none: unknown. Similarity as in `overlooked`.
    Direction: higher is better: a low value is a badly placed box. Unchanged when the image is rescaled.
    Source: ObjectLab (arXiv 2309.00832), where a box that the model does not find gets 1.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.75]), np.array([0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 20, 20], [50, 50, 60, 60]])
    >>> badly_located(Frame(1, 100, 100, boxes, np.array([0, 0, 0]), predictions=found)).round(3).tolist()
    [1.0, 0.227, 0.5]
    """
    return _scores(frame, confident=confident, unfound=unfound).located


@metric(level="object", needs=("predictions",))
def swapped(frame: Frame, sure: float = SURE) -> np.ndarray:
    """How unlikely another class than the label's is; (n,), 0 to 1 (high = fine).

    1 less the best similarity to a prediction of another class with a score above `sure`; 1 when there is none.
    Nearly 0 for a box that a label of another class covers (IoU of 0.95 and more). Similarity as in `overlooked`.
    Direction: higher is better: a low value is a wrong class. Unchanged when the image is rescaled.
    Source: ObjectLab (arXiv 2309.00832); class_margin says the same by degrees.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.75]), np.array([1]))
    >>> boxes = np.float32([[0, 0, 10, 5], [90, 90, 99, 99]])
    >>> swapped(Frame(1, 100, 100, boxes, np.array([0, 0]), ("cat", "dog"), predictions=found)).round(3).tolist()
    [0.526, 1.0]
    """
    return _scores(frame, sure=sure).swapped


@metric(level="image", needs=("predictions",))
def label_quality(
    frame: Frame,
    confident: float = CONFIDENT,
    sure: float = SURE,
    unfound: float = UNFOUND,
    temperature: float = TEMPERATURE,
) -> float:
    """How likely an image has no wrong or missing labels; 0 to 1.

    The geometric mean of `overlooked` and the soft minima of `badly_located` and `swapped` over the labels; 1 in place
    of these for an image without labels. With labels and no predictions, and `unfound` at 0.5, it is 0.79.
    Direction: higher is better. Unchanged when the image is rescaled. Source: ObjectLab (arXiv 2309.00832), for which
    an image with labels and no predictions is perfect.

    >>> from metricloop import Detections
    >>> none = Detections.empty()
    >>> round(label_quality(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=none)), 2)
    0.79
    """
    return quality(_scores(frame, confident=confident, sure=sure, unfound=unfound), temperature)


def quality(scores: BoxScores, temperature: float) -> float:
    """One number for an image: the geometric mean of the soft minima."""
    parts = np.array([soft_min(part, temperature) for part in scores])
    return float(np.exp(np.log(parts + 1e-100).mean()))


def soft_min(scores: np.ndarray, temperature: float) -> float:
    """Mean of the scores weighted by exp(-score / temperature), nan left out; 1 where there are none."""
    scores = np.sort(scores[~np.isnan(scores)])  # so that the sum does not depend on their order
    if not len(scores):
        return 1.0
    weights = np.exp((scores[0] - scores) / temperature)
    return float(weights @ scores / weights.sum())


def similarity(over: Overlap, frame: Frame, alpha: float, fall_off: float, unit: float) -> np.ndarray:
    """How alike labels and predictions lie, (n, k): alpha IoU + (1 - alpha) exp(-fall_off distance / unit)."""
    labelled, found = (boxes.astype(np.float64) for boxes in (frame.boxes, predictions(frame).boxes))
    apart = (labelled[:, None, :2] + labelled[:, None, 2:] - found[None, :, :2] - found[None, :, 2:]) / 2
    distance = np.hypot(apart[..., 0], apart[..., 1])
    return alpha * over.iou + (1 - alpha) * np.exp(-fall_off / unit * distance)


def box_scores(
    frame: Frame, alike: np.ndarray, confident: float, sure: float, unfound: float, floor: float
) -> BoxScores:
    """ObjectLab's scores per box. alike: `similarity`; floor: the smallest similarity there can be."""
    over = overlap(frame)
    alone = (over.scores >= sure) & ~(over.iou > 0).any(axis=0)
    nearest = np.where(over.same, alike, -1.0).max(axis=0, initial=-1.0)
    missed = np.where(nearest >= 0, nearest, floor * (1 - over.scores))
    fits = over.same & (over.scores > confident) & (over.iou > 0)
    located = np.where(fits.any(axis=1), np.where(fits, alike, 0.0).max(axis=1, initial=0.0), unfound)
    named = ~over.same & (over.scores > sure)
    other = 1 - np.where(named, alike, 0.0).max(axis=1, initial=0.0)
    clear = np.where(named.any(axis=1), np.maximum(other, floor), 1.0)
    return BoxScores(np.where(alone, missed, np.nan), located, np.where(_conflicting(frame), floor, clear))


def _scores(frame: Frame, confident: float = CONFIDENT, sure: float = SURE, unfound: float = UNFOUND) -> BoxScores:
    alike = _alike(frame)
    # ObjectLab's floor is the smallest similarity of the data set; here it is that of boxes one diagonal apart.
    return box_scores(frame, alike, confident, sure, unfound, floor=(1 - ALPHA) * float(np.exp(-FALL_OFF)))


@once
def _alike(frame: Frame) -> np.ndarray:
    """`similarity` with the constants above."""
    return similarity(overlap(frame), frame, ALPHA, FALL_OFF, float(np.hypot(frame.width, frame.height)))


def _conflicting(frame: Frame) -> np.ndarray:
    """Labels that a label of another class covers, (n,) bool."""
    twice = iou(frame.boxes, frame.boxes) >= CONFLICT
    return (twice & (frame.labels[:, None] != frame.labels[None])).any(axis=1)
