"""A data set as flat arrays: images, and the boxes of each in one slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metricloop.data.frame import Frame


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


def pool_of(frames: Sequence[Frame]) -> Dataset:
    """Frames as the data set they make, without files: what a metric of scope "dataset" is tried on.

    Hashes stand for the ids of the images, every image is a group of its own.
    """
    counts = [len(frame.boxes) for frame in frames]
    return Dataset(
        root=Path(),
        class_names=frames[0].class_names if frames else (),
        image_id=np.array([frame.image_id for frame in frames], np.int64),
        file=np.array([f"{frame.image_id}.jpg" for frame in frames], object),
        sha256=np.array([f"{frame.image_id:064x}" for frame in frames], object),
        width=np.array([frame.width for frame in frames], np.int32),
        height=np.array([frame.height for frame in frames], np.int32),
        group=np.array([str(frame.image_id) for frame in frames], object),
        split=np.array(["pool"] * len(frames), object),
        box_id=np.arange(sum(counts), dtype=np.int64),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(frame.boxes for frame in frames)]).astype(np.float32),
        labels=np.concatenate([np.zeros(0, np.int64), *(frame.labels for frame in frames)]).astype(np.int64),
        crowd=np.zeros(sum(counts), bool),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
