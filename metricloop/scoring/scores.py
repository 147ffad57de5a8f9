"""Read the scores of one metric from its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.tables import SCORES, column, read_table


@dataclass(frozen=True)
class Scores:
    """Scores in the order of the file.

    row: (k,) image row of the pool; box: (k,) box row, -1 for scores of images; value: (k,) float, nan for unknown;
    errors: the distinct error messages.
    """

    row: np.ndarray
    box: np.ndarray
    value: np.ndarray
    errors: tuple[str, ...]

    @property
    def per_object(self) -> bool:
        return bool((self.box >= 0).any())


def read_scores(path: Path, pool: Dataset) -> Scores:
    """Read scores/BATCH/METRIC.parquet. Scores of images or boxes that are not in the pool are left out."""
    table = read_table(path, SCORES)
    box_id = column(table, "box_id")
    row = _find(pool.image_id, column(table, "image_id"))
    box = np.where(box_id < 0, -1, _find(pool.box_id, box_id))
    known = (row >= 0) & ((box_id < 0) | (box >= 0))
    errors = sorted({error for error in table["error"].to_pylist() if error})
    return Scores(row[known], box[known], column(table, "score")[known], tuple(errors))


def _find(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The row of each wanted id among the known ids, which may be in any order; -1 for an unknown id."""
    if not len(known):
        return np.full(len(wanted), -1)
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], wanted).clip(max=len(known) - 1)
    return np.where(known[order][place] == wanted, order[place], -1)
