"""A data set as flat arrays: one row per image; the boxes of an image are one slice of the box arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from metricloop.data.frame import Frame

PER_IMAGE = ("image_id", "file", "sha256", "width", "height", "group", "split")  # the arrays with one entry per image


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
        """The boxes of image row `row`, as a slice of the box arrays."""
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))

    @property
    def counts(self) -> np.ndarray:
        """Boxes per image, (n,) int."""
        return np.diff(self.offsets)

    @property
    def box_row(self) -> np.ndarray:
        """The image row of every box, (m,) int."""
        return np.repeat(np.arange(len(self)), self.counts)


def part_of(data: Dataset, rows: np.ndarray) -> tuple[Dataset, np.ndarray]:
    """Some images of a data set (sorted rows) with their boxes, and the rows of these boxes in the whole data set."""
    kept = np.flatnonzero(np.isin(data.box_row, rows))
    part = replace(
        data,
        **{n: getattr(data, n)[rows] for n in PER_IMAGE},
        **{n: getattr(data, n)[kept] for n in ("box_id", "boxes", "labels", "crowd")},
        offsets=np.concatenate([[0], np.cumsum(data.counts[rows])]),
    )
    return part, kept


def pool_of(frames: Sequence[Frame]) -> Dataset:
    """A data set made of frames, without files: an input for trying a metric of scope "dataset".

    The sha256 of an image is its id as text; every image is a group of its own.
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
