"""The manifest of an arm's subset: the labels of each draw, from which a trial trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import SUBSET, TableError, column, read_table


def read_draw(path: Path | str, seed: int) -> pa.Table:
    """The draw for `seed` from subsets/ARM.parquet, as SUBSET rows. Errors: TableError."""
    return draw_of(read_table(path, SUBSET), seed, str(path))


def draw_of(subset: pa.Table, seed: int, where: str) -> pa.Table:
    """The rows of the draw for `seed`, or of the only draw if all draws of the arm are equal.

    Errors: TableError with `where` when the subset holds other draws but not this one.
    """
    draws = column(subset, "draw")
    stored = np.unique(draws)
    if seed not in stored:
        if stored.tolist() != [0]:
            raise TableError(
                f"{where} holds no draw for seed {seed}, only {', '.join(map(str, stored)) or 'none'}; select it again"
            )
        seed = 0
    return subset.filter(pa.array(draws == seed))


def manifest(data: Dataset, rows: np.ndarray, use: np.ndarray | None = None) -> pa.Table:
    """The labels of some images as rows of SUBSET, without the column draw. use: per box keep | mask | drop."""
    use = np.full(len(data.boxes), "keep") if use is None else use
    kept = np.flatnonzero(np.isin(data.box_row, rows) & (use != "drop"))
    bare = np.setdiff1d(rows, data.box_row[kept])  # images without boxes: one row each, box columns null
    order = np.argsort(np.concatenate([data.box_row[kept], bare]), kind="stable")

    def nullable(values: np.ndarray, name: str, null: np.ndarray | None = None) -> pa.Array:
        padded = np.concatenate([values, np.zeros(len(bare), values.dtype)])[order]
        mask = np.concatenate([np.zeros(len(kept), bool) if null is None else null, np.ones(len(bare), bool)])[order]
        return pa.array(padded, mask=mask).cast(SUBSET.field(name).type)

    box_id, boxes = data.box_id[kept], data.boxes[kept]
    columns = {
        "image_id": pa.array(data.image_id[np.concatenate([data.box_row[kept], bare])[order]]),
        "box_id": nullable(box_id, "box_id", box_id < 0),
        **{name: nullable(boxes[:, axis], name) for axis, name in enumerate(("x1", "y1", "x2", "y2"))},
        "label": nullable(data.labels[kept], "label"),
        "use": pa.array(np.concatenate([use[kept], np.full(len(bare), "none")])[order]),
    }
    return pa.table(columns)
