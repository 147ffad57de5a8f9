"""Areas and overlaps of boxes. A box is xyxy, in pixels."""

from __future__ import annotations

import numpy as np


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of xyxy boxes, (n, 4) and (k, 4) -> (n, k) float64; 0 where neither has an area.

    >>> iou(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])).round(3)
    array([[1.   , 0.333, 0.   ]])
    """
    common = intersections(a, b)
    total = areas(a)[:, None] + areas(b) - common
    return np.divide(common, total, out=np.zeros_like(common), where=total > 0)


def share_inside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The share of each box of `a` that lies inside each box of `b`, (n, k) float64; 0 for a box without an area.

    >>> share_inside(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 100, 100]]))
    array([[0.5]])
    """
    common, own = intersections(a, b), areas(a)[:, None]
    return np.divide(common, own, out=np.zeros_like(common), where=own > 0)


def intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area that each box of `a` shares with each box of `b`, (n, k) float64."""
    left, top, right, bottom = a.T.astype(np.float64)[:, :, None]
    x1, y1, x2, y2 = b.T.astype(np.float64)
    # One axis after the other takes half the time of both at once.
    common = (np.minimum(right, x2) - np.maximum(left, x1)).clip(0)
    common *= (np.minimum(bottom, y2) - np.maximum(top, y1)).clip(0)
    return common


def areas(boxes: np.ndarray) -> np.ndarray:
    """The area of each box, (n,) float64; 0 where a right or lower edge lies before the left or upper one."""
    return (boxes[:, 2:].astype(np.float64) - boxes[:, :2]).clip(0).prod(axis=1)
