"""Labels and a model's out-of-fold predictions, one against the other."""

from __future__ import annotations

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import Frame
from metricloop.metrics.repair_contract import SMALLEST, Edit, repair
from metricloop.metrics.repairs.unsupported import doubts

AGREES = 0.5  # IoU from which on a prediction confirms a label, whose box then stays as it is
TOUCHES = 0.1  # IoU from which on a prediction and a label are about the same object
CLAIM, SURE = 0.3, 0.55  # scores: below the first a prediction claims nothing, from the second on it is certain


@repair(needs=("predictions",))
def consensus(frame: Frame) -> list[Edit]:
    """Keep what labels and predictions agree on; move, relabel, drop and add labels where they do not.

    Predictions with a score below 0.3 claim nothing; certainty grows from 0 there to 1 at 0.55, which suits detectors
    trained with focal loss, whose scores stay low. Each label is paired with at most one claim, pairs of the highest
    score * IoU first. A pair of IoU 0.5 or more agrees: its box stays, because a detector places boxes less exactly
    than a person who saw the object; where the classes differ it is relabelled, as sure as the claim. A pair of less
    IoU moves the label, with the confidence certainty * (1 - IoU): a near box may well be right. A label without a
    claim is dropped as `drop_unsupported` would. A claim that touches no label is added, as sure as it is, unless a
    stronger one is.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[50, 50, 90, 90]]), np.float32([0.6]), np.array([0]))
    >>> frame = Frame(1, 100, 100, np.float32([[0, 0, 20, 20]]), np.array([0]), predictions=found)
    >>> [(edit.kind, float(edit.confidence)) for edit in consensus(frame)]
    [('drop', 1.0), ('add', 1.0)]
    """
    boxes, labels, scores = claims(frame)
    sure = np.clip((scores - CLAIM) / (SURE - CLAIM), 0, 1)
    shared = iou(frame.boxes, boxes)
    paired = pairs(shared, scores, frame.boxes)
    edits = []
    for label, other in paired.items():
        if shared[label, other] < AGREES:
            confidence = float(sure[other] * (1 - shared[label, other]))
            edits.append(Edit.move(label, boxes[other].tolist(), confidence))
        if labels[other] != frame.labels[label]:
            edits.append(Edit.relabel(label, int(labels[other]), float(sure[other])))
    doubt = doubts(frame)
    edits += [Edit.drop(row, float(doubt[row])) for row in range(len(doubt)) if row not in paired]
    free = shared.max(axis=0, initial=0.0) < TOUCHES
    free[list(paired.values())] = False
    for k in apart(boxes, np.flatnonzero(free)):
        edits.append(Edit.add(boxes[k].tolist(), int(labels[k]), float(sure[k])))
    return edits


def claims(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The predictions that claim something, the surest first: boxes (k, 4) inside the image, labels, scores (k,)."""
    found = frame.predictions
    assert found is not None  # the contract checks it
    boxes = np.clip(found.boxes, 0, [frame.width, frame.height] * 2)  # a model may predict beyond the edge
    order = np.lexsort((*boxes.T[::-1], found.labels, -found.scores))
    thick = (boxes[:, 2:] - boxes[:, :2] >= SMALLEST).all(axis=1)
    order = order[(thick & (found.scores >= CLAIM))[order]]
    return boxes[order], found.labels[order], found.scores[order].astype(float)


def pairs(shared: np.ndarray, scores: np.ndarray, boxes: np.ndarray) -> dict[int, int]:
    """Label -> claim, greedily by score * IoU; equal ones by the place of the label. shared: (n, k) IoU."""
    support = shared * scores
    rows, columns = np.nonzero(shared >= TOUCHES)
    order = np.lexsort((columns, *boxes[rows].T[::-1], -support[rows, columns]))
    found: dict[int, int] = {}
    used: set[int] = set()
    for label, other in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if label not in found and other not in used:
            found[label] = other
            used.add(other)
    return found


def apart(boxes: np.ndarray, rows: np.ndarray) -> list[int]:
    """Those of the rows, in their order, that touch no earlier one that is kept."""
    kept: list[int] = []
    for row in rows.tolist():
        if not kept or iou(boxes[row][None], boxes[kept]).max() < TOUCHES:
            kept.append(row)
    return kept
