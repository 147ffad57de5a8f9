"""COCO evaluation of detections against a data set: mAP, mAR, and which detections are hits.

The numbers come from faster-coco-eval. It does not return which detection is a hit at which IoU threshold, so the
greedy matching is repeated here on its IoU matrices; `evaluation.average_precision` reweights these matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.tables import column, read_table, write_table

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
BITS = 1 << np.arange(len(IOU_THRESHOLDS))
SIZES = ("small", "medium", "large")  # up to 32², up to 96² and more pixels of area; in faster-coco-eval's order

MATCHES = pa.schema(
    {
        "seed": pa.int32(),
        "image_id": pa.int64(),
        "label": pa.int32(),
        "score": pa.float32(),
        "tp": pa.int16(),  # bit t: hits an object at IOU_THRESHOLDS[t]
        "ignored": pa.int16(),  # bit t: lies in a crowd region, neither right nor wrong
    }
)


@dataclass(frozen=True)
class Matches:
    """Which kept detections are hits; rows ordered by image, label and falling score, columns as in MATCHES."""

    image_id: np.ndarray
    label: np.ndarray
    score: np.ndarray
    tp: np.ndarray
    ignored: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """numbers: {"mAP", "mAP50", "mAR", "per_class", "per_size"}; ap50: mAP50 by class. All values are in 0..1, or None
    where there are no objects.
    """

    numbers: dict[str, Any]
    matches: Matches
    ap50: dict[str, float | None]


def coco_evaluate(truth: Dataset, detections: Sequence[Detections], max_detections: int = 100) -> Evaluation:
    """Evaluate `detections`, one entry per image row of `truth`, in the pixels of the original image.

    mAP is the mean over the IoU thresholds .50:.95 and the classes that have objects; mAR is the mean recall with at
    most `max_detections` per image and class. The size of an object is the area of its box.
    Errors: ValueError when there is not one entry per image, or a label is not the index of a class.
    """
    from faster_coco_eval import COCOeval_faster

    kept = _keep(truth, detections, max_detections)
    evaluator = COCOeval_faster(
        _coco(truth, truth.box_row, truth.boxes, truth.labels, iscrowd=truth.crowd.astype(int)),
        _coco(truth, kept.row, kept.boxes, kept.labels, score=kept.scores),
        iouType="bbox",
        print_function=lambda *_: None,
    )
    evaluator.params.maxDets = [max_detections]
    evaluator.evaluate()
    evaluator.accumulate()
    precision = np.asarray(evaluator.eval["precision"])[..., 0]  # (threshold, recall level, class, area)
    recall = np.asarray(evaluator.eval["recall"])[..., 0]  # (threshold, class, area)
    numbers = {
        "mAP": _mean(precision[..., 0]),
        "mAP50": _mean(precision[0, ..., 0]),
        "mAR": _mean(recall[..., 0]),
        "per_class": {
            name: {"mAP": _mean(precision[:, :, label, 0]), "mAR": _mean(recall[:, label, 0])}
            for label, name in enumerate(truth.class_names)
        },
        "per_size": {
            size: {"mAP": _mean(precision[..., area]), "mAR": _mean(recall[..., area])}
            for area, size in enumerate(SIZES, start=1)
        },
    }
    ap50 = {name: _mean(precision[0, :, label, 0]) for label, name in enumerate(truth.class_names)}
    return Evaluation(numbers, _match_all(truth, kept, evaluator.ious), ap50)


@dataclass(frozen=True)
class _Kept:
    """Detections by image row, label and falling score."""

    row: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def _keep(truth: Dataset, detections: Sequence[Detections], max_detections: int) -> _Kept:
    """The best `max_detections` per image and class, ties in the order given."""
    if len(detections) != len(truth):
        raise ValueError(f"{len(detections)} lists of detections for {len(truth)} images; give one per image, in order")
    row = np.repeat(np.arange(len(truth)), [len(found.scores) for found in detections])
    # The leading empty arrays are for splits without detections or images.
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(found.boxes for found in detections)])
    scores = np.concatenate([np.zeros(0, np.float32), *(found.scores for found in detections)])
    labels = np.concatenate([np.zeros(0, np.int64), *(found.labels for found in detections)])
    classes = len(truth.class_names)
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"detections have labels {labels.min()}..{labels.max()}; the data set has 0..{classes - 1}")
    order = np.lexsort((-scores, labels, row))
    group = (row * classes + labels)[order]
    kept = order[np.arange(len(group)) - np.searchsorted(group, group) < max_detections]
    return _Kept(row[kept], boxes[kept], scores[kept], labels[kept])


def _coco(truth: Dataset, row: np.ndarray, boxes: np.ndarray, labels: np.ndarray, **extra: np.ndarray) -> Any:
    """A COCO index whose image ids are rows and category ids labels; annotation ids start at 1, 0 means unmatched."""
    from faster_coco_eval import COCO

    xywh = boxes.astype(np.float64)
    xywh[:, 2:] -= xywh[:, :2]
    columns = {
        "id": range(1, len(row) + 1),
        "image_id": row.tolist(),
        "category_id": labels.tolist(),
        "bbox": xywh.tolist(),
        "area": xywh[:, 2:].prod(axis=1).tolist(),
        "iscrowd": [0] * len(row),
    } | {name: values.tolist() for name, values in extra.items()}
    return COCO(
        {
            "images": [{"id": image} for image in range(len(truth))],
            "categories": [{"id": label} for label in range(len(truth.class_names))],
            "annotations": [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)],
        }
    )


def _mean(values: np.ndarray) -> float | None:
    """Mean over the defined values: COCO marks a class or size without objects by -1."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None


def _match_all(truth: Dataset, kept: _Kept, ious: Mapping[tuple[int, int], Any]) -> Matches:
    """Match the detections of every image and class; `ious` rows follow the order of `kept`."""
    tp = np.zeros(len(kept.scores), np.int16)
    ignored = np.zeros_like(tp)
    classes = len(truth.class_names)
    group = kept.row * classes + kept.labels
    for (row, label), matrix in ious.items():
        if len(matrix) == 0:
            continue
        start = np.searchsorted(group, row * classes + label)
        here = slice(start, start + len(matrix))
        boxes = truth.slice(row)
        crowd = truth.crowd[boxes][truth.labels[boxes] == label]
        tp[here], ignored[here] = (flags @ BITS for flags in match(np.asarray(matrix), crowd))
    return Matches(truth.image_id[kept.row], kept.labels, kept.scores, tp, ignored)


def match(ious: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """COCO's greedy assignment for one image and class.

    ious: (d, g), detections by falling score; crowd: (g,) bool. Each detection takes the free object it overlaps
    most (of equals the last). A detection without an object is ignored when it lies in a crowd region, which any number
    of detections may share.
    Returns hits and ignored, (d, 10) bool, one column per IoU threshold.
    """
    objects = ious[:, ~crowd][:, ::-1]  # reversed: argmax takes the first of equals, COCO the last
    taken = np.zeros((len(IOU_THRESHOLDS), objects.shape[1]), bool)
    hits = np.zeros((len(ious), len(IOU_THRESHOLDS)), bool)
    for row in np.flatnonzero(objects.max(axis=1, initial=0) >= IOU_THRESHOLDS[0]):
        free = np.where(taken, -1.0, objects[row])
        best = free.argmax(axis=1)
        hits[row] = free[np.arange(len(best)), best] >= IOU_THRESHOLDS
        taken[hits[row], best[hits[row]]] = True
    in_crowd = ious[:, crowd].max(axis=1, initial=0)[:, None] >= IOU_THRESHOLDS
    return hits, in_crowd & ~hits


def write_matches(path: Path | str, matches: Mapping[int, Matches]) -> None:
    """Write the matches of a block, {seed: Matches}, as one table."""
    parts = [{"seed": np.full(len(found.score), seed), **vars(found)} for seed, found in sorted(matches.items())]
    write_table(path, MATCHES, {name: np.concatenate([part[name] for part in parts]) for name in MATCHES.names})


def read_matches(path: Path | str, seeds: Iterable[int]) -> dict[int, Matches]:
    """Read the matches of a block, {seed: Matches}; empty ones for a seed without detections."""
    table = read_table(path, MATCHES)
    seed = column(table, "seed")
    columns = {name: column(table, name) for name in MATCHES.names if name != "seed"}
    return {s: Matches(**{name: values[seed == s] for name, values in columns.items()}) for s in seeds}
