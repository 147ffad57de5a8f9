"""Size, shape and position of every box, compared with the other boxes and with its class, from the labels alone."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import once
from metricloop.metrics.catalogue._boxes import (
    TRAINED_SIDE,
    areas,
    box_rows,
    centres,
    extents,
    logs,
    ratio,
    robust_z,
    sides,
)
from metricloop.metrics.catalogue._pairs import cover, neighbours
from metricloop.metrics.contract import metric

# ---- among others


@metric(level="object", scope="dataset")
def nearest_gap(pool: Dataset) -> np.ndarray:
    """Distance from a box's edge to the nearest edge of another box, over the image's diagonal; 0 to 1.

    0 where two boxes touch or overlap, nan for a box that is alone. Unchanged when the image is rescaled.
    Direction: higher is better: an object that stands apart is hard to mislabel. Source: the edge-to-edge form of
    `object_proximity`.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 2, 2], [5, 6, 9, 9]])  # 3 to the right, 4 below; the diagonal is 50
    >>> nearest_gap(pool_of([Frame(1, 30, 40, boxes, np.array([0, 0]))])).tolist()
    [0.1, 0.1]
    """
    return ratio(neighbours(pool).gap, np.hypot(pool.width, pool.height)[box_rows(pool)])


@metric(level="object", scope="dataset", higher_is="worse")
def overlap(pool: Dataset) -> np.ndarray:
    """Greatest IoU of a box with any other box of its image, whatever the classes; 0 to 1, 0 for a box that is alone.

    Direction: higher is worse: near 1 an object is labelled twice; in between, objects hide each other.
    Source: IoU, as in PASCAL VOC (Everingham et al. 2010).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]])
    >>> overlap(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0, 0]))])).tolist()
    [0.5, 0.5, 0.0]
    """
    pairs = neighbours(pool)
    return np.maximum(pairs.same, pairs.other)


@metric(level="object", scope="dataset", higher_is="worse")
def crowding(pool: Dataset) -> np.ndarray:
    """Share of a box, inside the image, that lies under at least one other box; exact; 0 to 1.

    nan for a box without area inside the image. Unlike `overlap` it is 1 for a small box within a large one, and adds
    up what several others cover.
    Direction: higher is worse: a crowded object is partly hidden, and its box is hard to draw. Source: the occlusion
    ratio of CityPersons (Zhang et al. 2017), of boxes, and by all others together.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 10, 5]])
    >>> crowding(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0, 0]))])).tolist()
    [0.75, 0.5, 1.0]
    """
    covered = cover(pool)
    return np.clip(ratio(covered.others, covered.box), 0, 1)


# ---- size, shape and place


@metric(level="object", scope="dataset")
def object_area(pool: Dataset) -> np.ndarray:
    """Area of a box over its image's; 0 and above, beyond 1 only for a box that leaves the image.

    Direction: higher is better: large objects are labelled well more easily. Source: encord-active, datumaro.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> object_area(pool_of([Frame(1, 40, 30, np.float32([[0, 0, 20, 15]]), np.array([0]))])).tolist()
    [0.25]
    """
    return areas(pool)


@metric(level="object", scope="dataset")
def object_size(pool: Dataset, side: int = TRAINED_SIDE) -> np.ndarray:
    """Root of a box's area in pixels, once the long side of its image has `side` of them; 0 and above.

    Direction: higher is better: objects with few pixels at the training size are hard to learn. Source: COCO's sizes
    (Lin et al. 2014), at the training size.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> object_size(pool_of([Frame(1, 448, 300, np.float32([[0, 0, 80, 20]]), np.array([0]))])).tolist()
    [20.0]
    """
    width, height = sides(pool)
    scale = side / np.maximum(*extents(pool))
    return np.sqrt(np.maximum(width, 0) * np.maximum(height, 0)) * scale


@metric(level="object", scope="dataset")
def aspect_ratio(pool: Dataset) -> np.ndarray:
    """Width of a box over its height; above 0, 1 for a square; nan for a box without height.

    Direction: neither end is right by itself. Objects of one class share a range of shapes, so a box far out at either
    end is suspect; use it with the policy `band`. Source: the worked example of Encord's article (2023).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 20, 10], [5, 5, 10, 25]])
    >>> aspect_ratio(pool_of([Frame(1, 100, 100, boxes, np.array([0, 0]))])).tolist()
    [2.0, 0.25]
    """
    return ratio(*sides(pool))


@metric(level="object", scope="dataset", higher_is="worse")
def aspect_extremeness(pool: Dataset) -> np.ndarray:
    """|ln(width / height)| of a box; 0 for a square, the same for 1 : a as for a : 1; nan without width or height.

    Direction: higher is worse: slivers are often cut-off objects or slips of the hand. Source: datumaro's ratio.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 20, 10], [5, 5, 15, 25], [0, 0, 9, 9]])
    >>> aspect_extremeness(pool_of([Frame(1, 100, 100, boxes, np.array([0] * 3))])).round(3).tolist()
    [0.693, 0.693, 0.0]
    """
    return np.abs(logs(aspect_ratio(pool)))


@metric(level="object", scope="dataset")
def border_gap(pool: Dataset) -> np.ndarray:
    """Smallest gap between a box and a border of its image, over the image's side across it; 0 to 0.5.

    0 for a box that touches the border or leaves the image.
    Direction: higher is better: an object by the border may be cut off by it. Source: encord-active.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[10, 9, 30, 21], [0, 0, 5, 5]])  # 10 of 40 at the sides, 9 of 30 above and below
    >>> border_gap(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0]))])).tolist()
    [0.25, 0.0]
    """
    x, y = _border(pool)
    width, height = extents(pool)
    return np.clip(np.minimum(x / width, y / height), 0, 0.5)


@metric(level="object", scope="dataset", higher_is="worse")
def truncated(pool: Dataset, margin: float = 1.0) -> np.ndarray:
    """1 for a box that ends within `margin` pixels of a border of its image, or beyond it; else 0.

    One pixel, as labels are rounded to whole pixels, in one direction or the other.
    Direction: higher is worse: the object is probably cut off. Source: `truncated` of PASCAL VOC, guessed from the box.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[10, 9, 39.5, 21], [5, 5, 10, 10]])
    >>> truncated(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0]))])).tolist()
    [1.0, 0.0]
    """
    x, y = _border(pool)
    return (np.minimum(x, y) <= margin).astype(np.float64)


# ---- unlike its class


@metric(level="object", scope="dataset", higher_is="worse")
def size_outlier(pool: Dataset) -> np.ndarray:
    """How unusual the size of a box is in its class: robust z of ln `object_area`, 0.6745 |x - median| / MAD; from 0.

    Above 3.5 is the usual "outlier". Where more than half of a class are alike, the mean deviation takes MAD's place;
    0 where all are. nan for a box without area, and in a class with fewer than 5 boxes to compare.
    Direction: higher is worse. Source: Iglewicz and Hoaglin (1993), on logarithms: sizes are heavy-tailed.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 1, 2**k] for k in (1, 2, 3, 4, 6)])  # median 8; MAD is a factor of 2, off by 1 and 3
    >>> size_outlier(pool_of([Frame(1, 99, 99, boxes, np.array([0] * 5))])).round(4).tolist()
    [1.349, 0.6745, 0.0, 0.6745, 2.0235]
    """
    return robust_z(pool, logs(areas(pool)))


@metric(level="object", scope="dataset", higher_is="worse")
def aspect_outlier(pool: Dataset) -> np.ndarray:
    """How unusual the shape of a box is for its class: robust z of ln(width / height), as in `size_outlier`; 0 upwards.

    nan for a box without width or height, and in a class with fewer than 5 boxes to compare.
    Direction: higher is worse: a standing bottle is tall, and a wide one is lying, cut off or mislabelled. Source:
    Iglewicz and Hoaglin (1993), on logarithms.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 2**k, 4] for k in (1, 2, 3, 4, 6)])
    >>> aspect_outlier(pool_of([Frame(1, 99, 99, boxes, np.array([0] * 5))])).round(4).tolist()
    [1.349, 0.6745, 0.0, 0.6745, 2.0235]
    """
    return robust_z(pool, logs(aspect_ratio(pool)))


@metric(level="object", scope="dataset", higher_is="worse")
def position_outlier(pool: Dataset) -> np.ndarray:
    """How unusual the centre of a box is for its class: the greater robust z of x / width and y / height; 0 and above.

    As in `size_outlier`, of shares and not of logarithms. nan in a class with fewer than 5 boxes.
    Direction: higher is worse where the camera's view is fixed or the scene has an up and a down (a car in the sky).
    Source: Iglewicz and Hoaglin (1993).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[x - 1, 9, x + 1, 11] for x in (40, 45, 50, 55, 90)])  # all at one height
    >>> position_outlier(pool_of([Frame(1, 100, 20, boxes, np.array([0] * 5))])).round(4).tolist()
    [1.349, 0.6745, 0.0, 0.6745, 5.396]
    """
    x, y = centres(pool)
    return np.maximum(robust_z(pool, x), robust_z(pool, y))


# ---- what some of the above share


@once
def _border(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Pixels between a box and the nearer of the left and right borders, and of the upper and lower ones."""
    width, height = extents(pool)
    x = np.minimum(pool.boxes[:, 0], width - pool.boxes[:, 2])
    y = np.minimum(pool.boxes[:, 1], height - pool.boxes[:, 3])
    return x, y
