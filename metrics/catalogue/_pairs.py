"""Boxes against the other boxes of their image: every pair is compared once, for all metrics that need pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import once
from metricloop.metrics.catalogue._boxes import blocks, box_rows, image_sums, visible

FAR = 1e150  # where the boxes are that fill up a block: nearest to nothing; twice its square is still a float64
TINY = 1e-300  # under a fraction, in the place of 0


@dataclass(frozen=True)
class Neighbours:
    """Per box, among the other boxes of its image, (boxes,) float64.

    distance, gap: pixels from centre to the nearest centre, and from edge to the nearest edge (0 where boxes overlap);
    nan for a box that is alone. same, other: the greatest IoU with a box of its class, and of another; 0 for none.
    """

    distance: np.ndarray
    gap: np.ndarray
    same: np.ndarray
    other: np.ndarray


@once
def neighbours(pool: Dataset) -> Neighbours:
    """The Neighbours of every box, computed once for a pool."""
    found = np.zeros((4, len(pool.boxes)))
    found[:2] = np.nan
    counts = np.where(pool.counts > 1, pool.counts, 0)
    for index, held in blocks(counts, pool.offsets):
        values = _block(pool.boxes[index], pool.labels[index], held)
        into = index if held is None else index[held]
        for flat, value in zip(found, values, strict=True):
            flat[into] = value if held is None else value[held]
    np.sqrt(found[:2], out=found[:2])
    found.flags.writeable = False
    return Neighbours(*found)


def _block(boxes: np.ndarray, labels: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    """(4, size, k): squared distance and gap, same and other, of (size, k) boxes whose columns are images."""
    x1, y1, x2, y2 = (np.ascontiguousarray(boxes[..., side], np.float64) for side in range(4))
    cx, cy = ((boxes[..., k] + boxes[..., k + 2]).astype(np.float64) / 2 for k in (0, 1))
    if held is not None:
        for values in (x1, y1, x2, y2, cx, cy):
            values[~held] = FAR
    area = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    found = np.zeros((4, *labels.shape))
    found[:2] = np.inf
    distance, gap, same, other = found
    for i in range(len(labels) - 1):
        rest = slice(i + 1, None)
        wide = np.minimum(x2[rest], x2[i])
        wide -= np.maximum(x1[rest], x1[i])
        high = np.minimum(y2[rest], y2[i])
        high -= np.maximum(y1[rest], y1[i])
        shared_x, shared_y = np.maximum(wide, 0), np.maximum(high, 0)
        # what is missing from touching: 0 along an axis that both boxes share some of
        wide -= shared_x
        high -= shared_y
        apart = wide**2
        apart += high**2
        iou = shared_x * shared_y
        either = area[rest] + area[i]
        either -= iou
        iou /= np.maximum(either, TINY, out=either)
        alike = iou * (labels[rest] == labels[i])
        iou -= alike
        away = (cx[rest] - cx[i]) ** 2
        away += (cy[rest] - cy[i]) ** 2
        for kept, value, best in ((distance, away, np.minimum), (gap, apart, np.minimum),
                                  (same, alike, np.maximum), (other, iou, np.maximum)):  # fmt: skip
            best(kept[rest], value, out=kept[rest])
            best(kept[i], best.reduce(value, axis=0), out=kept[i])
    return found


@dataclass(frozen=True)
class Cover:
    """Exact covered areas inside the image: of the image by its boxes, and of a box by other boxes.

    image: (images,) square pixels under at least one box; box, others: (boxes,) square pixels of a box inside the
    image, and those of them that lie under at least one other box.
    """

    image: np.ndarray
    box: np.ndarray
    others: np.ndarray


@once
def cover(pool: Dataset) -> Cover:
    """The Cover of a pool, computed once. Boxes that overlap no other one are only added up."""
    pairs, rows = neighbours(pool), box_rows(pool)
    limits = np.stack([pool.width, pool.height] * 2, axis=1).astype(np.float64)
    overlapping = np.flatnonzero((pairs.same > 0) | (pairs.other > 0))
    box, others = np.multiply(*visible(pool)), np.zeros(len(rows))
    alone = box.copy()
    alone[overlapping] = 0
    image = image_sums(pool, alone)
    counts = np.bincount(rows[overlapping], minlength=len(pool))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    for index, held in blocks(counts, offsets):
        flat = overlapping[index]
        corners = np.clip(pool.boxes[flat].astype(np.float64), 0, limits[rows[flat[0]]])
        if held is not None:
            corners[~held] = 0  # a box of no size covers nothing
        union, twice = _sweep(*np.ascontiguousarray(np.moveaxis(corners, 2, 0)))
        image[rows[flat[0]]] += union
        if held is None:
            others[flat] = twice
        else:
            others[flat[held]] = twice[held]
    return Cover(image, box, others)


def _sweep(x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area under the boxes, (k,), and of each box the area under others, (size, k); columns are images.

    A line moves down all images at once and stops at every box's upper and lower edge. It carries, for each strip
    between two neighbouring x, how many boxes it is in, and how much of the strip above has lain in two or more.
    """
    size, k = x1.shape
    xs = np.sort(np.concatenate([x1, x2]), axis=0)
    left, right = xs[:-1], xs[1:]
    strip = right - left
    ys = np.concatenate([y1, y2])
    order = np.argsort(ys, axis=0)
    ys = np.take_along_axis(ys, order, axis=0)
    box, sign = order % size, np.where(order < size, 1.0, -1.0)
    starts, ends = np.take_along_axis(x1, box, axis=0), np.take_along_axis(x2, box, axis=0)
    depth, once_in, twice_in = np.zeros((3, *strip.shape))
    others, columns, y = np.zeros((size, k)), np.arange(k), ys[0]
    for stop in range(2 * size):
        passed = strip * (ys[stop] - y)
        one, two = np.minimum(depth, 1), np.minimum(depth, 2)
        two -= one
        one *= passed
        two *= passed
        once_in += one
        twice_in += two
        y = ys[stop]
        within = ((left >= starts[stop]) & (right <= ends[stop])).astype(np.float64)
        # what lay in two or more by the lower edge, less what did by the upper one, is what others share of the box
        others[box[stop], columns] -= sign[stop] * np.einsum("sk,sk->k", twice_in, within)
        within *= sign[stop]
        depth += within
    return once_in.sum(axis=0), others
