"""Labels that neither a model nor anything else speaks for."""

from __future__ import annotations

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import Frame
from metricloop.metrics.repair_contract import Edit, repair


@repair(needs=("predictions",))
def drop_unsupported(frame: Frame) -> list[Edit]:
    """Drop labels where a model that was not trained on the image sees nothing; nothing else is changed.

    Confidence: 1, less twice the best score * IoU of a prediction of any class; a label with a support of 0.5 or more
    is not named. Twice, because detectors trained with focal loss seldom say more than 0.5.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 20, 10]]), np.float32([0.4]), np.array([0]))
    >>> frame = Frame(1, 100, 100, np.float32([[0, 0, 20, 20]]), np.array([0]), predictions=found)
    >>> [(edit.kind, round(edit.confidence, 3)) for edit in drop_unsupported(frame)]
    [('drop', 0.6)]
    """
    doubt = doubts(frame)
    return [Edit.drop(int(row), float(doubt[row])) for row in np.flatnonzero(doubt > 0)]


def doubts(frame: Frame) -> np.ndarray:
    """1, less twice the best score * IoU of a prediction of any class, at least 0; (n,), a number per label."""
    found = frame.predictions
    assert found is not None  # the contract checks it
    support = (iou(frame.boxes, found.boxes) * found.scores).max(axis=1, initial=0.0)
    return 1 - np.minimum(2 * support, 1.0)
