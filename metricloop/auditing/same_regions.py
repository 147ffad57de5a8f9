"""Whether two pictures that look alike really are the same where their labels differ: neighbouring frames are not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.door import AwayError
from metricloop.data.pictures import PictureError, read_picture

SAME = 0.5  # a difference below this share of a region's own contrast is no other object: copies .0 to .3, frames .9 on
CLOSE = 0.75  # IoU from which boxes of copies count as one, where those that differ are shown
NOISE = 2.0  # grey levels; what is below is noise of the file, whatever the contrast


def same_where_labels_differ(data: Dataset, first: int, second: int, least: float) -> bool:
    """Whether two pictures are equal inside a box that only one of them has, so that one labelling must be wrong.

    Where something moves, each of two frames has a box of its own, and both are right. least: IoU from which boxes of
    a class are the same. False where a picture cannot be read.
    """
    try:
        one, two = _picture(data, first), _picture(data, second)
    except (PictureError, AwayError):
        return False
    own, other = _unmatched(data, first, second, least)
    return any(_same(one, two, box) for box in own) or any(_same(two, one, box) for box in other)


def differing(data: Dataset, row: int, other: int) -> np.ndarray:
    """The boxes that are in one of two copies but not in the other, (k, 4), in pixels of the copy in `row`."""
    boxes = np.concatenate(_unmatched(data, row, other, CLOSE))
    return np.asarray(boxes * np.tile([data.width[row], data.height[row]], 2))


def _picture(data: Dataset, row: int) -> np.ndarray:
    return _read(str(data.root / str(data.file[row])), str(data.sha256[row]))


@lru_cache(maxsize=8)
def _read(file: str, sha256: str) -> np.ndarray:
    return read_picture(file, sha256)


def _unmatched(data: Dataset, row: int, other: int, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of boxes, (k, 4) each: those that only the picture in `row` has, and those that only `other` has.

    Coordinates are divided by the picture's width and height. Both pictures have a box if each has one of the same
    class there, and the IoU of the two is at least `least`.
    """
    from scipy.optimize import linear_sum_assignment

    one, two = data.slice(row), data.slice(other)
    boxes = [data.boxes[data.slice(at)] / np.tile([data.width[at], data.height[at]], 2) for at in (row, other)]
    fits = (iou(*boxes) >= least) & (data.labels[one][:, None] == data.labels[two])
    rows, partners = linear_sum_assignment(~fits)
    both = fits[rows, partners]
    return np.delete(boxes[0], rows[both], axis=0), np.delete(boxes[1], partners[both], axis=0)


def _same(picture: np.ndarray, other: np.ndarray, box: np.ndarray) -> bool:
    """Whether two pictures (H, W, 3) are the same inside a box; one may be smaller, or brighter as a whole."""
    import cv2

    height, width = np.min([picture.shape[:2], other.shape[:2]], axis=0).tolist()
    regions = []
    for shown in (picture, other):
        x1, y1, x2, y2 = _pixels(box, shown)
        size = (max(1, round((box[2] - box[0]) * width)), max(1, round((box[3] - box[1]) * height)))
        level = np.median(shown[:: max(1, height // 64), :: max(1, width // 64)], axis=(0, 1))
        regions.append(cv2.resize(shown[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA) - level)
    contrast = np.abs(regions[0] - np.median(regions[0], axis=(0, 1))).mean()
    return bool(np.abs(regions[0] - regions[1]).mean() <= max(NOISE, SAME * contrast))


def _pixels(box: np.ndarray, shown: np.ndarray) -> tuple[int, int, int, int]:
    height, width = shown.shape[:2]
    x1, y1 = min(round(box[0] * width), width - 1), min(round(box[1] * height), height - 1)
    return x1, y1, max(x1 + 1, round(box[2] * width)), max(y1 + 1, round(box[3] * height))
