"""Average precision and recall from matches, with a weight per image: how often it counts.

Resampling the images changes only these weights. The matches stay the same, so R replicates cost a few sparse matrix
products instead of R evaluations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from metricloop.data.dataset import Dataset
from metricloop.evaluation.coco import BITS, Matches

RECALL_STEP = 0.01
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)  # the recall levels at which COCO takes the precision; k * RECALL_STEP
BLOCK = 128  # replicates at a time: the arrays of a block stay in the processor's cache
TINY = np.finfo(float).tiny  # divides zero weights by something


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
    # One column per replicate; the last is the whole split, for classes without objects in a replicate.
    drawn = np.vstack([weights, np.ones(len(image_id))]).T
    totals = np.zeros((2, drawn.shape[1]))
    for label in classes:
        mine = np.flatnonzero(matches.label == label)
        mine = mine[np.argsort(-matches.score[mine], kind="stable")]
        rows = np.searchsorted(image_id, matches.image_id[mine])
        expected = positives[:, label] @ drawn
        values = _class_ap(rows, matches.tp[mine], matches.ignored[mine], expected, drawn)
        totals += np.where(expected > 0, values, values[:, -1:])
    return totals[0, :-1] / len(classes), totals[1, :-1] / len(classes)


def levels_reached(recall: np.ndarray) -> np.ndarray:
    """How many of RECALL_LEVELS are at most `recall`, as floats.

    >>> levels_reached(np.array([0.0, 0.005, 0.01, 1.0])).tolist()
    [1.0, 1.0, 2.0, 101.0]
    """
    nearest = np.rint(recall / RECALL_STEP)  # all levels before the nearest one are reached, none after it
    return nearest + (nearest * RECALL_STEP <= recall)


@dataclass(frozen=True)
class _Curve:
    """Precision over recall of one class at one IoU threshold, as a list of runs.

    A run is a series of hits without another detection in between. Within a run precision never falls, because
    (found + w) / (seen + w) >= found / seen; between two runs recall is constant and precision falls. So COCO's
    interpolated precision is set by the ends of the runs alone.

    hits: (runs, n), the hits of each run by image; end: (runs,), the group of detections that ends with its last hit;
    ignored: (runs, n), the detections in crowd regions between it and the run before, or None without any.
    """

    hits: csr_array
    end: np.ndarray
    ignored: csr_array | None


def _class_ap(
    rows: np.ndarray, tp: np.ndarray, ignored: np.ndarray, expected: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """AP and AR of one class, (2, R); detections by falling score, `rows` their image rows; drawn: (n, R)."""
    result = np.zeros((2, drawn.shape[1]))
    detections, curves = _curves(rows, tp, ignored, len(drawn))
    for begin in range(0, drawn.shape[1], BLOCK):
        block = slice(begin, begin + BLOCK)
        weights = np.ascontiguousarray(drawn[:, block])
        seen = _up_to_each(detections, weights)
        for curve in curves:
            counted = seen[curve.end]
            if curve.ignored is not None:
                counted -= _up_to_each(curve.ignored, weights)
            result[:, block] += _area(_up_to_each(curve.hits, weights), counted, expected[block])
    return result / len(BITS)


def _area(found: np.ndarray, counted: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """AP and AR, (2, R), from the weight found and counted up to the end of every run, (runs, R) each."""
    precision = found / np.maximum(counted, TINY)
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    recall = found / np.maximum(expected, TINY)
    levels = levels_reached(recall)
    levels[1:] -= levels[:-1].copy()  # from here on the levels first reached in a run
    return np.stack([np.einsum("kr,kr->r", envelope, levels) / len(RECALL_LEVELS), recall[-1]])


def _up_to_each(counts: csr_array, weights: np.ndarray) -> np.ndarray:
    """Weight of the detections up to and including each group, (groups, R); counts: (groups, n)."""
    return np.cumsum(counts @ weights, axis=0)


def _curves(rows: np.ndarray, tp: np.ndarray, ignored: np.ndarray, images: int) -> tuple[csr_array, list[_Curve]]:
    """The detections by group and image, (groups, images), and the curves of the thresholds that have hits.

    The end of every run, at any threshold, closes a group. So all thresholds share one count of what was seen.
    """
    found = []
    for bit in BITS:
        hits = np.flatnonzero(tp & bit)
        if len(hits):
            found.append((hits, hits[np.diff(hits, append=-1) != 1], np.flatnonzero(ignored & bit)))
    ends = np.unique(np.concatenate([np.zeros(0, np.int64), *(last for _, last, _ in found)]))
    curves = []
    for hits, last, skipped in found:
        curves.append(
            _Curve(
                hits=_count(hits, last, rows, images),
                end=np.searchsorted(ends, last),
                ignored=_count(skipped, last, rows, images) if (skipped < last[-1]).any() else None,
            )
        )
    return _count(np.arange(len(rows)), ends, rows, images), curves


def _count(detections: np.ndarray, ends: np.ndarray, rows: np.ndarray, images: int) -> csr_array:
    """Detections per group and image, (groups, images). Each of `ends` closes a group; those after all are dropped.

    detections: (k,) and ends: (groups,), ascending positions in `rows`, the image rows by falling score.
    """
    group = np.searchsorted(ends, detections)
    kept = group < len(ends)
    cells = (group[kept], rows[detections[kept]])
    return csr_array((np.ones(len(cells[0])), cells), shape=(len(ends), images))
