"""Every box cut out with a margin and resized to one size, so that scores do not depend on the size of the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from metricloop.data.frame import Frame, once

BOX = 64  # pixels a side that every box is resized to
MARGIN = BOX // 2  # pixels of its surroundings beyond each side, in the same scale
SIDE = BOX + 2 * MARGIN  # of a crop
START, END = MARGIN, MARGIN + BOX  # where the box lies in its crop
SMALLEST = 4  # a box with a shorter side, in original pixels, has no useful contours
LARGEST = 4  # a box this many times wider or higher than its image is an error, and its margin would not fit in memory


@dataclass(frozen=True)
class Crop:
    """A box and half its size of surroundings on every side.

    pixels: (128, 128, 3) uint8 RGB, the box at [START:END, START:END]; seen: (128, 128) bool, what lies in the image
    (beyond it `pixels` repeat its border); open: (4,) bool, the sides (top, right, bottom, left) with image beyond
    them: a strip of a sixteenth of the box at least.
    """

    pixels: np.ndarray
    seen: np.ndarray
    open: np.ndarray


@once
def crops(frame: Frame) -> list[Crop | None]:
    """The crop of every box; None for a box too small, or wholly outside its image."""
    assert frame.image is not None  # the contract checks it
    height, width = frame.image.shape[:2]
    found: list[Crop | None] = []
    for box in frame.boxes.astype(np.float64):
        pixels = cut(frame.image, box, MARGIN)
        if pixels is None:
            found.append(None)
            continue
        size = box[2:] - box[:2]
        first, last = np.clip(np.round((np.array([[0, 0], [width, height]]) - box[:2]) / size * BOX) + START, 0, None)
        place = np.arange(SIDE)
        across, down = ((place >= low) & (place < high) for low, high in zip(first, last, strict=True))
        seen = down[:, None] & across
        if not seen[START:END, START:END].any():  # only its surroundings lie in the image
            found.append(None)
            continue
        beyond = np.array([box[1], width - box[2], height - box[3], box[0]]) / np.tile(size[::-1], 2)
        found.append(Crop(pixels, seen, beyond >= 1 / 16))
    return found


def cut(image: np.ndarray, box: np.ndarray, margin: int) -> np.ndarray | None:
    """A box with `margin` / BOX of its size around it, as a square of BOX + 2 margin pixels; None as `crops` says."""
    size = box[2:] - box[:2]
    height, width = image.shape[:2]
    if size.min() < SMALLEST or (size > LARGEST * np.array([width, height])).any():
        return None
    around = size * margin / BOX
    x1, y1 = np.round(box[:2] - around).astype(int)
    x2, y2 = np.round(box[2:] + around).astype(int)
    part = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if part.size == 0:  # wholly outside the image
        return None
    above, below, left, right = (max(0, int(edge)) for edge in (-y1, y2 - height, -x1, x2 - width))
    part = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_REPLICATE)
    side = BOX + 2 * margin
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)


def turned(values: np.ndarray) -> Iterator[np.ndarray]:
    """A square crop with each of its sides once on top: the top, right, bottom and left one."""
    return (np.rot90(values, quarter) for quarter in range(4))
