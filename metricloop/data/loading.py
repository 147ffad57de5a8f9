"""Make a Dataset from its tables. In a module of its own, so that code with arrays only need not import pyarrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metricloop.data.dataset import Dataset
from metricloop.data.tables import BOXES, IMAGES, SPLITS, column, read_json, read_table, xyxy


def assemble(images: pa.Table, boxes: pa.Table, class_names: tuple[str, ...], root: Path) -> Dataset:
    """Join an images table and a boxes table; boxes of images that are not in the table are left out."""
    image_id = column(images, "image_id")
    order = np.argsort(image_id, kind="stable")
    image_id = image_id[order]
    box_image = column(boxes, "image_id")
    rows = np.searchsorted(image_id, box_image)
    known = rows < len(image_id)
    known[known] = image_id[rows[known]] == box_image[known]
    box_id = column(boxes, "box_id")
    kept = np.flatnonzero(known)
    kept = kept[np.lexsort((box_id[kept], rows[kept]))]
    offsets = np.searchsorted(rows[kept], np.arange(len(image_id) + 1))
    names = ("file", "sha256", "width", "height", "group", "split")
    return Dataset(
        root=root,
        class_names=class_names,
        image_id=image_id,
        **{name: column(images, name)[order] for name in names},
        box_id=box_id[kept],
        boxes=xyxy(boxes)[kept],
        labels=column(boxes, "label")[kept].astype(np.int64),
        crowd=column(boxes, "crowd")[kept],
        offsets=offsets,
    )


def load(folder: Path | str, root: Path | str, split: str | None = None, labels: bool = True) -> Dataset:
    """Read images.parquet, boxes/ and categories.json from `folder`; one split, or all of them.

    labels=False: the images without boxes; boxes/ is not read.
    """
    folder = Path(folder)
    images = read_table(folder / "images.parquet", IMAGES)
    if split is not None:
        images = images.filter(pc.equal(images["split"], split))
    boxes = read_boxes(folder, split) if labels else BOXES.empty_table()
    return assemble(images, boxes, tuple(read_json(folder / "categories.json")), Path(root))


def read_boxes(folder: Path | str, split: str | None = None) -> pa.Table:
    """The labels of one split, or of all, as rows of BOXES. Errors: TableError.

    Workspaces of an earlier version have one file for all splits, until `ingest` runs again; then it is read whole.
    """
    folder = Path(folder)
    if not (folder / "boxes").is_dir() and (folder / "boxes.parquet").is_file():
        return read_table(folder / "boxes.parquet", BOXES)
    parts = SPLITS if split is None else (split,)
    return pa.concat_tables([read_table(folder / "boxes" / f"{part}.parquet", BOXES) for part in parts])
