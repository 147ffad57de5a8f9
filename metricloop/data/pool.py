"""Read the pool: the images that metrics score and subsets are drawn from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.loading import assemble, read_boxes
from metricloop.data.tables import IMAGES, column, read_json, read_table


def read_pool(folder: Path | str, root: Path | str) -> Dataset:
    """Images and labels of the pool split from `folder`, without crowd regions, which are no single objects."""
    folder = Path(folder)
    images, boxes = read_table(folder / "images.parquet", IMAGES), read_boxes(folder, "pool")
    images = images.filter(pa.array(column(images, "split") == "pool"))
    boxes = boxes.filter(pa.array(~column(boxes, "crowd")))
    pool = assemble(images, boxes, tuple(read_json(folder / "categories.json")), Path(root))
    del images, boxes
    pa.default_memory_pool().release_unused()  # otherwise this process keeps the memory that reading took
    return pool
