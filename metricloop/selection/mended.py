"""What a policy gets when labels are mended: the scores of the boxes that are left, and their use afterwards."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import SCORES, column
from metricloop.selection.keep_values import ScoreTables


def scores_of_mended(
    pool: Dataset, mended: Dataset, source: np.ndarray, tables: ScoreTables | None
) -> ScoreTables | None:
    """Scores of the pool's boxes as scores of the mended boxes: without dropped ones, and nan for added ones.

    source: (m,) the row that each mended box had in the pool, -1 for added ones. Scores of images stay as they are.
    """
    if tables is None or mended is pool:
        return tables
    if isinstance(tables, Mapping):
        return {name: _mended(pool, mended, source, table) for name, table in tables.items()}
    return _mended(pool, mended, source, tables)


def use_of_mended(use: np.ndarray | None, source: np.ndarray) -> np.ndarray | None:
    """The use (keep, mask, drop) of the pool's boxes as that of the mended boxes; added boxes are kept."""
    if use is None:
        return None
    return np.where(source >= 0, np.append(use, "keep")[source], "keep")


def _mended(pool: Dataset, mended: Dataset, source: np.ndarray, table: pa.Table) -> pa.Table:
    box_id = column(table, "box_id")
    if not (box_id >= 0).any() and len(table):
        return table
    kept = table.filter(pa.array(~np.isin(box_id, np.setdiff1d(pool.box_id, mended.box_id))))
    added = np.flatnonzero(source < 0)
    blank = {name: pa.nulls(len(added), SCORES.field(name).type) for name in ("box_id", "score", "error")}
    new = {"image_id": pa.array(mended.image_id[mended.box_row[added]], SCORES.field("image_id").type), **blank}
    return pa.concat_tables([kept, pa.table({name: new[name] for name in SCORES.names}, SCORES)])
