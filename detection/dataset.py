"""A data set as flat arrays: images, and the boxes of each in one slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Images (rows) and boxes, boxes ordered by image row.

    boxes[offsets[i]:offsets[i + 1]] (xyxy pixels, float32) belong to image row i; labels index class_names.
    """

    root: Path
    class_names: tuple[str, ...]
    image_id: np.ndarray
    file: np.ndarray
    sha256: np.ndarray
    width: np.ndarray
    height: np.ndarray
    group: np.ndarray
    split: np.ndarray
    box_id: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.image_id)

    def slice(self, row: int) -> slice:
        """Where the boxes of image row `row` lie."""
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))

    @property
    def counts(self) -> np.ndarray:
        """Boxes per image, (n,) int."""
        return np.diff(self.offsets)

    @property
    def box_row(self) -> np.ndarray:
        """The image row of every box, (m,) int."""
        return np.repeat(np.arange(len(self)), self.counts)
