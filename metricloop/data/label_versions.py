"""Versions of a data set's labels: files in labels/ that hold the repaired labels of some images, on top of the source.

A file holds all steps up to its version, so that it can be applied alone. Boxes that were there before keep their ids,
and added ones get ids that no box had: scores and subsets without changed images stay what they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.formats.problem import Problem
from metricloop.data.ingest import IngestedTables
from metricloop.data.label_changes import Labels, match
from metricloop.data.repaired_truth import repaired_truth
from metricloop.data.summary import count_splits
from metricloop.data.tables import read_json, replacing

Row = tuple[float, float, float, float, str, bool]  # xyxy, name of the class, crowd


class LabelsError(ValueError):
    """Labels cannot be taken over; the message says why."""


@dataclass(frozen=True)
class Step:
    """One import. images: file, as in the table of images -> all labels of that image.

    unchanged: the same for images that were handed back as they were. They change nothing, but somebody looked at them:
    as a second labelling they count as judged. Versions of before have none.
    """

    version: int
    source: str
    images: Mapping[str, Sequence[Row]]
    changes: Mapping[str, Any]
    unchanged: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def read_steps(path: Path | str) -> list[Step]:
    """The steps of a version, the first import first. Errors: LabelsError."""
    try:
        steps = read_json(path)["steps"]
        return [Step(s["version"], s["source"], s["images"], s["changes"], s.get("unchanged", {})) for s in steps]
    except FileNotFoundError:
        raise LabelsError(f"data.labels: {path} does not exist; give a file of labels/, or nothing") from None
    except (ValueError, KeyError, TypeError):
        raise LabelsError(f"{path} is not a version of labels; restore it with git") from None


def write_steps(path: Path, steps: Sequence[Step]) -> None:
    """Write a version as JSON, one line per image, so that git shows what changed."""
    with replacing(path) as temporary:
        temporary.write_text('{"steps": [\n' + ",\n".join(map(_text, steps)) + "\n]}\n", encoding="utf-8")


def _text(step: Step) -> str:
    head = json.dumps({"version": step.version, "source": step.source, "changes": step.changes}, indent=1)
    parts = [_listed("images", step.images)] + [_listed("unchanged", step.unchanged)] * bool(step.unchanged)
    return ",\n".join([head[:-2], *parts]) + "}"


def _listed(name: str, images: Mapping[str, Sequence[Row]]) -> str:
    lines = ",\n".join(f"  {json.dumps(file)}: {json.dumps(list(rows))}" for file, rows in sorted(images.items()))
    return f' "{name}": {{\n{lines}\n }}'


def with_labels(tables: IngestedTables, steps: Sequence[Step]) -> tuple[IngestedTables, dict[str, Any]]:
    """The tables with the labels of all steps, and the pool's labels before them as columns of TRUTH.

    Known mistakes of repaired images are judged anew. Errors: LabelsError for a class that the data set lacks.
    """
    before = tables
    for step in steps:
        tables = _one_step(tables, step)
    return tables, _pool_before(before, tables)


def _one_step(tables: IngestedTables, step: Step) -> IngestedTables:
    ids = dict(zip(tables.images["file"], np.asarray(tables.images["image_id"]).tolist(), strict=True))
    labels = {name: label for label, name in enumerate(tables.class_names)}
    problems = list(tables.problems)
    rows: dict[int, Sequence[Row]] = {}
    for file, own in step.images.items():
        if file in ids:
            rows[ids[file]] = own
        else:
            problems.append(Problem(file, f"labels of version {step.version} without picture", "left out"))
    if unknown := sorted({row[4] for own in rows.values() for row in own} - labels.keys()):
        raise LabelsError(
            f"version {step.version} of the labels has classes that the data set lacks: {', '.join(unknown)}"
        )
    old = {name: np.asarray(values) for name, values in tables.boxes.items()}
    kept = ~np.isin(old["image_id"], list(rows))
    parts = [{name: values[kept] for name, values in old.items()}]
    free = int(old["box_id"].max(initial=0)) + 1
    for image_id in sorted(rows):
        made = _repaired(old, image_id, rows[image_id], labels, free)
        free = max(free, int(made["box_id"].max(initial=0)) + 1)
        parts.append(made)
    boxes = {name: np.concatenate([part[name] for part in parts]) for name in old}
    order = np.argsort(boxes["box_id"], kind="stable")  # as ingest writes them
    boxes = {name: values[order] for name, values in boxes.items()}
    truth = repaired_truth(tables.truth, boxes, set(rows))
    summary = {**tables.summary, **count_splits(tables.images, boxes, tables.class_names), "problems": len(problems)}
    summary["labels"] = step.version
    return replace(tables, boxes=boxes, truth=truth, problems=problems, summary=summary)


def _repaired(
    old: Mapping[str, np.ndarray], image_id: int, rows: Sequence[Row], labels: Mapping[str, int], free: int
) -> dict[str, np.ndarray]:
    """The boxes of one image: unchanged ones as they were, matched ones under their ids, added ones from `free` on."""
    own = np.flatnonzero(old["image_id"] == image_id)
    before = Labels(_corners(old, own), old["label"][own].astype(int), old["crowd"][own].astype(bool))
    new = as_labels(rows, labels)
    found = match(before, new)
    boxes = np.where(found.same[:, None], before.boxes[found.partner], new.boxes) if len(own) else new.boxes
    number = np.where(found.partner >= 0, old["box_id"][own][found.partner] if len(own) else -1, -1)
    added = np.flatnonzero(number < 0)
    number[added[np.lexsort(boxes[added].T[::-1])]] = np.arange(free, free + len(added))
    columns = {"box_id": number, "image_id": np.full(len(number), image_id), "label": new.labels, "crowd": new.crowd}
    columns |= dict(zip(("x1", "y1", "x2", "y2"), boxes.T, strict=True))
    return {name: columns[name].astype(values.dtype) for name, values in old.items()}


def as_labels(rows: Sequence[Row], labels: Mapping[str, int]) -> Labels:
    """Rows of a version as arrays."""
    return Labels(
        np.array([row[:4] for row in rows], np.float32).reshape(-1, 4),
        np.array([labels[row[4]] for row in rows], int),
        np.array([row[5] for row in rows], bool),
    )


def _corners(boxes: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.stack([boxes[name][rows] for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float32)


def _pool_before(before: IngestedTables, after: IngestedTables) -> dict[str, Any]:
    """The objects of the pool before any import, as rows of TRUTH. A box that is gone has no id, as a missing one."""
    pool = np.asarray(before.images["image_id"])[np.array(before.images["split"], object) == "pool"]
    boxes = {name: np.asarray(values) for name, values in before.boxes.items()}
    rows = np.flatnonzero(np.isin(boxes["image_id"], pool) & ~boxes["crowd"].astype(bool))
    numbers = boxes["box_id"][rows]
    there = np.isin(numbers, np.asarray(after.boxes["box_id"])[~np.asarray(after.boxes["crowd"], bool)])
    columns: dict[str, Any] = {name: boxes[name][rows] for name in ("image_id", "x1", "y1", "x2", "y2", "label")}
    columns["box_id"] = [int(n) if known else None for n, known in zip(numbers, there, strict=True)]
    return columns | {"mistake": ["none"] * len(rows)}
