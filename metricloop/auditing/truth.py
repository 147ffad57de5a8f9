"""What is known to be wrong with the pool's labels, in pool order. No metric and no prompt reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.tables import column


@dataclass(frozen=True)
class Truth:
    """boxes: the mistake of each box of the pool, "none" where it is right and UNJUDGED where nobody knows, (m,).
    missing: how many objects of each image have no label, (n,) int. judged: whether anything is known of the image,
    (n,) bool."""

    boxes: np.ndarray
    missing: np.ndarray
    judged: np.ndarray

    @property
    def unlabelled(self) -> np.ndarray:
        """Whether each image has an object without a label, (n,) bool."""
        return self.missing > 0

    @property
    def judged_boxes(self) -> np.ndarray:
        """Whether anything is known of each box, (m,) bool."""
        return self.boxes != UNJUDGED

    @property
    def wrong(self) -> np.ndarray:
        """Whether each box is wrong in any way, (m,) bool."""
        return self.judged_boxes & (self.boxes != "none")

    def mistake(self, row: int, box: int) -> str:
        """The mistake of a box, or of image `row` where `box` is -1; "none" where nothing is wrong."""
        if box >= 0:
            return str(self.boxes[box])
        if not self.judged[row]:
            return UNJUDGED
        return "missing" if self.missing[row] else "none"


def truth_of(pool: Dataset, table: pa.Table) -> Truth | None:
    """The truth in pool order; None when it knows no mistake. table: TRUTH rows."""
    if all(mistake in ("none", None, "", UNJUDGED) for mistake in table["mistake"].to_pylist()):
        return None
    return known_truth(pool, table)


def known_truth(pool: Dataset, table: pa.Table) -> Truth:
    """The truth in pool order, even if it holds no mistake. An image counts as judged if any of its rows is judged."""
    mistakes, box_id = np.array(table["mistake"].to_pylist(), object), column(table, "box_id")
    by_box = {int(box): str(mistake) for box, mistake in zip(box_id, mistakes, strict=True) if box >= 0}
    image = column(table, "image_id")
    unjudged = np.setdiff1d(image[mistakes == UNJUDGED], image[mistakes != UNJUDGED])
    missed, count = np.unique(image[mistakes == "missing"], return_counts=True)
    missing = dict(zip(missed.tolist(), count.tolist(), strict=True))
    return Truth(
        boxes=np.array([by_box.get(int(box), "none") for box in pool.box_id], object),
        missing=np.array([missing.get(int(number), 0) for number in pool.image_id], int),
        judged=~np.isin(pool.image_id, unjudged),
    )
