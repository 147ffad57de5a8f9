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
    """
    found = frame.predictions
    assert found is not None  # the contract checks it
    support = (iou(frame.boxes, found.boxes) * found.scores).max(axis=1, initial=0.0)
    doubt = 1 - np.minimum(2 * support, 1.0)
    return [Edit.drop(int(row), float(doubt[row])) for row in np.flatnonzero(doubt > 0)]
