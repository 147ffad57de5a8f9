"""Mirrored and cropped views of pictures for a detector, and their detections in pixels of the original."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import CROP, Detections
from metricloop.data.letterbox import letterbox
from metricloop.detector.pixel_cache import scales

if TYPE_CHECKING:
    from metricloop.detector.engine import Pictures

Kind = Literal["flip", "crop"]


class Views:
    """The resized pictures of a data set, each mirrored ("flip"), or cropped to its middle and enlarged again ("crop").

    pictures: (size, size, 3) by image row, the picture in the upper left corner, as `letterbox` makes them.
    """

    def __init__(self, kind: Kind, dataset: Dataset, pictures: Pictures, size: int) -> None:
        self._kind, self._pictures, self._size = kind, pictures, size
        self._scale = scales(dataset, size)
        sides = np.stack([dataset.width, dataset.height], axis=1)
        self._sides = np.maximum(1, np.round(sides * self._scale[:, None])).astype(int)

    def __getitem__(self, row: int) -> np.ndarray:
        width, height = self._sides[row]
        picture = self._pictures[row]
        if self._kind == "flip":
            mirrored = picture.copy()
            mirrored[:height, :width] = picture[:height, :width][:, ::-1]
            return mirrored
        x1, y1, x2, y2 = self._middle(row)
        return letterbox(picture[y1:y2, x1:x2], self._size)

    def back(self, row: int, found: Detections) -> Detections:
        """Convert detections from the pixels of `self[row]` to the pixels of the original picture."""
        boxes = found.boxes.astype(np.float64)
        if self._kind == "flip":
            boxes[:, [0, 2]] = self._sides[row, 0] - boxes[:, [2, 0]]
        else:
            x1, y1, x2, y2 = self._middle(row)
            boxes = boxes * max(x2 - x1, y2 - y1) / self._size + [x1, y1, x1, y1]
        return replace(found, boxes=(boxes / self._scale[row]).astype(np.float32))

    def _middle(self, row: int) -> tuple[int, int, int, int]:
        """The crop, xyxy in resized pixels: the middle, CROP of each side."""
        width, height = self._sides[row]
        x, y = round(width * (1 - CROP) / 2), round(height * (1 - CROP) / 2)
        return x, y, max(x + 1, width - x), max(y + 1, height - y)
