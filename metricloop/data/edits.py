"""Edits of the pool's labels, as a repair proposes them: the table they are kept in, and how they are applied.

In memory the edits of one image are rows of numbers, see data.edit_rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.edit_rows import ADD, DROP, KINDS, MOVE, RELABEL
from metricloop.data.tables import TableError, column, xyxy

# One row per edit; box_id null: the box is added. One row with an error, all else null, per image where the repair
# failed; its labels stay as they are.
EDITS = pa.schema(
    {
        "image_id": pa.int64(),
        "kind": pa.string(),
        "box_id": pa.int64(),
        **{name: pa.float32() for name in ("x1", "y1", "x2", "y2")},
        "label": pa.int32(),
        "confidence": pa.float64(),
        "error": pa.string(),
    }
)


def edit_columns(pool: Dataset, rows: Mapping[int, np.ndarray], errors: Mapping[int, str]) -> dict[str, Any]:
    """The columns of EDITS. rows: by image row, (k, 8); errors: by image row, where the repair failed."""
    found: dict[str, list[Any]] = {name: [] for name in EDITS.names}
    for row in sorted({*rows, *errors}):
        image_id, own = int(pool.image_id[row]), pool.box_id[pool.slice(row)]
        if row in errors:
            _add(found, image_id, error=errors[row])
            continue
        for kind, box, *corners, label, confidence in rows[row].tolist():
            _add(
                found,
                image_id,
                kind=KINDS[int(kind)],
                box_id=None if box < 0 else int(own[int(box)]),
                **({} if np.isnan(corners[0]) else dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True))),
                label=None if label < 0 else int(label),
                confidence=confidence,
            )
    return found


def taken(edits: pa.Table, least_confidence: float, kinds: Collection[str] = KINDS) -> pa.Table:
    """The edits of these kinds with at least this confidence. Rows for images where the repair failed are left out."""
    sure = column(edits, "confidence") >= least_confidence  # false for failures: nan
    return edits.filter(pa.array(sure & np.isin(edits["kind"].to_pylist(), [*kinds])))


def apply_edits(
    pool: Dataset, edits: pa.Table, least_confidence: float, kinds: Collection[str] = KINDS
) -> tuple[Dataset, np.ndarray]:
    """Apply the edits of these kinds with at least this confidence. Returns the edited pool, and for each of its boxes
    the row of that box in the pool before.

    edits: a table of EDITS. Boxes keep their order and their ids; added boxes come last in their image, by place and
    class, with the box_id -1, and their row is -1. Without an edit to apply the pool itself comes back.
    Errors: TableError for an edit of an image or box that the pool lacks: the edits are those of other labels.
    """
    edits = taken(edits, least_confidence, kinds)
    if not len(edits):
        return pool, np.arange(len(pool.boxes))
    kind = np.array([KINDS.index(name) for name in edits["kind"].to_pylist()])
    image = _rows_of(pool.image_id, column(edits, "image_id"), "an image")
    old = kind != ADD
    box = np.full(len(kind), -1)
    box[old] = _rows_of(pool.box_id, column(edits, "box_id")[old], "a label")
    corners, labels = xyxy(edits), column(edits, "label").astype(np.int64)
    boxes, classes = pool.boxes.copy(), pool.labels.copy()
    boxes[box[kind == MOVE]] = corners[kind == MOVE]
    classes[box[kind == RELABEL]] = labels[kind == RELABEL]
    kept = np.ones(len(boxes), bool)
    kept[box[kind == DROP]] = False
    new = np.flatnonzero(kind == ADD)
    new = new[np.lexsort((labels[new], *corners[new].T[::-1]))]
    box_row = np.concatenate([pool.box_row[kept], image[new]])
    order = np.argsort(box_row, kind="stable")
    source = np.concatenate([np.flatnonzero(kept), np.full(len(new), -1)])[order]
    mended = replace(
        pool,
        box_id=np.concatenate([pool.box_id[kept], np.full(len(new), -1, pool.box_id.dtype)])[order],
        boxes=np.concatenate([boxes[kept], corners[new]])[order],
        labels=np.concatenate([classes[kept], labels[new]])[order],
        crowd=np.concatenate([pool.crowd[kept], np.zeros(len(new), bool)])[order],
        offsets=np.searchsorted(box_row[order], np.arange(len(pool) + 1)),
    )
    return mended, source


def _add(found: dict[str, list[Any]], image_id: int, **given: Any) -> None:
    for name, values in found.items():
        values.append(image_id if name == "image_id" else given.get(name))


def _rows_of(known: np.ndarray, wanted: np.ndarray, what: str) -> np.ndarray:
    """The row of each wanted id. Errors: TableError for an id that is not known."""
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], wanted).clip(max=max(len(known) - 1, 0))
    if len(wanted) and (not len(known) or (known[order][place] != wanted).any()):
        raise TableError(f"an edit is about {what} that the pool does not have; run the stage mend again")
    return order[place] if len(known) else place
