"""FiftyOne: data/* as links to the pictures, or copies, and labels.json (its FiftyOneImageDetectionDataset).

FiftyOne sorts pictures by name, so the rank stands in front. Notes are attributes of the detections; those of whole
images have no place there and are in queue.csv. Crowd regions have the attribute `iscrowd`. The split is lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats.picture_folder import picture_name, place_picture, write_queue
from metricloop.data.formats.writer import Notes, Placing, Writer
from metricloop.data.tables import write_json


def write_fiftyone(dataset: Dataset, notes: Notes, folder: Path, placing: Placing) -> list[str]:
    """Write the folder; the package fiftyone is not needed."""
    labels: dict[str, list[dict[str, Any]]] = {}
    for row in range(len(dataset)):
        name = picture_name(dataset, notes, row)
        place_picture(dataset, row, folder / "data" / name, placing)
        labels[Path(name).stem] = _detections(dataset, notes, row)
    write_json(folder / "labels.json", {"classes": list(dataset.class_names), "labels": labels})
    opened = f"fiftyone.Dataset.from_dir({str(folder)!r}, dataset_type=fiftyone.types.FiftyOneImageDetectionDataset)"
    return [*write_queue(dataset, notes, folder), f"in Python: {opened}"]


def _detections(dataset: Dataset, notes: Notes, row: int) -> list[dict[str, Any]]:
    own = dataset.slice(row)
    size = np.array([dataset.width[row], dataset.height[row]] * 2, np.float64)
    corners = dataset.boxes[own].astype(np.float64)
    shares = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]) / size
    return [
        {
            "label": int(dataset.labels[box]),
            "bounding_box": share,
            "attributes": {"iscrowd": bool(dataset.crowd[box]), **notes.boxes.get(box, {})},
        }
        for box, share in zip(range(own.start, own.stop), shares.tolist(), strict=True)
    ]


WRITER = Writer("FiftyOne", "a folder", "", write_fiftyone)
