"""Shared by metrics of labels: sums over the boxes of an image, blocks of images with equal box counts, robust z."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import once

TRAINED_SIDE = 224  # the long side in pixels that detectors are trained at here, unless params.yaml says otherwise
BLOCK = 20_000  # boxes at a time: the working arrays of a block, 160 kB each, stay in the processor's cache
EXACT = 16  # up to so many boxes a block holds images of one count only; above, counts are rounded up by at most 1/8
FEW = 5  # boxes of a class below which its median and spread describe hardly more than these boxes
NOISE = 1e-6  # a spread of logs or shares below this is that of float32 coordinates, not of the labels


@once
def sides(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of every box in pixels, float64. The difference is that of the float32 coordinates."""
    boxes = pool.boxes
    return (boxes[:, 2] - boxes[:, 0]).astype(np.float64), (boxes[:, 3] - boxes[:, 1]).astype(np.float64)


@once
def centres(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every box's centre over the image's sides, held to the image: 0 to 1."""
    found = []
    for axis, extent in enumerate(extents(pool)):
        place = (pool.boxes[:, axis] + pool.boxes[:, axis + 2]).astype(np.float64)
        place /= 2 * extent
        found.append(np.clip(place, 0, 1, out=place))
    return found[0], found[1]


@once
def box_rows(pool: Dataset) -> np.ndarray:
    """The image row of every box."""
    return pool.box_row


@once
def extents(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of the image that each box is in, float64; nan for an image without any."""
    rows = box_rows(pool)
    width, height = (np.where(side > 0, side, np.nan) for side in (pool.width, pool.height))
    return width[rows], height[rows]


@once
def visible(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of what of every box lies inside its image, float64 pixels; 0 for none of it."""
    found = []
    for axis, extent in enumerate(extents(pool)):
        within, low = pool.boxes[:, axis + 2].astype(np.float64), pool.boxes[:, axis].astype(np.float64)
        np.minimum(within, extent, out=within)
        within -= np.maximum(low, 0, out=low)
        found.append(np.maximum(within, 0, out=within))
    return found[0], found[1]


@once
def areas(pool: Dataset) -> np.ndarray:
    """Area of every box over its image's; 0 for one without width or height."""
    share = np.ones(len(pool.boxes))
    for side, extent in zip(sides(pool), extents(pool), strict=True):
        share *= np.maximum(side, 0) / extent
    return share


def image_areas(pool: Dataset) -> np.ndarray:
    return pool.width.astype(np.float64) * pool.height


def image_sums(pool: Dataset, values: np.ndarray) -> np.ndarray:
    """The sum of a value per box over the boxes of each image, (images,); 0 without boxes.

    To the bit what `values[slice of the image].sum()` is: NumPy sums from 0, but `reduceat` from the first value, which
    is therefore made a 0. An image without boxes has that alone.
    """
    if not len(pool):
        return np.zeros(0)
    row, spaced = np.arange(len(pool)), np.zeros(len(values) + len(pool))
    spaced[np.arange(1, len(values) + 1) + box_rows(pool)] = values
    return np.add.reduceat(spaced, pool.offsets[:-1] + row)


def image_means(pool: Dataset, values: np.ndarray, least: int = 1) -> np.ndarray:
    """The mean over the boxes of each image; nan with fewer than `least`."""
    return ratio(image_sums(pool, values), np.where(pool.counts >= least, pool.counts, 0))


def ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """over / under; nan where `under` is not above 0."""
    return np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)


def logs(values: np.ndarray) -> np.ndarray:
    """Natural logarithm; nan where a value is not above 0."""
    return np.log(values, out=np.full(len(values), np.nan), where=values > 0)


def blocks(counts: np.ndarray, offsets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Images with about as many boxes together, few at a time: (size, k) rows of boxes, and where they are none.

    Column j holds the boxes of one image, boxes[index[:, j]]; where its count is below `size` the rest is filled up
    with row 0 and False in the mask, which is None when nothing is. Images without boxes are left out.
    """
    step = 1 << np.maximum(np.log2(np.maximum(counts, 1)).astype(np.int64) - 3, 0)
    sizes = np.where(counts > EXACT, -(-counts // step) * step, counts)
    order = np.argsort(sizes, kind="stable")
    found, first = np.unique(sizes[order], return_index=True)
    stops = np.append(first, len(order))[1:]
    for size, start, stop in zip(found.tolist(), first.tolist(), stops.tolist(), strict=True):
        if not size:
            continue
        slot, many = np.arange(size)[:, None], max(BLOCK // size, 1)
        for at in range(start, stop, many):
            rows = order[at : min(at + many, stop)]
            index, held = offsets[rows] + slot, slot < counts[rows]
            yield (index, None) if held.all() else (np.where(held, index, 0), held)


@once
def by_class(pool: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the boxes ordered by class, and where each class ends in there."""
    return np.argsort(pool.labels.astype(np.int32), kind="stable"), np.cumsum(class_counts(pool))


@once
def class_counts(pool: Dataset) -> np.ndarray:
    """Boxes of every class in the pool."""
    return np.bincount(pool.labels, minlength=len(pool.class_names))


def robust_z(pool: Dataset, values: np.ndarray) -> np.ndarray:
    """|0.6745 (x - median) / MAD| among the finite values of a box's class, (boxes,); 0 and above.

    MAD is the median of |x - median|. Where it is 0, as more than half of the class are alike, the mean of
    |x - median| takes its place, with the factor 0.7979; where that is 0 as well, so is z. nan where x is nan, and for
    a class with fewer than FEW values. Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993); both
    factors make z that of a normal distribution.
    """
    scores = np.full(len(values), np.nan)
    order, ends = by_class(pool)
    for members in np.split(order, ends[:-1]):
        x = values[members]
        finite = np.isfinite(x)
        if not finite.all():
            members, x = members[finite], x[finite]
        if len(x) < FEW:
            continue
        x = np.abs(x - np.median(x))
        x[x < NOISE] = 0
        factor, spread = 0.6745, np.median(x)
        if not spread:
            factor, spread = 0.7979, x.mean()
        scores[members] = factor * x / spread if spread else 0.0
    return scores
