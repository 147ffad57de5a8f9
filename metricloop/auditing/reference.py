"""What the labels are compared with: mistakes that were made on purpose, or a second labelling of some images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.auditing.budget import Budget
from metricloop.auditing.truth import Truth, known_truth
from metricloop.data.dataset import Dataset
from metricloop.data.tables import TRUTH, read_table
from metricloop.params import Params
from metricloop.selection.keep_values import without_crowds

PLANTED, SECOND = "planted mistakes", "second labels"


@dataclass(frozen=True)
class Reference:
    """A truth about the labels, and how the metrics do against it.

    name: PLANTED or SECOND. rows: of `measure`. budgets: of `budgets`. disagreement: of `disagreement`, for SECOND.
    """

    name: str
    truth: Truth
    rows: Sequence[dict[str, Any]]
    budgets: Sequence[Budget]
    disagreement: Sequence[dict[str, Any]] = ()

    @property
    def images(self) -> int:
        """How many images it judges."""
        return int(self.truth.judged.sum())


def second_truth(folder: Path, params: Params, pool: Dataset) -> Truth | None:
    """What the second labelling says, in pool order; None without one."""
    if not params.data.second_labels:
        return None
    return known_truth(pool, without_crowds(read_table(folder / layout.SECOND, TRUTH), pool))
