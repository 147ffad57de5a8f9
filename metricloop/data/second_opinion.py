"""What a second labelling of an image says of each of its labels, as rows of TRUTH.

Boxes are matched as in TIDE (Bolya et al., ECCV 2020): from an IoU of 0.1 a box may be of the same object and badly
placed, from 0.5 a box of another class is about the same object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from metricloop.data.boxes import iou, share_inside
from metricloop.data.dataset import Dataset
from metricloop.data.label_changes import LEAST, LOYALTY
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.repaired_truth import SIDES

SAME_PLACE = 0.5  # IoU of two boxes of different classes that are about one object, and of two labels of one object
COVERED = 0.5  # share of a box inside a crowd region, from which it may belong to the crowd


class SecondLabels(NamedTuple):
    """boxes (n, 4), labels (n,) with -1 for a class that the study lacks, and crowd regions (k, 4)."""

    boxes: np.ndarray
    labels: np.ndarray
    crowds: np.ndarray


def second_opinion(pool: Dataset, row: int, second: SecondLabels | None, agree: float) -> Iterator[dict[str, Any]]:
    """The rows of one image: of its labels, and of the objects without one."""
    own = np.arange(pool.slice(row).start, pool.slice(row).stop)
    crowds, own = pool.boxes[own[pool.crowd[own]]].astype(float), own[~pool.crowd[own]]
    boxes, labels = pool.boxes[own].astype(float).reshape(-1, 4), pool.labels[own]
    image_id = int(pool.image_id[row])

    def made(place: int | None, box: np.ndarray | None, label: int | None, mistake: str) -> dict[str, Any]:
        box_id = None if place is None else int(pool.box_id[own[place]])
        sides = dict.fromkeys(SIDES) if box is None else dict(zip(SIDES, map(float, box), strict=True))
        return {"image_id": image_id, "box_id": box_id, **sides, "label": label, "mistake": mistake}

    if second is None:
        for place, box in enumerate(boxes):
            yield made(place, box, int(labels[place]), UNJUDGED)
        if not len(boxes):
            yield made(None, None, None, UNJUDGED)
        return
    overlap = iou(boxes, second.boxes)
    partner = _partners(overlap, labels[:, None] == second.labels, agree)
    hidden = _inside(boxes, second.crowds)
    taken = set(partner[partner >= 0].tolist())
    twice = (overlap >= SAME_PLACE) & (labels[:, None] == second.labels) & np.isin(range(len(second.boxes)), [*taken])
    for place, other in enumerate(partner):
        if other < 0 and hidden[place]:
            yield made(place, boxes[place], int(labels[place]), UNJUDGED)
        elif other < 0:
            yield made(place, None, int(labels[place]), "doubled" if twice[place].any() else "spurious")
        elif second.labels[other] < 0:
            yield made(place, None, int(labels[place]), "class")
        else:
            same = second.labels[other] == labels[place]
            mistake = "class" if not same else "none" if overlap[place, other] >= agree else "moved"
            yield made(place, second.boxes[other], int(second.labels[other]), mistake)
    unseen = _inside(second.boxes, crowds)
    for other, box in enumerate(second.boxes):
        if other not in taken and second.labels[other] >= 0 and not unseen[other]:
            yield made(None, box, int(second.labels[other]), "missing")


def _partners(overlap: np.ndarray, alike: np.ndarray, agree: float) -> np.ndarray:
    """The second box of each label, -1 for none, (n,): as many as agree first, then so that the IoU is highest in all,
    rather within a class. overlap, alike: (n, k)."""
    from scipy.optimize import linear_sum_assignment

    gain = np.where(overlap >= np.where(alike, LEAST, SAME_PLACE), overlap + LOYALTY * alike, 0.0)
    gain += 10.0 * (alike & (overlap >= agree))
    partner = np.full(len(overlap), -1)
    for place, other in zip(*linear_sum_assignment(-gain), strict=True):
        if gain[place, other] > 0:
            partner[place] = other
    return partner


def _inside(boxes: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    return share_inside(boxes, crowds).max(axis=1, initial=0.0) >= COVERED
