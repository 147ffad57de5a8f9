"""The images and labels that a promoted detector trains on: the arm's own subset, or a larger share of the pool."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.manifest import draw_of, write_draws
from metricloop.data.pool import read_pool
from metricloop.data.tables import SUBSET, column, read_table
from metricloop.params import Params
from metricloop.selection.arm_files import read_arm_inputs
from metricloop.selection.policies import POLICIES, PolicyError, check_policy
from metricloop.selection.select import select
from metricloop.study.plan import entry_of, load_plan

OWN = "subset.parquet"  # in the detector folder, where the arm's own subset was not taken


@dataclass(frozen=True)
class TrainingSubset:
    """table: SUBSET rows of all draws. file: its name for people; md5: of the file; share: of the pool's images.

    own: the file when it was made for this detector, else None.
    """

    table: pa.Table
    file: str
    md5: str
    share: float
    own: Path | None = None

    def draw(self, number: int) -> pa.Table:
        """One draw; an arm without chance has the same for every number."""
        return draw_of(self.table, number, self.file)

    def described(self, number: int) -> dict[str, Any]:
        """Which draw it is, for detector.json: with its numbers of images and of boxes that are kept."""
        draw = self.draw(number)
        return {
            "file": self.file,
            "md5": self.md5,
            "images": len(np.unique(column(draw, "image_id"))),
            "boxes": int(np.count_nonzero(column(draw, "use") == "keep")),
            "share": self.share,
            "draw": int(draw["draw"][0].as_py()),
        }


def own_subset(params: Params, arm: str) -> TrainingSubset:
    """The subset of an arm of the workspace that is the current folder. Errors: TableError."""
    path = layout.subset_file(arm)
    return TrainingSubset(read_table(path, SUBSET), path, _md5(Path(path)), params.study.budget)


def larger_subset(params: Params, arm: str, share: float, draws: Sequence[int]) -> TrainingSubset:
    """What an arm's policy selects when it may keep `share` of the pool; with the study's own share, the same.

    Errors: PolicyError when the policy has too few images for that, or takes no share.
    """
    entry = entry_of(load_plan(), "arms", arm)
    name, options = check_policy(entry["policy"])
    if POLICIES[name].reads == "subset":
        raise PolicyError(f"{arm}: the policy {name} selects as many boxes as another arm has; promote without --share")
    pool = read_pool(layout.DATA, params.data.folder)
    inputs = read_arm_inputs(name, options, (entry["a"], entry["b"]), pool)
    drawn = select(
        pool,
        entry["policy"],
        inputs.a,
        inputs.b,
        inputs.embeddings,
        inputs.edits,
        study=(params.study.name, params.study.seed),
        arm=arm,
        budget=share,
        seeds=draws,
    )
    path = Path(layout.CACHE) / f"promote-{arm}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_draws(path, drawn)
    return TrainingSubset(read_table(path, SUBSET), OWN, _md5(path), share, path)


def _md5(path: Path) -> str:
    """The hash by which DVC knows a file."""
    return hashlib.md5(path.read_bytes()).hexdigest()
