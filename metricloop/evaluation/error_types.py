"""The errors of a detector by type, after TIDE (Bolya et al. 2020, "A General Toolbox for Identifying Object Detection
Errors"): foreground from an IoU of 0.5, background below 0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metricloop.data.boxes import iou, share_inside
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.evaluation.greedy_match import greedy_match

FOREGROUND, BACKGROUND = 0.5, 0.1  # IoU
# Types of wrong detections, in the order in which they are tried: the first that fits counts.
WRONG = {
    "duplicate": "finds an object again that a detection of a higher score has found",
    "classification": "fits an object of another class",
    "localisation": "lies on an object of its class, too loosely",
    "both": "lies loosely on an object of another class",
    "background": "lies on nothing that is labelled",
}
MEANINGS = {**WRONG, "missed": "an object that no detection finds, misnames or places badly"}
KINDS = tuple(MEANINGS)
NO_HITS = 0.5  # the threshold when no threshold gives a hit


class Error(NamedTuple):
    """One error. kind: one of KINDS; box (xyxy pixels) and label: of the wrong detection or the missed object;
    score: None for a missed object."""

    kind: str
    box: tuple[float, float, float, float]
    label: int
    score: float | None


@dataclass(frozen=True)
class Errors:
    """The errors of one detector on one labelled split.

    counts: errors by kind. correct + the five wrong kinds = detections; correct + missed <= objects, because an object
    that is found with the wrong class or too loosely is not missed. threshold: the score from which detections count.
    per_image: the errors of every image row: wrong detections by falling score, then missed objects.
    """

    counts: dict[str, int]
    correct: int
    objects: int
    detections: int
    threshold: float
    per_image: tuple[tuple[Error, ...], ...]

    @property
    def number(self) -> np.ndarray:
        """Errors per image row, (n,) int."""
        return np.array([len(errors) for errors in self.per_image], int)


def find_errors(truth: Dataset, detections: Sequence[Detections], threshold: float | None = None) -> Errors:
    """Find the errors of a detector and their types; `detections` holds one entry per image row of `truth`.

    A detection is correct when COCO's evaluation at IoU 0.5 assigns an object to it: by falling score, each takes the
    free object of its class that it overlaps most. For the other detections, `same` is the greatest IoU with an object
    of its class, `other` with an object of another class, and the first type that fits counts:

    - duplicate: same >= 0.5 (the objects there are all taken)
    - classification: other >= 0.5
    - localisation: same >= 0.1
    - both: other >= 0.1
    - background: neither

    An object is missed when no detection is assigned to it, and no classification or localisation error overlaps it
    most. Crowd regions are not objects; a wrong detection with at least half its area in a crowd region of its class
    does not count. Equal scores are ordered by label, then box.

    threshold: None takes the score with the best F1 over the split, of equals the highest; 0.5 without any hit.
    Errors: ValueError when there is not one entry per image.
    """
    if len(detections) != len(truth):
        raise ValueError(f"{len(detections)} lists of detections for {len(truth)} images; give one per image, in order")
    sorted_out = [_sort_out(truth, row, found) for row, found in enumerate(detections)]
    if threshold is None:
        threshold = _best_threshold(sorted_out, int((~truth.crowd).sum()))
    counts = dict.fromkeys(KINDS, 0)
    correct, counted, per_image = 0, 0, []
    for image in sorted_out:
        errors = image.errors(threshold)
        for error in errors:
            counts[error.kind] += 1
        seen = image.scores >= threshold
        correct += int((seen & (image.kind == _HIT)).sum())
        counted += int((seen & (image.kind != _IN_CROWD)).sum())
        per_image.append(errors)
    return Errors(counts, correct, int((~truth.crowd).sum()), counted, float(threshold), tuple(per_image))


_HIT, _IN_CROWD = -1, -2  # beside the indices of WRONG


@dataclass(frozen=True)
class _Image:
    """The detections of one image by falling score, (d,). None depends on one with a lower score, so raising the
    threshold only drops detections from the end. kind: index into WRONG, _HIT or _IN_CROWD; finds: (d,) the object that
    is thus not missed, or -1. objects, labels: the labelled objects.
    """

    boxes: np.ndarray
    scores: np.ndarray
    named: np.ndarray
    kind: np.ndarray
    finds: np.ndarray
    objects: np.ndarray
    labels: np.ndarray

    def errors(self, threshold: float) -> tuple[Error, ...]:
        seen = self.scores >= threshold
        names = tuple(WRONG)
        wrong = [
            Error(names[self.kind[i]], _corners(self.boxes[i]), int(self.named[i]), float(self.scores[i]))
            for i in np.flatnonzero(seen & (self.kind >= 0))
        ]
        missed = np.setdiff1d(np.arange(len(self.objects)), self.finds[seen])
        return (*wrong, *(Error("missed", _corners(self.objects[i]), int(self.labels[i]), None) for i in missed))


def _sort_out(truth: Dataset, row: int, found: Detections) -> _Image:
    own = truth.slice(row)
    crowd = truth.crowd[own]
    objects, labels = truth.boxes[own][~crowd], truth.labels[own][~crowd]
    order = np.lexsort((*found.boxes.T[::-1], found.labels, -found.scores))
    boxes, scores, named = found.boxes[order], found.scores[order], found.labels[order]
    overlap = iou(boxes, objects)
    mine = named[:, None] == labels[None]
    same, other = np.where(mine, overlap, 0.0), np.where(mine, 0.0, overlap)
    best_same, best_other = same.max(axis=1, initial=0.0), other.max(axis=1, initial=0.0)
    fits = [
        best_same >= FOREGROUND,
        best_other >= FOREGROUND,
        best_same >= BACKGROUND,
        best_other >= BACKGROUND,
        np.ones(len(scores), bool),
    ]
    kind = np.argmax(fits, axis=0)
    finds = np.full(len(scores), -1)
    if len(objects):
        misnamed, loose = (kind == tuple(WRONG).index(name) for name in ("classification", "localisation"))
        finds[misnamed] = other[misnamed].argmax(axis=1)
        finds[loose] = same[loose].argmax(axis=1)
        hits = greedy_match(same.T, np.arange(len(same)), FOREGROUND)  # by object
        kind[hits[hits >= 0]] = _HIT
        finds[hits[hits >= 0]] = np.flatnonzero(hits >= 0)
    if crowd.any():
        regions = share_inside(boxes, truth.boxes[own][crowd]) * (named[:, None] == truth.labels[own][crowd][None])
        inside = (regions.max(axis=1) >= FOREGROUND) & (kind != _HIT)
        kind[inside], finds[inside] = _IN_CROWD, -1
    return _Image(boxes, scores, named, kind, finds, objects, labels)


def _best_threshold(images: Sequence[_Image], objects: int) -> float:
    scores = np.concatenate([np.zeros(0, np.float32), *(image.scores for image in images)])
    kind = np.concatenate([np.zeros(0, int), *(image.kind for image in images)])
    scores, kind = scores[kind != _IN_CROWD], kind[kind != _IN_CROWD]
    if not (kind == _HIT).any():
        return NO_HITS
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(kind[order] == _HIT)
    last = np.append(scores[1:] != scores[:-1], True)  # a threshold takes all detections of a score, or none
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + objects)
    return float(scores[last][f1[last].argmax()])


def _corners(box: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2
