"""CVAT XML 1.1 for images: one file; pictures stay where they are.

Names are the paths of the pictures below the data set's folder; CVAT finds a picture by that name, or by the last part
of it. Images stand in the order of the queue. Crowd regions have the attribute `is_crowd`; notes are attributes of
boxes, and of a tag `suspect` where they concern the whole image.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats.writer import SPLIT_NAMES, Notes, Placing, Writer, exact
from metricloop.data.formats.xml_writer import add, write_xml
from metricloop.data.urls import stated

TAG = "suspect"
CORNERS = ("xtl", "ytl", "xbr", "ybr")


def write_cvat(dataset: Dataset, notes: Notes, path: Path, placing: Placing) -> list[str]:
    """Write one CVAT XML file. `placing` has no meaning: no picture is placed."""
    root = ET.Element("annotations")
    add(root, "version", "1.1")
    _describe(root, dataset, notes)
    tag = _tag(dataset)
    for row in range(len(dataset)):
        image = add(
            root, "image", id=row, name=dataset.file[row], subset=SPLIT_NAMES[dataset.split[row]],
            width=int(dataset.width[row]), height=int(dataset.height[row]),
        )  # fmt: skip
        if row in notes.images:
            _attributes(add(image, "tag", label=tag, source="auto"), notes.images[row])
        own = dataset.slice(row)
        for box in range(own.start, own.stop):
            corners = dict(zip(CORNERS, map(exact, dataset.boxes[box].astype(np.float64)), strict=True))
            name = dataset.class_names[dataset.labels[box]]
            shape = add(image, "box", label=name, source="manual", occluded=0, **corners, z_order=0)
            _attributes(shape, {"is_crowd": bool(dataset.crowd[box]), **notes.boxes.get(box, {})})
    write_xml(path, root)
    first = "; with the sorting method `predefined` the worst come first" if notes.images else ""
    return [f"in CVAT: make a task of the pictures in {stated(dataset.root)}{first}, then upload annotations: CVAT 1.1"]


def _tag(dataset: Dataset) -> str:
    return TAG if TAG not in dataset.class_names else f"metricloop {TAG}"


def _describe(root: ET.Element, dataset: Dataset, notes: Notes) -> None:
    """The part `meta`: the labels that a task needs, with their attributes."""
    task = add(add(root, "meta"), "task")
    add(task, "name", "metricloop")
    add(task, "size", len(dataset))
    add(task, "mode", "annotation")
    labels = add(task, "labels")
    noted = notes.keys()
    for name in dataset.class_names:
        attributes = add(_label(labels, name, "any"), "attributes")
        _attribute(attributes, "is_crowd", "checkbox", "false")
        for key in noted:
            _attribute(attributes, key, "text", "")
    if notes.images:
        attributes = add(_label(labels, _tag(dataset), "tag"), "attributes")
        for key in noted:
            _attribute(attributes, key, "text", "")


def _label(labels: ET.Element, name: str, kind: str) -> ET.Element:
    label = add(labels, "label")
    add(label, "name", name)
    add(label, "type", kind)
    return label


def _attribute(attributes: ET.Element, name: str, kind: str, default: str) -> None:
    attribute = add(attributes, "attribute")
    add(attribute, "name", name)
    add(attribute, "mutable", "False")
    add(attribute, "input_type", kind)
    add(attribute, "default_value", default)
    add(attribute, "values", default)


def _attributes(shape: ET.Element, note: object) -> None:
    for key, value in dict(note).items():  # type: ignore[call-overload]
        add(shape, "attribute", value, name=key)


WRITER = Writer("CVAT", "an .xml file", ".xml", write_cvat)
