"""Choose which objects and images of a pool to show: typical, smallest and largest ones, best and worst scores.

Equal candidates come in a fixed random order, because neighbours in a file are often alike.
"""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.scoring.scores import Scores


def extremes(scores: Scores, higher: bool, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the best scores, best first, and of the worst, worst first; each image at most once in all.

    higher: whether a higher score is better. wanted: the most indices at either end.
    """
    usable = shuffled(np.flatnonzero(np.isfinite(scores.value)))
    order = usable[np.argsort(-scores.value[usable] if higher else scores.value[usable], kind="stable")]
    images = len(np.unique(scores.row[order]))
    best = _one_per_image(order, scores.row, min(wanted, (images + 1) // 2), taken=set())
    taken = set(scores.row[best].tolist())
    worst = _one_per_image(order[::-1], scores.row, min(wanted, images // 2), taken)
    return best, worst


def _one_per_image(order: np.ndarray, row: np.ndarray, wanted: int, taken: set[int]) -> np.ndarray:
    """The first `wanted` indices of `order` whose image is not in `taken`; adds their images to `taken`."""
    found: list[int] = []
    for index in order:
        if len(found) == wanted:
            break
        if int(row[index]) not in taken:
            taken.add(int(row[index]))
            found.append(int(index))
    return np.array(found, dtype=int)


def typical_boxes(pool: Dataset, sizes: np.ndarray) -> np.ndarray:
    """Rows of the boxes in the middle half of their class's sizes, in random order, one from each class in turn."""
    middle = np.zeros(len(sizes), bool)
    for label in np.unique(pool.labels):
        own = (pool.labels == label) & np.isfinite(sizes)
        if own.any():
            low, high = np.quantile(sizes[own], (0.25, 0.75))
            middle |= own & (sizes >= low) & (sizes <= high)
    boxes = shuffled(np.flatnonzero(middle))
    boxes = in_turn(boxes, pool.group[pool.box_row[boxes]])
    return in_turn(boxes, pool.labels[boxes])


def boxes_by_value(pool: Dataset, value: np.ndarray) -> np.ndarray:
    """Rows of the boxes by rising value (m,), one from each group of images in turn; boxes with nan are left out."""
    boxes = shuffled(np.flatnonzero(np.isfinite(value)))
    boxes = boxes[np.argsort(value[boxes], kind="stable")]
    return in_turn(boxes, pool.group[pool.box_row[boxes]])


def in_turn(order: np.ndarray, key: np.ndarray) -> np.ndarray:
    """The first entry of every key, in the given order, then the second of every key, and so on.

    >>> in_turn(np.array([4, 5, 6, 7]), np.array(["a", "a", "b", "a"])).tolist()
    [4, 6, 5, 7]
    """
    _, inverse = np.unique(np.asarray(key).astype(str), return_inverse=True)
    by_key = np.argsort(inverse, kind="stable")
    turn = np.zeros(len(order), int)
    turn[by_key] = np.arange(len(order)) - np.searchsorted(inverse[by_key], inverse[by_key])
    return order[np.argsort(turn, kind="stable")]


def shuffled(rows: np.ndarray) -> np.ndarray:
    """The rows in a random order that is the same every time."""
    return rows[np.random.default_rng(0).permutation(len(rows))]


def relative_sizes(pool: Dataset) -> np.ndarray:
    """Square root of each box's share of its image, (m,); nan for a box without an area."""
    sides = (pool.boxes[:, 2:] - pool.boxes[:, :2]).astype(float)
    area = (pool.width.astype(float) * pool.height)[pool.box_row]
    return np.sqrt(np.where((sides > 0).all(axis=1), sides.clip(0).prod(axis=1), np.nan) / area)
