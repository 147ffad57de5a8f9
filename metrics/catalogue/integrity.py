"""Labels that contradict themselves, the image or each other: worth checking whatever a model predicts."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.metrics.catalogue._boxes import extents, ratio, sides, visible
from metricloop.metrics.catalogue._pairs import neighbours
from metricloop.metrics.contract import metric


@metric(level="object", scope="dataset", higher_is="worse")
def degenerate(pool: Dataset, pixels: float = 1.0) -> np.ndarray:
    """1 for a box at most `pixels` wide or high, in pixels of the stored picture; else 0.

    Direction: higher is worse: a click without a drag, or a remainder of cutting up a picture. Source: datumaro
    reports sides below 1.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 1, 10], [5, 5, 5, 5], [0, 0, 2, 2]])
    >>> degenerate(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0, 0]))])).tolist()
    [1.0, 1.0, 0.0]
    """
    return (np.minimum(*sides(pool)) <= pixels).astype(np.float64)


@metric(level="object", scope="dataset", higher_is="worse")
def out_of_bounds(pool: Dataset) -> np.ndarray:
    """Share of a box's area outside its image; 0 to 1, 1 for one that lies wholly outside.

    A box without width or height is judged by the line or the point that it is.
    Direction: higher is worse: coordinates of another picture, of another size, or in another order. Source: FiftyOne.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[30, 10, 50, 20], [0, 0, 40, 30], [50, 5, 50, 5]])
    >>> out_of_bounds(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0, 0]))])).tolist()
    [0.5, 0.0, 1.0]
    """
    inside = np.ones(len(pool.boxes))
    for axis, (within, extent) in enumerate(zip(visible(pool), extents(pool), strict=True)):
        low, length = pool.boxes[:, axis], pool.boxes[:, axis + 2].astype(np.float64)
        length -= low
        flat = np.flatnonzero(length <= 0)
        length[flat] = 1
        share = np.divide(within, length, out=length)
        share[flat] = (low[flat] >= 0) & (low[flat] <= extent[flat])
        inside *= share
    return 1 - inside


@metric(level="object", scope="dataset", higher_is="worse")
def doubled(pool: Dataset) -> np.ndarray:
    """Greatest IoU of a box with another box of the same class; 0 to 1, 0 where there is none.

    Direction: higher is worse: near 1 an object is labelled twice. Source: encord-active looks for such duplicates.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes, names = np.float32([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 10]]), ("cat", "dog")
    >>> doubled(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0, 1]), names)])).tolist()
    [0.5, 0.5, 0.0]
    """
    return neighbours(pool).same


@metric(level="object", scope="dataset", higher_is="worse")
def conflicting(pool: Dataset) -> np.ndarray:
    """Greatest IoU of a box with a box of another class; 0 to 1, 0 where there is none.

    Direction: higher is worse: near 1 one object carries two classes, and at least one is wrong. Source: cleanlab.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes, names = np.float32([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 10]]), ("cat", "dog")
    >>> conflicting(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0, 1]), names)])).tolist()
    [1.0, 0.5, 1.0]
    """
    return neighbours(pool).other


@metric(level="image", scope="dataset", higher_is="worse")
def unlabelled_neighbour(pool: Dataset) -> np.ndarray:
    """For an image without boxes: the share of the other images of its group that have some; 0 to 1.

    A group is a video or a cluster of near-duplicates, as ingested. 0 for an image with boxes. nan for an image
    without boxes that is alone in its group: there is nothing to compare it with.
    Direction: higher is worse: its neighbours show objects, so its labels were probably forgotten. Source: that labels
    of one scene agree over time is a consistency assertion of Kang et al., Model Assertions (2020).

    >>> from dataclasses import replace
    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> box, none = np.float32([[0, 0, 10, 10]]), np.zeros((0, 4), np.float32)
    >>> frames = [Frame(k, 40, 30, boxes, np.zeros(len(boxes), int)) for k, boxes in enumerate([box, none, none, none])]
    >>> unlabelled_neighbour(replace(pool_of(frames), group=np.array(["a", "a", "a", "b"]))).tolist()
    [0.0, 0.5, 0.5, nan]
    """
    codes = {group: code for code, group in enumerate(dict.fromkeys(pool.group))}
    group = np.fromiter(map(codes.__getitem__, pool.group), np.int64, len(pool))
    labelled = pool.counts > 0
    with_labels, size = np.bincount(group, labelled), np.bincount(group)
    return np.where(labelled, 0.0, ratio(with_labels, size - 1.0)[group])
