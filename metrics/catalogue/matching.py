"""Labels and predictions matched one to one, without a fixed threshold: what stays unmatched on either side."""

from __future__ import annotations

import numpy as np

from metricloop.data.frame import Frame
from metricloop.metrics.catalogue._overlap import overlap
from metricloop.metrics.contract import metric


@metric(level="object", needs=("predictions",))
def exclusive_agreement(frame: Frame) -> np.ndarray:
    """How well a label fits a prediction that no other label is matched to; (n,), 0 to 1.

    Pairs of label and prediction are made by falling `sqrt(score) * IoU ** 2`, of one class, each of both at most once;
    0 for a label that is left without. So the second of two labels of one object loses the prediction to the first.
    Direction: higher is better: a low value is a box that is badly placed, doubled, of another class or of nothing.
    Unchanged when the image is rescaled. Source: one-to-one matching, as in COCO's evaluation (Lin et al. 2014), by
    degrees in place of a threshold.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.81]), np.array([0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9]])
    >>> exclusive_agreement(Frame(1, 100, 100, boxes, np.array([0, 0]), predictions=found)).round(3).tolist()
    [0.9, 0.0]
    """
    support = _agreement(frame)
    result = np.zeros(len(support))
    labels, found = np.nonzero(support)
    free = np.ones(support.shape[1], bool)
    # Pairs of equal support go by their boxes' places in the image, so that the order of the labels does not matter.
    order = np.lexsort((*frame.boxes[labels].T[::-1], found, -support[labels, found]))
    open_labels = np.ones(len(support), bool)
    for label, which in zip(labels[order], found[order], strict=True):
        if open_labels[label] and free[which]:
            result[label] = support[label, which]
            open_labels[label] = free[which] = False
    return result


@metric(level="image", needs=("predictions",), higher_is="worse")
def uncovered_prediction(frame: Frame) -> float:
    """Highest score of a predicted object that no label covers; 0 to 1.

    The greatest `score * (1 - best IoU with a label of any class)` over the predictions; 0 without predictions.
    Direction: higher is worse: an object may have no label. Unchanged when the image is rescaled. Source: ObjectLab's
    overlooked (arXiv 2309.00832) by degrees: neither the score nor the overlap has to pass a threshold.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.75, 0.5]), np.array([0, 0]))
    >>> uncovered_prediction(Frame(1, 100, 100, np.float32([[0, 0, 10, 5]]), np.array([0]), predictions=found))
    0.5
    """
    over = overlap(frame)
    return float((over.scores * (1 - over.iou.max(axis=0, initial=0.0))).max(initial=0.0))


def _agreement(frame: Frame) -> np.ndarray:
    """sqrt(score) * IoU ** 2 of labels (n) and predictions (k) of their class, else 0; (n, k)."""
    over = overlap(frame)
    return np.where(over.same, np.sqrt(over.scores) * over.iou**2, 0.0)
