"""How well labels fit other boxes of the same images, such as the true objects or the predictions of a model: F1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset, part_of
from metricloop.data.frame import Detections

CLAIM = 0.3  # score from which on a prediction counts as an object
Objects = Mapping[int, tuple[np.ndarray, np.ndarray]]  # image id -> boxes (k, 4) and labels (k,)


def label_f1(pool: Dataset, true: Objects, rows: np.ndarray, threshold: float) -> float:
    """F1 of the labels of some image rows: a label is right with an object of its class and an IoU of `threshold`.

    2 * right / (labels + objects), labels and objects paired one to one so that as many as possible are right.
    """
    part, _ = part_of(pool, rows)
    right = sum(len(matched(part, row, true, threshold)[0]) for row in range(len(part)))
    objects = sum(len(true[int(image)][0]) for image in part.image_id if int(image) in true)
    return 2 * right / max(len(part.boxes) + objects, 1)


def matched(pool: Dataset, row: int, true: Objects, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Which labels of an image are right: label first[k] fits true object second[k]; both are numbers within the image.

    A label fits an object of its class with at least this IoU. Each label and each object is used once at most. The
    pairing has as many pairs as possible, and of such pairings the one with the most overlap.
    """
    own = pool.slice(row)
    boxes, labels = true.get(int(pool.image_id[row]), (np.zeros((0, 4)), np.zeros(0, int)))
    shared = iou(pool.boxes[own], boxes) * (pool.labels[own][:, None] == labels[None])
    fits = shared >= threshold
    one, two = linear_sum_assignment(-(fits + 1e-6 * shared))  # as many as possible, then the nearest
    agree = fits[one, two]
    return one[agree], two[agree]


def claims_of(predictions: Mapping[int, Detections]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """The predictions with a score of CLAIM or more, as objects. predictions: by image id."""
    return {
        image: (one.boxes[one.scores >= CLAIM], one.labels[one.scores >= CLAIM]) for image, one in predictions.items()
    }
