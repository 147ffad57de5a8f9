"""Label Studio JSON: a list of tasks, worst first, and beside it the labelling configuration as XML.

Labels are `annotations`, what a model sees instead is a `prediction`. Notes of an image are fields of its `data`, which
Label Studio shows as columns; notes of a box, and that it is a crowd region, are in its `meta`. Pictures stay where
they are: Label Studio serves them from the data set's folder, or loads them from their URL.
"""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats.picture_folder import original
from metricloop.data.formats.writer import SPLIT_NAMES, Note, Notes, Placing, Writer
from metricloop.data.formats.xml_writer import add, write_xml
from metricloop.data.tables import write_json
from metricloop.data.urls import is_url, stated
from metricloop.text.shell import command_line

SERVED = "/data/local-files/?d="
CROWD = "crowd"  # a line of a region's meta text


def write_label_studio(dataset: Dataset, notes: Notes, path: Path, placing: Placing) -> list[str]:
    """Write the tasks and, as NAME.config.xml, the labelling configuration. `placing` has no meaning."""
    write_json(path, [_task(dataset, notes, row) for row in range(len(dataset))])
    config = path.with_name(f"{path.stem}.config.xml")
    write_xml(config, _config(dataset, notes))
    if is_url(dataset.root):
        return [
            f"labelling configuration: {config}",
            f"pictures are named by their URLs; add {stated(dataset.root)} as cloud storage of the project",
        ]
    folder = dataset.root.absolute()
    serve = (
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true",
        f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={folder}",
    )
    return [
        f"labelling configuration: {config}",
        f"serve the pictures: {command_line('env', *serve, 'label-studio')} (and add {folder} as local storage)",
    ]


def _task(dataset: Dataset, notes: Notes, row: int) -> dict[str, Any]:
    own = dataset.slice(row)
    boxes = dataset.boxes[own].astype(np.float64)
    result = [
        _region(dataset, row, f"box{dataset.box_id[box]}", corners, int(dataset.labels[box]))
        | _meta(bool(dataset.crowd[box]), notes.boxes.get(box))
        for box, corners in zip(range(own.start, own.stop), boxes, strict=True)
    ]
    task = {
        "id": row + 1,
        "data": {
            "image": original(dataset, row)
            if is_url(dataset.root)
            else SERVED + quote(Path(dataset.file[row]).as_posix()),
            "split": SPLIT_NAMES[dataset.split[row]],
            **notes.images.get(row, {}),
        },
        "annotations": [{"result": result}],
    }
    seen = notes.seen.get(row, ())
    if seen:
        found = [
            _region(dataset, row, f"seen{place}", _inside(dataset, row, it.box), it.label) | {"score": it.score}
            for place, it in enumerate(seen)
        ]
        score = max(it.score for it in seen)
        task["predictions"] = [{"model_version": "out-of-fold", "score": score, "result": found}]
    return task


def _region(dataset: Dataset, row: int, number: str, corners: np.ndarray, label: int) -> dict[str, Any]:
    """A rectangle; its numbers are percent of the picture."""
    width, height = int(dataset.width[row]), int(dataset.height[row])
    x1, y1, x2, y2 = (corners / (width, height, width, height) * 100).tolist()
    return {
        "id": number,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1, "rotation": 0,
            "rectanglelabels": [dataset.class_names[label]],
        },
    }  # fmt: skip


def _inside(dataset: Dataset, row: int, box: tuple[float, ...]) -> np.ndarray:
    """A model's box, cut at the edges of the picture, which Label Studio does not show beyond."""
    width, height = int(dataset.width[row]), int(dataset.height[row])
    return np.clip(np.array(box), 0, (width, height, width, height))


def _meta(crowd: bool, note: Note | None) -> dict[str, Any]:
    lines = [CROWD] * crowd + [f"{key}: {value}" for key, value in (note or {}).items()]
    return {"meta": {"text": lines}} if lines else {}


def _config(dataset: Dataset, notes: Notes) -> ET.Element:
    view = ET.Element("View")
    if notes.images:
        add(view, "Header", value="$rank: $suspected")
    add(view, "Image", name="image", value="$image", zoom=True)
    labels = add(view, "RectangleLabels", name="label", toName="image")
    for number, name in enumerate(dataset.class_names):
        add(labels, "Label", value=name, background=_colour(number))
    return view


def _colour(number: int) -> str:
    """Colours far apart on the wheel, for as many classes as there are."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.75, 0.85)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


WRITER = Writer("Label Studio", "a .json file", ".json", write_label_studio)
