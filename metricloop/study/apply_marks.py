"""Apply marks to the labels of a data set: move, re-class, delete and add boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats.export import PER_BOX
from metricloop.study.marks import WORDS, Drawn, Mark, new_boxes


def repaired(data: Dataset, marks: Sequence[Mark]) -> tuple[Dataset, list[int]]:
    """The data set with the marks applied, and the rows of the images whose labels differ.

    A label that was moved or got another class keeps its id; added ones get ids that no box of `data` has.
    """
    labels = {name: label for label, name in enumerate(data.class_names)}
    arrays = {name: getattr(data, name).copy() for name in PER_BOX}
    kept, touched = np.ones(len(data.boxes), bool), set()
    added: dict[int, list[Drawn]] = {}
    for mark in marks:
        entry = mark.entry
        if entry.mark == "delete":
            kept[mark.box] = False
            touched.add(mark.row)
        elif entry.mark == "fix" and entry.to and mark.box >= 0:
            arrays["boxes"][mark.box] = entry.to.box
            arrays["labels"][mark.box] = labels[entry.to.label]
            touched.add(mark.row)
    for mark in marks:
        if mark.entry.mark in ("keep", "unsure"):
            continue
        own = data.slice(mark.row)
        there = [
            Drawn(box=tuple(arrays["boxes"][box].tolist()), label=data.class_names[arrays["labels"][box]])
            for box in range(own.start, own.stop)
            if kept[box] and not arrays["crowd"][box]
        ]
        added.setdefault(mark.row, []).extend(new_boxes(mark, [*there, *added.get(mark.row, [])]))
    new = [(row, one) for row in sorted(added) for one in added[row]]
    touched |= {row for row, _ in new}
    first = int(data.box_id.max(initial=0)) + 1
    extra: dict[str, np.ndarray] = {
        "box_id": np.arange(first, first + len(new)),
        "boxes": np.array([one.box for _, one in new], np.float32).reshape(-1, 4),
        "labels": np.array([labels[one.label] for _, one in new], int),
        "crowd": np.zeros(len(new), bool),
    }
    row = np.concatenate([data.box_row[kept], np.array([at for at, _ in new], int)])
    order = np.argsort(row, kind="stable")
    merged: dict[str, Any] = {
        name: np.concatenate([values[kept], extra[name].astype(values.dtype)])[order] for name, values in arrays.items()
    }
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row.astype(int), minlength=len(data)))])
    return replace(data, **merged, offsets=offsets), sorted(touched)


def rows_of(data: Dataset, row: int) -> list[tuple[Sequence[float], str, bool]]:
    """The labels of one image as (xyxy, name of the class, crowd)."""
    own = data.slice(row)
    return [
        (data.boxes[box].tolist(), data.class_names[data.labels[box]], bool(data.crowd[box]))
        for box in range(own.start, own.stop)
    ]


def counts(marks: Sequence[Mark]) -> dict[str, dict[str, int]]:
    """Kind of error -> how many findings are marked with each of WORDS, kinds in order of first sight."""
    found: dict[str, Counter[str]] = {}
    for mark in marks:
        found.setdefault(mark.entry.kind, Counter())[mark.entry.mark] += 1
    return {kind: {word: own[word] for word in WORDS} for kind, own in found.items()}
