"""Average precision and recall from matches, with a weight per image: how often it counts.

Resampling the images changes only these weights. The matches stay the same, so R replicates cost a few matrix
products instead of R evaluations.
"""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.evaluation.coco import BITS, Matches

RECALL_LEVELS = np.linspace(0.0, 1.0, 101)  # the recall levels at which COCO takes the precision


def count_positives(truth: Dataset) -> np.ndarray:
    """Objects per image row and class, (n, classes), without crowd regions."""
    positives = np.zeros((len(truth), len(truth.class_names)), np.int64)
    np.add.at(positives, (truth.box_row[~truth.crowd], truth.labels[~truth.crowd]), 1)
    return positives


def weighted_ap(
    matches: Matches, image_id: np.ndarray, positives: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """mAP@[.50:.95] and mAR of R replicates, (R,) each.

    image_id: (n,) ascending, the images of the split; positives: (n, classes), from `count_positives`;
    weights: (R, n), how often each image counts in each replicate (0 = not drawn). With unit weights the result is
    COCO's. The classes are those with objects in the split. A class without objects in a replicate keeps its value
    on the whole split, so that every replicate averages over the same classes. nan without any object.
    """
    classes = np.flatnonzero(positives.sum(axis=0))
    if not len(classes):
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    # The last row is the whole split, for classes without objects in a replicate.
    weights = np.vstack([weights, np.ones(len(image_id))])
    totals = np.zeros((2, len(weights)))
    for label in classes:
        mine = np.flatnonzero(matches.label == label)
        mine = mine[np.argsort(-matches.score[mine], kind="stable")]
        rows = np.searchsorted(image_id, matches.image_id[mine])
        expected = weights @ positives[:, label]
        values = _class_ap(rows, matches.tp[mine], matches.ignored[mine], expected, weights)
        totals += np.where(expected > 0, values, values[:, -1:])
    return totals[0, :-1] / len(classes), totals[1, :-1] / len(classes)


def _class_ap(
    rows: np.ndarray, tp: np.ndarray, ignored: np.ndarray, expected: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """AP and AR of one class, (2, R); detections by falling score, `rows` their image rows.

    Precision and recall are computed at the hits only: between two hits recall is constant and precision falls, so
    other detections never set COCO's interpolated precision.
    """
    result = np.zeros((2, len(weights)))
    hits = np.flatnonzero(tp)
    expected = np.maximum(expected, np.finfo(float).tiny)[:, None]
    seen = _weight_up_to(hits, rows, np.ones(len(rows), bool), weights)
    for bit in BITS:
        is_hit = (tp[hits] & bit) > 0
        if not is_hit.any():
            continue
        found = np.cumsum(weights[:, rows[hits]] * is_hit, axis=1)
        skipped = (ignored & bit) > 0
        counted = seen - _weight_up_to(hits, rows, skipped, weights) if skipped.any() else seen
        precision = found / np.maximum(counted, np.finfo(float).tiny)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = found / expected
        levels = np.searchsorted(RECALL_LEVELS, recall, side="right")  # recall levels reached so far
        result[0] += (envelope * np.diff(levels, axis=1, prepend=0)).sum(axis=1) / len(RECALL_LEVELS)
        result[1] += recall[:, -1]
    return result / len(BITS)


def _weight_up_to(hits: np.ndarray, rows: np.ndarray, chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of the chosen detections up to and including every hit, (R, len(hits))."""
    segment = np.searchsorted(hits, np.arange(len(rows)))  # the first hit at or after a detection
    chosen = chosen & (segment < len(hits))
    per_image = np.zeros((weights.shape[1], len(hits)))
    np.add.at(per_image, (rows[chosen], segment[chosen]), 1)
    return np.cumsum(weights @ per_image, axis=1)
