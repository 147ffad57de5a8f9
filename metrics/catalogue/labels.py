"""Number, classes, area and arrangement of the objects of an image, from the labels alone."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import once
from metricloop.metrics.catalogue._boxes import (
    TRAINED_SIDE,
    areas,
    box_rows,
    centres,
    class_counts,
    image_areas,
    image_means,
    logs,
    ratio,
)
from metricloop.metrics.catalogue._pairs import cover, neighbours
from metricloop.metrics.catalogue.geometry import object_size
from metricloop.metrics.contract import metric

SMALL = 32  # COCO's small objects have fewer pixels than a square of this side


# ---- what it holds


@metric(level="image", scope="dataset")
def object_count(pool: Dataset) -> np.ndarray:
    """Number of labelled objects; 0 and above.

    Direction: higher is better, as more objects teach more at the same number of images. Picking images with more
    boxes is a confound, too: compare with the control `match`. Source: Encord's article (2023).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> object_count(pool_of([Frame(1, 100, 100, np.float32([[0, 0, 20, 10]]), np.array([0]))])).tolist()
    [1.0]
    """
    return pool.counts.astype(np.float64)


@metric(level="image", scope="dataset")
def class_count(pool: Dataset) -> np.ndarray:
    """Number of different classes among the labels; 0 and above, 0 without boxes.

    Direction: higher is better: an image that shows several classes teaches what tells them apart.
    Source: a plain count.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes, names = np.float32([[0, 0, 9, 9]] * 3), ("cat", "dog")
    >>> class_count(pool_of([Frame(1, 100, 100, boxes, np.array([0, 1, 1]), names)])).tolist()
    [2.0]
    """
    row, _ = _shown(pool)
    return np.bincount(row, minlength=len(pool)).astype(np.float64)


@metric(level="image", scope="dataset")
def class_entropy(pool: Dataset) -> np.ndarray:
    """Entropy of the classes of an image's labels, -sum p log2 p in bits; 0 for one class only, nan without boxes.

    Direction: higher is better: classes side by side in even numbers. Source: Shannon (1948).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes, names = np.float32([[0, 0, 9, 9]] * 4), ("cat", "dog")
    >>> class_entropy(pool_of([Frame(1, 100, 100, boxes, np.array([0, 1, 1, 0]), names)])).tolist()
    [1.0]
    """
    row, number = _shown(pool)
    return _entropy(pool, row, number)


@metric(level="image", scope="dataset")
def rarity(pool: Dataset) -> np.ndarray:
    """Mean over an image's labels of 1 / the share of their class among all labels of the pool; 1 and above.

    nan without boxes. In a pool with C equally frequent classes every image has C; one that shows nothing but a class
    with a hundredth of the labels has 100. A mean, so that images with many boxes are not preferred for that alone.
    Direction: higher is better: what is rare is learnt from few examples. Source: inverse class frequency, the weight
    of cost-sensitive learning (King and Zeng 2001).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes, names = np.float32([[0, 0, 9, 9]] * 3), ("cat", "dog")
    >>> frames = [Frame(k, 100, 100, boxes[:n], np.full(n, k), names) for k, n in ((0, 3), (1, 1))]
    >>> rarity(pool_of(frames)).round(3).tolist()  # 4 labels, 3 of them cats
    [1.333, 4.0]
    """
    return image_means(pool, (len(pool.labels) / np.maximum(class_counts(pool), 1))[pool.labels])


# ---- what is covered, and how sizes and places differ


@metric(level="image", scope="dataset")
def covered_area(pool: Dataset) -> np.ndarray:
    """Share of the image that lies under at least one box, exact: the union's area; 0 to 1, 0 without boxes.

    Direction: higher is better: more of the picture is object. Unchanged when the image is rescaled. Boxes that are
    much too large raise it as well. Source: encord-active calls it object density.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 20, 10], [10, 0, 30, 10]])  # 30 x 10 together
    >>> covered_area(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0]))])).tolist()
    [0.25]
    """
    return np.minimum(ratio(cover(pool).image, image_areas(pool)), 1.0)


@metric(level="image", scope="dataset", higher_is="worse")
def background_share(pool: Dataset) -> np.ndarray:
    """Share of the image under no box, 1 - `covered_area`; 0 to 1, 1 without boxes.

    Direction: higher is worse: little of the picture is object. Source: the complement of encord-active's density.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> background_share(pool_of([Frame(1, 40, 30, np.float32([[0, 0, 20, 15]]), np.array([0]))])).tolist()
    [0.75]
    """
    return 1 - covered_area(pool)


@metric(level="image", scope="dataset", higher_is="worse")
def small_object_share(pool: Dataset, side: int = TRAINED_SIDE) -> np.ndarray:
    """Share of an image's boxes that have fewer than 32 x 32 pixels once its long side has `side`; 0 to 1.

    nan without boxes. At the training size, as it is there that a detector has to find them.
    Direction: higher is worse: small objects are hard to label tightly and hard to learn. Source: COCO's small
    objects (Lin et al. 2014), which are counted at the stored size.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 60, 60], [0, 0, 70, 70]])  # 30 x 30 and 35 x 35 at half the size
    >>> small_object_share(pool_of([Frame(1, 448, 300, boxes, np.array([0, 0]))])).tolist()
    [0.5]
    """
    return image_means(pool, (object_size(pool, side) < SMALL).astype(np.float64))


@metric(level="image", scope="dataset")
def object_proximity(pool: Dataset) -> np.ndarray:
    """Mean distance from an object's centre to the nearest other centre, over the image's diagonal; 0 to 1.

    nan with fewer than two objects: there is no neighbour to measure. Unchanged when the image is rescaled.
    Direction: higher is better: objects that stand apart are hard to mislabel, while doubled boxes and boxes that
    slid onto a neighbour score near 0. Source: Encord's article (2023), with the diagonal added as the unit.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 2, 2], [3, 4, 5, 6]])  # centres (1, 1) and (4, 5)
    >>> object_proximity(pool_of([Frame(1, 30, 40, boxes, np.array([0, 0]))])).tolist()
    [0.1]
    """
    return ratio(image_means(pool, neighbours(pool).distance, 2), np.hypot(pool.width, pool.height))


@metric(level="image", scope="dataset")
def spatial_spread(pool: Dataset) -> np.ndarray:
    """Spread of the objects' centres: root of the mean variance of x / width and y / height; 0 to 0.5.

    nan with fewer than two objects. Centres outside the image count as on its border.
    Direction: higher is better: objects all over the picture, not in one heap. Source: the standard distance of
    spatial statistics (Bachi 1963), per axis in the image's sides.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[9, 14, 11, 16], [29, 14, 31, 16]])  # centres at 1/4 and 3/4 of the width, 1/2 the height
    >>> spatial_spread(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0]))])).round(4).tolist()
    [0.1768]
    """
    return np.sqrt(sum(_variance(pool, place) for place in centres(pool)) / 2)


@metric(level="image", scope="dataset")
def quadrant_entropy(pool: Dataset) -> np.ndarray:
    """Entropy of the image's four quarters by the number of centres in them, in bits; 0 (all in one) to 2 (even).

    nan without boxes. A centre on a middle line belongs to the right or lower quarter.
    Direction: higher is better: objects all over the picture. Source: Shannon's entropy over a 2 x 2 quadrat count.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 4, 4], [30, 0, 34, 4], [30, 2, 34, 6], [2, 2, 6, 6]])
    >>> quadrant_entropy(pool_of([Frame(1, 40, 30, boxes, np.array([0] * 4))])).tolist()
    [1.0]
    """
    x, y = centres(pool)
    quadrant = 4 * box_rows(pool) + 2 * (y >= 0.5) + (x >= 0.5)
    number = np.bincount(quadrant, minlength=4 * len(pool))
    held = np.flatnonzero(number)
    return _entropy(pool, held // 4, number[held])


@metric(level="image", scope="dataset")
def size_diversity(pool: Dataset) -> np.ndarray:
    """Standard deviation of the natural logarithm of the areas of an image's boxes; 0 and above.

    nan with fewer than two boxes, or with one that has no area. Unchanged when the image is rescaled.
    Direction: higher is better: one picture that shows near and far objects. Source: the standard deviation of logs,
    as sizes are closer to log-normal than to normal.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> boxes = np.float32([[0, 0, 1, 1], [0, 0, np.e, np.e]])  # logs 0 and 2
    >>> size_diversity(pool_of([Frame(1, 40, 30, boxes, np.array([0, 0]))])).round(6).tolist()
    [1.0]
    """
    return np.sqrt(_variance(pool, logs(areas(pool))))


# ---- what some of the above share


@once
def _shown(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The image row of each class that an image shows, rows ascending, and how many boxes of the class it has."""
    classes = max(len(pool.class_names), 1)
    pairs = box_rows(pool) * classes + pool.labels
    pairs = np.sort(pairs.astype(np.int32) if len(pool) * classes < 2**31 else pairs)  # sorted twice as fast
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    return pairs[first] // classes, np.diff(first, append=len(pairs))


def _entropy(pool: Dataset, row: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Entropy in bits of the boxes of every image over kinds; `number` of them of one kind in image `row`."""
    share = number / pool.counts[row]
    bits = np.bincount(row, -share * np.log2(share), len(pool)) if len(row) else np.zeros(len(pool))
    return np.where(pool.counts > 0, np.abs(bits), np.nan)


def _variance(pool: Dataset, values: np.ndarray) -> np.ndarray:
    """Variance over the boxes of each image; nan with fewer than two."""
    return image_means(pool, (values - image_means(pool, values, 2)[box_rows(pool)]) ** 2, 2)
