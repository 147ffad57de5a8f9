"""A data set as flat arrays: images, and the boxes of each in one slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detection.tables import BOXES, IMAGES, column, read_json, read_table, xyxy


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
    """Read images.parquet, boxes.parquet and categories.json from `folder`; one split, or all of them.

    labels=False leaves boxes.parquet unread: the images alone.
    """
    folder = Path(folder)
    images = read_table(folder / "images.parquet", IMAGES)
    if split is not None:
        images = images.filter(pc.equal(images["split"], split))
    boxes = read_table(folder / "boxes.parquet", BOXES) if labels else BOXES.empty_table()
    return assemble(images, boxes, tuple(read_json(folder / "categories.json")), Path(root))
