"""Finished trials of a workspace as numbers from which studies can be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from metricloop.comparison.results import read_results
from metricloop.comparison.statistics import resampling_units
from metricloop.data.loading import load
from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.study.plan import load_plan

BASE = "random"


class Trials(NamedTuple):
    """T trials on D drawn splits. Each split is drawn with replacement from the search images, as the search images
    were from all images of their kind, and its replicates from its own images.

    arm: (T,) names, the baseline's is BASE. whole: (T,) mAP on the search split as it is. values: (D, T) mAP on the
    drawn splits. covariance: (D, T, T) over replicates. images: of the search split (or groups of images).
    """

    arm: np.ndarray
    whole: np.ndarray
    values: np.ndarray
    covariance: np.ndarray
    images: int

    def of(self, arm: str) -> np.ndarray:
        """The places of an arm's trials."""
        return np.flatnonzero(self.arm == arm)

    def truth(self, arm: str) -> float:
        """The arm's mean over all its trials and all search images: the truth for studies drawn from them."""
        return float(self.whole[self.of(arm)].mean())


def read_trials(workspace: Path, splits: int, replicates: int, keep: Path | None = None) -> Trials:
    """Read the evaluated blocks of a workspace; keep: a folder where the numbers are stored for the next time."""
    file = keep / f"{workspace.resolve().name}-{splits}-{replicates}.npz" if keep else None
    if file and file.is_file():
        return Trials(**{name: array if array.ndim else int(array) for name, array in np.load(file).items()})
    plan = load_plan(workspace)
    data = load(workspace / "data", workspace, "search")  # labels only: the pictures are not read
    unit = resampling_units(data.group)
    units, positives = int(unit.max()) + 1, count_positives(data)
    rng = np.random.default_rng(17)
    chunks = [np.ones((1, len(unit)), int)]
    for _ in range(splits):
        counts = rng.multinomial(units, np.full(units, 1 / units))
        chunks.append(np.vstack([counts, rng.multinomial(units, counts / units, size=replicates)])[:, unit])
    weights = np.vstack(chunks)
    baseline = next(arm for arm, spec in plan["arms"].items() if spec["role"] == "baseline")
    names, rows = [], []
    for result in read_results(plan, workspace):
        for matches in result.matches.values():
            names.append(BASE if result.arm == baseline else result.arm)
            rows.append(weighted_ap(matches, data.image_id, positives, weights)[0])
    numbers = np.array(rows)
    drawn = numbers[:, 1:].reshape(len(rows), splits, 1 + replicates)
    trials = Trials(
        arm=np.array(names),
        whole=numbers[:, 0],
        values=drawn[:, :, 0].T,
        covariance=np.stack([np.cov(drawn[:, split, 1:]) for split in range(splits)]),
        images=units,
    )
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **trials._asdict())
    return trials
