"""The suspects of the last audit as one queue for a person: images, the worst first, and what is suspected of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.formats.export import reordered
from metricloop.data.formats.writer import ExportError, Note, Notes, SeenBox
from metricloop.data.tables import read_json
from metricloop.text.numbers import count
from metricloop.text.shell import command_line

SAME = 0.06  # px; the audit's file rounds boxes to one decimal


def read_suspects(folder: Path, pool: Dataset, most: int | None = None) -> tuple[Dataset, Notes, str]:
    """The suspicious images of a pool (with its crowd regions), the worst first, with all their boxes; the notes; and a
    sentence on how many findings of the audit these are.

    They come in the order of all findings, those first whose repair is worth most per minute. most: images.
    Errors: ExportError without an audit, or when it was made for other labels.
    """
    path = folder / layout.AUDIT / "audit.json"
    again = command_line("metricloop", "audit", "-C", folder)
    if not path.is_file():
        raise ExportError(f"{path} does not exist: list the suspicious labels first with {again}")
    suspected = read_json(path)["suspects"].values()
    listed = [row for rows in suspected for row in rows]
    found = [row for row in listed if row.get("split", "pool") == "pool"]
    if not found:
        held = f" in the pool; all {len(listed)} are of the search and test split" if listed else ""
        raise ExportError(f"{path} lists no suspects{held}")
    found.sort(key=lambda row: (row.get("order", 0), row["place"], -row["suspicion"]))
    image_row = {int(number): row for row, number in enumerate(pool.image_id)}
    box_row = {int(number): row for row, number in enumerate(pool.box_id)}
    for row in found:
        if not _still_there(row, pool, image_row, box_row):
            raise ExportError(
                f"{path} is of other labels than today's ({row['file']} has changed); run it again: {again}"
            )
    order = list(dict.fromkeys(image_row[row["image_id"]] for row in found))[:most]
    rank = {row: place for place, row in enumerate(order, start=1)}
    chosen, boxes = reordered(pool, order)
    new_box = {int(old): new for new, old in enumerate(boxes)}
    images: dict[int, Note] = {}
    of_boxes: dict[int, Note] = {}
    seen: dict[int, list[SeenBox]] = {}
    for entry in found:
        old = image_row[entry["image_id"]]
        if old not in rank:
            continue
        row = rank[old] - 1
        note = _note(entry, rank[old])
        images[row] = _merged(images.get(row), note)
        if entry["box_id"] is not None:
            of_boxes[new_box[box_row[entry["box_id"]]]] = note
        if entry["model_box"] is not None:
            label = pool.class_names.index(entry["model_label"])
            x1, y1, x2, y2 = entry["model_box"]
            seen.setdefault(row, []).append(SeenBox((x1, y1, x2, y2), label, entry["model_score"]))
    shown = sum(image_row[entry["image_id"]] in rank for entry in found)
    notes = Notes(images, of_boxes, {row: list(dict.fromkeys(own)) for row, own in seen.items()})
    return chosen, notes, _how_many(shown, len(found), len(listed))


def _how_many(shown: int, of_pool: int, listed: int) -> str:
    """How many of the findings that an audit lists are written, and why not all.

    >>> _how_many(5, 5, 5), _how_many(5, 5, 7)
    ('all 5 findings of the audit', '5 of 7 findings of the audit; 2 of the search and test split are left out')
    """
    if shown == listed:
        return f"all {count(listed, 'finding')} of the audit"
    held, later = listed - of_pool, of_pool - shown
    why = [f"{held} of the search and test split {'is' if held == 1 else 'are'} left out"] if held else []
    why += [f"--most leaves out {later}"] if later else []
    return f"{shown} of {count(listed, 'finding')} of the audit; {', '.join(why)}"


def _still_there(entry: dict[str, Any], pool: Dataset, images: dict[int, int], boxes: dict[int, int]) -> bool:
    """Whether the image, and the box if one is named, are as the audit saw them."""
    row = images.get(entry["image_id"])
    if row is None or str(pool.file[row]) != entry["file"]:
        return False
    if entry["model_label"] is not None and entry["model_label"] not in pool.class_names:
        return False
    if entry["box_id"] is None:
        return True
    box = boxes.get(entry["box_id"])
    if box is None or int(pool.box_row[box]) != row or pool.class_names[pool.labels[box]] != entry["label"]:
        return False
    return bool(np.abs(pool.boxes[box] - np.array(entry["box"])).max() <= SAME)


def _note(entry: dict[str, Any], rank: int) -> Note:
    note: dict[str, str | int | float] = {
        "rank": rank, "suspected": entry["kind"], "suspicion": entry["suspicion"]
    }  # fmt: skip
    if entry["model_label"] is not None:
        note |= {"model_label": entry["model_label"], "model_score": entry["model_score"]}
        note["model_box"] = " ".join(f"{value:g}" for value in entry["model_box"])
    return note


def _merged(first: Note | None, note: Note) -> Note:
    """The note of an image: its worst suspect, and the kinds of all."""
    if first is None:
        return note
    kinds = list(dict.fromkeys([*str(first["suspected"]).split(", "), str(note["suspected"])]))
    return {**first, "suspected": ", ".join(kinds)}
