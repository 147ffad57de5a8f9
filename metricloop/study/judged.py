"""What a person judged on the page of an audit, kept in the workspace, so that right labels are not listed again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from metricloop import layout
from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.tables import read_json, replacing
from metricloop.study.marks import SAME, Entry, MarksError

NEAR = 0.5  # IoU from which two boxes of a model are of one place


@dataclass(frozen=True)
class Right:
    """What was judged right. boxes: which labels, (m,) bool; places: image row -> boxes (xyxy) at which the model saw
    an object and a person saw that no label is missing; pictures: (image row, kind, other picture) of what was found to
    be well beside another picture."""

    boxes: np.ndarray
    places: dict[int, list[tuple[float, ...]]]
    pictures: frozenset[tuple[int, str, str]] = frozenset()

    def at(self, row: int, seen: Sequence[float]) -> bool:
        """Whether no label is missing at a box of the model, (x1, y1, x2, y2)."""
        return row in self.places and bool(iou(np.array([seen]), np.array(self.places[row])).max() >= NEAR)


def read_judged(folder: Path) -> list[Entry]:
    """The marks that `metricloop fix` remembered, the oldest first. Errors: MarksError."""
    path = folder / layout.JUDGED
    if not path.is_file():
        return []
    try:
        return [Entry.model_validate(one) for one in read_json(path)["marks"]]
    except (ValidationError, ValueError, KeyError, TypeError):
        raise MarksError(f"{path} cannot be read; restore it with git, or delete it to judge everything anew") from None


def write_judged(folder: Path, known: Iterable[Entry], new: Iterable[Entry]) -> None:
    """Remember marks; a later mark of the same label takes the place of an earlier one. One line per mark."""
    kept = {_about(entry): entry for entry in (*known, *new)}
    lines = ",\n".join(f" {json.dumps(entry.model_dump(mode='json'), ensure_ascii=False)}" for entry in kept.values())
    with replacing(folder / layout.JUDGED) as temporary:
        temporary.write_text('{"marks": [\n' + lines + "\n]}\n", encoding="utf-8")


def _about(entry: Entry) -> Hashable:
    """What a mark is of: a label, a place without one, or a picture beside another."""
    if entry.box is not None:
        return entry.file, entry.box_id, entry.box, entry.label
    return entry.file, entry.kind, entry.other, entry.seen


def judged_right(folder: Path, data: Dataset) -> Right:
    """Which labels of `data` a person judged right; a picture or label that changed since counts as not judged.

    Errors: MarksError.
    """
    rows = {str(file): row for row, file in enumerate(data.file)}
    right = np.zeros(len(data.boxes), bool)
    places: dict[int, list[tuple[float, ...]]] = {}
    pictures: set[tuple[int, str, str]] = set()
    for entry in read_judged(folder):
        row = rows.get(entry.file)
        if entry.mark != "keep" or row is None or data.sha256[row] != entry.sha256:
            continue
        if entry.other is not None:
            pictures.add((row, entry.kind, entry.other))
        if entry.seen is not None and entry.box is None:
            places.setdefault(row, []).append(entry.seen.box)
        if entry.box is None:
            continue
        own = data.slice(row)
        same = (np.abs(data.boxes[own] - np.array(entry.box)) <= SAME).all(axis=1)
        named = np.array([data.class_names[label] == entry.label for label in data.labels[own]], bool)
        right[own] |= same & named
    return Right(right, places, frozenset(pictures))
