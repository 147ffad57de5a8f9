"""COCO JSON: one file; pictures stay where they are.

`file_name` is the path of the original picture, relative to the JSON file, or its URL. Ids start at 1. Image entries
also have `split` and `group`, which our reader understands; notes are in `attributes`, where CVAT and FiftyOne look for
them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats.picture_folder import original
from metricloop.data.formats.writer import SPLIT_NAMES, Notes, Placing, Writer
from metricloop.data.tables import write_json
from metricloop.data.urls import is_url


def write_coco(dataset: Dataset, notes: Notes, path: Path, placing: Placing) -> list[str]:
    """Write one COCO JSON file. `placing` has no meaning: no picture is placed."""
    start = path.absolute().parent
    names = [original(dataset, row) for row in range(len(dataset))]
    if not is_url(dataset.root):
        names = [Path(os.path.relpath(name, start)).as_posix() for name in names]
    write_json(path, coco_content(dataset, notes, names))
    return []


def coco_content(dataset: Dataset, notes: Notes, names: Sequence[str]) -> dict[str, Any]:
    """The data set as COCO; names: the file_name of every image."""
    images = [
        {
            "id": row + 1,
            "file_name": name,
            "width": int(dataset.width[row]),
            "height": int(dataset.height[row]),
            "split": SPLIT_NAMES[dataset.split[row]],
            "group": str(dataset.group[row]),
            **_attributes(notes.images.get(row)),
        }
        for row, name in enumerate(names)
    ]
    # float32 coordinates as doubles: shortest text that reads back the same
    corners = np.asarray(dataset.boxes, np.float64)
    sides = corners[:, 2:] - corners[:, :2]
    annotations = [
        {
            "id": box + 1,
            "image_id": int(row) + 1,
            "category_id": int(label) + 1,
            "bbox": [*corner[:2].tolist(), *side.tolist()],
            "area": float(side[0] * side[1]),
            "iscrowd": int(crowd),
            **_attributes(notes.boxes.get(box)),
        }
        for box, (row, label, corner, side, crowd) in enumerate(
            zip(dataset.box_row, dataset.labels, corners, sides, dataset.crowd, strict=True)
        )
    ]
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(dataset.class_names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _attributes(note: Any) -> dict[str, Any]:
    return {"attributes": dict(note)} if note else {}


WRITER = Writer("COCO", "a .json file", ".json", write_coco)
