"""The objects in an entry of Hugging Face's labels: `objects`, a list of objects or an object of lists, with `bbox` and
`category`, and what goes by other names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from metricloop.data.formats.values import number, truth

OBJECTS = ("objects", "annotations", "labels", "detections", "instances")
BOXES = ("bbox", "bboxes", "box", "boxes")
CLASSES = (
    *("category", "categories", "category_id", "category_ids", "category_name", "label", "labels"),
    *("class", "classes", "class_id", "class_name", "name"),
)
CROWDS = ("iscrowd", "is_crowd", "crowd")


def parsed(text: str) -> Any:
    """The value of a JSON text; None if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def objects_of(content: Any) -> list[tuple[list[float] | None, Any, bool]] | None:
    """(box, class, crowd) of each object in an entry. A box is None if it is not four numbers. The result is None if
    the entry has no boxes at all, so that it is no entry of labels.
    """
    if not isinstance(content, dict):
        return None
    for holder in (*(content.get(key) for key in OBJECTS), *content.values(), content):
        if isinstance(holder, list) and holder and all(isinstance(one, dict) for one in holder):
            key = next((key for key in BOXES if key in holder[0]), None)
            if key:
                return [(_numbers(one.get(key)), _first(one, CLASSES), truth(_first(one, CROWDS))) for one in holder]
        key = next(
            (key for key in BOXES if isinstance(holder, dict) and isinstance(holder.get(key), (list, dict))), None
        )
        if key:
            boxes = [holder[key]] if isinstance(holder[key], dict) or _numbers(holder[key]) else holder[key]
            classes, crowds = (_as_long(_first(holder, keys), len(boxes)) for keys in (CLASSES, CROWDS))
            return [(_numbers(box), own, truth(crowd)) for box, own, crowd in zip(boxes, classes, crowds, strict=True)]
    return [] if any(content.get(key) == [] for key in OBJECTS) else None


def _first(holder: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((holder[key] for key in keys if key in holder), None)


def _as_long(values: Any, length: int) -> list[Any]:
    """The values as a list of this length: cut, or filled up with None. A single value counts as a list of one."""
    return [*(values if isinstance(values, list) else [values]), *[None] * length][:length]


def _numbers(box: Any) -> list[float] | None:
    try:
        found = [number(value) for value in box]
    except (TypeError, ValueError):
        return None
    return found if len(found) == 4 else None


def class_label(feature: Any) -> list[Any] | None:
    """The names that a ClassLabel in a feature declares. If a key of the feature is one of CLASSES, only the ClassLabel
    of that key counts: others, such as a pose, are not the class.
    """
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return feature["names"]
    below = feature.values() if isinstance(feature, dict) else feature if isinstance(feature, list) else ()
    if isinstance(feature, dict) and (key := next((key for key in CLASSES if key in feature), None)):
        below = [feature[key]]
    return next((found for own in below if (found := class_label(own))), None)
