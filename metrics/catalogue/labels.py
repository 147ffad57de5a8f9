"""Metrics that read the labels alone; nothing is decoded."""

from __future__ import annotations

import numpy as np

from detection.frame import Frame
from metrics.contract import metric


@metric(level="object")
def aspect_ratio(frame: Frame) -> np.ndarray:
    """Width of a box over its height; (n,), above 0, 1 for a square; nan for a box without height.

    Direction: neither end is right by itself. Objects of one class share a range of shapes, so a box far out at either
    end is suspect; use it with the policy `band`. Source: the worked example of Encord's article (2023).

    >>> boxes = np.float32([[0, 0, 20, 10], [5, 5, 10, 25]])
    >>> aspect_ratio(Frame(1, 100, 100, boxes, np.array([0, 0]))).tolist()
    [2.0, 0.25]
    """
    width, height = (frame.boxes[:, 2:] - frame.boxes[:, :2]).T.astype(np.float64)
    return np.divide(width, height, out=np.full(len(width), np.nan), where=height > 0)


@metric(level="image")
def object_count(frame: Frame) -> float:
    """Number of labelled objects; 0 and above.

    Direction: higher is better, as more objects teach more at the same number of images. Picking images with more
    boxes is a confound, too: compare with the control `match`. Source: Encord's article (2023).

    >>> object_count(Frame(1, 100, 100, np.float32([[0, 0, 20, 10]]), np.array([0])))
    1.0
    """
    return float(len(frame.boxes))


@metric(level="image")
def object_proximity(frame: Frame) -> float:
    """Mean distance from an object's centre to the nearest other centre, over the image's diagonal; 0 to 1.

    nan with fewer than two objects: there is no neighbour to measure. Unchanged when the image is rescaled.
    Direction: higher is better: objects that stand apart are hard to mislabel, while doubled boxes and boxes that
    slid onto a neighbour score near 0. Source: Encord's article (2023), with the diagonal added as the unit.

    >>> boxes = np.float32([[0, 0, 2, 2], [3, 4, 5, 6]])  # centres (1, 1) and (4, 5)
    >>> object_proximity(Frame(1, 30, 40, boxes, np.array([0, 0])))
    0.1
    """
    if len(frame.boxes) < 2:
        return float("nan")
    centres = (frame.boxes[:, :2] + frame.boxes[:, 2:]).astype(np.float64) / 2
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return float(distance.min(axis=1).mean() / np.hypot(frame.width, frame.height))
