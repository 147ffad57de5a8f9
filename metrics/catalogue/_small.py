"""The small picture that metrics of a whole image read, and statistics of it, computed once per frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from metricloop.data.frame import Frame, once

SIDE = 96  # px; the long side: below a quarter of most photos, whose JPEGs are cheap to decode at that scale
POWERS = np.arange(256, dtype=np.float64) ** np.array([[1], [2]])  # levels, and their squares


def picture(frame: Frame) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    assert frame.image is not None  # the contract checks it
    return frame.image


@once
def luma(frame: Frame) -> np.ndarray:
    """(H, W) uint8: .299 R + .587 G + .114 B, rounded (ITU-R BT.601)."""
    return cv2.cvtColor(picture(frame), cv2.COLOR_RGB2GRAY)


@once
def luma_counts(frame: Frame) -> np.ndarray:
    """(256,) float64: pixels of each level."""
    return cv2.calcHist([luma(frame)], [0], None, [256], [0, 256]).ravel().astype(np.float64)


@once
def luma_below(frame: Frame) -> np.ndarray:
    """(256,) float64: pixels at or below each level; the last one counts all."""
    return luma_counts(frame).cumsum()


@once
def luma_moments(frame: Frame) -> tuple[float, float]:
    """Mean and standard deviation (of the population), in levels. From whole numbers, so that a plain image has 0."""
    total, squares = (POWERS @ luma_counts(frame)).tolist()
    n = luma(frame).size
    return total / n, (n * squares - total * total) ** 0.5 / n


def luma_percentile(frame: Frame, percent: int) -> int:
    """The lowest level that at least so many percent of the pixels do not exceed."""
    below = luma_below(frame)
    return int(below.searchsorted(percent * below[-1] / 100))


@once
def halved(frame: Frame) -> np.ndarray:
    """(H / 2, W / 2, 3) uint8 RGB, the mean of 2 x 2 pixels."""
    height, width, _ = picture(frame).shape
    size = max(1, width // 2), max(1, height // 2)
    return cv2.resize(picture(frame), size, interpolation=cv2.INTER_AREA)


@once
def halved_luma(frame: Frame) -> np.ndarray:
    """(H / 2, W / 2) uint8."""
    return cv2.cvtColor(halved(frame), cv2.COLOR_RGB2GRAY)


@once
def colours(frame: Frame) -> Sequence[np.ndarray]:
    """R, G and B of the halved picture: JPEG keeps colour at half the size anyway."""
    return cv2.split(halved(frame))
