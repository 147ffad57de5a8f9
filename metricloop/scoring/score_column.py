"""The scores of one metric, filled in as they come, and the table that becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.metrics.contract import Spec


@dataclass
class ScoreColumn:
    """scores: (n,) of images, or (m,) of boxes, nan until filled; ends: (n + 1,), where those of each image lie;
    asked: (n,) bool, the images that have had their turn; errors: by image row.
    """

    spec: Spec
    ends: np.ndarray
    scores: np.ndarray
    asked: np.ndarray
    errors: dict[int, str] = field(default_factory=dict)

    @staticmethod
    def blank(spec: Spec, pool: Dataset) -> ScoreColumn:
        ends = pool.offsets if spec.level == "object" else np.arange(len(pool) + 1)
        return ScoreColumn(spec, ends, np.full(int(ends[-1]), np.nan), np.zeros(len(pool), bool))

    @property
    def sizes(self) -> np.ndarray:
        """Scores per image, (n,) int."""
        return np.diff(self.ends)

    def of(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The scores of some image rows, one after the other."""
        return self.scores[spans(self.ends[rows], self.sizes[rows])]

    def fill(
        self, rows: Sequence[int] | np.ndarray, scores: np.ndarray, errors: Mapping[int, str] | None = None
    ) -> None:
        """Enter the scores of some image rows, given one after the other."""
        rows = np.asarray(rows, int)
        self.scores[spans(self.ends[rows], self.ends[rows + 1] - self.ends[rows])] = scores
        self.asked[rows] = True
        self.errors |= errors or {}

    def columns(self, pool: Dataset) -> dict[str, Any]:
        """The columns of data.tables.SCORES."""
        objects, blank = self.spec.level == "object", np.full(len(self.scores), None, object)
        errors = blank
        if self.errors:
            per_image = np.full(len(pool), None, object)
            per_image[list(self.errors)] = list(self.errors.values())
            errors = np.repeat(per_image, self.sizes)
        return {
            "image_id": np.repeat(pool.image_id, self.sizes) if objects else pool.image_id,
            "box_id": pool.box_id if objects else blank,
            "score": self.scores,
            "error": errors,
        }


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The indices of spans, one after the other.

    >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(int(ends[-1]) if len(ends) else 0)
