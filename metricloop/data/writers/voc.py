"""Pascal VOC: Annotations/*.xml, JPEGImages/* as links to the pictures, or copies, and ImageSets/Main/SPLIT.txt.

VOC counts pixels from 1 and includes the last one: a box that fills a picture is (1, 1, width, height). So 1 is added
to xmin and ymin, as our reader takes it off. Corners keep two decimals; a tool that wants whole numbers has to
round. Crowd regions are `difficult`. Notes are in `attributes`, as CVAT and Datumaro write them.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats.picture_folder import picture_name, place_picture, write_queue
from metricloop.data.formats.writer import SPLIT_NAMES, Note, Notes, Placing, Writer, exact
from metricloop.data.formats.xml_writer import add, write_xml
from metricloop.data.tables import replacing

SIDES = ("xmin", "ymin", "xmax", "ymax")
DIGITS = 2  # of a pixel
FIRST_PIXEL = np.array([1, 1, 0, 0])


def write_voc(dataset: Dataset, notes: Notes, folder: Path, placing: Placing) -> list[str]:
    """Write the folder."""
    lists: dict[str, list[str]] = {}
    for row in range(len(dataset)):
        name = picture_name(dataset, notes, row)
        place_picture(dataset, row, folder / "JPEGImages" / name, placing)
        write_xml(folder / "Annotations" / f"{Path(name).stem}.xml", _document(dataset, notes, row, name))
        lists.setdefault(SPLIT_NAMES[dataset.split[row]], []).append(f"{Path(name).stem}\n")
    for part, lines in lists.items():
        with replacing(folder / "ImageSets" / "Main" / f"{part}.txt") as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
    return write_queue(dataset, notes, folder)


def _document(dataset: Dataset, notes: Notes, row: int, name: str) -> ET.Element:
    root = ET.Element("annotation")
    add(root, "folder", "JPEGImages")
    add(root, "filename", name)
    size = add(root, "size")
    for side, value in (("width", dataset.width[row]), ("height", dataset.height[row]), ("depth", 3)):
        add(size, side, int(value))
    add(root, "segmented", 0)
    _attributes(root, notes.images.get(row))
    own = dataset.slice(row)
    for box in range(own.start, own.stop):
        item = add(root, "object")
        add(item, "name", dataset.class_names[dataset.labels[box]])
        add(item, "pose", "Unspecified")
        add(item, "truncated", 0)
        add(item, "difficult", int(dataset.crowd[box]))
        corners = add(item, "bndbox")
        for side, value in zip(SIDES, dataset.boxes[box].astype(np.float64) + FIRST_PIXEL, strict=True):
            add(corners, side, exact(round(float(value), DIGITS)))
        _attributes(item, notes.boxes.get(box))
    return root


def _attributes(parent: ET.Element, note: Note | None) -> None:
    if note:
        attributes = add(parent, "attributes")
        for key, value in note.items():
            attribute = add(attributes, "attribute")
            add(attribute, "name", key)
            add(attribute, "value", value)


WRITER = Writer("Pascal VOC", "a folder", "", write_voc)
