"""Which mistakes that were made on purpose are left after a person has repaired labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.tables import TRUTH

RIGHT = 0.75  # IoU with the true box from which a repaired box counts as right
SIDES = ("x1", "y1", "x2", "y2")


def repaired_truth(
    truth: Mapping[str, Any], boxes: Mapping[str, np.ndarray], images: Collection[int]
) -> dict[str, Any]:
    """The columns of TRUTH with the rows of some images judged anew by their boxes; unchanged without any rows.

    A true box that a label of its class covers is right. Else it keeps its mistake while its label is still there,
    and is missing when that is gone. A label that covers no true box is invented.
    """
    rows = _rows(truth)
    if not rows:
        return dict(truth)
    kept = [row for row in rows if row["image_id"] not in images]
    for image_id in sorted(images):
        own = np.flatnonzero(boxes["image_id"] == image_id)
        kept += _judged([row for row in rows if row["image_id"] == image_id], boxes, own, image_id)
    kept.sort(key=lambda row: (row["image_id"], row["box_id"] is None, row["box_id"] or 0))
    return {name: [row[name] for row in kept] for name in TRUTH.names}


def _judged(rows: list[dict[str, Any]], boxes: Mapping[str, np.ndarray], own: np.ndarray, image_id: int) -> list[dict]:
    corners = np.stack([boxes[side][own] for side in SIDES], axis=1).astype(float).reshape(-1, 4)
    labels = boxes["label"][own]
    numbers = [int(number) for number in boxes["box_id"][own]]
    taken: set[int] = set()
    result = []
    real = [row for row in rows if row["x1"] is not None]
    for row in real:  # first the right ones, so that no mistake takes their label
        overlap = iou(np.array([[row[side] for side in SIDES]], float), corners)[0] if len(own) else np.zeros(0)
        fits = [place for place in np.argsort(-overlap) if overlap[place] >= RIGHT and labels[place] == row["label"]]
        found = next((numbers[place] for place in fits if numbers[place] not in taken), None)
        if found is not None:
            taken.add(found)
        row["now"] = found
    for row in real:
        number = row.pop("now")
        if number is not None:
            result.append({**row, "box_id": number, "mistake": "none"})
        elif row["mistake"] != "none" and row["box_id"] in numbers and row["box_id"] not in taken:
            taken.add(row["box_id"])
            result.append(row)
        else:
            result.append({**row, "box_id": None, "mistake": "missing"})
    invented = {row["box_id"]: row["mistake"] for row in rows if row["x1"] is None}
    nothing = dict.fromkeys(SIDES)
    for number, label in zip(numbers, labels, strict=True):
        if number not in taken:
            kind = invented.get(number, "spurious")
            result.append({"image_id": image_id, "box_id": number, **nothing, "label": int(label), "mistake": kind})
    return result


def _rows(truth: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns of TRUTH, lists with None for null, as rows."""
    return [
        dict(zip(TRUTH.names, row, strict=True)) for row in zip(*(truth[name] for name in TRUTH.names), strict=True)
    ]
