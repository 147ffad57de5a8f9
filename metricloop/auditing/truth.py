"""The mistakes that were put into the pool's labels on purpose, in pool order. No metric and no prompt reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import column


@dataclass(frozen=True)
class Truth:
    """boxes: the mistake of each box of the pool, "none" where it is right, (m,). unlabelled: whether each image has
    an object without a label, (n,) bool."""

    boxes: np.ndarray
    unlabelled: np.ndarray

    def mistake(self, row: int, box: int) -> str:
        """The mistake of a box, or of image `row` where `box` is -1; "none" where nothing is wrong."""
        if box >= 0:
            return str(self.boxes[box])
        return "missing" if self.unlabelled[row] else "none"


def truth_of(pool: Dataset, table: pa.Table) -> Truth | None:
    """The truth in pool order; None when no mistakes were made on purpose. table: TRUTH rows."""
    mistakes, box_id = np.array(table["mistake"].to_pylist(), object), column(table, "box_id")
    by_box = {int(box): str(mistake) for box, mistake in zip(box_id, mistakes, strict=True) if box >= 0}
    if all(mistake in ("none", "None", "") for mistake in mistakes):
        return None
    return Truth(
        boxes=np.array([by_box.get(int(box), "none") for box in pool.box_id], object),
        unlabelled=np.isin(pool.image_id, column(table, "image_id")[mistakes == "missing"]),
    )
