"""The section of the report about the data: splits, classes, and the mistakes that were made on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.text import numbers

USES = {
    "pool": "subsets are drawn from it",
    "search": "all numbers on this page are measured on it",
    "test": "used once, at the end",
}  # split -> what it is for


def split_counts(data: Dataset) -> list[dict[str, Any]]:
    """Images, boxes, crowd regions, images without a box, and groups of every split that has images."""
    objects = np.bincount(data.box_row[~data.crowd], minlength=len(data))
    return [
        {
            "name": name,
            "use": use,
            "images": int((rows := data.split == name).sum()),
            "boxes": int(objects[rows].sum()),
            "crowd": int((data.counts - objects)[rows].sum()),
            "empty": int((objects[rows] == 0).sum()),
            "groups": len(np.unique(data.group[rows])),
        }
        for name, use in USES.items()
        if (data.split == name).any()
    ]


def class_counts(data: Dataset) -> list[dict[str, Any]]:
    """Boxes of every class in every split, without crowd regions; the most frequent class of the pool first."""
    split = np.where(data.crowd, "", data.split[data.box_row])
    counts = {name: np.bincount(data.labels[split == name], minlength=len(data.class_names)) for name in USES}
    order = np.argsort(-counts["pool"], kind="stable")
    return [{"name": data.class_names[i], **{name: int(n[i]) for name, n in counts.items()}} for i in order]


def mistake_rates(damage: dict[str, Any]) -> list[tuple[str, str]]:
    """The mistakes made on purpose, one (name, text) per line, with the rates that came out; [] where none were made.

    damage: the entry "damage" of data/summary.json.
    """
    if not damage or damage["preset"] == "none":
        return []
    return [
        ("preset", f"{damage['preset']}, strength {numbers.score(damage['strength'])}"),
        *((f"boxes {kind}", numbers.percent(rate, 1)) for kind, rate in damage["rates"].items()),
        ("boxes with a mistake", numbers.percent(damage["hit"], 1)),
        ("images with a mistake", numbers.percent(damage["images_hit"], 1)),
        *(("note", note) for note in damage["notes"]),
    ]
