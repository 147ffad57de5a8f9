"""Measure what a repair does to labels: against the truth if it is known, else against out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.edit_rows import KINDS
from metricloop.data.edits import apply_edits, taken
from metricloop.data.frame import Detections
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.tables import column, xyxy
from metricloop.evaluation.label_f1 import Objects, claims_of, label_f1, matched

THRESHOLDS = (0.5, 0.75, 0.9)  # IoU from which on a label counts as right
RIGHT = 0.75  # the one of them by which kinds of error are counted
CONFIDENCES = (0.2, 0.4, 0.6, 0.8)  # for the table of how strong a repair should be


def measure_repair(
    pool: Dataset,
    edits: pa.Table,
    least_confidence: float,
    truth: pa.Table | None = None,
    predictions: Mapping[int, Detections] | None = None,
    kinds: Collection[str] = KINDS,
) -> dict[str, Any]:
    """The labels before a repair and after it: "edits" by kind, "f1", "kinds", "strength" and "agreement".

    edits: EDITS, of which those of `kinds` are applied. truth: TRUTH rows; "f1" (by IoU, {"before", "after"}), "kinds"
    (per kind of error the number of "cases", and how many are right "before" and "after") and "strength" (F1 by least
    confidence) are [] without it. predictions: out of fold, by image id; "agreement" is the F1 of labels and
    predictions from a score of CLAIM on, [] without them. It rises by itself when a repair follows the predictions, so
    it is no proof.
    """
    mended, _ = apply_edits(pool, edits, least_confidence, kinds)
    applied = taken(edits, least_confidence, kinds)
    names = applied["kind"].to_pylist()
    found: dict[str, Any] = {
        "least_confidence": least_confidence,
        "edits": {kind: names.count(kind) for kind in KINDS},
        "f1": [],
        "kinds": [],
        "strength": [],
        "agreement": [],
    }
    if truth is not None and len(truth):
        rows = judged_rows(pool, truth)
        true = objects_of(truth)
        found["f1"] = _before_after(pool, mended, true, rows)
        found["kinds"] = by_kind(pool, mended, truth, rows)
        for confidence in CONFIDENCES:
            other, _ = apply_edits(pool, edits, confidence, kinds)
            f1 = {str(at): label_f1(other, true, rows, at) for at in THRESHOLDS}
            found["strength"].append({"least_confidence": confidence, "f1": f1})
    if predictions is not None:
        claims = claims_of(predictions)
        found["agreement"] = _before_after(pool, mended, claims, np.arange(len(pool)))
    return found


def objects_of(truth: pa.Table) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Image id -> boxes and classes of its true objects. Rows of `truth` without coordinates have no object."""
    real = truth.filter(pa.array(~np.isnan(column(truth, "x1"))))
    image, boxes, labels = column(real, "image_id"), xyxy(real), column(real, "label").astype(int)
    order = np.argsort(image, kind="stable")
    known, starts = np.unique(image[order], return_index=True)
    return {
        int(k): (boxes[own], labels[own]) for k, own in zip(known, np.split(order, starts[1:]), strict=True) if len(own)
    }


def judged_rows(pool: Dataset, truth: pa.Table) -> np.ndarray:
    """The rows of the images in which all labels were judged, right or wrong."""
    image = column(truth, "image_id")
    unjudged = np.array([mistake == UNJUDGED for mistake in truth["mistake"].to_pylist()], bool)
    return np.flatnonzero(~np.isin(pool.image_id, image[unjudged]))


def by_kind(pool: Dataset, mended: Dataset, truth: pa.Table, rows: np.ndarray) -> list[dict[str, Any]]:
    """For each kind of error the number of cases, and how many of them are right before the repair and after it.

    Labels that were right from the beginning have the kind "none". A case with an object is right when a label of its
    class fits it by IoU RIGHT. A label without an object is put right when it is gone, or stands on an object that no
    other label fits.
    """
    true = objects_of(truth)
    image, box_id = column(truth, "image_id"), column(truth, "box_id")
    mistakes = np.array([mistake or "none" for mistake in truth["mistake"].to_pylist()], object)
    real = ~np.isnan(column(truth, "x1"))
    place = np.zeros(len(truth), int)  # of an object within its image, in the order of objects_of
    order = np.flatnonzero(real)[np.argsort(image[real], kind="stable")]
    _, starts, sizes = np.unique(image[order], return_index=True, return_counts=True)
    place[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    right = {}
    for name, labels in (("before", pool), ("after", mended)):
        objects, boxes = set[tuple[int, int]](), set[int]()
        for row, number in enumerate(labels.image_id.tolist()):
            one, two = matched(labels, row, true, RIGHT)
            objects |= {(number, int(k)) for k in two}
            boxes |= set(labels.box_id[labels.slice(row)][one].tolist())
        there = set(labels.box_id.tolist())
        right[name] = np.array(
            [
                (int(number), int(k)) in objects if has else box not in there or box in boxes
                for number, k, has, box in zip(image, place, real, box_id.tolist(), strict=True)
            ],
            bool,
        )
    judged = np.isin(image, pool.image_id[rows])
    return [
        {
            "kind": kind,
            "cases": int((own := judged & (mistakes == kind)).sum()),
            **{name: int(fits[own].sum()) for name, fits in right.items()},
        }
        for kind in sorted(set(mistakes[judged].tolist()), key=lambda kind: (kind == "none", kind))
    ]


def _before_after(pool: Dataset, mended: Dataset, true: Objects, rows: np.ndarray) -> list[dict[str, float]]:
    """The F1 of the labels before a repair and after it, for each IoU of THRESHOLDS."""
    return [
        {"iou": at, "before": label_f1(pool, true, rows, at), "after": label_f1(mended, true, rows, at)}
        for at in THRESHOLDS
    ]
