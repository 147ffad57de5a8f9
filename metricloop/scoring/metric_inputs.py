"""The inputs of metrics: predictions, views and embeddings of a pool, and each image as a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metricloop import layout
from metricloop.data import door
from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Embeddings
from metricloop.data.frame import Detections, Frame
from metricloop.data.pictures import read_picture, reduction_for
from metricloop.data.tables import (
    ASKED,
    PREDICTIONS,
    VIEWS,
    column,
    read_table,
    stamp_of,
    xyxy,
)


@dataclass(frozen=True)
class MetricInputs:
    """Everything that metrics may read of a pool; None for what a study does not have.

    predictions: out of fold, by image id; an image without an entry has no detections. views: the same, by name of
    the view.
    """

    pool: Dataset
    predictions: Mapping[int, Detections] | None = None
    views: Mapping[str, Mapping[int, Detections]] | None = None
    embeddings: Embeddings | None = None


@dataclass(frozen=True)
class UnreadFrame:
    """One image to score: its frame without pixels, and the picture file."""

    frame: Frame
    path: Path
    sha256: str


def unread_frame(inputs: MetricInputs, row: int) -> UnreadFrame:
    """The frame of one image of the pool, without pixels."""
    pool = inputs.pool
    own, image_id = pool.slice(row), int(pool.image_id[row])
    frame = Frame(
        image_id=image_id,
        width=int(pool.width[row]),
        height=int(pool.height[row]),
        boxes=pool.boxes[own].copy(),
        labels=pool.labels[own].copy(),
        class_names=pool.class_names,
        predictions=None if inputs.predictions is None else inputs.predictions.get(image_id, Detections.empty()),
        embedding=None if inputs.embeddings is None else inputs.embeddings.pool.images[row],
        views=None
        if inputs.views is None
        else {name: found.get(image_id, Detections.empty()) for name, found in inputs.views.items()},
    )
    return UnreadFrame(frame, pool.root / str(pool.file[row]), str(pool.sha256[row]))


def read_frame(
    task: UnreadFrame, pixels: bool, side: int | None = None, sized: bool = False
) -> tuple[Frame, str | None]:
    """Read the pixels (`pixels`) and the file size (`sized`) of a frame; returns the frame, and an error or None.

    side: the long side at which pixels are needed; the image may then be decoded smaller than the frame.
    """
    frame = task.frame
    try:
        if sized:
            frame = replace(frame, file_size=door.size_of(task.path, task.sha256))
        if not pixels:
            return frame, None
        reduction = reduction_for(max(frame.width, frame.height), side) if side else 1
        image = read_picture(task.path, task.sha256, reduction)
        height, width, channels = image.shape
        if max(abs(height - frame.height / reduction), abs(width - frame.width / reduction)) >= 1 or channels != 3:
            raise ValueError(f"{task.path} is {width * reduction} x {height * reduction}, "
                             f"but listed as {frame.width} x {frame.height}")  # fmt: skip
    except door.AwayError:  # nothing is wrong with this picture, and all others would fail as well
        raise
    except (ValueError, OSError) as error:  # PictureError is a ValueError
        return task.frame, f"{type(error).__name__}: {error}"
    return replace(frame, image=image), None


def read_predictions(path: Path) -> dict[int, Detections]:
    """Read predictions, by image id."""
    return _by_image(read_table(path, PREDICTIONS))


def read_views(path: Path) -> dict[str, dict[int, Detections]]:
    """Read the predictions of each view, by view and image id. A view without detections is {}."""
    table = read_table(path, VIEWS)
    names = stamp_of(path).get(ASKED, "").split()
    return {name: _by_image(table.filter(pc.equal(table["view"], name))) for name in names}


def _by_image(table: pa.Table) -> dict[int, Detections]:
    image_id, boxes = column(table, "image_id"), xyxy(table)
    scores, labels = column(table, "score"), column(table, "label").astype(np.int64)
    order = np.argsort(image_id, kind="stable")
    known, starts = np.unique(image_id[order], return_index=True)
    return {
        int(image): Detections(boxes[rows], scores[rows], labels[rows])
        for image, rows in zip(known, np.split(order, starts)[1:], strict=True)
    }


def read_inputs(needs: str, pool: Dataset) -> dict[str, Any]:
    """Read what a batch needs besides pictures and labels, from the file that it names in arms.yaml."""
    if needs == layout.EMBEDDINGS:
        from metricloop.data.embeddings import read_embeddings

        return {"embeddings": read_embeddings(Path(layout.EMBEDDINGS), pool)}
    predictions = read_predictions(Path(layout.PREDICTIONS)) if needs in (layout.PREDICTIONS, layout.VIEWS) else None
    return {"predictions": predictions, "views": read_views(Path(layout.VIEWS)) if needs == layout.VIEWS else None}
