"""The images of a pool as frames: what metrics see of one, with its pixels where they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detection.dataset import Dataset
from detection.frame import Detections, Frame
from detection.pictures import read_picture
from detection.tables import PREDICTIONS, column, read_table, xyxy

PREDICTED = "data/predictions.parquet"


@dataclass(frozen=True)
class Task:
    """One image to score: its frame without pixels, and where those lie."""

    frame: Frame
    path: Path
    sha256: str


def frame_of(pool: Dataset, row: int, predictions: Mapping[int, Detections] | None) -> Task:
    """One image of the pool without its pixels; no entry in `predictions` means that nothing was found in it."""
    own, image_id = pool.slice(row), int(pool.image_id[row])
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    frame = Frame(
        image_id=image_id,
        width=int(pool.width[row]),
        height=int(pool.height[row]),
        boxes=pool.boxes[own].copy(),
        labels=pool.labels[own].copy(),
        class_names=pool.class_names,
        predictions=None if predictions is None else predictions.get(image_id, nothing),
    )
    return Task(frame, pool.root / str(pool.file[row]), str(pool.sha256[row]))


def read_frame(task: Task, pixels: bool) -> tuple[Frame, str | None]:
    """The frame of a task, with its pixels where wanted; what was wrong with them, where they cannot be read."""
    if not pixels:
        return task.frame, None
    frame = task.frame
    try:
        image = read_picture(task.path, task.sha256)
        if image.shape != (frame.height, frame.width, 3):
            raise ValueError(f"{task.path} is {image.shape}, but listed as {frame.width} x {frame.height}")
    except ValueError as error:  # PictureError is one
        return frame, f"{type(error).__name__}: {error}"
    return replace(frame, image=image), None


def read_predictions(path: Path) -> dict[int, Detections]:
    """Predictions by image id."""
    table = read_table(path, PREDICTIONS)
    image_id, boxes = column(table, "image_id"), xyxy(table)
    scores, labels = column(table, "score"), column(table, "label").astype(np.int64)
    order = np.argsort(image_id, kind="stable")
    known, starts = np.unique(image_id[order], return_index=True)
    return {
        int(image): Detections(boxes[rows], scores[rows], labels[rows])
        for image, rows in zip(known, np.split(order, starts[1:]), strict=True)
    }
