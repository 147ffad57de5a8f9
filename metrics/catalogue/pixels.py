"""Metrics that look at the pixels in and around each box.

Every box is cut out with a margin and resized to one size first, so that scores do not depend on the image's size.
"""

from __future__ import annotations

import cv2
import numpy as np

from detection.frame import Frame
from metrics.contract import metric

BOX = 64  # pixels a side that every box is resized to
MARGIN = 16  # pixels of its surroundings beyond each side, in the same scale
START, END = MARGIN, MARGIN + BOX  # where the box lies in its crop
SMALLEST = 4  # a box with a shorter side, in original pixels, has no contours to speak of


@metric(level="object", needs=("image",))
def box_tightness(frame: Frame) -> np.ndarray:
    """How well a box fits the contours in it: the IoU of the two; (n,), 0 to 1, 1 is tight.

    Canny edges (thresholds by Otsu) of the box and its surroundings are followed to contours; those whose middle lies
    in the box, and that are longer than an eighth of its side, belong to the object; their common bounding rectangle is
    compared with the box. A loose box is larger than it, a box that cuts its object is smaller. 0 without any such
    contour; nan for a box with a side below 4 px.
    Direction: higher is better. Weak on busy backgrounds, whose contours fill every box. Unchanged, up to resampling,
    when the image is rescaled. Source: "bounding-box tightness" of Encord's article (2023).

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[20:60, 20:60] = 255
    >>> boxes = np.float32([[20, 20, 60, 60], [20, 20, 90, 90]])  # tight, loose
    >>> box_tightness(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [1.0, 0.3]
    """
    return np.array([np.nan if crop is None else _contour_fit(crop) for crop in _crops(frame)])


@metric(level="object", needs=("image",))
def edge_support(frame: Frame) -> np.ndarray:
    """How far image edges begin at the four sides of a box; (n,), 0 to 1, about 0.5 where a side means nothing.

    Each side is looked at through two strips along it, just inside and just outside, each a sixth of the box wide:
    its support is the share of their gradient that lies inside. Averaged over the four sides. An object fills the inner
    strips of a tight box, and only background the outer ones; a side on the border of the image has nothing beyond it.
    0.5 in an image without any gradient; nan for a box with a side below 4 px.
    Direction: higher is better. Sharpest on boxes that cut their object. Unchanged, up to resampling, when the image
    is rescaled. Source: our own, after the edge evidence of Edge Boxes (Zitnick and Dollar, 2014).

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[20:60:4, 20:60] = 255
    >>> boxes = np.float32([[20, 20, 60, 60], [30, 30, 50, 50]])  # tight, inside its object
    >>> edge_support(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.9, 0.5]
    """
    return np.array([np.nan if crop is None else _side_support(crop) for crop in _crops(frame)])


def _crops(frame: Frame) -> list[np.ndarray | None]:
    """Every box with its margin, (96, 96) uint8 grey; None for a box too small. Beyond the image its border repeats."""
    assert frame.image is not None  # the contract checks it
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    return [_crop(grey, box) for box in frame.boxes.astype(np.float64)]


def _crop(grey: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    size = box[2:] - box[:2]
    if size.min() < SMALLEST:
        return None
    margin = size * MARGIN / BOX
    x1, y1 = np.round(box[:2] - margin).astype(int)
    x2, y2 = np.round(box[2:] + margin).astype(int)
    height, width = grey.shape
    part = grey[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if part.size == 0:  # wholly outside the image
        return None
    above, below, left, right = (max(0, int(edge)) for edge in (-y1, y2 - height, -x1, x2 - width))
    part = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_REPLICATE)
    side = BOX + 2 * MARGIN
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)


def _contour_fit(crop: np.ndarray) -> float:
    blurred = cv2.GaussianBlur(crop, (0, 0), 2.0)
    strong, _ = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(cv2.Canny(blurred, strong / 2, strong), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = np.array([cv2.boundingRect(contour) for contour in contours], dtype=float).reshape(-1, 4)
    corner, size = found[:, :2], found[:, 2:]
    middle = corner + size / 2
    own = ((middle >= START) & (middle < END)).all(axis=1) & (size.max(axis=1) >= BOX / 8)
    if not own.any():
        return 0.0
    low, high = corner[own].min(axis=0), (corner + size)[own].max(axis=0)
    common = np.maximum(np.minimum(high, END) - np.maximum(low, START), 0).prod()
    return float(common / ((high - low).prod() + BOX**2 - common))


def _side_support(crop: np.ndarray) -> float:
    blurred = cv2.GaussianBlur(crop, (0, 0), 1.0)
    gradient = np.hypot(cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1))
    wide = BOX // 6
    shares = []
    for turned in (np.rot90(gradient, quarter) for quarter in range(4)):  # each side once on top
        outside, inside = turned[START - wide : START, START:END].sum(), turned[START : START + wide, START:END].sum()
        shares.append(inside / (inside + outside) if inside + outside > 0 else 0.5)
    return float(np.mean(shares))
