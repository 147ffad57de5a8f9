"""The scores of one metric on a pool, filled in part by part, and written as table columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.metrics.contract import Spec


@dataclass
class ScoreColumn:
    """The scores of one metric. Those of image i are scores[ends[i]:ends[i + 1]].

    scores: (n,) per image or (m,) per box, nan until filled; ends: (n + 1,); done: (n,) bool, images already scored;
    errors: by image row.
    """

    spec: Spec
    ends: np.ndarray
    scores: np.ndarray
    done: np.ndarray
    errors: dict[int, str] = field(default_factory=dict)

    @staticmethod
    def empty(spec: Spec, pool: Dataset) -> ScoreColumn:
        ends = pool.offsets if spec.level == "object" else np.arange(len(pool) + 1)
        return ScoreColumn(spec, ends, np.full(int(ends[-1]), np.nan), np.zeros(len(pool), bool))

    @property
    def sizes(self) -> np.ndarray:
        """Scores per image, (n,) int."""
        return np.diff(self.ends)

    def of(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The scores of some image rows, concatenated."""
        return self.scores[spans(self.ends[rows], self.sizes[rows])]

    def fill(
        self, rows: Sequence[int] | np.ndarray, scores: np.ndarray, errors: Mapping[int, str] | None = None
    ) -> None:
        """Set the scores of some image rows, given concatenated."""
        rows = np.asarray(rows, int)
        self.scores[spans(self.ends[rows], self.ends[rows + 1] - self.ends[rows])] = scores
        self.done[rows] = True
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
    """The indices of several spans, concatenated.

    >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(int(ends[-1]) if len(ends) else 0)
