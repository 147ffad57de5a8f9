"""COCO as a folder to train on: SPLIT/* as links to the pictures, or copies, and annotations/instances_SPLIT.json.

`file_name` is the name of the picture in the folder of its split, as torchvision's CocoDetection, Detectron2 and
MMDetection want it. Ids start at 1, in all splits together.
"""

from __future__ import annotations

from pathlib import Path

from metricloop.data.dataset import Dataset
from metricloop.data.formats.picture_folder import picture_name, place_picture
from metricloop.data.formats.writer import SPLIT_NAMES, Notes, Placing, Writer
from metricloop.data.tables import write_json
from metricloop.data.writers.coco import coco_content


def write_coco_folder(dataset: Dataset, notes: Notes, folder: Path, placing: Placing) -> list[str]:
    """Write the folder; a split of the data set becomes train, val or test."""
    names = [picture_name(dataset, notes, row) for row in range(len(dataset))]
    for row, name in enumerate(names):
        place_picture(dataset, row, folder / SPLIT_NAMES[dataset.split[row]] / name, placing)
    whole = coco_content(dataset, notes, names)
    parts = [part for part in SPLIT_NAMES.values() if any(image["split"] == part for image in whole["images"])]
    for part in parts:
        images = [image for image in whole["images"] if image["split"] == part]
        own = {image["id"] for image in images}
        annotations = [entry for entry in whole["annotations"] if entry["image_id"] in own]
        content = whole | {"images": images, "annotations": annotations}
        write_json(folder / "annotations" / f"instances_{part}.json", content)
    return [_opened(folder, parts[0])] if parts else []


def _opened(folder: Path, part: str) -> str:
    file = folder / "annotations" / f"instances_{part}.json"
    return f"in Python: torchvision.datasets.CocoDetection({str(folder / part)!r}, {str(file)!r})"


WRITER = Writer("COCO", "a folder", "", write_coco_folder)
