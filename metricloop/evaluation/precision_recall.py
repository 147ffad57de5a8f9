"""Precision over recall, as COCO interpolates it: the curve whose mean is the average precision."""

from __future__ import annotations

import numpy as np

from metricloop.evaluation.average_precision import RECALL_LEVELS, levels_reached
from metricloop.evaluation.coco import IOU_THRESHOLDS, Matches


def precision_at_recall(matches: Matches, objects: np.ndarray, iou: float) -> np.ndarray:
    """The precision of a detector at RECALL_LEVELS, (101,), mean over the classes that have objects; 0 beyond the
    greatest recall.

    objects: (classes,), how many the split has of each, without crowd regions. iou: one of IOU_THRESHOLDS. The mean of
    the curve is the average precision at this IoU. nan without any object.
    """
    bit = 1 << int(np.argmin(np.abs(IOU_THRESHOLDS - iou)))  # of Matches.tp
    classes = np.flatnonzero(objects)
    if not len(classes):
        return np.full(len(RECALL_LEVELS), np.nan)
    return np.mean([_of_class(matches, int(label), int(objects[label]), bit) for label in classes], axis=0)


def _of_class(matches: Matches, label: int, objects: int, bit: int) -> np.ndarray:
    mine = np.flatnonzero((matches.label == label) & ((matches.ignored & bit) == 0))
    mine = mine[np.argsort(-matches.score[mine], kind="stable")]
    curve = np.zeros(len(RECALL_LEVELS))
    if not len(mine):
        return curve
    found = np.cumsum((matches.tp[mine] & bit) > 0)
    precision = found / np.arange(1, len(mine) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = levels_reached(found / objects).astype(int)  # levels reached after each detection
    reached[found == 0] = 0  # recall 0 is reached by the first hit
    first = np.searchsorted(reached, np.arange(1, len(RECALL_LEVELS) + 1), side="left")
    known = first < len(mine)
    curve[known] = envelope[first[known]]
    return curve
