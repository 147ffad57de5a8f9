"""Shared by the families about a model: labels against predictions, computed once per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import Detections, Frame, once


@dataclass(frozen=True)
class Overlap:
    """Labels (n) against predictions (k). iou: (n, k) float64 of any class; same: (n, k) bool, of the same class;
    scores: (k,) float64; support: (n, k) score * IoU, how strongly a prediction supports an object there.
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
    boxes = predictions(frame).boxes
    shared = iou(boxes, boxes)
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
