"""The frames on which a new metric is tried, and the scores of known metrics on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.scoring.scores import read_scores

PROBE_FRAMES = 24  # frames; a metric that takes 2 ms per frame passes the gate in about a second


def probe_frames(
    pool: Dataset, predictions: Mapping[int, Detections] | None, count: int = PROBE_FRAMES
) -> tuple[list[int], list[Frame]]:
    """Choose frames evenly from the image with the fewest boxes to that with the most; returns pool rows and frames.

    The frames hold their pixels. A picture that cannot be read is left out.
    """
    ranked = np.lexsort((pool.image_id, pool.counts))
    chosen = ranked[np.unique(np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int))]
    inputs = MetricInputs(pool, predictions)
    read = [(int(row), *read_frame(unread_frame(inputs, int(row)), pixels=True)) for row in chosen]
    rows = [row for row, _, unreadable in read if not unreadable]
    return rows, [frame for _, frame, unreadable in read if not unreadable]


def scores_so_far(folder: Path, pool: Dataset, rows: Sequence[int]) -> dict[str, list[np.ndarray]]:
    """The scores of these pool rows by metric, from every table under scores/."""
    found = {}
    for file in sorted(folder.glob(layout.scores_file("*", "*"))):
        scores = read_scores(file, pool)
        found[file.stem] = [scores.value[scores.row == row] for row in rows]
    return found
