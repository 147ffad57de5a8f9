"""What the families about a model share: labels against predictions, once per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metricloop.data.frame import Detections, Frame, once
from metricloop.evaluation.error_types import iou


@dataclass(frozen=True)
class Overlap:
    """Labels (n) against predictions (k). iou: (n, k) float64 of any class; same: (n, k) bool, of the same class;
    scores: (k,) float64; support: (n, k) score * IoU, how much a prediction speaks for something being there.
    """

    iou: np.ndarray
    same: np.ndarray
    scores: np.ndarray
    support: np.ndarray

    @property
    def best_same(self) -> np.ndarray:
        """The best support by a prediction of the label's class, (n,); 0 where there is none."""
        return np.where(self.same, self.support, 0.0).max(axis=1, initial=0.0)

    @property
    def best_other(self) -> np.ndarray:
        """The best support by a prediction of another class, (n,); 0 where there is none."""
        return np.where(self.same, 0.0, self.support).max(axis=1, initial=0.0)


@once
def overlap(frame: Frame) -> Overlap:
    """The labels of a frame against its predictions."""
    return overlap_with(frame, predictions(frame))


def overlap_with(frame: Frame, found: Detections) -> Overlap:
    """The labels of a frame against any detections."""
    shared, scores = iou(frame.boxes, found.boxes), found.scores.astype(np.float64)
    made = Overlap(shared, frame.labels[:, None] == found.labels[None], scores, shared * scores)
    for array in vars(made).values():
        array.flags.writeable = False  # several metrics read it
    return made


@once
def among_predictions(frame: Frame) -> np.ndarray:
    """IoU of every prediction with every other, (k, k); 1 on the diagonal but for boxes without an area."""
    x1, y1, x2, y2 = predictions(frame).boxes.T.astype(np.float64)
    # one axis after the other: with a hundred predictions this takes half the time of `iou`
    common = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    common.clip(0, out=common)
    common *= (np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)).clip(0)
    area = common.diagonal()
    total = area[:, None] + area - common
    shared = np.divide(common, total, out=np.zeros_like(common), where=total > 0)
    shared.flags.writeable = False
    return shared


def predictions(frame: Frame) -> Detections:
    """The out-of-fold predictions of a frame whose metric declared that it needs them."""
    assert frame.predictions is not None  # the contract checks it
    return frame.predictions


def by_falling_score(found: Detections, at_least: float = 0.0) -> np.ndarray:
    """The order of the detections with a score of at least `at_least`; equals by class, then box, not as they came."""
    order = np.lexsort((*found.boxes.T[::-1], found.labels, -found.scores))
    return order[found.scores[order] >= at_least]


def assign(shared: np.ndarray, order: np.ndarray, threshold: float) -> np.ndarray:
    """The prediction that each label gets, (n,) int, -1 for none: by falling score each prediction takes the free
    label it overlaps most, from an IoU of `threshold` on (COCO's greedy assignment, one class).

    shared: (n, k) IoU, 0 where a pair may not be made; order: predictions by falling score.
    """
    taken = np.full(len(shared), -1)
    free = np.ones(len(shared), bool)
    if not len(shared):
        return taken
    for row in order[shared[:, order].max(axis=0, initial=0.0) >= threshold]:
        best = int(np.where(free, shared[:, row], -1.0).argmax())
        if free[best] and shared[best, row] >= threshold:
            taken[best], free[best] = row, False
    return taken
