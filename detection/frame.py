"""One image with its labels: the value every metric sees."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Detections:
    """What a detector said about one image.

    boxes: (k, 4) float32, xyxy pixels; scores: (k,) float32 in [0, 1]; labels: (k,) int64.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Frame:
    """One image of the pool and its labels.

    boxes: (n, 4) float32, xyxy pixels; labels: (n,) int64, index into class_names;
    image: (height, width, 3) uint8 RGB, or None when no metric of the batch needs pixels;
    predictions: out-of-fold detections, or None; embedding: (d,) float32, or None.
    """

    image_id: int
    width: int
    height: int
    boxes: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] = field(default=("object",))
    image: np.ndarray | None = None
    predictions: Detections | None = None
    embedding: np.ndarray | None = None
