"""COCO's greedy matching of detections to labelled objects, for one class and one IoU threshold."""

from __future__ import annotations

import numpy as np


def greedy_match(shared: np.ndarray, order: np.ndarray, threshold: float) -> np.ndarray:
    """The prediction matched to each label, (n,) int, -1 for none.

    By falling score, each prediction takes the free label that it overlaps most, if the IoU is at least `threshold`.

    shared: (n, k) IoU, 0 for pairs that must not match; order: predictions by falling score.
    """
    taken = np.full(len(shared), -1)
    free = np.ones(len(shared), bool)
    if not len(shared):
        return taken
    for row in order[shared[:, order].max(axis=0, initial=0.0) >= threshold]:
        best = int(np.where(free, shared[:, row], -1.0).argmax())
        if free[best] and shared[best, row] >= threshold:
            taken[best], free[best] = row, False
    return taken
