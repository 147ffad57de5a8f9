"""Labels and a model's out-of-fold predictions, one against the other."""

from __future__ import annotations

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import Frame
from metricloop.metrics.repair_contract import Edit, repair

AGREES = 0.5  # IoU from which on a prediction confirms a label, whose box then stays as it is
TOUCHES = 0.1  # IoU from which on a prediction and a label are about the same object
CLAIM = 0.1  # score below which a prediction says nothing


@repair(needs=("predictions",))
def consensus(frame: Frame) -> list[Edit]:
    """Keep what labels and predictions agree on; move, relabel, drop and add labels where they do not.

    Each label is paired with at most one prediction, pairs of the highest score * IoU first. A pair of IoU 0.5 or more
    agrees: its box stays, because a detector places boxes less exactly than a person who saw the object; it is
    relabelled where the classes differ. A pair of less IoU moves the label to the prediction. A label that no
    prediction touches is dropped with the confidence 1, less 2 * score * IoU of any that overlaps it; a prediction
    that touches no label is added. Confidence of move, relabel and add: the score, doubled, at most 1: detectors
    trained with focal loss seldom say more than 0.5.
    """
    found = frame.predictions
    assert found is not None  # the contract checks it
    order = np.lexsort((*found.boxes.T[::-1], found.labels, -found.scores))
    order = order[found.scores[order] >= CLAIM]
    boxes, labels, scores = found.boxes[order], found.labels[order], found.scores[order].astype(float)
    shared = iou(frame.boxes, boxes)
    sure = np.minimum(2 * scores, 1.0)
    edits, taken = list[Edit](), np.zeros(len(boxes), bool)
    paired = pairs(shared, scores, frame.boxes)
    for label, other in paired.items():
        taken[other] = True
        if shared[label, other] < AGREES:
            edits.append(Edit.move(label, boxes[other], sure[other]))
        if labels[other] != frame.labels[label]:
            edits.append(Edit.relabel(label, int(labels[other]), sure[other]))
    for label in sorted(set(range(len(frame.boxes))) - set(paired)):
        doubt = 1 - min(1.0, 2 * float((shared[label] * scores).max(initial=0.0)))
        edits.append(Edit.drop(label, doubt))
    free = ~taken & (shared.max(axis=0, initial=0.0) < TOUCHES)
    edits += [Edit.add(boxes[k], int(labels[k]), sure[k]) for k in np.flatnonzero(free)]
    return edits


def pairs(shared: np.ndarray, scores: np.ndarray, boxes: np.ndarray) -> dict[int, int]:
    """Label -> prediction, greedily by score * IoU; equal ones by the place of the label. shared: (n, k) IoU."""
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
